package answer

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"time"

	"sendwatch/internal/api/problem"
	"sendwatch/internal/windows"
)

// Counts is the answer of GET /api/v1/counts.
type Counts struct {
	SubjectKey string   `json:"subject_key"`
	Step       string   `json:"step"`
	Buckets    []Bucket `json:"buckets"`
	Total      Tally    `json:"total"`
}

// Bucket is what one bucket holds.
type Bucket struct {
	Start time.Time `json:"start"`
	Tally
}

// Tally is every counter.
type Tally struct {
	Sent                int64       `json:"sent"`
	Delivered           int64       `json:"delivered"`
	Bounced             BounceTally `json:"bounced"`
	BouncedAsync        int64       `json:"bounced_async"`
	Complained          int64       `json:"complained"`
	ComplaintWithdrawn  int64       `json:"complaint_withdrawn"`
	AuthFailure         int64       `json:"auth_failure"`
	Unsubscribed        int64       `json:"unsubscribed"`
	Opened              int64       `json:"opened"`
	Clicked             int64       `json:"clicked"`
	Replied             int64       `json:"replied"`
	OptedIn             int64       `json:"opted_in"`
	OptedInDouble       int64       `json:"opted_in_double"`
	Machine             int64       `json:"machine"`
	Deferred            int64       `json:"deferred"`
	Dropped             int64       `json:"dropped"`
	DeliveredReporting  int64       `json:"delivered_reporting"`
	DeliveredEngaged    int64       `json:"delivered_engaged"`
	DeliveredNew        int64       `json:"delivered_new"`
	DeliveredUnengaged  int64       `json:"delivered_unengaged"`
	DeliveredSuppressed int64       `json:"delivered_suppressed"`
}

// BounceTally is bounces by class.
type BounceTally struct {
	Hard         int64 `json:"hard"`
	Soft         int64 `json:"soft"`
	Block        int64 `json:"block"`
	Undetermined int64 `json:"undetermined"`
	Admin        int64 `json:"admin"`
}

// Rated is the sum of the classes that rates know: all but admin.
func (b BounceTally) Rated() int64 { return b.Hard + b.Soft + b.Block + b.Undetermined }

// TallyOf names the counters.
func TallyOf(c *windows.Counts) Tally {
	return Tally{
		Sent:      c[windows.Sent],
		Delivered: c[windows.Delivered],
		Bounced: BounceTally{Hard: c[windows.BouncedHard], Soft: c[windows.BouncedSoft], Block: c[windows.BouncedBlock],
			Undetermined: c[windows.BouncedUndetermined], Admin: c[windows.BouncedAdmin]},
		BouncedAsync:        c[windows.BouncedAsync],
		Complained:          c[windows.Complained],
		ComplaintWithdrawn:  c[windows.ComplaintWithdrawn],
		AuthFailure:         c[windows.AuthFailure],
		Unsubscribed:        c[windows.Unsubscribed],
		Opened:              c[windows.Opened],
		Clicked:             c[windows.Clicked],
		Replied:             c[windows.Replied],
		OptedIn:             c[windows.OptedIn],
		OptedInDouble:       c[windows.OptedInDouble],
		Machine:             c[windows.Machine],
		Deferred:            c[windows.Deferred],
		Dropped:             c[windows.Dropped],
		DeliveredReporting:  c[windows.DeliveredReporting],
		DeliveredEngaged:    c[windows.DeliveredEngaged],
		DeliveredNew:        c[windows.DeliveredNew],
		DeliveredUnengaged:  c[windows.DeliveredUnengaged],
		DeliveredSuppressed: c[windows.DeliveredSuppressed],
	}
}

// CountQuery asks for the buckets whose start lies in [From, To).
type CountQuery struct {
	Subject  string
	From, To time.Time
	Step     windows.Step
}

// SubjectCounts answers with a subject's counts. The future is empty; a time before what is kept is a problem.
func (s *Source) SubjectCounts(ctx context.Context, q CountQuery) (*Counts, error) {
	shape := s.Shape()
	key, p := shape.Subject(q.Subject)
	if p != nil {
		return nil, p
	}
	if q.To.Before(q.From) {
		return nil, problem.New(http.StatusBadRequest, "from, to: from is after to; from is the first moment, to the first that no longer belongs to it")
	}
	_, kept, err := s.moment(ctx, time.Time{})
	if err != nil {
		return nil, err
	}
	span := windows.Span{Step: q.Step, First: bucketFrom(q.Step, q.From), Last: bucketFrom(q.Step, q.To) - 1}
	if oldest := kept.Oldest[q.Step]; span.First < oldest {
		return nil, problem.New(http.StatusBadRequest, "from: buckets of %s before %s are no longer kept; ask from there, or use a longer step",
			q.Step, q.Step.Start(oldest).Format(time.RFC3339))
	}
	// Nothing can lie further ahead, so a distant end costs nothing.
	span.Last = min(span.Last, q.Step.Bucket(s.Now().Add(shape.MaxAhead))+1)
	answer := &Counts{SubjectKey: key, Step: q.Step.String(), Buckets: []Bucket{}}
	if span.Last < span.First {
		return answer, nil
	}
	counts, err := s.Readers.Counts.Counts(ctx, key, span)
	if err != nil {
		return nil, err
	}
	var total windows.Counts
	for _, b := range slices.Sorted(maps.Keys(counts)) {
		c := counts[b]
		if b < span.First || b > span.Last || c == (windows.Counts{}) {
			continue
		}
		total.Add(&c)
		answer.Buckets = append(answer.Buckets, Bucket{Start: q.Step.Start(b), Tally: TallyOf(&c)})
	}
	answer.Total = TallyOf(&total)
	return answer, nil
}

// bucketFrom is the first bucket that starts at t or later.
func bucketFrom(s windows.Step, t time.Time) int64 {
	b := s.Bucket(t)
	if s.Start(b).Before(t) {
		b++
	}
	return b
}
