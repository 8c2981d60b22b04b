package alerts

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"sendwatch/internal/policy"
	"sendwatch/internal/windows"
)

// Ref is what an alert has to know of its rule when the configuration no longer has it. It is stored with the alert.
type Ref struct {
	Policy      string          `json:"policy"`
	LimitID     string          `json:"limit_id"` // tells the policy's limits apart; stays the same over reloads
	LimitName   string          `json:"limit_name,omitempty"`
	Rate        string          `json:"rate"`
	Below       windows.Ratio   `json:"below"`
	Window      windows.Window  `json:"window"`
	Formula     windows.Formula `json:"formula"`
	JudgeWindow bool            `json:"judge_window,omitempty"`
	Definition  string          `json:"definition"`
}

// key names the one alert that can be open for the rule and a subject.
func (r *Ref) key(subject string) string {
	return r.Policy + keySeparator + r.LimitID + keySeparator + r.Window.Name + keySeparator + subject
}

const keySeparator = "\x1f" // no name and no subject key holds control characters

// episodeID names the episode of an alert that fired at this time: the same wherever and however often it is computed.
func (r *Ref) episodeID(subject string, startsAt time.Time) string {
	sum := sha256.Sum256([]byte(r.key(subject) + keySeparator + strconv.FormatInt(startsAt.UnixNano(), 10)))
	return hex.EncodeToString(sum[:16])
}

// rule is a policy's rule, ready to be judged.
type rule struct {
	judge  func(windows.Reading) policy.Judgement
	holds  func([]windows.Label) bool
	ref    Ref
	timing Timing
	order  int                   // among all rules in force
	grain  windows.Step          // the finest buckets that its reading is made of
	slot   [windows.NumSteps]int // place of its window in the plan of each grain
}

// compile prepares the rules of a set, with an identity for each.
func compile(set *policy.Set, ret windows.Retention) []*rule {
	all := set.Rules()
	rules := make([]*rule, len(all))
	taken := map[string]int{} // policy, limit id, window: how often
	for i := range all {
		r := &all[i]
		ref := Ref{
			Policy: r.Policy, LimitID: limitID(r.Limit), LimitName: r.Limit.Name, Rate: r.Limit.Rate.String(), Below: r.Limit.Line(),
			Window: r.Window, Formula: r.Formula, JudgeWindow: r.JudgeWindow, Definition: r.Definition,
		}
		taken[ref.key("")]++
		if n := taken[ref.key("")]; n > 1 { // the same limit twice: by its place
			ref.LimitID += "#" + strconv.Itoa(n)
		}
		rules[i] = &rule{
			judge: r.Judge, holds: r.Applies, ref: ref, timing: TimingOf(r), order: i, grain: grainOf(r.Window, ret),
		}
	}
	return rules
}

// limitID is the limit's rate and name, or without one what it measures. What decides only when alerts fire, remind and resolve is no part of it:
// changing that keeps an open alert open.
func limitID(l *policy.Limit) string {
	if l.Name != "" {
		return l.Rate.String() + " " + l.Name
	}
	var b strings.Builder
	line := l.Line()
	fmt.Fprintf(&b, "%s<%d/%d", l.Rate, line.A, line.B)
	if l.Classes != 0 {
		fmt.Fprintf(&b, " classes=%d", l.Classes)
	}
	if l.Over != 0 {
		fmt.Fprintf(&b, " over=%d", l.Over)
	}
	if l.Judge != 0 {
		fmt.Fprintf(&b, " judge=%d", l.Judge)
	}
	if l.Subjects != nil {
		fmt.Fprintf(&b, " subjects=%v", l.Subjects)
	}
	for _, d := range slices.Sorted(maps.Keys(l.Match)) {
		fmt.Fprintf(&b, " %s=%q", d, l.Match[d])
	}
	return b.String()
}

// grainOf is the finest step whose buckets a reading of the window is made of, its exposure included. Within one such bucket
// of as_of the reading changes only by what is counted.
func grainOf(w windows.Window, ret windows.Retention) windows.Step {
	g := w.Step
	for _, x := range w.Exposure(ret) {
		g = min(g, x.Step)
	}
	return g
}
