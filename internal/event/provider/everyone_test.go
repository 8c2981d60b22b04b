package provider_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Every folder with a format holds it against what all formats promise, and has a fuzzer that does.
func TestEveryFormatIsExercised(t *testing.T) {
	sources, err := filepath.Glob("*/*.go")
	if err != nil {
		t.Fatal(err)
	}
	formats, tests := map[string]bool{}, map[string]string{}
	for _, name := range sources {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		folder := filepath.Dir(name)
		switch {
		case strings.HasSuffix(name, "_test.go"):
			tests[folder] += string(text)
		case strings.Contains(string(text), "\nfunc Decode(v jsonvalue.Value, out *payload.Out)"):
			formats[folder] = true
		}
	}
	if len(formats) < 15 {
		t.Errorf("only %d formats were found: does a format's Decode look different now?", len(formats))
	}
	for folder := range formats {
		for _, call := range []string{"providertest.Exercise(t, ", "providertest.Fuzz(f, "} {
			if !strings.Contains(tests[folder], call) {
				t.Errorf("%s does not call %s…)", folder, call)
			}
		}
	}
}
