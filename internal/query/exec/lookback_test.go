package exec_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tocsin/internal/query/backendtest"
	"tocsin/internal/query/exec"
	"tocsin/internal/query/plan"
	"tocsin/internal/row"
)

var lookStart = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// found is what a search says of a range.
func found(t interface{ Fatal(...any) }, b exec.Backend, text string, from, to time.Time, window time.Duration) []string {
	q, err := plan.New(text, plan.Options{Now: to, Earliest: from, Latest: to, Window: window})
	if err != nil {
		t.Fatal(err)
	}
	out, columns := []string{}, []string(nil)
	_, err = exec.Run(context.Background(), q, exec.Options{Backend: b, Windows: true}, exec.Sink{
		Columns: func(names []string) error { columns = slices.Clone(names); return nil },
		Row: func(r *row.Row) error {
			out = append(out, string(row.AppendRow(nil, columns, r.Clone().Vals[:min(len(columns), len(r.Vals))])))
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(out)
	return out
}

func document(at time.Time, more string) string {
	return fmt.Sprintf(`{"@timestamp":%q%s}`, at.Format(time.RFC3339Nano), more)
}

// TestOfThePastOnlyWhatMattersIsRead compares what is said with the past read as it matters with what is said with
// all of it read.
func TestOfThePastOnlyWhatMattersIsRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var documents []string
		at := lookStart
		for range rapid.IntRange(0, 60).Draw(t, "documents") {
			at = at.Add(time.Duration(rapid.SampledFrom([]int{0, 1, 1000, 30_000, 400_000, 3_000_000}).Draw(t, "after")) * time.Millisecond).Add(rapid.SampledFrom([]time.Duration{0, 0, 1, 999_999}).Draw(t, "a bit"))
			more := ""
			for _, f := range []struct {
				name string
				of   []string
			}{
				{"user", []string{`"a"`, `"b"`, `"c"`, `["a","b"]`, `""`, "null"}},
				{"host", []string{`"x"`, `"y"`, `["x","z"]`}},
				{"n", []string{"1", "2", "3", "null", "[1,2]"}},
				{"m", []string{"1", "2", "null"}},
			} {
				more += fmt.Sprintf(",%q:%s", f.name, rapid.SampledFrom(f.of).Draw(t, f.name))
			}
			documents = append(documents, document(at, more))
		}
		slices.Reverse(documents)
		text := rapid.SampledFrom([]string{
			"* | newterms user over %ds | table _time, user", "host:x | newterms user, host over %ds | table _time, user, host", "* | newterms n over %ds | table n, _time",
			"* | missing by user over %ds", "* | missing by user, host over %ds", "* | missing over %ds",
			"* | spike by user factor=1.2 baseline=%ds", "* | spike factor=1.5 baseline=%ds min=2", "host:x | spike by user, host factor=1.1 baseline=%ds", "* | spike by user factor=1.01 baseline=%[1]ds seasonal=%[1]ds",
			"* | changed n by user over %ds | table _time, user, n, previous.n", "* | changed n, m by host over %ds | table _time, host, n, m, previous.n, previous.m", "not n:2 | changed m over %ds | table _time, m, previous.m",
		}).Draw(t, "search")
		text = fmt.Sprintf(text, rapid.SampledFrom([]int{30, 300, 3600, 36_000}).Draw(t, "length"))
		from := lookStart.Add(time.Duration(rapid.IntRange(-10, 100_000).Draw(t, "from")) * time.Second)
		to := from.Add(time.Duration(rapid.SampledFrom([]int{1, 60, 300, 3601, 20_000}).Draw(t, "for")) * time.Second).Add(rapid.SampledFrom([]time.Duration{0, time.Millisecond}).Draw(t, "and a bit"))
		window := rapid.SampledFrom([]time.Duration{0, 10 * time.Second, 5 * time.Minute}).Draw(t, "window")
		if strings.Contains(text, "seasonal") {
			window = min(window, 10*time.Second) // a season is not shorter
		}
		got := found(t, &backendtest.Clerk{Documents: documents}, text, from, to, window)
		want := found(t, &backendtest.Clerk{Documents: documents, Plain: true}, text, from, to, window)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%s in [%v, %v) (- all of the past read, + ours): %s\n%s", text, from, to, diff, strings.Join(documents, "\n"))
		}
	})
}

// TestTheLengthOfThePastHardlyMatters lets commands look back two weeks of which they have read next to nothing.
func TestTheLengthOfThePastHardlyMatters(t *testing.T) {
	var documents []string
	for at := 14 * 24 * time.Hour; at >= 0; at -= time.Minute {
		documents = append(documents, document(lookStart.Add(at), fmt.Sprintf(`,"user":"u%d","n":1`, int(at.Minutes())%10)))
		if at.Minutes() == 7*24*60 { // once, a week ago
			documents = append(documents, document(lookStart.Add(at), `,"user":"rare","n":1`))
		}
	}
	end := lookStart.Add(14*24*time.Hour + time.Second)
	documents = append([]string{document(end, `,"user":"rare","n":2`), document(end, `,"user":"new","n":1`)}, documents...)
	for text, want := range map[string]int{
		"* | newterms user over 13d | table user":              1,
		"* | changed n by user over 13d | table user":          1,
		"* | missing by user over 13d | table user":            0,
		"* | spike by user factor=3 baseline=13d | table user": 2,
	} {
		b := &backendtest.Clerk{Documents: documents}
		got := found(t, b, text, end.Add(-5*time.Minute).Truncate(5*time.Minute), end.Add(5*time.Minute).Truncate(5*time.Minute), 5*time.Minute)
		if len(got) != want || b.Handed > 60 {
			t.Errorf("%s: found %v, and read %d of %d documents", text, got, b.Handed, len(documents))
		}
	}
}
