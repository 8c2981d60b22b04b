package config

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"sendwatch/internal/windows"
)

type readFunc = func(*reader, value)

func text(dst func(*Config) *string) readFunc {
	return func(r *reader, v value) {
		if isNull(v.node) {
			return
		}
		if s, ok := v.scalar(); ok {
			*dst(r.config) = s
		}
	}
}

func name(dst func(*Config) *string) readFunc {
	return func(r *reader, v value) {
		if s, ok := v.name(); ok {
			*dst(r.config) = s
		}
	}
}

func word(dst func(*Config) *string, words ...string) readFunc {
	return func(r *reader, v value) {
		if s, ok := v.oneOf(words...); ok {
			*dst(r.config) = s
		}
	}
}

func flag(dst func(*Config) *bool) readFunc {
	return func(r *reader, v value) {
		if b, ok := v.boolean(); ok {
			*dst(r.config) = b
		}
	}
}

func whole(dst func(*Config) *int, low, high int) readFunc {
	return func(r *reader, v value) {
		if n, ok := v.integer(low, high); ok {
			*dst(r.config) = n
		}
	}
}

func span(dst func(*Config) *time.Duration, low, high time.Duration) readFunc {
	return func(r *reader, v value) {
		if d, ok := v.duration(low, high); ok {
			*dst(r.config) = d
		}
	}
}

func days(dst func(*Config) *time.Duration, most int) readFunc {
	return func(r *reader, v value) {
		d, ok := v.duration(0, time.Duration(most)*24*time.Hour)
		if !ok {
			return
		}
		if d%(24*time.Hour) != 0 {
			v.wrong(strconv.Quote(v.node.Value))
			return
		}
		*dst(r.config) = d
	}
}

func addresses(dst func(*Config) *[]string) readFunc {
	return func(r *reader, v value) {
		var list []string
		good := v.list(func(_ int, e value) {
			s, ok := e.address()
			if ok && slices.Contains(list, s) {
				e.wrong(strconv.Quote(s) + " again")
			}
			list = append(list, s)
		})
		if good && len(list) == 0 {
			v.wrong("an empty list")
		}
		*dst(r.config) = list
	}
}

func shards(r *reader, v value) {
	n, ok := v.integer(1, 256)
	if !ok {
		return
	}
	if n&(n-1) != 0 {
		v.wrong(strconv.Quote(v.node.Value))
		return
	}
	r.config.Redis.Shards = n
}

func topics(r *reader, v value) {
	var list []Topic
	seen := map[string]bool{}
	good := v.list(func(_ int, e value) {
		t := Topic{Format: "auto"}
		if e.node.Kind == yaml.ScalarNode {
			t.Name, _ = e.name()
		} else {
			e.mapping(map[string]func(value){
				"name":   func(v value) { v.allowed = aName; t.Name, _ = v.name() },
				"format": func(v value) { t.Format = v.formatName("kafka.topics") },
			}, []string{"name", "format"})
			if t.Name == "" {
				e.wrong("without a name")
			}
		}
		if t.Name != "" && seen[t.Name] {
			e.wrong(strconv.Quote(t.Name) + " again")
		}
		seen[t.Name] = true
		list = append(list, t)
	})
	if good && len(list) == 0 {
		v.wrong("an empty list")
	}
	r.config.Kafka.Topics = list
}

func subjects(r *reader, v value) {
	list := []windows.Combination{}
	seen := map[string]bool{}
	good := v.list(func(_ int, e value) {
		c, ok := e.combination()
		if !ok {
			return
		}
		if seen[c.String()] {
			e.wrong("[" + c.String() + "] again")
		}
		seen[c.String()] = true
		list = append(list, c)
	})
	if good && len(v.node.Content) == 0 {
		v.wrong("an empty list")
	}
	if len(list) > 32 {
		v.wrong(fmt.Sprintf("%d combinations (every event is counted in each of them: 32 at most)", len(list)))
	}
	r.config.Subjects = list
}

// combination reads a list of dimensions.
func (v value) combination() (windows.Combination, bool) {
	c := windows.Combination{}
	good := true
	good = v.list(func(_ int, e value) {
		e.allowed = "tenant, ip, pool, domain, campaign, stream or provider"
		s, ok := e.scalar()
		if !ok {
			good = false
			return
		}
		d, ok := windows.ParseDimension(s)
		if !ok || slices.Contains(c, d) {
			e.wrong(strconv.Quote(s))
			good = false
			return
		}
		c = append(c, d)
	}) && good
	return c, good
}

func windowList(r *reader, v value) {
	var list []windows.Window
	seen := map[string]bool{}
	v.list(func(i int, e value) {
		w := windows.Window{Step: windows.Hour}
		given := map[string]bool{}
		e.mapping(map[string]func(value){
			"name": func(v value) { given["name"] = true; v.allowed = aName; w.Name, _ = v.name() },
			"length": func(v value) {
				given["length"] = true
				v.allowed = "a duration of at least one step"
				w.Length, _ = v.duration(time.Minute, century)
			},
			"step": func(v value) {
				given["step"] = true
				v.allowed = "1m, 1h or 1d"
				s, _ := v.oneOf("1m", "1h", "1d")
				w.Step, _ = windows.ParseStep(s)
			},
		}, []string{"name", "length", "step"})
		for _, n := range []string{"name", "length", "step"} {
			if !given[n] {
				e.wrong("without " + n)
			}
		}
		if w.Length > 0 && w.Length%w.Step.Duration() != 0 {
			e.wrong(fmt.Sprintf("%s in steps of %s, which do not fit", w.Name, w.Step))
		}
		if w.Name != "" && seen[w.Name] {
			e.wrong(strconv.Quote(w.Name) + " again")
		}
		seen[w.Name] = true
		r.at["windows."+w.Name] = e.place()
		list = append(list, w)
	})
	if len(list) == 0 {
		v.wrong("an empty list")
	}
	r.config.Windows = list
}

var months = regexp.MustCompile(`^(\d{1,2})mo$`)

func period(r *reader, v value) {
	s, ok := v.scalar()
	if !ok {
		return
	}
	if m := months.FindStringSubmatch(s); m != nil {
		if n, _ := strconv.Atoi(m[1]); n >= 1 && n <= 24 {
			r.config.Engagement.Months = n
			return
		}
	}
	v.wrong(strconv.Quote(s))
}

func providerDomains(r *reader, v value) {
	if isNull(v.node) {
		return
	}
	if v.node.Kind != yaml.MappingNode {
		v.wrong(describe(v.node))
		return
	}
	table := map[string]string{}
	r.eachKey(v.path, v.node, func(domain string, key, node *yaml.Node) {
		e := v.sub(v.path+"."+domain, "a name such as gmail", node)
		if s, ok := e.name(); ok {
			table[strings.ToLower(domain)] = s
		}
	})
	r.config.Providers.Domains = table
}

func reporting(r *reader, v value) {
	list := []string{}
	v.list(func(_ int, e value) {
		if s, ok := e.name(); ok {
			list = append(list, s)
		}
	})
	r.config.Providers.Reporting = list
}

// file takes a path that must be readable now.
func file(dst func(*Config) *string) readFunc {
	return func(r *reader, v value) {
		if isNull(v.node) {
			return
		}
		s, ok := v.scalar()
		if !ok || s == "" {
			return
		}
		f, err := os.Open(s)
		if err != nil {
			v.wrong(err.Error())
			return
		}
		f.Close()
		*dst(r.config) = s
	}
}
