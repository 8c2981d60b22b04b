package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"
)

const reference = "../../configs/monitor.yaml"

func TestTheReferenceSaysTheDefaults(t *testing.T) {
	got, err := Load(reference, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	// The reference spells out what the default policy pack and lengths of windows give anyway.
	if len(got.Alerts.KeepFiringFor.ByWindow) != 4 {
		t.Errorf("keep_firing_for: %v", got.Alerts.KeepFiringFor)
	}
	got.Alerts.KeepFiringFor = want.Alerts.KeepFiringFor
	got.Providers.Domains = nil
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s differs from the defaults (-default +file):\n%s", reference, diff)
	}
}

func TestTheReferenceNamesEveryKey(t *testing.T) {
	data, err := os.ReadFile(reference)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range Keys() {
		leaf := path[strings.LastIndex(path, ".")+1:]
		if strings.HasPrefix(path, "redis.tls.") || path == "kafka.sasl.password" || path == "redis.password" {
			continue // told once for Kafka; passwords belong into files
		}
		if !strings.Contains(string(data), leaf+":") {
			t.Errorf("%s is missing", path)
		}
	}
}

// The files in testdata/bad hold one mistake a line, each with the message in a comment at its end: "# found, allowed".
func TestMistakesAreNamedAllAtOnce(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal("no files in testdata/bad", err)
	}
	for _, path := range files {
		t.Run(filepath.Base(path), func(t *testing.T) {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var want []string
			for i, line := range strings.Split(string(data), "\n") {
				if _, comment, ok := strings.Cut(line, "#! "); ok {
					want = append(want, path+":"+itoa(i+1)+": "+comment)
				}
			}
			_, err = Load(path, nil)
			problems, ok := errors.AsType[Problems](err)
			if !ok {
				t.Fatalf("error %v, want problems", err)
			}
			var got []string
			for _, p := range problems {
				got = append(got, p.String())
			}
			if len(got) != len(want) {
				t.Errorf("%d problems, want %d:\n%s", len(got), len(want), strings.Join(got, "\n"))
			}
			for _, w := range want {
				found := false
				for _, g := range got {
					found = found || strings.HasPrefix(g, w)
				}
				if !found {
					t.Errorf("not told: %s\ntold:\n%s", w, strings.Join(got, "\n"))
				}
			}
		})
	}
}

func itoa(n int) string {
	digits := ""
	for ; n > 0; n /= 10 {
		digits = string(rune('0'+n%10)) + digits
	}
	return digits
}

func TestEnvironment(t *testing.T) {
	c, err := Parse("", nil, []string{
		"SENDWATCH_KAFKA_BROKERS=a:1,b:2", "SENDWATCH_KAFKA_TOPICS=[one, {name: two, format: ses}]",
		"SENDWATCH_ALERTS_STALE_AFTER=2m", "SENDWATCH_REDIS_PASSWORD=#: not yaml", "SENDWATCH_SUBJECTS=[[], [tenant]]",
		"SENDWATCH_POLICIES=strict,dynamics-365", "SENDWATCH_SERVICE_HOST=10.0.0.1", "PATH=/bin",
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a:1", "b:2"}, c.Kafka.Brokers); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]Topic{{"one", "auto"}, {"two", "ses"}}, c.Kafka.Topics); diff != "" {
		t.Error(diff)
	}
	if c.Alerts.StaleAfter != 2*time.Minute || c.Redis.Password != "#: not yaml" || len(c.Subjects) != 2 || len(c.Policies) != 2 {
		t.Errorf("%+v", c)
	}
}

func TestEnvironmentGoesBeforeTheFileAndItsMistakesAreNamed(t *testing.T) {
	c, err := Parse("f", []byte("redis: {prefix: file}"), []string{"SENDWATCH_REDIS_PREFIX=env"})
	if err != nil || c.Redis.Prefix != "env" {
		t.Errorf("%v %v", c, err)
	}
	_, err = Parse("", nil, []string{"SENDWATCH_REDIS_SHARDS=3"})
	if err == nil || err.Error() != `SENDWATCH_REDIS_SHARDS: redis.shards is "3", allowed: a power of two from 1 to 256` {
		t.Errorf("error %v", err)
	}
}

func TestSecretsFromFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte("  s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Parse("", []byte("redis: {password_file: "+path+"}\nengagement: {key_file: "+path+"}"), nil)
	if err != nil || c.Redis.Password != "s3cret" || string(c.Engagement.Key) != "s3cret" {
		t.Errorf("%+v %v", c, err)
	}
	_, err = Parse("f", []byte("redis:\n  password: x\n  password_file: "+path), nil)
	if err == nil || !strings.Contains(err.Error(), "f:3: redis.password_file is set beside redis.password") {
		t.Errorf("error %v", err)
	}
	_, err = Parse("f", []byte("redis:\n  password_file: "+path+".absent"), nil)
	if err == nil || !strings.Contains(err.Error(), "f:2: redis.password_file is open ") {
		t.Errorf("error %v", err)
	}
}

func TestAnAbsentFileIsNoProblemOfContent(t *testing.T) {
	_, err := Load(filepath.Join(t.TempDir(), "absent.yaml"), nil)
	if _, ok := errors.AsType[Problems](err); err == nil || ok {
		t.Errorf("error %v", err)
	}
}

func TestDurations(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"0": 0, "0s": 0, "90s": 90 * time.Second, "1h30m": 90 * time.Minute, "30d": 720 * time.Hour, "500ms": 500 * time.Millisecond,
		"1.5h": 90 * time.Minute, "2w": 14 * 24 * time.Hour,
	} {
		if got, ok := parseDuration(text); !ok || got != want {
			t.Errorf("%q: %v %v, want %v", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "5", "-1s", "1y", "s", "1 h", "1e3s", "99999999999d", "1h ", "6mo"} {
		if got, ok := parseDuration(text); ok {
			t.Errorf("%q was read as %v", text, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	data, err := os.ReadFile(reference)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	for _, s := range []string{"", "a", "- 1", "kafka: {tls: {enabled: maybe}}", "subjects: [[tenant, tenant]]", "&a [*a]", "<<: {}", "policies: [{name: x, limits: [{rate: bounce, below: 200%}]}]",
		"formats: {a: {when: {b: [1, x]}, each: c, fields: {type: {from: [d, e[0]], map: {x: open, \"*\": ignore}}, time: f}}}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if strings.Contains(string(data), "_file") {
			t.Skip("files are not opened by a fuzzer")
		}
		c, err := Parse("f", data, nil)
		if (c == nil) == (err == nil) {
			t.Fatalf("%v %v", c, err)
		}
		if _, ok := errors.AsType[Problems](err); err != nil && !ok {
			t.Fatalf("error %v is none of content", err)
		}
		var n yaml.Node
		if err == nil && len(data) > 0 && yaml.Unmarshal(data, &n) != nil {
			t.Fatalf("taken, but it is not YAML: %q", data)
		}
	})
}
