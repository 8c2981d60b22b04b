// Package audience checks a list of addresses of any length against what is known of its recipients, in bounded memory:
// it reads lines or CSV, leaves out what is no address and what came before, asks in batches and adds up. It keeps no
// address longer than its batch takes and puts none in an error.
package audience
