package testkit

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

var (
	building sync.Once
	built    string
	buildErr error
)

// Binary builds the tocsin command once per test process and returns its path.
func Binary(t testing.TB) string {
	t.Helper()
	building.Do(func() {
		dir, err := os.MkdirTemp("", "tocsin-binary-")
		if err != nil {
			buildErr = err
			return
		}
		built = filepath.Join(dir, "tocsin")
		cmd := exec.Command("go", "build", "-o", built, "./cmd/tocsin")
		cmd.Dir = Root(t)
		if out, err := cmd.CombinedOutput(); err != nil {
			buildErr = fmt.Errorf("build tocsin: %w\n%s", err, out)
		}
	})
	if buildErr != nil {
		t.Fatal(buildErr)
	}
	return built
}

// Process is a running tocsin of the test's own.
type Process struct {
	URL string // of its page, ending in a slash
	t   testing.TB
	cmd *exec.Cmd
	log *logLines
}

// Serve starts `tocsin serve` with a configuration and waits until it serves. The process is killed at
// the end of the test if it still runs.
func Serve(t testing.TB, config string) *Process {
	t.Helper()
	p := &Process{t: t, cmd: exec.Command(Binary(t), "serve", "--config", config), log: &logLines{page: make(chan string, 1)}}
	p.cmd.Stderr = p.log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if p.cmd.ProcessState == nil {
			p.Kill()
		}
	})
	select {
	case p.URL = <-p.log.page:
	case <-time.After(30 * time.Second):
		t.Fatalf("tocsin serve did not say its page\n%s", p.Log())
	}
	return p
}

// Kill ends the process as a power cut would: at once, with nothing said.
func (p *Process) Kill() {
	p.t.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		p.t.Fatal(err)
	}
	p.cmd.Wait() //nolint:errcheck // it was killed
}

// Stop asks the process to end and returns how long it took; an end with trouble fails the test.
func (p *Process) Stop() time.Duration {
	p.t.Helper()
	began := time.Now()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	if err := p.cmd.Wait(); err != nil {
		p.t.Errorf("tocsin serve ended with %v\n%s", err, p.Log())
	}
	return time.Since(began)
}

// Log is everything it logged.
func (p *Process) Log() string { return p.log.String() }

// Usage is the process's CPU time and peak memory; it must have ended.
func (p *Process) Usage() (cpu time.Duration, peak int64) {
	state := p.cmd.ProcessState
	usage, ok := state.SysUsage().(*syscall.Rusage)
	if !ok {
		p.t.Fatal("no usage is known of the process")
	}
	return state.UserTime() + state.SystemTime(), usage.Maxrss * 1024
}

// Get reads the JSON at a path of its page into out.
func (p *Process) Get(path string, out any) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.URL+strings.TrimPrefix(path, "/"), nil)
	if err != nil {
		p.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatalf("%v\n%s", err, p.Log())
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		p.t.Fatalf("read %s: %v", path, err)
	}
}

// logLines keeps a process's log and finds the address of its page in it.
type logLines struct {
	mu   sync.Mutex
	all  bytes.Buffer
	done bool
	page chan string
}

func (l *logLines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all.Write(b)
	if l.done {
		return len(b), nil
	}
	for line := range strings.Lines(l.all.String()) {
		var said struct {
			Page string `json:"page"`
		}
		if json.Unmarshal([]byte(line), &said) == nil && said.Page != "" {
			l.done = true
			l.page <- said.Page
		}
	}
	return len(b), nil
}

func (l *logLines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.String()
}
