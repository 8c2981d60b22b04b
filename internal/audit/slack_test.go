package audit

import (
	"testing"

	"pgregory.net/rapid"

	"sendwatch/internal/policy"
	"sendwatch/internal/windows"
)

// genLine draws a line of a limit, or of none.
func genLine(t *rapid.T) *line {
	l := &line{formula: windows.Formula{Rate: windows.Complaint}}
	if rapid.IntRange(0, 4).Draw(t, "no limit") == 0 {
		return l
	}
	limit := policy.NewLimit(windows.Complaint, windows.NewRatio(int64(rapid.IntRange(0, 12).Draw(t, "a")), int64(rapid.IntRange(12, 40).Draw(t, "b"))))
	limit.MinVolume = int64(rapid.IntRange(0, 12).Draw(t, "min volume"))
	limit.MinEvents = int64(rapid.IntRange(0, 5).Draw(t, "min events"))
	l.rule = &policy.Rule{Limit: &limit}
	return l
}

// news tells whether a reading would change what is known of a line.
func news(l *line, t track, r windows.Reading) bool {
	before := t
	l.note(&t, r, 99)
	return t.worst != before.worst || t.verdict != before.verdict || t.breach != before.breach ||
		t.breach && (t.certain != before.certain || t.peakK != before.peakK || t.peakE != before.peakE)
}

// No reading that slack allows for may be news, wherever it lies between the bounds.
func TestSlack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := genLine(t)
		var known track
		draw := func(label string, most int) int64 { return int64(rapid.IntRange(0, most).Draw(t, label)) }
		for range rapid.IntRange(1, 4).Draw(t, "looks") {
			r := windows.Reading{Numerator: draw("k", 30), Exposure: draw("e", 40)}
			r.Denominator = r.Exposure
			l.note(&known, r, 1)
		}
		s := span{kLow: draw("kLow", 30), eLow: draw("eLow", 40)}
		s.kHigh, s.eHigh = s.kLow+draw("kHigh", 5), s.eLow+draw("eHigh", 10)
		more, volume := l.slack(&known, s)
		if more < 0 || volume < 0 {
			return // a look is always right
		}
		for range 20 {
			r := windows.Reading{
				Numerator: s.kLow + draw("k", int(s.kHigh-s.kLow+min(more, 20))),
				Exposure:  s.eLow + draw("e", int(s.eHigh-s.eLow+min(volume, 30))),
			}
			r.Denominator = r.Exposure
			if news(l, known, r) {
				t.Fatalf("%d of %d is news to %+v within %+v, more %d, volume %d", r.Numerator, r.Exposure, known, s, more, volume)
			}
		}
	})
}

// What is too large for 64 bits, or may go two ways, is looked at.
func TestSlackIsCareful(t *testing.T) {
	limit := policy.NewLimit(windows.Bounce, windows.Ratio{A: 3, B: 100})
	l := &line{formula: windows.Formula{Rate: windows.Bounce}, rule: &policy.Rule{Limit: &limit}}
	var known track
	l.note(&known, windows.Reading{Numerator: 1, Denominator: 1000, Exposure: 1000}, 1)
	if more, volume := l.slack(&known, span{1, 1, 1000, 1000}); more < 0 || volume < 1000 {
		t.Errorf("a healthy subject has a slack of %d, %d", more, volume)
	}
	for name, s := range map[string]span{
		"many events": {maxExact, maxExact, maxExact, maxExact}, "much volume": {1, 1, 1000, maxExact},
	} {
		if more, volume := l.slack(&known, s); more >= 0 && volume >= 0 {
			t.Errorf("%s: slack %d, %d", name, more, volume)
		}
	}
	if more, volume := l.slack(&track{}, span{}); more >= 0 && volume >= 0 {
		t.Error("a subject that nobody has looked at has slack")
	}
}
