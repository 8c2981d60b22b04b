package event_test

import (
	"bytes"
	"testing"

	"sendwatch/internal/event"

	"github.com/go-json-experiment/json/jsontext"
)

const benchmarked = `{"type":"delivery","time":"2026-03-02T08:15:04.123Z","id":"0102019c-7a51-4f60-9f4e-1c1a5f1d0001",` +
	`"recipient":"user123456@example.org","message_id":"0102019made00001-00000001@mta1","tenant":"tenant-17",` +
	`"ip":"203.0.113.17","pool":"bulk","domain":"news.shop.example.com","campaign":"spring-sale","stream":"news"}`

// BenchmarkTokens is what the JSON alone costs: compare BenchmarkNative with it, in one run.
func BenchmarkTokens(b *testing.B) {
	text := []byte(benchmarked)
	d, r := new(jsontext.Decoder), new(bytes.Buffer)
	options := []jsontext.Options{jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)}
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		*r = *bytes.NewBuffer(text)
		d.Reset(r, options...)
		for {
			if _, err := d.ReadToken(); err != nil {
				break
			}
		}
	}
}

func BenchmarkNative(b *testing.B) {
	text := []byte(benchmarked)
	n := event.NewNative()
	foreign := func(string) bool { return false }
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		n.Reset()
		var e event.Event
		if ok, rejection := n.TryRead(text, foreign, &e); !ok || rejection != nil {
			b.Fatal(rejection)
		}
	}
}
