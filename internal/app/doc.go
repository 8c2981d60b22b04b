// Package app puts the parts together: it turns a configuration into each part's options, starts them in order, and stops
// them in the reverse one. It decides nothing about mail, and is the only package that knows all the others.
package app
