package backtest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"sendwatch/internal/alerts"
	"sendwatch/internal/audit"
	"sendwatch/internal/audit/digest"
	"sendwatch/internal/event"
	"sendwatch/internal/event/eventstream"
	"sendwatch/internal/event/provider"
	"sendwatch/internal/kafka"
	"sendwatch/internal/policy"
	"sendwatch/internal/windows"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var start = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)

func options(t testing.TB, pack string) audit.Options {
	t.Helper()
	p, ok := policy.Pack(pack)
	if !ok {
		t.Fatal(pack)
	}
	ret := windows.DefaultRetention(400)
	return audit.Options{Combinations: []windows.Combination{{}, {windows.Tenant}}, Retention: ret,
		Policies: policy.NewSet([]policy.Policy{p}, windows.DefaultWindows(), ret, policy.Defaults{}), Horizon: 48 * time.Hour,
		Providers: windows.NewProviders(nil, nil)}
}

// story is mail of three days, of which one in forty bounces on the second.
func story() []event.Event {
	var list []event.Event
	for i := range 3 * 1440 {
		e := event.Event{Type: event.Delivery, Time: start.Add(time.Duration(i) * time.Minute), ID: fmt.Sprint("e", i), Tenant: "acme"}
		if day := i / 1440; day == 1 && i%30 == 7 || day == 1 && i%41 == 9 {
			e.Type, e.BounceClass = event.Bounce, event.Hard
		}
		list = append(list, e)
	}
	return list
}

func run(b *Backtest, list []event.Event) []*audit.Report {
	take, wait := b.Pipeline()
	for i := range list {
		take(&event.Result{Events: list[i : i+1]})
	}
	wait()
	return b.Finish()
}

func encoded(t *testing.T, r *audit.Report) string {
	t.Helper()
	var out bytes.Buffer
	if err := r.WriteJSON(&out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// TestIsWhatAuditSays says that a backtest of files is an audit of what lies within the range, on each side.
func TestIsWhatAuditSays(t *testing.T) {
	span := Span{From: start.Add(20 * time.Hour), To: start.Add(50 * time.Hour)}
	list := story()
	reports := run(New(span, options(t, "dynamics-365"), options(t, "strict")), list)
	for i, pack := range []string{"dynamics-365", "strict"} {
		a := audit.New(options(t, pack))
		for j := range list {
			if !list[j].Time.Before(span.From) && list[j].Time.Before(span.To) {
				a.Take(&event.Result{Events: list[j : j+1]})
			}
		}
		want := a.Finish()
		if len(want.Alerts) == 0 {
			t.Fatalf("%s: no alerts to compare", pack)
		}
		if diff := cmp.Diff(strings.Split(encoded(t, want), "\n"), strings.Split(encoded(t, reports[i]), "\n")); diff != "" {
			t.Errorf("%s (-audit +backtest):\n%s", pack, diff)
		}
	}
}

// TestWarmUp says that what happened before the range is counted and not told.
func TestWarmUp(t *testing.T) {
	list := story()
	all := run(New(Span{}, options(t, "strict")), list)[0].Alerts
	span := Span{From: start.Add(40 * time.Hour), WarmUp: 40 * time.Hour}
	got := run(New(span, options(t, "strict")), list)[0]
	var want []string
	for i := range all {
		if !all[i].EvaluatedAt.Before(span.From) {
			want = append(want, all[i].Token())
		}
	}
	var tokens []string
	for i := range got.Alerts {
		tokens = append(tokens, got.Alerts[i].Token())
	}
	if len(want) == 0 || len(want) == len(all) {
		t.Fatalf("%d of %d alerts in the range say nothing", len(want), len(all))
	}
	if diff := cmp.Diff(want, tokens); diff != "" {
		t.Error(diff)
	}
	cold := run(New(Span{From: span.From}, options(t, "strict")), list)[0]
	if cold.Events.Counted >= got.Events.Counted {
		t.Errorf("%d events without a warm-up, %d with one", cold.Events.Counted, got.Events.Counted)
	}
}

func TestCut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bound := func(name string) time.Time {
			if n := rapid.IntRange(-1, 10).Draw(t, name); n >= 0 {
				return start.Add(time.Duration(n) * time.Second)
			}
			return time.Time{}
		}
		s := Span{From: bound("from"), To: bound("to"), WarmUp: time.Duration(rapid.IntRange(0, 3).Draw(t, "warm")) * time.Second}
		var list, want []event.Event
		for i, n := range rapid.SliceOf(rapid.IntRange(-3, 12)).Draw(t, "seconds") {
			e := event.Event{ID: fmt.Sprint(i), Time: start.Add(time.Duration(n) * time.Second)}
			list = append(list, e)
			if (s.From.IsZero() || !e.Time.Before(s.From.Add(-s.WarmUp))) && (s.To.IsZero() || e.Time.Before(s.To)) {
				want = append(want, e)
			}
		}
		before := slices.Clone(list)
		got, _ := s.cut(list, nil)
		if !slices.Equal(got, want) || !slices.Equal(list, before) {
			t.Fatalf("%v of %v, want %v", got, list, want)
		}
	})
}

func record(id, subject string, starts int, ends int) []alerts.Record {
	at := func(hour int) time.Time { return start.Add(time.Duration(hour) * time.Hour) }
	fired := alerts.Record{ID: id, Seq: 1, Change: alerts.Fired, Rate: "bounce", Window: "24h", SubjectKey: subject, StartsAt: at(starts), EvaluatedAt: at(starts)}
	if ends < 0 {
		return []alerts.Record{fired}
	}
	over := fired
	end := at(ends)
	over.Seq, over.Change, over.EndsAt, over.EvaluatedAt = 2, alerts.Resolved, &end, end
	return []alerts.Record{fired, over}
}

func TestCompare(t *testing.T) {
	for name, c := range map[string]struct{ a, b, want string }{
		"nothing":                   {"", "", ""},
		"only one":                  {"a1 x 1 3", "", "a:a1"},
		"the other":                 {"", "b1 x 1 3", "b:b1"},
		"the same":                  {"a1 x 1 3", "b1 x 2 5", "both:a1/b1"},
		"another subject":           {"a1 x 1 3", "b1 y 1 3", "a:a1 b:b1"},
		"one after the other":       {"a1 x 1 3", "b1 x 3 5", "a:a1 b:b1"},
		"both open":                 {"a1 x 1 -1", "b1 x 9 -1", "both:a1/b1"},
		"one goes on":               {"a1 x 1 -1", "b1 x 2 3,b2 x 5 6", "both:a1/b1+b2"},
		"a later one":               {"a1 x 1 3,a2 x 8 9", "b1 x 2 4", "a:a2 both:a1/b1"},
		"in each other":             {"a1 x 1 9", "b1 x 2 3,b2 x 9 10", "b:b2 both:a1/b1"},
		"the second of one side":    {"a1 x 1 5,a2 x 2 9", "b1 x 7 8", "both:a1+a2/b1"},
		"same moment, same episode": {"a1 x 4 -1", "b1 x 4 -1,b2 y 4 -1", "b:b2 both:a1/b1"},
	} {
		var sides [2][]alerts.Record
		for i, text := range []string{c.a, c.b} {
			for one := range strings.SplitSeq(text, ",") {
				var id, subject string
				var from, to int
				if n, _ := fmt.Sscan(one, &id, &subject, &from, &to); n == 4 {
					sides[i] = append(sides[i], record(id, subject, from, to)...)
				}
			}
			slices.SortStableFunc(sides[i], func(x, y alerts.Record) int { return x.EvaluatedAt.Compare(y.EvaluatedAt) })
		}
		got := Compare(sides[0], sides[1])
		ids := func(list []digest.Episode) string {
			var all []string
			for _, e := range list {
				all = append(all, e.Fired.ID)
			}
			return strings.Join(all, "+")
		}
		var parts []string
		for _, e := range got.OnlyA {
			parts = append(parts, "a:"+e.Fired.ID)
		}
		for _, e := range got.OnlyB {
			parts = append(parts, "b:"+e.Fired.ID)
		}
		for _, both := range got.Both {
			parts = append(parts, "both:"+ids(both.A)+"/"+ids(both.B))
		}
		if joined := strings.Join(parts, " "); joined != c.want {
			t.Errorf("%s: %s, want %s", name, joined, c.want)
		}
	}
}

// TestComparisonLosesNothing says that every alert of each side is told, once.
func TestComparisonLosesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var sides [2][]alerts.Record
		var want []string
		for i := range rapid.IntRange(0, 12).Draw(t, "alerts") {
			side := rapid.IntRange(0, 1).Draw(t, "side")
			from := rapid.IntRange(0, 20).Draw(t, "from")
			to := rapid.SampledFrom([]int{-1, from, from + 1, from + 5}).Draw(t, "to")
			id := fmt.Sprint("e", i)
			sides[side] = append(sides[side], record(id, rapid.SampledFrom([]string{"x", "y"}).Draw(t, "subject"), from, to)...)
			want = append(want, id)
		}
		c := Compare(sides[0], sides[1])
		var got []string
		note := func(list []digest.Episode) {
			for _, e := range list {
				got = append(got, e.Fired.ID)
			}
		}
		note(c.OnlyA)
		note(c.OnlyB)
		for _, both := range c.Both {
			if len(both.A) == 0 || len(both.B) == 0 {
				t.Fatal("one side of both is empty")
			}
			note(both.A)
			note(both.B)
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Fatalf("%v, want %v", got, want)
		}
	})
}

func TestWriteJSON(t *testing.T) {
	reports := run(New(Span{}, options(t, "dynamics-365"), options(t, "strict")), story())
	c := Compare(reports[0].Alerts, reports[1].Alerts)
	var out bytes.Buffer
	if err := WriteJSON(&out, Side{"a.yaml", []string{"dynamics-365"}, reports[0]}, Side{"strict", []string{"strict"}, reports[1]}, c); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Events struct{ Read, Counted int64 }
		A, B   struct {
			Name     string
			InBreach int `json:"in_breach"`
			Alerts   []struct{ ID string }
		}
		OnlyA []struct{ ID string } `json:"only_a"`
		OnlyB []struct{ ID string } `json:"only_b"`
		Both  []struct{ A, B []struct{ ID string } }
	}
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	if got.Events.Read != 4320 || got.A.Name != "a.yaml" || len(got.A.Alerts) != len(reports[0].Alerts) || len(got.B.Alerts) != len(reports[1].Alerts) ||
		len(got.OnlyA) != len(c.OnlyA) || len(got.OnlyB) != len(c.OnlyB) || len(got.Both) != len(c.Both) || len(got.Both) == 0 {
		t.Errorf("%+v", got)
	}
}

// topicOf writes events to partitions by turns of the given lengths, with the timestamps that stamp gives them.
func topicOf(t *testing.T, cluster *kfake.Cluster, partitions int, list []event.Event, stamp func(event.Event) time.Time) {
	t.Helper()
	w, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	var records []*kgo.Record
	for i := range list {
		records = append(records, &kgo.Record{Topic: "mail", Partition: int32(i % partitions), Value: event.AppendJSON(nil, &list[i]), Timestamp: stamp(list[i])})
	}
	if err := w.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// replayed are the times of the events that a stream of a topic gives, and the backtest of it.
func replayed(t *testing.T, cluster *kfake.Cluster, span Span, o audit.Options) (times []time.Time, r *audit.Report) {
	t.Helper()
	client, err := kafka.New(kafka.Options{Brokers: cluster.ListenAddrs()})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	topics := &Topics{Client: client, Topics: []Topic{{"mail", provider.Auto}}, Span: span, Limits: provider.Options{MaxAhead: 10 * time.Minute}}
	sources, err := topics.Sources(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b := New(span, o)
	take, wait := b.Pipeline()
	err = eventstream.Read(t.Context(), sources, eventstream.Options{
		Now: time.Now, Failed: func(source string, err error) { t.Errorf("%s: %v", source, err) },
	}, func(r *event.Result) {
		for i := range r.Events {
			times = append(times, r.Events[i].Time)
		}
		take(r)
	})
	wait()
	if err != nil {
		t.Fatal(err)
	}
	return times, b.Finish()[0]
}

func fakeKafka(t *testing.T, partitions int32) *kfake.Cluster {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(partitions, "mail"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	return cluster
}

// TestTopicRange says that the partitions of a topic come as one stream in order of time, from the range alone, and that what is
// found is what an audit of the same events finds, whether records bear the times of their events or those of a later import.
func TestTopicRange(t *testing.T) {
	list := story()
	span := Span{From: start.Add(20 * time.Hour), To: start.Add(50 * time.Hour)}
	want := encoded(t, run(New(span, options(t, "strict")), list)[0])
	for name, stamp := range map[string]func(event.Event) time.Time{
		"timestamps of the events": func(e event.Event) time.Time { return e.Time.Add(2 * time.Second) },
		"imported later":           func(event.Event) time.Time { return start.AddDate(0, 1, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			cluster := fakeKafka(t, 3)
			topicOf(t, cluster, 3, list, stamp)
			forbidden := 0
			for _, key := range []kmsg.Key{kmsg.OffsetCommit, kmsg.JoinGroup, kmsg.Produce, kmsg.FindCoordinator} {
				cluster.ControlKey(int16(key), func(kmsg.Request) (kmsg.Response, error, bool) {
					forbidden++
					cluster.KeepControl()
					return nil, nil, false
				})
			}
			times, r := replayed(t, cluster, span, options(t, "strict"))
			if !slices.IsSortedFunc(times, time.Time.Compare) || len(times) != 30*60 {
				t.Errorf("%d events, in order %t", len(times), slices.IsSortedFunc(times, time.Time.Compare))
			}
			if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(encoded(t, r), "\n")); diff != "" {
				t.Errorf("-files +topic:\n%s", diff)
			}
			if forbidden > 0 {
				t.Errorf("%d requests that change something", forbidden)
			}
		})
	}
}

// TestTopicRangeReadsNoMoreThanItNeeds says that what lies behind the range is left alone, except for late events.
func TestTopicRangeReadsNoMoreThanItNeeds(t *testing.T) {
	var list []event.Event
	for i := range 5000 {
		list = append(list, event.Event{Type: event.Send, Time: start.Add(time.Duration(i) * time.Second), ID: fmt.Sprint(i)})
	}
	list[600].Time = start.Add(time.Second) // written long after it happened
	cluster := fakeKafka(t, 1)
	topicOf(t, cluster, 1, list, func(e event.Event) time.Time {
		if e.ID == "600" {
			return start.Add(600 * time.Second)
		}
		return e.Time
	})
	client, err := kafka.New(kafka.Options{Brokers: cluster.ListenAddrs()})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	records := 0
	topics := &Topics{Client: client, Topics: []Topic{{"mail", provider.Auto}}, Span: Span{To: start.Add(100 * time.Second)}, Read: func(int) { records++ }}
	sources, err := topics.Sources(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	if err := eventstream.Read(context.Background(), sources, eventstream.Options{Now: time.Now}, func(r *event.Result) {
		for i := range r.Events {
			ids = append(ids, r.Events[i].ID)
		}
	}); err != nil {
		t.Fatal(err)
	}
	if len(ids) != 101 || ids[100] != "600" || records != 600+1+patience {
		t.Errorf("%d events (last %q) of %d records", len(ids), ids[len(ids)-1], records)
	}
}

func TestTopicThatIsNotThere(t *testing.T) {
	client, err := kafka.New(kafka.Options{Brokers: fakeKafka(t, 1).ListenAddrs()})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	_, err = (&Topics{Client: client, Topics: []Topic{{"mail", "auto"}, {"male", "auto"}}}).Sources(t.Context())
	if err == nil || !strings.Contains(err.Error(), "topic male does not exist") {
		t.Errorf("error %v", err)
	}
}
