package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sendwatch/internal/alerts"
	"sendwatch/internal/api/answer"
	"sendwatch/internal/api/apitest"
	"sendwatch/internal/api/audience"
	"sendwatch/internal/policy"
	"sendwatch/internal/windows"
)

func TestDescriptionIsValid(t *testing.T) {
	if ok, errs := theDescription().ValidateDocument(); !ok {
		for _, e := range errs {
			t.Errorf("%s: %s %v", e.Message, e.Reason, e.SchemaValidationErrors)
		}
	}
}

func TestRatesOfASubject(t *testing.T) {
	h := newHarness(t, theStory())
	var all answer.Rates
	h.get("/api/v1/rates?subject=tenant%3Ddunes", &all)
	if len(all.Rates) != 12 {
		t.Fatalf("%d rows, want one for each of three rates on four windows", len(all.Rates))
	}
	if !all.AsOf.Equal(apitest.StoryTime) || all.Stale {
		t.Errorf("as of %s, stale %v", all.AsOf, all.Stale)
	}
	worst := all.Rates[0]
	if worst.Rate != windows.Bounce || worst.Window != "1h" || *worst.Verdict != policy.Breach || worst.Definition == "" {
		t.Errorf("first row %+v", worst)
	}

	var one answer.Rates
	h.get("/api/v1/rates?subject=tenant%3Ddunes&window=24h&rate=bounce", &one)
	if len(one.Rates) != 1 || one.Rates[0].Window != "24h" || one.Rates[0].Rate != windows.Bounce {
		t.Errorf("filtered: %+v", one.Rates)
	}
	// Dimensions in another order name the same subject.
	var a, b answer.Rates
	h.get("/api/v1/rates?subject=ip%3D198.51.100.4%2Ctenant%3Ddunes", &a)
	h.get("/api/v1/rates?subject=tenant%3Ddunes%2Cip%3D198.51.100.4", &b)
	if a.Rates[0].SubjectKey != "tenant=dunes,ip=198.51.100.4" || a.Rates[0].Numerator != b.Rates[0].Numerator {
		t.Errorf("keys %q, %q", a.Rates[0].SubjectKey, b.Rates[0].SubjectKey)
	}
	var unknown answer.Rates
	h.get("/api/v1/rates?subject=tenant%3Dnobody", &unknown)
	for _, r := range unknown.Rates {
		if r.Ratio != nil || r.Verdict != nil && *r.Verdict != policy.NoData {
			t.Errorf("an unknown subject has %+v", r)
		}
	}
}

func TestRatesAtATime(t *testing.T) {
	h := newHarness(t, theStory())
	at := apitest.StoryTime.Add(-2 * 24 * time.Hour).Format(time.RFC3339)
	p := h.refuse(http.StatusBadRequest, http.MethodGet, "/api/v1/rates?subject=all&at="+at, "")
	for _, want := range []string{"1h", "no longer kept", "24h, 7d, 30d"} {
		if !strings.Contains(p.Detail, want) {
			t.Errorf("%q does not say %q", p.Detail, want)
		}
	}
	var past answer.Rates
	h.get("/api/v1/rates?subject=all&window=24h&at="+at, &past)
	if past.AsOf.Format(time.RFC3339) != at || len(past.Rates) != 3 || past.Rates[0].Denominator == 0 {
		t.Errorf("as of %s: %+v", past.AsOf, past.Rates)
	}
	// A plus sign that was not encoded is understood.
	h.get("/api/v1/rates?subject=all&window=24h&at=2026-03-11T12:00:00+01:00", &past)
	if want := "2026-03-11T11:00:00Z"; past.AsOf.Format(time.RFC3339) != want {
		t.Errorf("as of %s, want %s", past.AsOf, want)
	}
}

// Pages put together are the whole ranking: complete, in order and without repeats, whatever the page size and the filter.
func TestPagesOfRates(t *testing.T) {
	h := newHarness(t, theStory())
	rapid.Check(t, func(t *rapid.T) {
		q := url.Values{"dimensions": {rapid.SampledFrom([]string{"", "tenant", "tenant,provider", "provider,tenant", "tenant,ip"}).Draw(t, "dimensions")}}
		for name, values := range map[string][]string{"window": {"", "1h", "30d"}, "rate": {"", "bounce", "complaint"},
			"verdict": {"", "breach", "ok,watch", "no_data"}, "at": {"", apitest.StoryTime.Add(-time.Hour).Format(time.RFC3339)}} {
			if v := rapid.SampledFrom(values).Draw(t, name); v != "" {
				q.Set(name, v)
			}
		}
		q.Set("limit", "1000")
		var whole answer.RatePage
		h.get("/api/v1/rates?"+q.Encode(), &whole)
		if whole.NextCursor != nil {
			t.Fatalf("more than %d rows", len(whole.Rates.Rates))
		}
		q.Set("limit", fmt.Sprint(rapid.IntRange(1, 60).Draw(t, "limit")))
		var rows []policy.Row
		for {
			var page answer.RatePage
			h.get("/api/v1/rates?"+q.Encode(), &page)
			rows = append(rows, page.Rates.Rates...)
			if page.NextCursor == nil {
				break
			}
			q.Set("cursor", *page.NextCursor)
		}
		if got, want := names(rows), names(whole.Rates.Rates); got != want {
			t.Fatalf("pages give\n%s\nthe whole is\n%s", got, want)
		}
		for i := 1; i < len(rows); i++ {
			a, b := answer.TimesLimit(&rows[i-1]), answer.TimesLimit(&rows[i])
			if a < b {
				t.Fatalf("row %d is %g times its limit, the next %g", i-1, a, b)
			}
		}
	})
}

func names(rows []policy.Row) string {
	var b strings.Builder
	for _, r := range rows {
		fmt.Fprintln(&b, r.SubjectKey, r.Rate, r.Window)
	}
	return b.String()
}

// The ranking by floating point and policy's exact one agree on real rows.
func TestRankingAgreesWithPolicy(t *testing.T) {
	book := theStory()
	source := book.Source()
	page, err := source.Ranking(t.Context(), answer.RankQuery{Dimensions: windows.Combination{windows.Tenant, windows.Provider}, Limit: answer.MaxPage})
	if err != nil {
		t.Fatal(err)
	}
	for i := 1; i < len(page.Rates.Rates); i++ {
		a, b := &page.Rates.Rates[i-1], &page.Rates.Rates[i]
		if policy.CompareWorst(a, b) > 0 && answer.TimesLimit(a) != answer.TimesLimit(b) {
			t.Errorf("%s %s %s before %s %s %s", a.SubjectKey, a.Rate, a.Window, b.SubjectKey, b.Rate, b.Window)
		}
	}
}

func TestCounts(t *testing.T) {
	h := newHarness(t, theStory())
	var day answer.Counts
	h.get("/api/v1/counts?subject=tenant%3Dacme&from=2026-03-11T00:00:00Z&to=2026-03-12T00:00:00Z&step=1h", &day)
	if len(day.Buckets) == 0 || day.SubjectKey != "tenant=acme" || day.Step != "1h" {
		t.Fatalf("%+v", day)
	}
	var sum int64
	for i, b := range day.Buckets {
		sum += b.Delivered
		if b.Start.Before(time.Date(2026, 3, 11, 0, 0, 0, 0, time.UTC)) || !b.Start.Before(time.Date(2026, 3, 12, 0, 0, 0, 0, time.UTC)) {
			t.Errorf("bucket %s is not in the range", b.Start)
		}
		if i > 0 && !b.Start.After(day.Buckets[i-1].Start) {
			t.Errorf("bucket %s is not after the one before", b.Start)
		}
	}
	if sum != day.Total.Delivered || sum == 0 {
		t.Errorf("the buckets have %d deliveries, the total %d", sum, day.Total.Delivered)
	}

	var one answer.Counts
	h.get("/api/v1/counts?subject=tenant%3Dacme&from=2026-03-11T09:00:00Z&to=2026-03-11T10:00:00Z&step=1h", &one)
	if len(one.Buckets) != 1 || one.Buckets[0].Start.Hour() != 9 {
		t.Errorf("from is included and to is not: %+v", one.Buckets)
	}
	h.get("/api/v1/counts?subject=tenant%3Dacme&from=2026-03-11T09:00:01Z&to=2026-03-11T10:00:01Z&step=1h", &one)
	if len(one.Buckets) != 1 || one.Buckets[0].Start.Hour() != 10 {
		t.Errorf("only starts of buckets count: %+v", one.Buckets)
	}
	var future answer.Counts
	h.get("/api/v1/counts?subject=all&from=2027-01-01T00:00:00Z&to=9999-01-01T00:00:00Z&step=1m", &future)
	if len(future.Buckets) != 0 {
		t.Errorf("the future holds %+v", future.Buckets)
	}
	for step, from := range map[string]string{"1m": "2026-03-12T11:37:00Z", "1h": "2026-03-03T14:00:00Z", "1d": "2025-02-05T00:00:00Z"} {
		p := h.refuse(http.StatusBadRequest, http.MethodGet, "/api/v1/counts?subject=all&to=2026-03-12T14:00:00Z&step="+step+"&from="+from, "")
		if !strings.Contains(p.Detail, "no longer kept") {
			t.Errorf("%s: %q", step, p.Detail)
		}
	}
	h.get("/api/v1/counts?subject=all&from=2026-03-12T11:38:00Z&to=2026-03-12T15:00:00Z&step=1m", &day)
}

func TestAlerts(t *testing.T) {
	book := theStory()
	h := newHarness(t, book)
	episodes := map[string]alerts.Record{}
	for _, r := range book.Log() {
		episodes[r.ID] = r
	}
	var firing, resolved, all answer.AlertPage
	h.get("/api/v1/alerts?status=firing&limit=1000", &firing)
	h.get("/api/v1/alerts?status=resolved&limit=1000", &resolved)
	h.get("/api/v1/alerts?limit=1000", &all)
	if len(all.Alerts) != len(episodes) || len(firing.Alerts)+len(resolved.Alerts) != len(all.Alerts) || len(firing.Alerts) == 0 || len(resolved.Alerts) == 0 {
		t.Fatalf("%d firing, %d resolved, %d in all, %d episodes", len(firing.Alerts), len(resolved.Alerts), len(all.Alerts), len(episodes))
	}
	var paged []alerts.Record
	for cursor := ""; ; {
		var page answer.AlertPage
		h.get("/api/v1/alerts?limit=7&cursor="+cursor, &page)
		paged = append(paged, page.Alerts...)
		if page.NextCursor == nil {
			break
		}
		cursor = *page.NextCursor
	}
	if len(paged) != len(all.Alerts) {
		t.Errorf("the pages have %d alerts, want %d", len(paged), len(all.Alerts))
	}

	first := firing.Alerts[0]
	var episode answer.Episode
	h.get("/api/v1/alerts/"+first.ID, &episode)
	if episode.Seq != first.Seq || len(episode.History) != int(first.Seq) {
		t.Errorf("seq %d with %d records of history, want %d", episode.Seq, len(episode.History), first.Seq)
	}
	// The records are those of the topic, to the byte.
	_, body := h.ask(http.MethodGet, "/api/v1/alerts?status=firing&limit=1", "")
	if want := episodes[first.ID]; !bytes.Contains(body, want.Encode()) {
		t.Errorf("%s\nis not in\n%s", want.Encode(), body)
	}
	var none answer.AlertPage
	h.get("/api/v1/alerts?subject=tenant%3Dnobody", &none)
	if none.Alerts == nil || len(none.Alerts) != 0 || none.NextCursor != nil {
		t.Errorf("%+v", none)
	}
	h.get("/api/v1/alerts?subject=topic%3Dmail.events%2Cpartition%3D3", &none)
	h.refuse(http.StatusNotFound, http.MethodGet, "/api/v1/alerts/none", "")
	h.refuse(http.StatusBadRequest, http.MethodGet, "/api/v1/alerts?cursor=x", "")
}

func TestEngagementAndLookUp(t *testing.T) {
	h := newHarness(t, theStory())
	var e answer.Engagement
	h.get("/api/v1/engagement?tenant=acme", &e)
	r := e.Recipients
	if r.Known == 0 || r.Known != r.Engaged+r.New+r.Unengaged || e.Since != "2025-09-12" || e.EngagedShare == nil {
		t.Errorf("%+v", e)
	}
	if d := e.Delivered; d.Total != d.Engaged+d.New+d.Unengaged {
		t.Errorf("deliveries %+v", d)
	}
	h.get("/api/v1/engagement?tenant=nobody", &e)
	if e.EngagedShare != nil || e.Recipients.Known != 0 {
		t.Errorf("a tenant without mail: %+v", e)
	}

	look := func(recipient string) answer.Recipient {
		t.Helper()
		body, _ := json.Marshal(map[string]string{"tenant": "acme", "recipient": recipient})
		response, text := h.ask(http.MethodPost, "/api/v1/recipients/lookup", string(body), "Content-Type", "application/json")
		var out answer.Recipient
		if err := json.Unmarshal(text, &out); err != nil || response.StatusCode != http.StatusOK {
			t.Fatalf("%d %s", response.StatusCode, text)
		}
		return out
	}
	if got := look(" GONE@Example.com "); got.State != "new" || got.Unsubscribed == nil || *got.Unsubscribed != "2026-03-03" {
		t.Errorf("%+v", got)
	}
	if got := look("stranger@example.com"); got != (answer.Recipient{State: "unknown"}) {
		t.Errorf("%+v", got)
	}
}

// TestAudienceLines checks the form of an answer with a verdict for each line.
func TestAudienceLines(t *testing.T) {
	h := newHarness(t, theStory())
	list := "gone@example.com\n\nANGRY@example.com\nangry@example.com\ndead@example.com\nnobody@example.com\nnone"
	response, body := h.ask(http.MethodPost, "/api/v1/audience/check?tenant=acme&lines=true", list)
	lines := strings.SplitAfter(string(body), "\n")
	want := []string{"new unsubscribed\n", "new complained\n", "duplicate\n", "unengaged hard_bounced\n", "unknown\n", "invalid\n"}
	if len(lines) != len(want)+2 || !slices.Equal(lines[:len(want)], want) {
		t.Errorf("%q", lines)
	}
	var report audience.Report
	if err := json.Unmarshal([]byte(lines[len(want)]), &report); err != nil || report.Total != 6 || response.Header.Get("Content-Type") != "text/plain; charset=utf-8" {
		t.Errorf("%v %+v %v", err, report, response.Header)
	}
	h.refuse(http.StatusBadRequest, http.MethodPost, "/api/v1/audience/check?tenant=acme&lines=true", "a@b.c\n", "Content-Type", "text/csv")
	h.refuse(http.StatusBadRequest, http.MethodPost, "/api/v1/audience/check?tenant=acme&lines=yes", "a@b.c\n")
}

func TestAudience(t *testing.T) {
	h := newHarness(t, theStory())
	list := "email,name\ngone@example.com,x\nANGRY@example.com,y\nangry@example.com,z\nnobody@example.com,\nnone,\n"
	response, body := h.ask(http.MethodPost, "/api/v1/audience/check?tenant=acme", list, "Content-Type", "text/csv; charset=utf-8")
	var got audience.Report
	if err := json.Unmarshal(body, &got); err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%d %s", response.StatusCode, body)
	}
	want := audience.Report{Total: 5, New: 2, Unknown: 1, Invalid: 1, Duplicates: 1, DuplicatesExact: true,
		Suppressed: audience.Suppressed{Unsubscribed: 1, Complained: 1, Any: 2}}
	if got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	h.refuse(http.StatusBadRequest, http.MethodPost, "/api/v1/audience/check?tenant=acme", "a@b.c\n", "Content-Type", "text/csv")
	h.refuse(http.StatusBadRequest, http.MethodPost, "/api/v1/audience/check", "a@b.c\n")
	h.refuse(http.StatusUnsupportedMediaType, http.MethodPost, "/api/v1/audience/check?tenant=acme", "[]", "Content-Type", "application/json")
	h.refuse(http.StatusUnsupportedMediaType, http.MethodPost, "/api/v1/audience/check?tenant=acme", "[]", "Content-Type", ";")
}

func TestIPs(t *testing.T) {
	h := newHarness(t, theStory())
	var all map[string]any
	h.get("/api/v1/ips", &all)
	h.get("/api/v1/ips/203.0.113.9", &all)
	h.get("/api/v1/ips/::ffff:203.0.113.9", &all)
	h.refuse(http.StatusNotFound, http.MethodGet, "/api/v1/ips/192.0.2.1", "")
	h.refuse(http.StatusBadRequest, http.MethodGet, "/api/v1/ips/x", "")
}

func TestStatus(t *testing.T) {
	book := apitest.NewBook(apitest.StoryTime)
	book.SetStatus([]windows.PartitionStatus{{Partition: windows.Partition{Topic: "b", ID: 1}, Next: 7, HighWatermark: 9},
		{Partition: windows.Partition{Topic: "a", ID: 3}, Next: -1, HighWatermark: -1}},
		windows.Totals{Counted: 5, Duplicate: 4, Late: 3, Ignored: 2, Rejected: map[string]int64{"bad_time": 1, "not_json": 0}})
	book.SetStale(true, 90*time.Second)
	h := newHarness(t, book)
	var s answer.Status
	h.get("/api/v1/status", &s)
	if s.Events.Read != 15 || len(s.Events.Rejected) != 1 || !s.Stale || s.LagSeconds != 90 || s.Version != "1.2.3" {
		t.Errorf("%+v %+v", s, s.Events)
	}
	if p := s.Partitions; p[0].Topic != "a" || p[0].Lag != 0 || p[1].Lag != 2 || p[0].NewestEventTime != nil {
		t.Errorf("partitions %+v", p)
	}

	book.Break(fmt.Errorf("dial: %w", answer.ErrUnavailable))
	h.get("/api/v1/status", &s)
	if !s.Stale || s.AsOf != nil || s.Events != nil || s.Redis.Reachable || s.Redis.Error != "connection" {
		t.Errorf("without Redis: %+v", s)
	}
	book.Break(errors.New("boom"))
	h.refuse(http.StatusInternalServerError, http.MethodGet, "/api/v1/status", "")
}

func TestStateAway(t *testing.T) {
	book := apitest.NewBook(apitest.StoryTime)
	book.Break(fmt.Errorf("redis: %w", answer.ErrUnavailable))
	h := newHarness(t, book)
	for _, target := range []string{"/api/v1/rates?subject=all", "/api/v1/rates?dimensions=tenant", "/api/v1/alerts", "/api/v1/alerts/x",
		"/api/v1/counts?subject=all&step=1h&from=2026-03-12T00:00:00Z&to=2026-03-12T01:00:00Z", "/api/v1/alerts/stream", "/api/v1/engagement?tenant=x", "/api/v1/ips"} {
		h.refuse(http.StatusServiceUnavailable, http.MethodGet, target, "")
	}
	response, _ := h.ask(http.MethodGet, "/api/v1/rates?subject=all", "")
	if response.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	book.Break(errors.New("a fault that must not be shown"))
	p := h.refuse(http.StatusInternalServerError, http.MethodGet, "/api/v1/rates?subject=all", "")
	if strings.Contains(p.Detail, "must not be shown") {
		t.Errorf("detail %q", p.Detail)
	}
	if h.logs.FilterMessage("a request failed").Len() == 0 {
		t.Error("the fault is not logged")
	}
}
