package query_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tocsin/internal/query"
	"tocsin/internal/query/files"
	"tocsin/internal/row"
)

// The reference evaluator: slow, obvious, on maps. It knows small integers, strings and times only.

type refEvent struct {
	At  int `json:"-"` // seconds
	U   string
	N   int
	Tag []string
}

func (e refEvent) doc(start time.Time) string {
	b, _ := json.Marshal(map[string]any{"@timestamp": start.Add(time.Duration(e.At) * time.Second).Format(time.RFC3339), "u": e.U, "n": e.N, "tag": e.Tag})
	if e.U == "" {
		b, _ = json.Marshal(map[string]any{"@timestamp": start.Add(time.Duration(e.At) * time.Second).Format(time.RFC3339), "n": e.N, "tag": e.Tag})
	}
	return string(b)
}

var refStart = time.Date(2024, 7, 1, 0, 0, 0, 0, time.UTC)

func genEvents(t *rapid.T) []refEvent {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) refEvent {
		return refEvent{
			At:  rapid.IntRange(0, 60).Draw(t, "at"),
			U:   rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "u"),
			N:   rapid.IntRange(-3, 9).Draw(t, "n"),
			Tag: rapid.SliceOfN(rapid.SampledFrom([]string{"x", "y", "z"}), 0, 3).Draw(t, "tag"),
		}
	}), 0, 40).Draw(t, "events")
}

// runText runs a query over events and gives its rows as JSON lines.
func runText(t interface{ Fatalf(string, ...any) }, dir string, events []refEvent, text string) []string {
	var b strings.Builder
	for _, e := range events {
		b.WriteString(e.doc(refStart) + "\n")
	}
	path := filepath.Join(dir, "events.ndjson")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatalf("%v", err)
	}
	q, err := query.Compile(text, query.Options{Now: now})
	if err != nil {
		t.Fatalf("%v", err)
	}
	r, err := q.Run(context.Background(), query.RunOptions{Backend: &files.Backend{Main: files.Input{Path: path}}})
	if err != nil {
		t.Fatalf("%v", err)
	}
	var names []string
	for _, c := range r.Columns {
		names = append(names, c.Name)
	}
	var out []string
	for _, w := range r.Rows {
		out = append(out, string(row.AppendRow(nil, names, w.Vals)))
	}
	return out
}

func same(t *rapid.T, what string, got, want []string) {
	if !slices.Equal(got, want) {
		t.Fatalf("%s\n got %s\nwant %s", what, strings.Join(got, "\n     "), strings.Join(want, "\n     "))
	}
}

// refAggregates computes count, sum, min, max, dc(tag), median and avg of n, in that order, as JSON members.
func refAggregates(events []refEvent) string {
	var ns []int
	tags := map[string]bool{}
	sum := 0
	for _, e := range events {
		ns = append(ns, e.N)
		sum += e.N
		for _, tag := range e.Tag {
			tags[tag] = true
		}
	}
	sort.Ints(ns)
	ratio := func(a, b int) string {
		if a%b == 0 {
			return fmt.Sprint(a / b)
		}
		f, _ := big.NewRat(int64(a), int64(b)).Float64()
		return string(row.NewFloat(f).AppendJSON(nil))
	}
	median := ratio(ns[(len(ns)-1)/2]+ns[len(ns)/2], 2)
	return fmt.Sprintf(`"count":%d,"s":%d,"lo":%d,"hi":%d,"d":%d,"m":%s,"a":%s`, len(ns), sum, ns[0], ns[len(ns)-1], len(tags), median, ratio(sum, len(ns)))
}

const refAggs = "count, sum(n) as s, min(n) as lo, max(n) as hi, dc(tag) as d, median(n) as m, avg(n) as a"

func TestStatsEqualTheReference(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		events := genEvents(t)
		groups := map[string][]refEvent{}
		for _, e := range events {
			if e.U != "" {
				groups[e.U] = append(groups[e.U], e)
			}
		}
		var want []string
		for _, u := range []string{"a", "b"} {
			if groups[u] != nil {
				want = append(want, fmt.Sprintf(`{"u":%q,%s}`, u, refAggregates(groups[u])))
			}
		}
		same(t, "stats", runText(t, dir, events, "* | stats "+refAggs+" by u"), want)
	})
}

// refOver is the definition of windows and episodes, word for word.
func refOver(events []refEvent, length, least int) []string {
	var out []string
	for _, u := range []string{"a", "b"} {
		var mine []refEvent
		ends := map[int]bool{}
		for _, e := range events {
			if e.U == u {
				mine = append(mine, e)
				ends[e.At] = true
			}
		}
		var times []int
		for at := range ends {
			times = append(times, at)
		}
		sort.Ints(times)
		window := func(end int) (in []refEvent, first int) {
			first = end
			for _, e := range mine {
				if e.At > end-length && e.At <= end {
					in = append(in, e)
					first = min(first, e.At)
				}
			}
			return in, first
		}
		var episode []int // ends of surviving windows
		flush := func() {
			if len(episode) == 0 {
				return
			}
			best := episode[0]
			for _, end := range episode {
				w, _ := window(end)
				b, _ := window(best)
				if len(w) > len(b) {
					best = end
				}
			}
			in, _ := window(best)
			_, first := window(episode[0])
			stamp := func(s int) string { return refStart.Add(time.Duration(s) * time.Second).Format(time.RFC3339) }
			out = append(out, fmt.Sprintf(`{"u":%q,%s,"first":%q,"last":%q}`, u, refAggregates(in), stamp(first), stamp(episode[len(episode)-1])))
			episode = nil
		}
		for _, end := range times {
			if in, _ := window(end); len(in) <= least {
				continue
			}
			if len(episode) > 0 && end-episode[len(episode)-1] >= length {
				flush()
			}
			episode = append(episode, end)
		}
		flush()
	}
	return out
}

func TestWindowsEqualTheReference(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		events := genEvents(t)
		length := rapid.IntRange(1, 20).Draw(t, "length")
		least := rapid.IntRange(0, 4).Draw(t, "least")
		text := fmt.Sprintf("* | stats %s by u over %ds | search count > %d", refAggs, length, least)
		same(t, text, runText(t, dir, events, text), refOver(events, length, least))
	})
}

func TestSortIsStableWithNullsLast(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		events := genEvents(t)
		limit := rapid.IntRange(0, 5).Draw(t, "limit")
		want := slices.Clone(events)
		// Insertion sort: u descending with the missing last, then n ascending.
		before := func(a, b refEvent) bool {
			if a.U != b.U {
				return b.U == "" || a.U != "" && a.U > b.U
			}
			return a.N < b.N
		}
		for i := range want {
			for j := i; j > 0 && before(want[j], want[j-1]); j-- {
				want[j], want[j-1] = want[j-1], want[j]
			}
		}
		if limit > 0 {
			want = want[:min(limit, len(want))]
		}
		var rows []string
		for _, e := range want {
			u := fmt.Sprintf("%q", e.U)
			if e.U == "" {
				u = "null"
			}
			rows = append(rows, fmt.Sprintf(`{"u":%s,"n":%d,"at":%q}`, u, e.N, refStart.Add(time.Duration(e.At)*time.Second).Format(time.RFC3339)))
		}
		same(t, "sort", runText(t, dir, events, fmt.Sprintf("* | sort %d - u, n | rename _time as at | table u n at", limit)), rows)
	})
}

func TestDedupEqualsTheReference(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		events := genEvents(t)
		n := rapid.IntRange(1, 3).Draw(t, "n")
		seen := map[string]int{}
		var rows []string
		for _, e := range events {
			if e.U == "" {
				continue
			}
			if seen[e.U]++; seen[e.U] <= n {
				rows = append(rows, fmt.Sprintf(`{"u":%q,"n":%d}`, e.U, e.N))
			}
		}
		same(t, "dedup", runText(t, dir, events, fmt.Sprintf("* | dedup %d u | table u n", n)), rows)
	})
}

// A filter and the same filter as a search after the source agree.
func TestSearchAgreesWithTheFilter(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		events := genEvents(t)
		term := rapid.SampledFrom([]string{"u:a", "n > 3", "not u:b", "tag:(x or y)", "tag:z and n <= 5", "u:*", "not tag:*", "a", `u:"b"`})
		text := term.Draw(t, "a") + " " + rapid.SampledFrom([]string{"and", "or"}).Draw(t, "op") + " " + term.Draw(t, "b")
		// The eval keeps the search from being joined with the filter.
		same(t, text, runText(t, dir, events, "* | eval q = 1 | search "+text+" | table u n tag"), runText(t, dir, events, text+" | table u n tag"))
	})
}

// Whatever is asked, the answer is rows or an error, never a panic.
func FuzzQuery(f *testing.F) {
	dir := f.TempDir()
	doc := `{"@timestamp":"2024-07-01T10:00:00Z","a":1,"b":"x y","c":[1,"2",true],"d":{"e":null,"f":1e400},"g":"{\"h\":[1,{\"i\":2}]}","ip":"10.0.0.1"}` + "\n"
	if err := os.WriteFile(filepath.Join(dir, "input.ndjson"), []byte(doc+`{"a":-9223372036854775808,"b":"","c":{}}`+"\n"), 0o600); err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{
		`a:1 and [b:x | fields a] | count by c over 5m | search count > 0`, `| eval x = a / 0 + len(b) % -1 | where x > 1 or c = "2"`,
		`| rex field=b "(?<q>.)" max_match=0 | mvexpand c | stats values(q), var(a), perc90(a) by c`, `| timechart span=1mon count by b limit=1 fill=true`,
		`| bin bins=3 a | chart sum(a) over a by b`, `| streamstats window=2 time_window=1s sum(a) by c`, `| spath input=g path=h{1}.i | transaction a`,
		`| eval z=strftime(a, "%Q %5N"), y=strptime(b, "%c"), w=substr(b, -9, a), v=round(d.f, -400), u=tostring(a, "duration")`,
		`| join a [* | table a b] | append [x] | union [* | head 1] | convert ctime(a) memk(b) dur2sec(c)`, `| replace "*" with "**" in b | fillnull | top b by c`,
		`| newterms c, ip over 1d | changed a, b by c`, `| missing over 1ms`, `| spike by c factor=1.5 baseline=1s seasonal=1w`, `| sequence by ip [a:1] with runs=2 ![b:x] [*] until [c:2]`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 2000 {
			return
		}
		run(t, dir, text, false)
	})
}
