package logstore_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sync/errgroup"

	"tocsin/internal/logstore"
	"tocsin/internal/query"
	"tocsin/internal/query/backendtest"
)

// rows runs a query over all times and gives its rows as texts of their values.
func rows(ctx context.Context, s *logstore.Store, text string) ([]string, error) {
	q, err := query.Compile(text, query.Options{Now: backendtest.Now})
	if err != nil {
		return nil, err
	}
	result, err := q.Run(ctx, query.RunOptions{Backend: logstore.NewBackend(s, nil)})
	if err != nil {
		return nil, err
	}
	var out []string
	for _, r := range result.Rows {
		line := ""
		if r.Doc != nil && r.Doc.JSON != "" {
			line = r.Doc.JSON
		} else {
			for _, v := range r.Vals {
				line += v.Text() + " "
			}
		}
		out = append(out, strings.TrimSpace(line))
	}
	return out, nil
}

func event(i int, extra string) logstore.Operation {
	return logstore.Operation{Index: "logs-a", Source: fmt.Appendf(nil, `{"@timestamp":"2024-07-01T10:00:00.%03dZ","user":{"name":"u%05d"}%s}`, i%1000, i, extra)}
}

// TestSearchesAreBoundedByMemory: what would hold too much fails by name, and leaves the memory to others.
func TestSearchesAreBoundedByMemory(t *testing.T) {
	s, err := logstore.New(t.Context(), logstore.Options{Dir: t.TempDir(), SearchMemory: 17 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	pad := strings.Repeat("x", 1000)
	for part := range 10 {
		var operations []logstore.Operation
		for i := range 2_000 {
			operations = append(operations, event(part*2000+i, `,"pad":"`+fmt.Sprint(part*2000+i)+pad+`"`))
		}
		store(t, s, operations)
	}
	if _, err := rows(t.Context(), s, "| count by pad"); !errors.Is(err, logstore.ErrSearchMemory) {
		t.Errorf("20 MB of groups in 17 MB: %v", err)
	}
	got, err := rows(t.Context(), s, "| stats count, dc(user.name)")
	if err != nil || len(got) != 1 || got[0] != "20000 20000" {
		t.Errorf("after that: %v, %v", got, err)
	}
}

// TestFieldsAfterACrash: what a store knows of its fields is as true as what it has of their values, when
// the log gives the engine all events again, and when what was known is lost.
func TestFieldsAfterACrash(t *testing.T) {
	before, after := t.TempDir(), t.TempDir()
	fill := func(s *logstore.Store) {
		store(t, s, []logstore.Operation{event(0, `,"n":1`), event(1, `,"n":[2,3]`), event(2, `,"n":"4"`), event(3, `,"n":5`), event(4, `,"n":""`)})
		if err := os.CopyFS(filepath.Join(after, "log"), os.DirFS(filepath.Join(before, "log"))); err != nil {
			t.Fatal(err)
		}
	}
	check := func(s *logstore.Store) {
		t.Helper()
		got, err := rows(t.Context(), s, "| count by n")
		if want := "1 1|2 1|3 1|4 1|5 1|1"; err != nil || strings.Join(got, "|") != want { // the last is of the empty text
			t.Errorf("%q, %v, want %s", got, err, want)
		}
		got, err = rows(t.Context(), s, "n:5 | count by user.name")
		if err != nil || len(got) != 1 || got[0] != "u00003 1" {
			t.Errorf("%q, %v", got, err)
		}
	}
	with := func(dir string, do func(*logstore.Store)) {
		t.Helper()
		s, err := logstore.New(t.Context(), logstore.Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		do(s)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	with(before, fill)
	with(before, check)
	with(after, check)
	if err := os.RemoveAll(filepath.Join(before, "fields")); err != nil {
		t.Fatal(err)
	}
	with(before, check)
}

// TestSearchesEndWithTheirContext: no goroutine and no memory is kept.
func TestSearchesEndWithTheirContext(t *testing.T) {
	s := open(t)
	var operations []logstore.Operation
	for i := range 5_000 {
		operations = append(operations, event(i, ""))
	}
	store(t, s, operations)
	leaks := goleak.IgnoreCurrent() // the engine's own
	for _, text := range []string{"", "| count by user.name", "| sort user.name | fields user.name"} {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := rows(ctx, s, text); !errors.Is(err, context.Canceled) {
			t.Errorf("%q: %v", text, err)
		}
	}
	got, err := rows(t.Context(), s, "| head 3 | fields user.name")
	if err != nil || len(got) != 3 {
		t.Errorf("%v, %v", got, err)
	}
	goleak.VerifyNone(t, leaks)
}

// TestSearchesWhileKindsChange: searches are right or say that they are not, while events of other kinds
// come in.
func TestSearchesWhileKindsChange(t *testing.T) {
	s := open(t)
	store(t, s, []logstore.Operation{event(0, `,"n":1`), event(1, `,"n":1`)})
	g, ctx := errgroup.WithContext(t.Context())
	stop := make(chan struct{})
	for _, text := range []string{"| stats sum(n)", "| count by n", "n:1 | stats count", "| fields n"} {
		g.Go(func() error {
			for {
				select {
				case <-stop:
					return nil
				default:
				}
				if _, err := rows(ctx, s, text); err != nil && !strings.Contains(err.Error(), "try again") {
					return fmt.Errorf("%s: %w", text, err)
				}
			}
		})
	}
	for i, v := range []string{`"1"`, "[1]", "1.5", "true", `""`, `{"x":1}`, "null", `"2024-07-01"`, "[[]]"} {
		for k := range 3 {
			store(t, s, []logstore.Operation{event(10*i+k+2, `,"n":`+v)})
			time.Sleep(5 * time.Millisecond)
		}
	}
	close(stop)
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	got, err := rows(t.Context(), s, "| stats sum(n), count(n)")
	// 1+1, 3 times "1", 1 and 1.5; objects, texts and so on are counted only.
	if err != nil || len(got) != 1 || got[0] != "12.5 23" {
		t.Errorf("%v, %v", got, err)
	}
}

// TestNewestFirst: documents come newest first, those of one time by id, those without one last, however
// many there are at once.
func TestNewestFirst(t *testing.T) {
	s := open(t)
	var operations []logstore.Operation
	for i := range 25_000 { // more than one chunk, all of one time
		operations = append(operations, logstore.Operation{Index: "logs-a", ID: fmt.Sprintf("b%05d", (i*7919)%25_000), Source: []byte(`{"@timestamp":"2024-07-01T10:00:00Z"}`)})
	}
	operations = append(
		operations,
		logstore.Operation{Index: "logs-a", ID: "z", Source: []byte(`{"@timestamp":"2024-07-01T10:00:00.000000001Z"}`)},
		logstore.Operation{Index: "logs-a", ID: "y", Source: []byte(`{"x":1}`)},
		logstore.Operation{Index: "logs-a", ID: "a", Source: []byte(`{"x":2}`)},
		logstore.Operation{Index: "logs-a", ID: "c", Source: []byte(`{"@timestamp":"2024-06-30T10:00:00Z"}`)},
	)
	store(t, s, operations)
	q, err := query.Compile("", query.Options{Now: backendtest.Now})
	if err != nil {
		t.Fatal(err)
	}
	result, err := q.Run(t.Context(), query.RunOptions{Backend: logstore.NewBackend(s, nil)})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"z"}
	for i := range 25_000 {
		want = append(want, fmt.Sprintf("b%05d", i))
	}
	want = append(want, "c", "a", "y")
	if len(result.Rows) != len(want) {
		t.Fatalf("%d rows, want %d", len(result.Rows), len(want))
	}
	for i, id := range want {
		if result.Rows[i].Doc.ID != id {
			t.Fatalf("row %d is %s, want %s", i, result.Rows[i].Doc.ID, id)
		}
	}
}
