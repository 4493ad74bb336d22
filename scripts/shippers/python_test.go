package shippers

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestPythonHelpers sends with each official Python client's bulk helper. TOCSIN_TEST_PYTHON is the directory
// of their environments, which scripts/prerequisites.sh makes.
func TestPythonHelpers(t *testing.T) {
	for _, c := range []struct{ name, environment, client string }{
		{"elasticsearch-py 8", "elasticsearch8", "elasticsearch"},
		{"elasticsearch-py 7", "elasticsearch7", "elasticsearch"},
		{"opensearch-py", "opensearch", "opensearch-py"},
	} {
		t.Run(c.environment, func(t *testing.T) {
			python := filepath.Join(os.Getenv("TOCSIN_TEST_PYTHON"), c.environment, "bin", "python")
			if _, err := os.Stat(python); os.Getenv("TOCSIN_TEST_PYTHON") == "" || err != nil {
				missing(t, c.name, "its environment is not there; scripts/prerequisites.sh makes it, and TOCSIN_TEST_PYTHON names the directory")
			}
			p := serve(t)
			cmd := exec.Command(python, "bulk.py", p.url, c.client)
			cmd.Stderr = os.Stderr
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			var said struct {
				Version string
				Events  int
			}
			if err := json.Unmarshal(out, &said); err != nil || said.Events == 0 {
				t.Fatalf("%v: %s", err, out)
			}
			record(t, "used", c.name, said.Version)
			p.settled("n >= 0", said.Events)
		})
	}
}
