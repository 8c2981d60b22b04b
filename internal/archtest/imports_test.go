package archtest

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// A rule forbids imports to the packages below a path. A path ends at a package or covers what is beneath it.
type rule struct {
	from   string
	except []string // packages below from that the rule leaves out
	never  []string
	why    string
}

func rules() []rule {
	technology := []string{"github.com/segmentio/kafka-go", "github.com/redis/go-redis", "net/http", "go.uber.org/zap", "github.com/spf13/cobra",
		"github.com/prometheus", "go.yaml.in/yaml", "github.com/twmb", "github.com/alicebob/miniredis"}
	return []rule{
		{from: "internal/event", never: append([]string{"sendwatch/internal/windows"}, technology...), why: "events are pure and know nothing of counting"},
		{from: "internal/windows", except: []string{"internal/windows/redisstore", "internal/windows/windowstest"},
			never: append([]string{"sendwatch/internal/policy", "sendwatch/internal/alerts"}, technology...), why: "the arithmetic is pure"},
		{from: "internal/engagement", never: technology, why: "who is engaged is decided without I/O"},
		{from: "internal/policy", never: append([]string{"sendwatch/internal/alerts"}, technology...), why: "limits and verdicts are pure"},
		{from: "internal/alerts", except: []string{"internal/alerts/redisstate", "internal/alerts/kafkasink", "internal/alerts/holder"},
			never: technology, why: "the state machine is pure"},
		{from: "internal/simulate", never: technology, why: "a simulation is a function of its seed"},
		{from: "internal", except: []string{"internal/kafka", "internal/testparts", "internal/consumer"}, never: []string{"github.com/segmentio/kafka-go"},
			why: "the client library's traps stay in one package"},
		{from: "internal", except: []string{"internal/windows/redisstore", "internal/windows/windowstest", "internal/alerts/redisstate", "internal/app", "internal/testparts"},
			never: []string{"github.com/redis/go-redis"}, why: "stores hide Redis from those who ask and count"},
		{from: "internal", except: []string{"internal/app"}, never: []string{"sendwatch/internal/app"}, why: "app wires the others, none of them knows it"},
		{from: "internal", except: []string{"internal/config", "internal/app"}, never: []string{"sendwatch/internal/config"},
			why: "a package has its own Options; the configuration is turned into them in app"},
	}
}

type pkg struct {
	ImportPath string
	Imports    []string
}

func packages(t *testing.T) []pkg {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports", "sendwatch/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	var all []pkg
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

func below(path, parent string) bool { return path == parent || strings.HasPrefix(path, parent+"/") }

func TestImports(t *testing.T) {
	all := packages(t)
	for _, r := range rules() {
		used := false
		for _, p := range all {
			path := strings.TrimPrefix(p.ImportPath, "sendwatch/")
			if !below(path, r.from) {
				continue
			}
			used = true
			if slices.ContainsFunc(r.except, func(e string) bool { return below(path, e) }) {
				continue
			}
			for _, imported := range p.Imports {
				for _, forbidden := range r.never {
					if below(imported, forbidden) {
						t.Errorf("%s imports %s: %s", path, imported, r.why)
					}
				}
			}
		}
		if !used {
			t.Errorf("no package is below %s any more: take the rule out", r.from)
		}
		for _, e := range r.except {
			if !slices.ContainsFunc(all, func(p pkg) bool { return below(strings.TrimPrefix(p.ImportPath, "sendwatch/"), e) }) {
				t.Errorf("no package is below %s any more: take the exception out", e)
			}
		}
	}
}
