package audience

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"sendwatch/internal/engagement"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// byName knows recipients by the local part of their address.
type byName struct {
	fail error

	mu        sync.Mutex
	addresses []string // by number
}

var _ Recipients = (*byName)(nil)

func (b *byName) Standings(tenant string, _ time.Time) (Standings, error) {
	if tenant != "acme" {
		return nil, errors.New("wrong tenant")
	}
	return b, nil
}

func (b *byName) Number(address []byte) uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.addresses = append(b.addresses, string(address))
	return uint64(len(b.addresses) - 1)
}

func (b *byName) Find(_ context.Context, numbers []uint64, out []Standing) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, n := range numbers {
		out[i] = standingOf(b.addresses[n])
	}
	return b.fail
}

func (b *byName) Close() {}

func standingOf(address string) Standing {
	var s Standing
	switch {
	case strings.HasPrefix(address, "eng"):
		s.State = engagement.Engaged
	case strings.HasPrefix(address, "new"):
		s.State = engagement.New
	case strings.HasPrefix(address, "old"):
		s.State = engagement.Unengaged
	}
	s.Suppression.Unsubscribed = strings.Contains(address, "unsub")
	s.Suppression.Complained = strings.Contains(address, "spam")
	s.Suppression.HardBounced = strings.Contains(address, "dead")
	return s
}

func run(t *testing.T, body string, asCSV bool) (Report, error) {
	t.Helper()
	return Check(t.Context(), List{Body: strings.NewReader(body), CSV: asCSV, Tenant: "acme"}, &byName{})
}

func TestForms(t *testing.T) {
	one := Report{Total: 2, Engaged: 1, New: 1, DuplicatesExact: true}
	tests := map[string]struct {
		body string
		csv  bool
		want Report
	}{
		"lines":                      {"eng@a.example\nnew@a.example\n", false, one},
		"no end of line":             {"eng@a.example\nnew@a.example", false, one},
		"blank lines, CRLF, BOM":     {"\xEF\xBB\xBF\r\n \r\neng@a.example\r\n\r\n\t\nnew@a.example\r\n\r\n", false, one},
		"display names":              {"Eng <ENG@A.example>\n  New@a.EXAMPLE  \n", false, one},
		"CSV by type":                {"id,email\n1,eng@a.example\n2,new@a.example\n", true, one},
		"CSV by its header":          {"id,Email,name\n1,eng@a.example,\"x\ny\"\n2,new@a.example,y\n", false, one},
		"header alone":               {"email\neng@a.example\nnew@a.example\n", false, one},
		"semicolons":                 {"id;email\n1;eng@a.example\n2;new@a.example\n", false, one},
		"tabs":                       {"email\tid\neng@a.example\t1\nnew@a.example\t2\n", false, one},
		"blank rows":                 {"email\n\neng@a.example\n  \nnew@a.example\n\n", false, one},
		"empty":                      {"", false, Report{DuplicatesExact: true}},
		"empty CSV":                  {"", true, Report{DuplicatesExact: true}},
		"short row, empty cell":      {"id,email\n1\n2,\n3,eng@a.example\n", true, Report{Total: 3, Engaged: 1, Invalid: 2, DuplicatesExact: true}},
		"first line is no header":    {"ann\neng@a.example\n", false, Report{Total: 2, Engaged: 1, Invalid: 1, DuplicatesExact: true}},
		"duplicates by address":      {"eng@a.example\nE <ENG@A.EXAMPLE>\neng@b.example\n", false, Report{Total: 3, Engaged: 2, Duplicates: 1, DuplicatesExact: true}},
		"invalid ones do not repeat": {"x\nx\n@a\na@\na b@c\n", false, Report{Total: 5, Invalid: 5, DuplicatesExact: true}},
		"suppressed overlap": {"eng-unsub-spam@a\nold-dead@a\nunsub@a\n", false, Report{Total: 3, Engaged: 1, Unengaged: 1, Unknown: 1,
			Suppressed: Suppressed{Unsubscribed: 2, Complained: 1, HardBounced: 1, Any: 3}, DuplicatesExact: true}},
		"a line without end": {"eng@a\n" + strings.Repeat("x", 3*maxLine) + "\nnew@a\n", false, Report{Total: 3, Engaged: 1, New: 1, Invalid: 1, DuplicatesExact: true}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := run(t, tt.body, tt.csv)
			if err != nil || got != tt.want {
				t.Errorf("got  %+v, %v\nwant %+v", got, err, tt.want)
			}
		})
	}
}

func TestErrors(t *testing.T) {
	boom := errors.New("boom")
	if _, err := run(t, "ann@a.example\n", true); !errors.Is(err, ErrNoColumn) {
		t.Errorf("a CSV without a header: %v", err)
	}
	if _, err := run(t, "email\n\"ann@a.example\n"+strings.Repeat("eng@a.example\n", 1<<18), true); !errors.Is(err, ErrBroken) {
		t.Errorf("a quote that is never closed: %v", err)
	} else if strings.Contains(err.Error(), "@") {
		t.Errorf("the error carries an address: %v", err)
	}
	many := strings.Repeat("x\n", 10) + manyLines(20_000)
	if _, err := Check(t.Context(), List{Body: strings.NewReader(many), Tenant: "acme"}, &byName{fail: boom}); !errors.Is(err, boom) {
		t.Errorf("a look-up that fails: %v", err)
	}
	broken := io.MultiReader(strings.NewReader(many), errorReader{boom})
	if _, err := Check(t.Context(), List{Body: broken, Tenant: "acme"}, &byName{}); !errors.Is(err, boom) {
		t.Errorf("a body that breaks off: %v", err)
	}
}

type errorReader struct{ err error }

func (e errorReader) Read([]byte) (int, error) { return 0, e.err }

func manyLines(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "eng%d@a.example\n", i)
	}
	return b.String()
}

// The sum of the parts is the whole, duplicates are exact, and each text has its verdict in the list's order, whatever the list and
// however it falls into blocks.
func TestSums(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		texts := rapid.SliceOfN(rapid.SampledFrom([]string{
			"eng@a", "ENG@a", "new@a", "old@a", "x@a", "unsub@a", "", " ", "none", "a b@c", "<eng@a>", "y <z@a>", "old-dead@a", "spam-unsub@a",
		}), 0, 60).Draw(t, "list")
		texts = append([]string{"eng-first@a"}, texts...)
		var lines bytes.Buffer
		l := List{Body: strings.NewReader(strings.Join(texts, "\n")), Tenant: "acme", Verdicts: &lines}
		max := limits{exact: 1000, block: rapid.IntRange(1, 9).Draw(t, "block"), texts: rapid.IntRange(1, 12).Draw(t, "texts")}
		got, err := check(t.Context(), l, &byName{}, max)
		if err != nil {
			t.Fatal(err)
		}
		want := Report{DuplicatesExact: true}
		had := map[string]bool{}
		for _, text := range texts {
			if strings.TrimSpace(text) == "" {
				continue
			}
			a, ok := normalise([]byte(text))
			v := Verdict{Invalid: !ok, Duplicate: ok && had[string(a)]}
			if !v.Invalid && !v.Duplicate {
				had[string(a)] = true
				v.Standing = standingOf(string(a))
			}
			want.Count(v)
			line, _ := lines.ReadBytes('\n')
			told, err := ParseVerdict(bytes.TrimSuffix(line, []byte("\n")))
			if err != nil || told != v {
				t.Fatalf("%q: the verdict is %q (%v), want %+v", text, line, err, v)
			}
		}
		if got != want {
			t.Fatalf("got  %+v\nwant %+v", got, want)
		}
		if sum := got.Engaged + got.New + got.Unengaged + got.Unknown + got.Invalid + got.Duplicates; sum != got.Total {
			t.Fatalf("the parts are %d, the whole is %d", sum, got.Total)
		}
		if lines.Len() > 0 {
			t.Fatalf("more verdicts than texts: %q", lines.String())
		}
	})
}

func TestVerdictsThatAreNone(t *testing.T) {
	for _, line := range []string{"", "old", "engaged left", "{}", "Engaged"} {
		if v, err := ParseVerdict([]byte(line)); err == nil {
			t.Errorf("%q: %+v", line, v)
		}
	}
}

func TestDuplicatesBeyondTheLimit(t *testing.T) {
	list := manyLines(50) + manyLines(50)
	got, err := check(t.Context(), List{Body: strings.NewReader(list), Tenant: "acme"}, &byName{}, limits{20, 7, 11})
	want := Report{Total: 100, Engaged: 80, Duplicates: 20}
	if err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
}

func TestSeenAgainstAMap(t *testing.T) {
	s, m := newSeen(1<<20), map[uint32]bool{}
	r := rand.New(rand.NewPCG(1, 2))
	for range 300_000 {
		n := r.Uint32N(100_000)
		if got := s.add([]byte{byte(n), byte(n >> 8), byte(n >> 16)}); got != m[n] {
			t.Fatalf("%d: found %v, want %v", n, got, m[n])
		}
		m[n] = true
	}
	if s.n != len(m) {
		t.Errorf("%d remembered, want %d", s.n, len(m))
	}
}

// A list of two million addresses must not take more than its fingerprints; at ten million, with fuller chunks, it is 8 bytes each.
func TestMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("counts two million addresses")
	}
	s := newSeen(MaxExact)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	text := make([]byte, 8)
	for i := range uint64(2_000_000) {
		for j := range text {
			text[j] = byte(i >> (8 * j))
		}
		s.add(text)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if each := float64(after.HeapAlloc-before.HeapAlloc) / 2e6; each > 14 {
		t.Errorf("%.1f bytes an address, want at most 14", each)
	}
	runtime.KeepAlive(s)
}

func FuzzList(f *testing.F) {
	f.Add([]byte("email\nann@a.example\n"), true)
	f.Add([]byte("a@b\n\xff\xfe@x\n"), false)
	f.Add([]byte("id;email\n\"x;y"), false)
	f.Fuzz(func(t *testing.T, list []byte, asCSV bool) {
		got, err := check(t.Context(), List{Body: bytes.NewReader(list), CSV: asCSV, Tenant: "acme"}, &byName{}, limits{100, 7, 11})
		if err != nil {
			if !errors.Is(err, ErrNoColumn) && !errors.Is(err, ErrBroken) {
				t.Fatalf("unexpected error: %v", err)
			}
			return
		}
		if sum := got.Engaged + got.New + got.Unengaged + got.Unknown + got.Invalid + got.Duplicates; sum != got.Total {
			t.Fatalf("the parts are %d, the whole is %d", sum, got.Total)
		}
	})
}

func BenchmarkCheck(b *testing.B) {
	const n = 200_000
	list := manyLines(n)
	for b.Loop() {
		if _, err := Check(b.Context(), List{Body: strings.NewReader(list), Tenant: "acme"}, &byName{}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "addresses/s")
}
