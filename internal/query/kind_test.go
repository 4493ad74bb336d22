package query_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/query"
	"tocsin/internal/query/files"
)

func TestKindTellsHowRowsAreJudged(t *testing.T) {
	for text, want := range map[string]query.Kind{
		`a:1`:                                  query.RowWise,
		`a:1 | search b:2 | eval c=1`:          query.RowWise,
		`a:1 | mvexpand tags`:                  query.RowWise,
		`a:1 | count by b | search count > 10`: query.Windowed,
		`a:1 | eval x=1 | count by x | where count > 1`: query.Windowed,
		`a:1 | stats dc(u) over 1h by b | where true()`: query.Windowed,
		`a:1 | count by b | sort - count`:               query.RangeWise,
		`a:1 | count by b | count`:                      query.RangeWise,
		`a:1 | bin _time span=1h | count by _time`:      query.RangeWise,
		`a:1 | top 3 b`:                        query.RangeWise,
		`[from x c:1 | fields d] | search e:1`: query.RangeWise,
		`a:1 | newterms b over 1d`:             query.Windowed,
	} {
		q, err := query.Compile(text, query.Options{Window: 5 * time.Minute})
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := q.Kind(); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

func TestSlidingTellsTheWindow(t *testing.T) {
	q, err := query.Compile(`from x a:1 | search b:2 | eval c=1 | count by host.name | search count > 10`, query.Options{Window: 5 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	w, ok := q.Sliding()
	if diff := cmp.Diff(query.Sliding{Length: 5 * time.Minute, By: []string{"host.name"}, Aggregates: []string{"count"}}, w); diff != "" || !ok {
		t.Error(diff)
	}
	if got, want := q.Events(), "from x a:1 | search b:2"; got != want {
		t.Errorf("events: %s, want %s", got, want)
	}
}

func TestWindowsAreRowsOfTheirOwn(t *testing.T) {
	var lines []string
	for _, s := range []int{0, 10, 20, 30, 200} {
		lines = append(lines, time.Date(2026, 1, 1, 0, 0, s, 0, time.UTC).Format(`{"@timestamp":"2006-01-02T15:04:05Z","u":"a"}`))
	}
	b := &files.Backend{Main: files.Input{Path: "-", Reader: strings.NewReader(strings.Join(lines, "\n"))}}
	q, err := query.Compile(`* | count, list(_time) as times by u | search count >= 2`, query.Options{Window: 25 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	result, err := q.Run(t.Context(), query.RunOptions{Backend: b, Windows: true})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for i := range result.Rows {
		r := &result.Rows[i]
		got = append(got, r.Get(1).Text()+" "+r.Get(3).Text()+" "+r.Get(4).Text())
		if r.Get(2).Len() != int(r.Get(1).Int()) {
			t.Errorf("row %d: %d times of %d events", i, r.Get(2).Len(), r.Get(1).Int())
		}
	}
	if diff := cmp.Diff([]string{
		"2 2026-01-01T00:00:00Z 2026-01-01T00:00:10Z", "3 2026-01-01T00:00:00Z 2026-01-01T00:00:20Z", "3 2026-01-01T00:00:10Z 2026-01-01T00:00:30Z",
	}, got); diff != "" {
		t.Error(diff)
	}
}

func TestDocumentsComeWithRowsThatStillAreOne(t *testing.T) {
	const doc = `{"@timestamp":"2026-01-01T00:00:00Z","u":"a"}`
	b := &files.Backend{Main: files.Input{Path: "-", Reader: strings.NewReader(doc)}}
	q, err := query.Compile(`u:a | eval v=upper(u) | where v=="A"`, query.Options{})
	if err != nil {
		t.Fatal(err)
	}
	result, err := q.Run(t.Context(), query.RunOptions{Backend: b, Documents: true})
	if err != nil {
		t.Fatal(err)
	}
	if len(result.Rows) != 1 || result.Rows[0].Doc == nil || result.Rows[0].Doc.JSON != doc {
		t.Errorf("rows: %+v", result.Rows)
	}
}

func TestWhatTakesTheTimesOfWindowsAwayIsNamed(t *testing.T) {
	for text, want := range map[string]string{
		"* | count by u over 5m | search count > 3":                                  "",
		"* | count by u over 5m | search count > 3 | fields u, count":                "fields drops the column first",
		"* | count by u over 5m | search count > 3 | fields - last":                  "fields drops the column last",
		"* | count by u over 5m | table u, first, last":                              "",
		"* | count by u over 5m | rename first as began":                             "rename drops the column first",
		"* | count by u over 5m | eval last = 3":                                     "eval changes the column last",
		"* | eval first = 1 | count by u over 5m | where count > 3 | fields - count": "",
		"* | missing by u over 5m | table u, last":                                   "",
		"* | missing by u over 5m | table u":                                         "table drops the column last",
		"* | spike by u factor=2 baseline=1h | fields u, count":                      "fields drops the column first",
		"* | sequence by u maxspan=5m [a:1] [b:1] | fields u, first":                 "fields drops the column last",
		"* | newterms u over 1d | table u":                                           "",
		"* | count by u | sort u | fields u":                                         "",
		"* | where a > 1 | table a":                                                  "",
	} {
		q, err := query.Compile(text, query.Options{})
		if err != nil {
			t.Fatal(err)
		}
		got, lost := q.Untold()
		if lost != (want != "") || !strings.HasPrefix(got.Message, want) {
			t.Errorf("%s: %q, %v", text, got.Message, lost)
		}
		if lost && !strings.HasPrefix(strings.TrimSpace(text[got.Start:]), strings.Fields(want)[0]) {
			t.Errorf("%s: it is at %q", text, text[got.Start:got.End])
		}
	}
}
