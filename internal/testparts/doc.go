// Package testparts starts the real parts that tests, benchmarks and the fault harness run against: Apache Kafka brokers from
// their jars and Redis servers, without containers. Every part listens on a free loopback port, keeps its data in a directory
// of its caller, and dies with the process that started it. scripts/parts.sh installs what it needs. It is for tests only;
// nothing of the product imports it.
package testparts

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
)

// ErrMissing wraps every error about a part that is not installed.
var ErrMissing = errors.New("missing part")

// RequireEnv is the environment variable that turns a missing part from a skipped test into a failed one.
const RequireEnv = "SENDWATCH_REQUIRE_PARTS"

// unavailable ends a test that cannot have its part: skipped on a box without it, failed where parts are required.
func unavailable(t testing.TB, err error) {
	t.Helper()
	if errors.Is(err, ErrMissing) && os.Getenv(RequireEnv) != "1" {
		t.Skipf("%v: run `make parts` to have it (skipped; %s=1 makes this a failure)", err, RequireEnv)
	}
	t.Fatal(err)
}

// Main runs the tests of a package, stops the shared parts they started and fails when a goroutine is left over:
//
//	func TestMain(m *testing.M) { os.Exit(testparts.Main(m)) }
func Main(m *testing.M) int {
	code := m.Run()
	stopShared()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			os.Stderr.WriteString("goroutines left over: " + err.Error() + "\n")
			return 1
		}
	}
	return code
}

// root finds the directory of the project's go.mod, upwards from where the process runs.
func root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("testparts: run inside the project's tree: no go.mod above this directory")
		}
		dir = parent
	}
}

func lookPath(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		return "", errors.Join(ErrMissing, err)
	}
	return path, nil
}
