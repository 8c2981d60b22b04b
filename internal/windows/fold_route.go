package windows

import (
	"hash/maphash"
	"slices"

	"sendwatch/internal/event"
)

// Route is all that follows from the dimensions of an event: the same for every event with the same values.
type Route struct {
	Tenant   string
	Subjects []uint32 // numbers that Fold.Subject takes

	values  [NumDimensions]string
	reports bool   // its provider sends complaint reports
	next    uint32 // another one with the same hash, plus 1
}

// FoldSubject is a subject that a fold knows.
type FoldSubject struct {
	Key         string
	Combination int // index into the options' combinations
	// Listed is the store's own note, by shard, of how it has listed the subject there. A fold that forgets its subjects
	// forgets it too.
	Listed []uint64
}

// maxRoutes bounds what a fold remembers from one batch to the next.
const maxRoutes = 1 << 18

// routes interns the dimensions of events.
type routes struct {
	combinations []Combination
	names        []string // of the combinations
	shards       int
	providers    *Providers
	used         [NumDimensions]bool // by some combination
	seed         maphash.Seed
	byHash       map[uint64]uint32 // index plus 1
	list         []Route
	subjects     []FoldSubject // number 0 is none
	byKey        map[string]uint32
	key          []byte
}

func newRoutes(combinations []Combination, shards int, providers *Providers) routes {
	r := routes{combinations: combinations, shards: shards, providers: providers, seed: maphash.MakeSeed()}
	for _, c := range combinations {
		r.names = append(r.names, c.String())
		for _, d := range c {
			r.used[d] = true
		}
	}
	r.forget()
	return r
}

func (r *routes) forget() {
	r.byHash, r.byKey = map[uint64]uint32{}, map[string]uint32{}
	r.list, r.subjects = nil, make([]FoldSubject, 1)
}

// bound forgets everything when it has become much: dimensions such as campaigns come and go.
func (r *routes) bound() {
	if len(r.list) > maxRoutes {
		r.forget()
	}
}

// Route is what the number in an Item stands for.
func (f *Fold) Route(i uint32) *Route { return &f.routes.list[i] }

// Routes is how many there are: numbers are below it.
func (f *Fold) Routes() int { return len(f.routes.list) }

// Subject is what the number in a Cell or a Route stands for.
func (f *Fold) Subject(i uint32) *FoldSubject { return &f.routes.subjects[i] }

// Combination is the name of a combination, by its index in the options.
func (f *Fold) Combination(i int) string { return f.routes.names[i] }

// find returns the event's route, making it when it is new.
func (r *routes) find(e *event.Event) (uint32, *Route) {
	values := [NumDimensions]string{
		Tenant: e.Tenant, IP: e.IP, Pool: e.Pool, Domain: e.Domain, Campaign: e.Campaign, Stream: e.Stream, Provider: e.Provider,
	}
	if values[Tenant] == "" {
		values[Tenant] = DefaultTenant
	}
	if values[Provider] == "" {
		values[Provider] = r.providers.Of(e.Recipient)
	}
	h := uint64(0)
	for d := range values {
		// The tenant matters to recipients, the provider to reports, even where no subject has them.
		if !r.used[d] && d != int(Tenant) && d != int(Provider) {
			values[d] = ""
			continue
		}
		h = (h ^ stringHash(r.seed, values[d])) * 0x9e3779b97f4a7c15
		h ^= h >> 29
	}
	for i := r.byHash[h]; i != 0; i = r.list[i-1].next {
		if route := &r.list[i-1]; route.values == values {
			return i - 1, route
		}
	}
	i := r.add(h, &values)
	return i, &r.list[i]
}

func (r *routes) add(h uint64, values *[NumDimensions]string) uint32 {
	route := Route{next: r.byHash[h]}
	for d, v := range values {
		route.values[d] = string(append([]byte(nil), v...)) // values may alias the decoder's buffer
	}
	route.Tenant = route.values[Tenant]
	route.reports = r.providers.Reports(route.values[Provider])
	for i, c := range r.combinations {
		if s := r.subject(i, c, &route); s != 0 && !slices.Contains(route.Subjects, s) {
			route.Subjects = append(route.Subjects, s)
		}
	}
	r.list = append(r.list, route)
	r.byHash[h] = uint32(len(r.list))
	return uint32(len(r.list) - 1)
}

// subject is the subject of the combination that the route belongs to; 0 when one of the dimensions is absent.
func (r *routes) subject(i int, c Combination, route *Route) uint32 {
	var values [NumDimensions]string
	for j, d := range c {
		if values[j] = route.values[d]; values[j] == "" {
			return 0
		}
	}
	r.key = c.AppendSubject(r.key[:0], values[:len(c)]...)
	if s := r.byKey[string(r.key)]; s != 0 {
		return s
	}
	s := FoldSubject{Key: string(r.key), Combination: i, Listed: make([]uint64, r.shards)}
	r.subjects = append(r.subjects, s)
	r.byKey[s.Key] = uint32(len(r.subjects) - 1)
	return r.byKey[s.Key]
}
