package logstore

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

const crashDir = "TOCSIN_LOGSTORE_CRASH_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDir); dir != "" {
		if err := ingestUntilKilled(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// ingestUntilKilled stores batches from two clients and prints the names of each one's documents when it
// was acknowledged. Every fourth document has an id of its own. The log rotates and is shortened
// without its usual delays, so that a kill meets those too.
func ingestUntilKilled(dir string) error {
	ctx := context.Background()
	s, err := New(ctx, Options{Dir: dir, FreeSpaceFloor: 1})
	if err != nil {
		return err
	}
	s.journal.size = 64 << 10
	fmt.Println("open")
	go func() {
		if err := s.Run(ctx); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}()
	go func() {
		for {
			time.Sleep(30 * time.Millisecond)
			err := errors.Join(s.journal.rotate(s.lastSeq.Load, true), s.shorten(ctx, time.Now().Add(-100*time.Millisecond)))
			if err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
		}
	}()
	failed := make(chan error, 2)
	for client := range 2 {
		go func() {
			for batch := 0; ; batch++ {
				var operations []Operation
				var names []string
				for i := range 1 + rand.IntN(60) {
					name := fmt.Sprintf("%d-%d-%d-%d", os.Getpid(), client, batch, i)
					names = append(names, name)
					op := Operation{Index: "crash", Source: fmt.Appendf(nil, `{"@timestamp":%q,"name":%q,"pad":%q}`,
						time.Now().Add(-time.Duration(rand.IntN(72))*time.Hour).Format(time.RFC3339Nano), name, strings.Repeat("x", rand.IntN(300)))}
					if i%4 == 0 {
						op.ID = name
					}
					operations = append(operations, op)
				}
				outcomes, err := s.Ingest(ctx, operations, batch%5 == 0)
				if err != nil {
					failed <- err
					return
				}
				for _, o := range outcomes {
					if o.Failure != nil {
						failed <- o.Failure
						return
					}
				}
				fmt.Println(strings.Join(names, " "))
			}
		}()
	}
	return <-failed
}

// TestKillsLoseNothingAndDoubleNothing kills a process that stores events at random moments, its start
// included, many times over one directory.
func TestKillsLoseNothingAndDoubleNothing(t *testing.T) {
	dir := t.TempDir()
	acknowledged := map[string]bool{}
	kills := 25
	if testing.Short() {
		kills = 6
	}
	if n, err := strconv.Atoi(os.Getenv("TOCSIN_TEST_KILLS")); err == nil {
		kills = n
	}
	for range kills {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), crashDir+"="+dir)
		var stderr strings.Builder
		cmd.Stderr = &stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		life := time.Duration(rand.IntN(1500)) * time.Millisecond
		timer := time.AfterFunc(life, func() { _ = cmd.Process.Kill() })
		r := bufio.NewReader(out)
		for {
			line, err := r.ReadString('\n')
			if errors.Is(err, io.EOF) {
				break // a line without its end was not printed, and may be acknowledged or not
			}
			if err != nil {
				t.Fatal(err)
			}
			if line = strings.TrimSpace(line); line != "open" {
				for name := range strings.FieldsSeq(line) {
					acknowledged[name] = true
				}
			}
		}
		err = cmd.Wait()
		timer.Stop()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != -1 {
			t.Fatalf("the process ended by itself: %v\n%s", err, stderr.String())
		}
	}
	if len(acknowledged) == 0 {
		t.Fatal("no process lived long enough to store anything")
	}
	s := open(t, dir)
	found := map[string]int{}
	ids := map[string]string{}
	err := s.Scan(t.Context(), Search{}, func(d Document) error {
		name := string(d.Source[strings.Index(string(d.Source), `"name":"`)+8:])
		name, _, _ = strings.Cut(name, `"`)
		found[name]++
		ids[name] = d.ID
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var lost, doubled int
	for name := range acknowledged {
		if found[name] == 0 {
			lost++
		}
	}
	for _, n := range found {
		if n > 1 {
			doubled++
		}
	}
	t.Logf("%d kills, %d events acknowledged, %d found", kills, len(acknowledged), len(found))
	if lost > 0 || doubled > 0 {
		t.Errorf("%d lost, %d doubled", lost, doubled)
	}
	// The id index was completed too: what has an id of its own is known.
	for _, name := range slices.Sorted(maps.Keys(found)) {
		if !strings.HasSuffix(name, "-0") {
			continue
		}
		outcomes, err := s.Ingest(t.Context(), []Operation{{Index: "crash", ID: ids[name], Create: true, Source: []byte(`{}`)}}, false)
		if err != nil {
			t.Fatal(err)
		}
		if f := outcomes[0].Failure; f == nil || f.Status != 409 {
			t.Fatalf("%s (%s) is not known: %v", name, ids[name], f)
		}
	}
}

// copyOf copies a store that is in use, as a crash leaves it.
func copyOf(t *testing.T, dir string) string {
	t.Helper()
	to := t.TempDir()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), 0o700)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), b, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
	return to
}
