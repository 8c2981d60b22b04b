// Package ingest is a way in besides Kafka: an HTTP receiver for the webhooks of mail providers. It checks who sends, cuts
// batches into records keyed by recipient, and answers 2xx only once every in-sync replica has them. When Kafka is away it
// answers 503, so that the provider keeps the payload and sends it again. It counts nothing itself, and it keeps nothing:
// what was not acknowledged is the provider's, what was is Kafka's.
package ingest
