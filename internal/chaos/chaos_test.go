package chaos

import (
	"errors"
	"os"
	"strconv"
	"testing"
	"time"

	"sendwatch/internal/testparts"
)

// SeedEnv and TimeEnv choose what the tests play.
const (
	SeedEnv = "CHAOS_SEED"
	TimeEnv = "CHAOS_TIME"
)

// TestShort plays two rounds of faults, a minute each, as every run of the tests does. `make chaos` plays longer ones.
func TestShort(t *testing.T) { play(t, Options{Seed: 1, Time: 2 * time.Minute, Rate: 500}) }

// TestShortCluster plays one round with three brokers and a Redis Cluster.
func TestShortCluster(t *testing.T) {
	play(t, Options{Seed: 10, Time: time.Minute, Rate: 500, Cluster: true})
}

func play(t *testing.T, o Options) {
	if testing.Short() {
		t.Skip("real parts, faults of a minute")
	}
	o.Round, o.Dir, o.Out = time.Minute, t.TempDir(), t.Output()
	if text := os.Getenv(SeedEnv); text != "" {
		seed, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatalf("%s: %v", SeedEnv, err)
		}
		o.Seed = seed
	}
	if text := os.Getenv(TimeEnv); text != "" {
		d, err := time.ParseDuration(text)
		if err != nil {
			t.Fatalf("%s: %v", TimeEnv, err)
		}
		o.Time = d
	}
	report, err := Run(t.Context(), o)
	if errors.Is(err, testparts.ErrMissing) && os.Getenv(testparts.RequireEnv) != "1" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range report.Rounds {
		if r.Differences > 0 {
			t.Errorf("seed %d: %d differences: %q", r.Seed, r.Differences, r.Findings)
		}
	}
}
