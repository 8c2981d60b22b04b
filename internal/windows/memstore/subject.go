package memstore

import (
	"hash/maphash"
	"iter"
	"math"
	"slices"
	"time"

	"sendwatch/internal/event"
	"sendwatch/internal/windows"
)

// Subject is one subject's counts. Those of the minute and of the hour that are being counted are kept apart and go into the
// series when another one comes, or when somebody asks.
type Subject struct {
	ID          int    // from 0, in order of first appearance
	Key         string // as windows.Combination writes it
	Combination int    // index into the store's combinations

	series  *windows.Series
	minute  int64
	pending [windows.NumCounters]uint32 // of the minute
	hour    int64
	settled [windows.NumCounters]uint32 // of the hour: what is in the series' minutes, not yet in its hours and days
	since   windows.Counts              // of all buckets, without pending, since ResetSince
	early   bool
	fresh   bool // something is pending
	stale   bool // something is settled, and not in hours and days
	quota   [numQuotas]int32
	due     bool
}

// A quota is used up by the events that can change what it stands for: one for the numerator of each rate, one for mail that
// is in a denominator.
const (
	quotaVolume = windows.NumRates
	numQuotas   = windows.NumRates + 1
)

// Allow says how much may be counted from now on until the subject is due: of each rate's numerator, and of deliveries and
// bounces together. A new subject is due at once.
func (s *Subject) Allow(more [windows.NumRates]int64, volume int64) {
	for i, n := range more {
		s.quota[i] = int32(min(n, math.MaxInt32))
	}
	s.quota[quotaVolume] = int32(min(volume, math.MaxInt32))
}

// AllowNone makes the subject due with the next event in the numerator of any rate. What is allowed of volume stays.
func (s *Subject) AllowNone() {
	for i := range windows.NumRates {
		s.quota[i] = min(s.quota[i], 0)
	}
}

// use takes an event that counts for the given quota, below numQuotas, and tells whether it is more than was allowed.
func (s *Subject) use(quota int) bool {
	s.quota[quota]--
	return s.quota[quota] < 0
}

// Series is the subject's series with all that was counted in it. It stays the store's own.
func (s *Subject) Series() *windows.Series {
	s.settleMinute()
	s.settleHour()
	return s.series
}

// Minutes goes over the minutes from one bucket to another, both included, that hold anything. It costs less than Series.
func (s *Subject) Minutes(first, last int64) iter.Seq2[int64, *windows.Counts] {
	s.settleMinute()
	return s.series.Buckets(windows.Span{Step: windows.Minute, First: first, Last: last})
}

// Since is what was counted since the last ResetSince, whatever the bucket, as far as rates read it.
type Since struct {
	Delivered, Reporting, Suppressed, Engaged int64
	Bounced                                   int64 // of all classes that rates know
	Async                                     int64 // of those
	Complained, Unsubscribed                  int64
	Early                                     bool // some of it lay in a minute before the newest
}

// Since returns what rates read of it.
func (s *Subject) Since() Since {
	n := func(c windows.Counter) int64 { return s.since[c] + int64(s.pending[c]) }
	return Since{
		Delivered: n(windows.Delivered), Reporting: n(windows.DeliveredReporting), Suppressed: n(windows.DeliveredSuppressed),
		Engaged: n(windows.DeliveredEngaged),
		Bounced: n(windows.BouncedHard) + n(windows.BouncedSoft) + n(windows.BouncedBlock) + n(windows.BouncedUndetermined),
		Async:   n(windows.BouncedAsync), Complained: n(windows.Complained), Unsubscribed: n(windows.Unsubscribed), Early: s.early,
	}
}

// ResetSince makes Since start again from zero.
func (s *Subject) ResetSince() {
	s.settleMinute()
	s.since, s.early = windows.Counts{}, false
}

// turn begins another minute.
func (s *Subject) turn(minute int64) {
	s.settleMinute()
	s.minute = minute
}

// settleMinute moves what is pending into the series' minutes.
func (s *Subject) settleMinute() {
	if !s.fresh {
		return
	}
	if hour := hourOf(s.minute); hour != s.hour {
		s.settleHour()
		s.hour = hour
	}
	for i, n := range s.pending {
		if n != 0 {
			s.series.Add(windows.Minute, s.minute, windows.Counter(i), int64(n))
			s.since[i] += int64(n)
			s.settled[i] += n
			s.pending[i] = 0
		}
	}
	s.fresh, s.stale = false, true
}

// settleHour moves what is settled into the series' hours and days.
func (s *Subject) settleHour() {
	if !s.stale {
		return
	}
	day := windows.Day.BucketOf(s.hour * windows.Hour.Seconds())
	for i, n := range s.settled {
		if n != 0 {
			s.series.Add(windows.Hour, s.hour, windows.Counter(i), int64(n))
			s.series.Add(windows.Day, day, windows.Counter(i), int64(n))
			s.settled[i] = 0
		}
	}
	s.stale = false
}

func hourOf(minute int64) int64 { return windows.Hour.BucketOf(minute * windows.Minute.Seconds()) }

// route is all that follows from the dimensions of an event: the same for every event with the same values.
type route struct {
	values   [windows.NumDimensions]string // only those that a combination uses
	tenant   *tenant                       // once anything was counted
	reports  bool                          // its provider sends complaint reports
	next     *route                        // another one with the same hash
	resolved bool
	subjects []*Subject // once resolved
}

// maxRoutes bounds the cache of routes; subjects outlive it.
const maxRoutes = 1 << 20

// route finds the event's route, making it when it is new.
func (s *Store) route(e *event.Event) *route {
	values := [windows.NumDimensions]string{
		windows.Tenant: e.Tenant, windows.IP: e.IP, windows.Pool: e.Pool, windows.Domain: e.Domain, windows.Campaign: e.Campaign,
		windows.Stream: e.Stream, windows.Provider: e.Provider,
	}
	if values[windows.Tenant] == "" {
		values[windows.Tenant] = "default"
	}
	if values[windows.Provider] == "" {
		values[windows.Provider] = s.o.Providers.Of(e.Recipient)
	}
	h := uint64(0)
	for d := range values {
		// Tenant and provider matter to recipients and reports even where no subject has them.
		if !s.used[d] && d != int(windows.Tenant) && d != int(windows.Provider) {
			values[d] = ""
		}
		if values[d] != "" {
			h = mix(h+uint64(d), maphash.String(s.hash, values[d]))
		}
	}
	for r := s.routes[h]; r != nil; r = r.next {
		if r.values == values {
			return r
		}
	}
	return s.newRoute(h, &values)
}

func (s *Store) newRoute(h uint64, values *[windows.NumDimensions]string) *route {
	if len(s.routes) >= maxRoutes {
		clear(s.routes)
	}
	r := &route{next: s.routes[h]}
	s.routes[h] = r
	for d, v := range values {
		r.values[d] = string(append([]byte(nil), v...)) // values may alias the decoder's buffer
	}
	r.reports = s.o.Providers.Reports(r.values[windows.Provider])
	return r
}

// subjectsOf are the subjects of the route.
func (s *Store) subjectsOf(r *route) []*Subject {
	if !r.resolved {
		r.resolved = true
		for i, c := range s.o.Combinations {
			if sub := s.subjectOf(i, c, r); sub != nil && !slices.Contains(r.subjects, sub) {
				r.subjects = append(r.subjects, sub)
			}
		}
	}
	return r.subjects
}

// subjectOf is the subject of the combination that the route belongs to; nil when one of the dimensions is absent.
func (s *Store) subjectOf(i int, c windows.Combination, r *route) *Subject {
	var values [windows.NumDimensions]string
	for j, d := range c {
		if values[j] = r.values[d]; values[j] == "" {
			return nil
		}
	}
	s.key = c.AppendSubject(s.key[:0], values[:len(c)]...)
	if sub := s.byKey[string(s.key)]; sub != nil {
		return sub
	}
	sub := &Subject{ID: len(s.subjects), Key: string(s.key), Combination: i, series: windows.NewSeries(s.o.Retention)}
	sub.due = true
	s.due = append(s.due, sub)
	s.subjects = append(s.subjects, sub)
	s.byKey[sub.Key] = sub
	return sub
}

// Subjects are all subjects, by ID. The slice stays the store's own.
func (s *Store) Subjects() []*Subject { return s.subjects }

// Subject finds a subject by its key.
func (s *Store) Subject(key string) (*Subject, bool) {
	sub, ok := s.byKey[key]
	return sub, ok
}

// SubjectsOf lists the keys of a combination's subjects, sorted.
func (s *Store) SubjectsOf(combination windows.Combination) []string {
	var keys []string
	for _, sub := range s.subjects {
		if slices.Equal(s.o.Combinations[sub.Combination], combination) {
			keys = append(keys, sub.Key)
		}
	}
	slices.Sort(keys)
	return keys
}

// Due are the subjects for which more was counted than Allow said, and new ones, each once. The slice is valid until the
// next call.
func (s *Store) Due() []*Subject {
	list := s.due
	for _, sub := range list {
		sub.due = false
	}
	s.due, s.spareDue = s.spareDue[:0], list
	return list
}

// Trim forgets buckets that are no longer kept at asOf.
func (s *Store) Trim(asOf time.Time) {
	for _, sub := range s.subjects {
		sub.Series().Trim(asOf)
	}
}
