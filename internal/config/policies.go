package config

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"sendwatch/internal/event"
	"sendwatch/internal/policy"
	"sendwatch/internal/windows"
)

// limitKeys are the keys of a limit, in the order of the reference.
func limitKeys() []string {
	return []string{"name", "rate", "below", "at_least", "windows", "classes", "over", "min_volume", "min_events", "watch_at",
		"judge", "fire", "for", "keep_firing_for", "remind_every", "subjects", "match"}
}

func policies(r *reader, v value) {
	list := []policy.Policy{}
	seen := map[string]bool{}
	v.list(func(_ int, e value) {
		p, ok := e.policy()
		if !ok {
			return
		}
		if seen[p.Name] {
			e.wrong(strconv.Quote(p.Name) + " again")
		}
		seen[p.Name] = true
		list = append(list, p)
	})
	r.config.Policies = list
}

// policy reads the name of a pack, or a whole policy.
func (v value) policy() (policy.Policy, bool) {
	if v.node.Kind == yaml.ScalarNode {
		v.allowed = strings.Join(policy.PackNames(), ", ") + ", or {name: NAME, limits: [...]}"
		s, ok := v.scalar()
		if !ok {
			return policy.Policy{}, false
		}
		p, ok := policy.Pack(s)
		if !ok {
			v.wrong(strconv.Quote(s))
		}
		return p, ok
	}
	var p policy.Policy
	before := len(v.r.problems)
	places := map[string]place{"": v.place()}
	v.mapping(map[string]func(value){
		"name": func(v value) { v.allowed = aName; p.Name, _ = v.name() },
		"limits": func(v value) {
			v.allowed = "a list of limits"
			v.list(func(i int, e value) {
				key := fmt.Sprintf("limits[%d]", i)
				places[key] = e.place()
				p.Limits = append(p.Limits, e.limit(key, places))
			})
		},
	}, []string{"name", "limits"})
	if p.Name == "" && len(v.r.problems) == before {
		v.wrong("a policy without a name")
	}
	if len(v.r.problems) > before {
		return p, false
	}
	for _, problem := range p.Problems() {
		v.r.bad(nearest(places, problem.Key), v.path+"."+problem.Key+" is "+problem.Found, problem.Want)
	}
	return p, len(v.r.problems) == before
}

// nearest finds the place of the longest known prefix of a key.
func nearest(places map[string]place, key string) place {
	for {
		if at, ok := places[key]; ok {
			return at
		}
		i := strings.LastIndexAny(key, ".[")
		if i < 0 {
			return places[""]
		}
		key = key[:i]
	}
}

// limit reads one limit and notes where each of its keys stands.
func (v value) limit(key string, places map[string]place) policy.Limit {
	line, haveLine := policy.DefaultLine(v.rateOf())
	l := policy.NewLimit(v.rateOf(), line)
	var haveRate bool
	read := map[string]func(value){
		"name": func(v value) { v.allowed = aName; l.Name, _ = v.name() },
		"rate": func(v value) {
			v.allowed = "bounce, complaint, unsubscribe, suppressed or engaged"
			haveRate = true
			if s, ok := v.scalar(); ok {
				if l.Rate, ok = windows.ParseRate(s); !ok {
					v.wrong(strconv.Quote(s))
				}
			}
		},
		"below":    func(v value) { haveLine = true; l.Below, _ = v.ratio() },
		"at_least": func(v value) { haveLine = true; l.AtLeast, _ = v.ratio() },
		"windows": func(v value) {
			v.allowed = "a list of names of windows"
			l.Windows = []string{}
			v.list(func(_ int, e value) {
				if s, ok := e.name(); ok {
					l.Windows = append(l.Windows, s)
				}
			})
		},
		"classes": func(v value) { l.Classes = v.classes() },
		"over": func(v value) {
			v.allowed = "delivered or reporting"
			if s, ok := v.oneOf("delivered", "reporting"); ok && s == "reporting" {
				l.Over = policy.OverReporting
			}
		},
		"min_volume": func(v value) { v.allowed = "a whole number of at least 0"; v.count(&l.MinVolume) },
		"min_events": func(v value) { v.allowed = "a whole number of at least 0"; v.count(&l.MinEvents) },
		"watch_at":   func(v value) { l.WatchAt, _ = v.ratio() },
		"judge": func(v value) {
			v.allowed = "exposure or window"
			if s, ok := v.oneOf("exposure", "window"); ok && s == "window" {
				l.Judge = policy.JudgeWindow
			}
		},
		"fire": func(v value) {
			v.allowed = "crossing or certain, or one for each window: {1h: certain}"
			perWindow(v, &l.Fire, value.fire)
		},
		"for": func(v value) { v.allowed = durationAllowed; l.For, _ = v.duration(0, century) },
		"keep_firing_for": func(v value) {
			v.allowed = "a duration, or one for each window: {1h: 1h, 24h: 6h}"
			perWindow(v, &l.KeepFiringFor, func(v value) (time.Duration, bool) { return v.duration(0, century) })
		},
		"remind_every": func(v value) {
			v.allowed = "a duration of at least 1s"
			if d, ok := v.duration(time.Second, century); ok {
				l.RemindEvery = &d
			}
		},
		"subjects": func(v value) {
			v.allowed = "a list of lists of dimensions"
			l.Subjects = []windows.Combination{}
			v.list(func(_ int, e value) {
				if c, ok := e.combination(); ok {
					l.Subjects = append(l.Subjects, c)
				}
			})
		},
		"match": func(v value) { l.Match = v.match() },
	}
	for name, f := range read {
		read[name] = func(v value) { places[key+"."+name] = v.place(); f(v) }
	}
	v.allowed = "a mapping of a limit's keys"
	v.mapping(read, limitKeys())
	v.allowed = "rate and below (at_least for engaged)"
	if !haveRate {
		v.wrong("without rate")
	}
	if !haveLine {
		v.wrong("without below")
	}
	return l
}

// rateOf looks ahead for the rate, on which a limit's defaults depend.
func (v value) rateOf() windows.Rate {
	for i := 0; v.node.Kind == yaml.MappingNode && i+1 < len(v.node.Content); i += 2 {
		if v.node.Content[i].Value == "rate" {
			r, _ := windows.ParseRate(resolve(v.node.Content[i+1]).Value)
			return r
		}
	}
	return windows.Bounce
}

func (v value) fire() (policy.Fire, bool) {
	s, ok := v.oneOf("crossing", "certain")
	if s == "certain" {
		return policy.Certain, ok
	}
	return policy.Crossing, ok
}

func (v value) ratio() (windows.Ratio, bool) {
	v.allowed = "a share such as 3% or 0.03, at most 100%"
	s, ok := v.scalar()
	if !ok {
		return windows.Ratio{}, false
	}
	ratio, err := windows.ParseRatio(s)
	if err != nil || ratio.A > ratio.B {
		v.wrong(strconv.Quote(s))
		return windows.Ratio{}, false
	}
	return ratio, true
}

func (v value) count(dst *int64) {
	if n, ok := v.integer(0, 1<<40); ok {
		*dst = int64(n)
	}
}

func (v value) classes() windows.Classes {
	v.allowed = "a list of hard, soft, block and undetermined"
	var list []event.BounceClass
	good := v.list(func(_ int, e value) {
		if s, ok := e.oneOf("hard", "soft", "block", "undetermined"); ok {
			c, _ := event.ParseBounceClass(s)
			list = append(list, c)
		}
	})
	if good && len(v.node.Content) == 0 {
		v.wrong("an empty list")
	}
	c, _ := windows.NewClasses(list...)
	return c
}

func (v value) match() map[windows.Dimension]string {
	v.allowed = "a mapping of dimensions to values or patterns, such as {tenant: acme*}"
	if v.node.Kind != yaml.MappingNode {
		v.wrong(describe(v.node))
		return nil
	}
	match := map[windows.Dimension]string{}
	v.r.eachKey(v.path, v.node, func(name string, key, node *yaml.Node) {
		d, ok := windows.ParseDimension(name)
		if !ok {
			v.r.unknown(place{line: key.Line, env: v.env}, v.path+"."+name, []string{"tenant", "ip", "pool", "domain", "campaign", "stream", "provider"})
			return
		}
		if s, ok := v.sub(v.path+"."+name, "a value or a pattern with * and ?", node).scalar(); ok {
			match[d] = s
		}
	})
	return match
}

// perWindow reads one value for all windows, or a mapping from names of windows to values.
func perWindow[T any](v value, dst *policy.PerWindow[T], read func(value) (T, bool)) {
	if v.node.Kind != yaml.MappingNode {
		if one, ok := read(v); ok {
			*dst = policy.PerWindow[T]{All: &one}
		}
		return
	}
	dst.ByWindow = map[string]T{}
	v.r.eachKey(v.path, v.node, func(name string, _, node *yaml.Node) {
		if one, ok := read(v.sub(v.path+"."+name, v.allowed, node)); ok {
			dst.ByWindow[name] = one
		}
	})
}
