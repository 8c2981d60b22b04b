// Package web is the dashboard: pages made on the server from the answers that the API gives, which work without a script. A
// small one of our own renews them while they are open. There is no build step, and nothing is fetched from elsewhere.
package web
