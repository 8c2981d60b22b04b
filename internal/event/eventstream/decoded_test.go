package eventstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sendwatch/internal/event"
	"sendwatch/internal/event/provider/mapping"
)

// outcomes are records that were decoded elsewhere.
type outcomes struct {
	list   []event.Result
	at     int64
	broken error
	closed *atomic.Int64
}

func (o *outcomes) Next(time.Time) (event.Result, error) {
	if int(o.at) == len(o.list) {
		if o.broken != nil {
			return event.Result{}, o.broken
		}
		return event.Result{}, io.EOF
	}
	o.at++
	return o.list[o.at-1], nil
}

func (o *outcomes) Number() int64 { return o.at - 1 + 1<<40 }
func (o *outcomes) Close()        { o.closed.Add(1) }

// TestDecodedSources says that sources which are no files come in the same order as files, and are closed.
func TestDecodedSources(t *testing.T) {
	var closed atomic.Int64
	send := func(id string, second int) event.Result {
		return event.Result{Events: []event.Event{{Type: event.Send, ID: id, Time: now.Add(time.Duration(second-3600) * time.Second)}}}
	}
	decoded := func(name string, o *outcomes) Source {
		o.closed = &closed
		return Source{Name: name, Decoded: func(context.Context) (Outcomes, error) { return o, nil }}
	}
	got := read(t, 2,
		decoded("p0", &outcomes{list: []event.Result{send("1", 1), {Rejected: &event.Rejection{Reason: event.NotJSON}}, {Ignored: 1}, send("4", 4)}}),
		text("f", line("2", 2)+"\n"+line("5", 5)),
		decoded("p1", &outcomes{list: []event.Result{send("3", 3), send("6", 6)}, broken: errors.New("away")}),
		Source{Name: "p2", Decoded: func(context.Context) (Outcomes, error) { return nil, errors.New("never there") }},
	)
	want := "p2: failed: never there|1|p0:1099511627777: not_json|ignored 1|2|3|4|5|6|p1: failed: away"
	if joined := strings.ReplaceAll(idsOf(got), " ", "|"); joined != strings.ReplaceAll(want, " ", "|") || closed.Load() != 2 {
		t.Errorf("got %s, %d closed\nwant %s", joined, closed.Load(), want)
	}
}

func TestManyDecodedRecords(t *testing.T) {
	var closed atomic.Int64
	var list []event.Result
	for i := range 10_000 {
		list = append(list, event.Result{Events: []event.Event{{Type: event.Send, ID: fmt.Sprint("e", i), Time: now.Add(-time.Hour)}}})
	}
	got := read(t, 2, Source{Name: "p", Decoded: func(context.Context) (Outcomes, error) { return &outcomes{list: list, closed: &closed}, nil }})
	for i, l := range got {
		if !strings.Contains(l, fmt.Sprintf(`"id":"e%d"`, i)) {
			t.Fatalf("record %d is %s", i, l)
		}
	}
	if len(got) != len(list) {
		t.Errorf("%d records, want %d", len(got), len(list))
	}
}

func TestFormatOfRecords(t *testing.T) {
	f, problems := mapping.New(mapping.Spec{Name: "own", Fields: map[string]mapping.Source{"type": {Value: "open"}, "time": {From: []string{"at"}}}})
	if problems != nil {
		t.Fatal(problems)
	}
	var ids []string
	o := Options{Now: func() time.Time { return now }, Format: "own", Own: []*mapping.Format{f}}
	sources := []Source{text("a", `{"at":1772439304}`+"\n"+`{"at":1772439305}`), text("b", `{"at":1772439303}`)}
	err := Read(context.Background(), sources, o, func(r *event.Result) {
		for i := range r.Events {
			ids = append(ids, fmt.Sprint(r.Events[i].Time.Unix()))
		}
	})
	if got := strings.Join(ids, " "); err != nil || got != "1772439303 1772439304 1772439305" {
		t.Errorf("%s, error %v", got, err)
	}
	o.Format = "other"
	if err := Read(context.Background(), sources, o, func(*event.Result) {}); err == nil {
		t.Error("a format that is not known was taken")
	}
}
