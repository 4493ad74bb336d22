package shippers

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// root is the directory of the program's module.
const root = "../.."

var (
	building sync.Once
	binary   string
	errBuild error
)

func TestMain(m *testing.M) {
	status := m.Run()
	if binary != "" {
		os.RemoveAll(filepath.Dir(binary)) //nolint:errcheck // it is only space
	}
	os.Exit(status)
}

// build makes the program once.
func build(t *testing.T) string {
	t.Helper()
	building.Do(func() {
		dir, err := os.MkdirTemp("", "tocsin-shippers-")
		if err != nil {
			errBuild = err
			return
		}
		binary = filepath.Join(dir, "tocsin")
		cmd := exec.Command("go", "build", "-o", binary, "./cmd/tocsin")
		cmd.Dir = root
		if out, err := cmd.CombinedOutput(); err != nil {
			errBuild = fmt.Errorf("build tocsin: %w\n%s", err, out)
		}
	})
	if errBuild != nil {
		t.Fatal(errBuild)
	}
	return binary
}

// program is a running tocsin serve.
type program struct {
	t      *testing.T
	url    string // without a slash at the end
	config string
}

// serve starts the program with an empty embedded engine. It is stopped at the end of the test, which fails
// if it did not end well.
func serve(t *testing.T) *program {
	t.Helper()
	dir := t.TempDir()
	p := &program{t: t, config: filepath.Join(dir, "tocsin.yaml")}
	text := "listen: 127.0.0.1:0\ndata_dir: " + filepath.Join(dir, "data") + "\nsources:\n  - {name: logs, kind: embedded, min_free: 64MiB}\n"
	if err := os.WriteFile(p.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(build(t), "serve", "--config", p.config)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	page := make(chan string, 1)
	var said strings.Builder
	read := make(chan struct{})
	go func() {
		defer close(read)
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			said.WriteString(lines.Text() + "\n")
			var line struct{ Page string }
			if json.Unmarshal(lines.Bytes(), &line) == nil && line.Page != "" {
				page <- line.Page
			}
		}
	}()
	t.Cleanup(func() {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		<-read
		if err := cmd.Wait(); err != nil {
			t.Errorf("tocsin serve ended with %v\n%s", err, said.String())
		}
	})
	select {
	case at := <-page:
		p.url = strings.TrimSuffix(at, "/")
	case <-time.After(30 * time.Second):
		t.Fatal("tocsin serve did not say its page")
	}
	return p
}

func (p *program) port() string {
	u, err := url.Parse(p.url)
	if err != nil {
		p.t.Fatal(err)
	}
	return u.Port()
}

// search gives the rows of a search.
func (p *program) search(query string) []map[string]any {
	p.t.Helper()
	cmd := exec.Command(binary, "search", "--config", p.config, "--source", "logs", "--all", "--format", "ndjson", query)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		p.t.Fatalf("search %s: %v\n%s", query, err, stderr.String())
	}
	var rows []map[string]any
	for line := range strings.Lines(string(out)) {
		var r map[string]any
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			p.t.Fatalf("search %s: %v in %s", query, err, line)
		}
		rows = append(rows, r)
	}
	return rows
}

// settled waits until a search counts a number of events, and checks that each n from 0 on is there once.
func (p *program) settled(filter string, want int) {
	p.t.Helper()
	var got float64
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(200 * time.Millisecond) {
		rows := p.search(filter + " | stats count, dc(n) as different, min(n) as least, max(n) as most")
		got, _ = rows[0]["count"].(float64)
		if int(got) >= want {
			if rows[0]["different"] != float64(want) || rows[0]["least"] != 0.0 || rows[0]["most"] != float64(want-1) || int(got) != want {
				p.t.Fatalf("%s: %v, want each of 0 to %d once", filter, rows[0], want-1)
			}
			return
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("%s: %v events, want %d", filter, got, want)
		}
	}
}

// record writes the line of the closing list of `make test`.
func record(t *testing.T, use, name, detail string) {
	t.Helper()
	path := os.Getenv("TOCSIN_TEST_REPORT")
	if path == "" {
		return
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(f, "shipper\t%s\t%s\t%s\t%s\n", use, name, detail, t.Name()); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// missing ends the test of a shipper that is not there: the closing list names it, and where everything is
// required it is a failure.
func missing(t *testing.T, name, why string) {
	t.Helper()
	record(t, "not used", name, why)
	if os.Getenv("TOCSIN_TEST_SERVERS") == "required" {
		t.Fatalf("%s is required: %s", name, why)
	}
	t.Skipf("%s: %s", name, why)
}
