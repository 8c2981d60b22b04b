package answer

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"hash/fnv"
	"math"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"sendwatch/internal/api/problem"
	"sendwatch/internal/policy"
	"sendwatch/internal/windows"
)

// Limits of rankings. A ranked row takes some 48 bytes beside its subject's key.
const (
	DefaultPage = 100
	MaxPage     = 1000

	maxRanked   = 300_000         // rows of one ranking
	maxRankings = 6               // rankings kept at a time
	rankingLife = time.Minute     // of one that pages are taken from
	liveLife    = 5 * time.Second // longest time for which "now" may be answered from an older ranking
	scanners    = 6               // subjects read at a time
	subjectPage = 500
)

// RankQuery asks for the rows of all subjects of a combination, worst first.
type RankQuery struct {
	Dimensions windows.Combination // configured, in configured order
	Filter     policy.Filter
	Verdicts   []policy.Verdict // nil = all, rows without a limit too
	At         time.Time        // zero = now
	Cursor     string
	Limit      int // 1 to MaxPage
}

// id tells questions apart that cannot share a ranking or a cursor.
func (q *RankQuery) id() string {
	rate := ""
	if q.Filter.Rate != nil {
		rate = q.Filter.Rate.String()
	}
	verdicts := make([]string, len(q.Verdicts))
	for i, v := range q.Verdicts {
		verdicts[i] = v.String()
	}
	slices.Sort(verdicts)
	return strings.Join([]string{q.Dimensions.String(), q.Filter.Window, rate, strings.Join(slices.Compact(verdicts), ",")}, "|")
}

// place is where a row stands in a ranking. Order: rows with a limit and data by judged ÷ limit, worst first; then those
// with a limit and no data; then those without a limit. Ties go by subject and by the order of rows within it.
type place struct {
	Tier    uint8   `json:"t"`
	Times   float64 `json:"x"` // judged ÷ limit
	Subject string  `json:"s"`
	Row     int     `json:"r"` // index among the subject's rows under the same filter
}

func placeOf(row *policy.Row, index int) place {
	p := place{Tier: 2, Subject: row.SubjectKey, Row: index}
	if row.Limit != nil {
		p.Tier = 1
		if row.Judged != nil {
			p.Tier, p.Times = 0, TimesLimit(row)
		}
	}
	return p
}

// TimesLimit is how many times the limit a row's reading is: judged ÷ limit, the other way round for the engaged share,
// which has to be high. It is 0 without a limit or data, and never infinite.
func TimesLimit(row *policy.Row) float64 {
	if row.Limit == nil || row.Judged == nil {
		return 0
	}
	over, under := *row.Judged, *row.Limit
	if row.Rate == windows.Engaged {
		over, under = under, over
	}
	switch {
	case over == 0:
		return 0
	case under == 0:
		return math.MaxFloat64
	}
	return over / under
}

func (p place) compare(o place) int {
	return cmp.Or(cmp.Compare(p.Tier, o.Tier), cmp.Compare(o.Times, p.Times), strings.Compare(p.Subject, o.Subject), cmp.Compare(p.Row, o.Row))
}

// cursor is where the next page begins: after a place, in the ranking at the time of the first page.
type cursor struct {
	Query uint32    `json:"q"`
	At    time.Time `json:"a"`
	Place place     `json:"p"`
}

func (c cursor) encode() string {
	text, _ := json.Marshal(c) // no field of it can fail
	return base64.RawURLEncoding.EncodeToString(text)
}

func (q *RankQuery) hash() uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(q.id()))
	return h.Sum32()
}

func (q *RankQuery) cursor() (*cursor, *problem.Problem) {
	if q.Cursor == "" {
		return nil, nil
	}
	var c cursor
	text, err := base64.RawURLEncoding.DecodeString(q.Cursor)
	if err == nil {
		err = json.Unmarshal(text, &c)
	}
	switch {
	case err != nil || c.At.IsZero():
		return nil, problem.New(http.StatusBadRequest, "cursor: not one of ours; pass next_cursor of the page before as it was, or leave it out to start anew")
	case c.Query != q.hash():
		return nil, problem.New(http.StatusBadRequest, "cursor: it belongs to another question; keep the other parameters as they were, or leave it out to start anew")
	case !q.At.IsZero() && !q.At.Equal(c.At):
		return nil, problem.New(http.StatusBadRequest, "at: the cursor is for %s; leave at out or pass that time", c.At.Format(time.RFC3339Nano))
	}
	return &c, nil
}

// Ranking answers for all subjects of a combination, worst first. Pages after the first are for the time of the first.
func (s *Source) Ranking(ctx context.Context, q RankQuery) (*RatePage, error) {
	shape := s.Shape()
	if p := shape.Window(q.Filter.Window); p != nil {
		return nil, p
	}
	cur, p := q.cursor()
	if p != nil {
		return nil, p
	}
	at := q.At
	if cur != nil {
		at = cur.At
	}
	m, kept, err := s.moment(ctx, at)
	if err != nil {
		return nil, err
	}
	r, err := s.rankings.get(ctx, s.Now, q.id(), at, func(ctx context.Context) (*ranking, error) { return s.rank(ctx, &q, m.AsOf, kept) })
	if err != nil {
		return nil, explain(err, &shape, m.AsOf, kept)
	}
	m.AsOf = r.at
	start := 0
	if cur != nil {
		found := false
		if start, found = slices.BinarySearchFunc(r.places, cur.Place, place.compare); found {
			start++
		}
	}
	end := min(start+q.Limit, len(r.places))
	rows, err := s.rows(ctx, &q, r, r.places[start:end], kept)
	if err != nil {
		return nil, explain(err, &shape, m.AsOf, kept)
	}
	page := &RatePage{Rates: *ratesAt(m, rows), Truncated: r.truncated}
	if end < len(r.places) {
		next := cursor{Query: q.hash(), At: r.at, Place: r.places[end-1]}.encode()
		page.NextCursor = &next
		if at.IsZero() {
			s.rankings.keep(q.id(), r)
		}
	}
	return page, nil
}

// rank reads every subject once and keeps where its rows stand, not the rows.
func (s *Source) rank(ctx context.Context, q *RankQuery, at time.Time, kept windows.Kept) (*ranking, error) {
	r := &ranking{at: at, made: s.Now()}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(scanners)
	var mu sync.Mutex
	for next := ""; ; {
		subjects, following, err := s.Readers.Rates.Subjects(ctx, q.Dimensions, next, subjectPage)
		if err != nil {
			if cause := group.Wait(); cause != nil {
				return nil, cause // which ended this one too
			}
			return nil, err
		}
		for _, subject := range subjects {
			group.Go(func() error {
				rows, err := s.Readers.Rates.Rows(ctx, subject, at, kept, q.Filter)
				if err != nil {
					return err
				}
				mu.Lock()
				defer mu.Unlock()
				for i := range rows {
					if q.wants(&rows[i]) {
						r.places = append(r.places, placeOf(&rows[i], i))
					}
				}
				r.bound(2 * maxRanked)
				return nil
			})
		}
		if next = following; next == "" {
			break
		}
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	r.bound(maxRanked)
	r.sort()
	r.took = s.Now().Sub(r.made)
	return r, nil
}

func (q *RankQuery) wants(row *policy.Row) bool {
	return q.Verdicts == nil || row.Verdict != nil && slices.Contains(q.Verdicts, *row.Verdict)
}

// rows reads the rows at these places anew. Where counts came in since the ranking was made, they are in the rows.
func (s *Source) rows(ctx context.Context, q *RankQuery, r *ranking, places []place, kept windows.Kept) ([]policy.Row, error) {
	bySubject := map[string][]int{}
	for i, p := range places {
		bySubject[p.Subject] = append(bySubject[p.Subject], i)
	}
	out, found := make([]policy.Row, len(places)), make([]bool, len(places))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(scanners)
	for subject, indexes := range bySubject {
		group.Go(func() error {
			rows, err := s.Readers.Rates.Rows(ctx, subject, r.at, kept, q.Filter)
			if err != nil {
				return err
			}
			for _, i := range indexes {
				if n := places[i].Row; n >= 0 && n < len(rows) { // fewer rows after a reload
					out[i], found[i] = rows[n], true
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	n := 0
	for i := range out {
		if found[i] {
			out[n] = out[i]
			n++
		}
	}
	return out[:n], nil
}
