package logstore

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// fill stores n documents, each in a segment of its own, and answers them.
func fill(t *testing.T, s *Store, n int) []string {
	t.Helper()
	s.journal.size = 1
	var out []string
	for i := range n {
		d := fmt.Sprintf(`{"@timestamp":%q,"n":%d}`, at(-time.Duration(n-i)*time.Minute), i)
		out = append(out, d)
		ingest(t, s, Operation{Index: "logs", ID: fmt.Sprint(i), Source: []byte(d)})
	}
	return out
}

func segmentsOf(t *testing.T, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "log", "*.log"))
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	return names
}

func TestTheLogAloneHoldsEverything(t *testing.T) {
	dir := t.TempDir()
	want := fill(t, open(t, dir), 5)
	if got := len(segmentsOf(t, dir)); got != 6 {
		t.Fatalf("%d segments, want one for each document and the current one", got)
	}
	crashed := copyOf(t, dir)
	for _, lost := range []string{"engine", "ids.db", "ids.db-wal", "ids.db-shm"} {
		if err := os.RemoveAll(filepath.Join(crashed, lost)); err != nil {
			t.Fatal(err)
		}
	}
	s := open(t, crashed)
	if diff := cmp.Diff(want, sources(t, s, Search{})); diff != "" {
		t.Error(diff)
	}
	outcomes, err := s.Ingest(t.Context(), []Operation{{Index: "logs", ID: "3", Source: []byte(want[3])}}, false)
	if err != nil || !outcomes[0].Known {
		t.Errorf("the id is not known: %+v, %v", outcomes, err)
	}
}

func TestATornEndIsCutOff(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	want := fill(t, s, 2)
	s.journal.size = segmentSize
	ingest(t, s, Operation{Index: "logs", Source: []byte(`{"last":1}`)})
	whole := copyOf(t, dir)
	last := segmentsOf(t, whole)[2]
	b, err := os.ReadFile(last)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		end  []byte
		want []string
	}{
		{"half a record", b[:len(b)-3], want},
		{"another byte", append(slices.Clone(b[:len(b)-1]), b[len(b)-1]+1), want},
		{"zeros after it", append(slices.Clone(b), make([]byte, 5000)...), append(slices.Clone(want), `{"last":1}`)},
		{"half a header", b[:9], want},
		{"nothing", nil, want},
	} {
		t.Run(c.name, func(t *testing.T) {
			torn := copyOf(t, whole)
			if err := os.RemoveAll(filepath.Join(torn, "engine")); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(segmentsOf(t, torn)[2], c.end, 0o600); err != nil {
				t.Fatal(err)
			}
			for range 2 { // what was cut once is no damage the next time
				s := open(t, torn)
				if diff := cmp.Diff(c.want, sources(t, s, Search{})); diff != "" {
					t.Error(diff)
				}
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func TestDamageIsAnError(t *testing.T) {
	dir := t.TempDir()
	fill(t, open(t, dir), 3)
	for name, damage := range map[string]func(b []byte) []byte{
		"a record": func(b []byte) []byte { b[len(b)-1]++; return b },
		"a header": func(b []byte) []byte { b[0]++; return b },
	} {
		t.Run(name, func(t *testing.T) {
			damaged := copyOf(t, dir)
			path := segmentsOf(t, damaged)[1]
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, damage(b), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err = New(t.Context(), Options{Dir: damaged, Log: slog.New(slog.DiscardHandler)})
			if err == nil || !strings.Contains(err.Error(), filepath.Base(path)) || !strings.Contains(err.Error(), "restore the file") {
				t.Errorf("opened with %v", err)
			}
		})
	}
}

func TestABrokenLogTakesNothing(t *testing.T) {
	s := open(t, t.TempDir())
	if err := s.journal.file.Close(); err != nil { // every write fails from here
		t.Fatal(err)
	}
	for range 2 {
		if _, err := s.Ingest(t.Context(), []Operation{{Index: "logs", Source: []byte(`{}`)}}, false); err == nil {
			t.Error("it says an event is stored")
		}
	}
	if r := ask(s, "POST", "/logs/_bulk", `{"create":{}}`+"\n{}\n"); r.StatusCode != 503 {
		t.Errorf("answered %d", r.StatusCode)
	}
	f, err := os.OpenFile(s.journal.current.path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	s.journal.file = f // so that it can be closed
	ingest(t, s, Operation{Index: "logs", Source: []byte(`{"again":1}`)})
	if got := sources(t, s, Search{}); len(got) != 1 {
		t.Errorf("stored %q", got)
	}
}

func TestSeqNeverRepeatsWhenTheClockGoesBack(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	s.now = func() time.Time { return time.Now().Add(10 * time.Hour) }
	first := ingest(t, s, Operation{Index: "logs", Source: []byte(`{}`)})[0].Seq
	if err := s.tidy(t.Context()); err != nil {
		t.Fatal(err)
	}
	for len(s.journal.removable(time.Now().Add(time.Hour))) > 0 {
		if err := s.shorten(t.Context(), time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if second := ingest(t, open(t, dir), Operation{Index: "logs", Source: []byte(`{}`)})[0].Seq; second <= first {
		t.Errorf("%d came after %d", second, first)
	}
}
