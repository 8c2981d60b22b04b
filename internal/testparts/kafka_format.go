package testparts

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
)

// format makes the broker's data directory. Formatting takes a JVM and 1.4 s, so what it made is kept beside the jars, one
// copy per broker number and set of users, and copied from then on.
func (n *Node) format() error {
	kind := "plain"
	if n.options.Secure {
		kind = "secure"
	}
	kept := filepath.Join(n.formatted, fmt.Sprintf("%d-%s-of-%d", n.id, kind, len(n.broker.Nodes)))
	if _, err := os.Stat(filepath.Join(kept, "meta.properties")); err == nil {
		return copyDir(kept, n.dir)
	}
	args := []string{"format", "-t", clusterID, "-c", n.dir + ".properties"}
	if n.options.Secure {
		for _, mechanism := range []string{"SCRAM-SHA-256", "SCRAM-SHA-512"} {
			args = append(args, "--add-scram", fmt.Sprintf("%s=[name=%s,password=%s]", mechanism, User, Password))
		}
	}
	out, err := exec.Command(n.path, n.command("kafka.tools.StorageTool", args...)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: format: %w:\n%s", n.name, err, out)
	}
	// Whole or not at all: several test binaries may do this at once.
	part, err := os.MkdirTemp(filepath.Dir(n.formatted), "part-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(part)
	if err := copyDir(n.dir, part); err != nil {
		return err
	}
	if err := os.MkdirAll(n.formatted, 0o755); err != nil {
		return err
	}
	_ = os.Rename(part, kept) // fails when another made it meanwhile, which is as good
	return nil
}

// copyDir copies the plain files of a directory.
func copyDir(from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), 0o755)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), b, 0o600)
	})
}
