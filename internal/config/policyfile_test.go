package config

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"sendwatch/internal/policy"
)

const onePolicy = `name: mine
limits:
  - {rate: bounce, below: 5%, windows: [24h]}
`

func TestPolicyFiles(t *testing.T) {
	for name, c := range map[string]struct{ file, want string }{
		"one":                     {onePolicy, "mine"},
		"one, in one line":        {"{name: mine, limits: [{rate: bounce, below: 5%}]}", "mine"},
		"a list":                  {"- strict\n- name: mine\n  limits: [{rate: bounce, below: 5%}]\n", "strict mine"},
		"a list in one line":      {"[strict, dynamics-365]", "strict dynamics-365"},
		"a configuration":         {"redis: {prefix: x}\npolicies: [strict]\nformats: {a: {fields: {type: b, time: c}}}\n", "strict"},
		"a mistake":               {"# comment\nname: mine\nlimits:\n  - {rate: bounce, below: lots}\n", `f:4: policy.limits[0].below is "lots", allowed: a share`},
		"a mistake in content":    {"name: mine\nlimits:\n  - {rate: bounce, below: 0%}\n", `f:3: policy.limits[0].below is 0`},
		"a key that is none":      {"name: mine\nlimit: []\n", "f:2: unknown key policy.limit, allowed: one of name, limits"},
		"two mistakes":            {"name: mine\nlimits:\n  - {rate: bounce}\n  - {rate: opens, below: 1%}\n", "f:3: policy.limits[0] is without below"},
		"a mistake in a list":     {"- strict\n- lax\n", `f:2: policies[1] is "lax", allowed: dynamics-365, google-yahoo`},
		"twice":                   {"- strict\n- strict\n", `f:2: policies[1] is "strict" again`},
		"a mistake of the others": {"policies: [strict]\nredis: {shards: 3}\n", `f:2: redis.shards is "3"`},
		"nothing":                 {" \n", "f:1: an empty file, allowed: a policy, a list of policies"},
		"null":                    {"null\n", "f:1: an empty file"},
		"a text":                  {"strict\n", `f:1: the file is "strict"`},
		"no YAML":                 {"name: [\n", "f:2: not YAML"},
		"two documents":           {onePolicy + "---\n" + onePolicy, "f:4: a second YAML document"},
	} {
		list, err := ParsePolicies("f", []byte(c.file))
		if !strings.HasPrefix(c.want, "f:") {
			var names []string
			for _, p := range list {
				names = append(names, p.Name)
			}
			if got := strings.Join(names, " "); err != nil || got != c.want {
				t.Errorf("%s: %q, error %v, want %s", name, got, err, c.want)
			}
			continue
		}
		if _, ok := errors.AsType[Problems](err); !ok || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %s", name, err, c.want)
		}
	}
}

func TestPolicyFilesAreReadAsTheKeyIs(t *testing.T) {
	c, err := Parse("f", []byte("policies:\n  - name: mine\n    limits:\n      - {rate: bounce, below: 5%, windows: [24h]}\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	list, err := ParsePolicies("f", []byte(onePolicy))
	if err != nil || len(list) != 1 || list[0].Limits[0].Below != c.Policies[0].Limits[0].Below || list[0].Limits[0].Windows[0] != "24h" {
		t.Errorf("%v %v, want %v", list, err, c.Policies)
	}
	for _, name := range policy.PackNames() {
		if list, err := ParsePolicies("f", []byte("["+name+"]")); err != nil || len(list) != 1 {
			t.Errorf("%s: %v %v", name, list, err)
		}
	}
}

func TestAPolicyFileThatIsNotThere(t *testing.T) {
	_, err := LoadPolicies(filepath.Join(t.TempDir(), "absent.yaml"))
	if _, ok := errors.AsType[Problems](err); err == nil || ok {
		t.Errorf("error %v", err)
	}
}

func FuzzParsePolicies(f *testing.F) {
	for _, s := range []string{onePolicy, "[strict]", "policies: [strict]", "limits: &a [*a]", "- name: x\n  limits: [{rate: engaged, at_least: 10%}]"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if strings.Contains(string(data), "_file") {
			t.Skip("files are not opened by a fuzzer")
		}
		list, err := ParsePolicies("f", data)
		if _, ok := errors.AsType[Problems](err); err != nil && !ok {
			t.Fatalf("error %v is none of content", err)
		}
		for i := range list {
			if problems := list[i].Problems(); len(problems) > 0 {
				t.Fatalf("taken with %v", problems)
			}
		}
	})
}
