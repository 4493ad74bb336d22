package query_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tocsin/internal/query"
	"tocsin/internal/query/exec"
	"tocsin/internal/query/files"
	"tocsin/internal/row"
)

// judged runs a query over the events whose time lies in [from, to) seconds and gives its rows as text.
func judged(t interface{ Fatalf(string, ...any) }, dir string, events []refEvent, text string, from, to int, windows bool) []string {
	var b strings.Builder
	for _, e := range events {
		b.WriteString(e.doc(refStart) + "\n")
	}
	path := filepath.Join(dir, "judged.ndjson")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatalf("%v", err)
	}
	at := func(s int) time.Time { return refStart.Add(time.Duration(s) * time.Second) }
	q, err := query.Compile(text, query.Options{Now: now, Earliest: at(from), Latest: at(to), Window: 5 * time.Second})
	if err != nil {
		t.Fatalf("%v", err)
	}
	r, err := q.Run(context.Background(), query.RunOptions{Backend: &files.Backend{Main: files.Input{Path: path}}, Windows: windows})
	if err != nil {
		t.Fatalf("%v", err)
	}
	var columns []string
	for _, c := range r.Columns {
		columns = append(columns, c.Name)
	}
	d, ok := q.Detection()
	if !ok {
		t.Fatalf("%s has no detection command", text)
	}
	var out []string
	for i := range r.Rows {
		_, when, ok := d.Times(columns, &r.Rows[i])
		low, high := at(from).UnixNano(), at(to).UnixNano()
		if !ok || when < low || when > high || when == high && d.Command != "spike" {
			t.Fatalf("%s: a verdict of %v, %v, in a run from %v to %v", text, time.Unix(0, when).UTC(), ok, at(from), at(to))
		}
		out = append(out, string(row.AppendRow(nil, columns, r.Rows[i].Vals)))
	}
	return out
}

func refTime(s int) string { return refStart.Add(time.Duration(s) * time.Second).Format(time.RFC3339) }

// ofUser are the events of a key, by time.
func ofUser(events []refEvent, u string) []refEvent {
	var out []refEvent
	for _, e := range events {
		if e.U == u {
			out = append(out, e)
		}
	}
	sort.SliceStable(out, func(i, j int) bool { return out[i].At < out[j].At })
	return out
}

func some(events []refEvent, is func(refEvent) bool) bool { return slices.ContainsFunc(events, is) }

// said is one row of the reference.
type said struct {
	at  int
	key string
	row string
}

func inOrder(all []said) []string {
	sort.SliceStable(all, func(i, j int) bool {
		return all[i].at < all[j].at || all[i].at == all[j].at && all[i].key < all[j].key
	})
	var out []string
	for _, s := range all {
		out = append(out, s.row)
	}
	return out
}

// The definitions of docs/language.md, word for word.

func refNewTerms(events []refEvent, over, from, to int) []string {
	var all []said
	for _, u := range []string{"a", "b"} {
		told := map[int]bool{}
		for _, e := range ofUser(events, u) {
			known := some(events, func(o refEvent) bool { return o.U == u && o.At < e.At && o.At > e.At-over })
			if e.At < from || e.At >= to || told[e.At] || known {
				continue
			}
			told[e.At] = true
			all = append(all, said{e.At, u, fmt.Sprintf(`{"u":%q,"_time":%q}`, u, refTime(e.At))})
		}
	}
	return inOrder(all)
}

func refMissing(events []refEvent, over, from, to int) []string {
	var all []said
	for _, u := range []string{"a", "b"} {
		told := map[int]bool{}
		for _, e := range ofUser(events, u) {
			at := e.At + over
			came := some(events, func(o refEvent) bool { return o.U == u && o.At > e.At && o.At <= at })
			if at < from || at >= to || told[e.At] || came {
				continue
			}
			told[e.At] = true
			all = append(all, said{at, u, fmt.Sprintf(`{"u":%q,"last":%q}`, u, refTime(e.At))})
		}
	}
	return inOrder(all)
}

// refSpike has buckets of 5 seconds, and tells of each alone.
func refSpike(events []refEvent, baseline, least, from, to int) []string {
	var all []said
	buckets := (baseline + 4) / 5
	for _, u := range []string{"a", "b"} {
		count := func(from, to int) (n int) {
			for _, e := range ofUser(events, u) {
				if e.At >= from && e.At < to {
					n++
				}
			}
			return n
		}
		for start := -10; start < 100; start += 5 {
			n, before := count(start, start+5), count(start-5*buckets, start)
			if n == 0 || n < least || n*buckets <= 2*before || start+5 <= from || start+5 > to {
				continue
			}
			mean := string(row.NewFloat(float64(before) / float64(buckets)).AppendJSON(nil))
			all = append(all, said{start, u, fmt.Sprintf(`{"u":%q,"count":%d,"baseline":%s,"first":%q,"last":%q}`, u, n, mean, refTime(start), refTime(start+5))})
		}
	}
	return inOrder(all)
}

func refChanged(events []refEvent, from, to int) []string {
	var all []said
	for _, u := range []string{"a", "b"} {
		mine := ofUser(events, u)
		// Events of one time stand in the order of their values' keys.
		sort.SliceStable(mine, func(i, j int) bool {
			key := func(e refEvent) string { return string(row.NewInt(int64(e.N)).AppendKey(nil)) }
			return mine[i].At < mine[j].At || mine[i].At == mine[j].At && key(mine[i]) < key(mine[j])
		})
		for i := 1; i < len(mine); i++ {
			if e := mine[i]; e.N != mine[i-1].N && e.At >= from && e.At < to {
				all = append(all, said{e.At, u, fmt.Sprintf(`{"u":%q,"_time":%q,"n":%d,"previous.n":%d}`, u, refTime(e.At), e.N, mine[i-1].N)})
			}
		}
	}
	return inOrder(all)
}

func TestDetectionCommandsEqualTheReference(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		events := genEvents(t)
		over := rapid.IntRange(1, 30).Draw(t, "over")
		from := rapid.IntRange(-5, 60).Draw(t, "from")
		to := from + rapid.IntRange(1, 70).Draw(t, "length")
		check := func(text string, want []string) {
			same(t, text, judged(t, dir, events, text, from, to, true), want)
		}
		check(fmt.Sprintf("* | newterms u over %ds | table u, _time", over), refNewTerms(events, over, from, to))
		check(fmt.Sprintf("* | missing by u over %ds", over), refMissing(events, over, from, to))
		check(fmt.Sprintf("* | spike by u factor=2 baseline=%ds min=%d", over, over%4), refSpike(events, over, over%4, from, to))
		check("* | changed n by u | table u, _time, n, previous.n", refChanged(events, from, to))
		check(fmt.Sprintf("* | sequence by u maxspan=%ds [n > 2] [n < 2]", over), refFollows(events, over, from, to))
		check(fmt.Sprintf("* | sequence by u maxspan=%ds [n > 2] ![n < 2]", over), refAlone(events, over, from, to))
	})
}

// refFollows is of each low event the latest high one before it that no low one came after.
func refFollows(events []refEvent, span, from, to int) []string {
	var all []said
	for _, u := range []string{"a", "b"} {
		var high []int // of one time the high ones come first
		for _, e := range sequenced(events, u) {
			switch {
			case e.N > 2:
				high = []int{e.At}
			case e.N < 2 && len(high) > 0:
				first := high[0]
				high = nil
				if e.At-first <= span && e.At >= from && e.At < to {
					all = append(all, said{e.At, u, fmt.Sprintf(`{"u":%q,"first":%q,"last":%q,"events":[%q,%q]}`, u, refTime(first), refTime(e.At), refTime(first), refTime(e.At))})
				}
			}
		}
	}
	return inOrder(all)
}

// sequenced are the events of a key with the high ones of a time before the low ones.
func sequenced(events []refEvent, u string) []refEvent {
	mine := ofUser(events, u)
	sort.SliceStable(mine, func(i, j int) bool {
		return mine[i].At < mine[j].At || mine[i].At == mine[j].At && mine[i].N > 2 && mine[j].N <= 2
	})
	return mine
}

// refAlone is each high event after which no low one came, not even at its own time.
func refAlone(events []refEvent, span, from, to int) []string {
	var all []said
	for _, u := range []string{"a", "b"} {
		for _, e := range ofUser(events, u) {
			at := e.At + span
			if e.N <= 2 || at < from || at >= to || some(events, func(o refEvent) bool { return o.U == u && o.N < 2 && o.At >= e.At && o.At <= at }) {
				continue
			}
			all = append(all, said{at, u, fmt.Sprintf(`{"u":%q,"first":%q,"last":%q,"events":[%q]}`, u, refTime(e.At), refTime(e.At), refTime(e.At))})
		}
	}
	return inOrder(all)
}

// Ranges that meet say together what one run over both says, and the order of events does not matter: a
// run needs to remember nothing, and a range may be judged again when an event came late.
func TestVerdictsOfRangesAddUp(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		events := genEvents(t)
		text := "* | " + rapid.SampledFrom([]string{
			"newterms tag over 7s | table _time, tag", "newterms u, tag over 15s | table _time, u, tag", "missing by u, tag over 6s", "missing over 3s",
			"spike by u factor=1.5 baseline=20s seasonal=30s", "spike factor=2 baseline=10s min=2", "changed n by u | table _time, u, n, previous.n",
			"changed n, tag by u | table _time, u, n, previous.n, previous.tag",
			"sequence by u maxspan=20s [n > 4] ![tag:z] [n < 4] until [tag:x and n:0]", "sequence maxspan=9s [tag:x] with runs=3 [tag:y]",
			"sequence by tag maxspan=12s [n > 3] [n > 5] ![n < 0]", "sequence by u [n > 4] [*]",
		}).Draw(t, "command")
		cuts := rapid.SliceOfN(rapid.IntRange(0, 70), 0, 4).Draw(t, "cuts")
		sort.Ints(cuts)
		whole := judged(t, dir, events, text, -5, 90, true)
		shuffled := rapid.Permutation(events).Draw(t, "shuffled")
		var parts []string
		from := -5
		for _, cut := range append(cuts, 90) {
			if cut > from {
				parts = append(parts, judged(t, dir, shuffled, text, from, cut, true)...)
				from = cut
			}
		}
		sort.Strings(whole) // a spike stands by its first bucket and is judged at its last
		sort.Strings(parts)
		same(t, text, parts, whole)
	})
}

func TestDetectionTellsWhatItIs(t *testing.T) {
	for text, want := range map[string]struct {
		by      string
		history time.Duration
	}{
		"* | newterms a, b over 14d":                              {"a b", 14 * 24 * time.Hour},
		"* | missing by h over 2h":                                {"h", 2 * time.Hour},
		"* | spike by h factor=3 baseline=1h":                     {"h", 65 * time.Minute},
		"* | changed v by h":                                      {"h", 7 * 24 * time.Hour},
		"* | sequence by h [a:1] [a:2] | where first > 0":         {"h", 5 * time.Minute},
		"* | sequence by h maxspan=1m [a:1] with runs=3 ![a:2]":   {"h", time.Minute},
		"* | newterms a over 1d | missing by h over 2h | count h": {"", 0},
	} {
		q, err := query.Compile(text, query.Options{Window: 5 * time.Minute})
		if err != nil {
			if want.by != "" {
				t.Errorf("%s: %v", text, err)
			}
			continue
		}
		d, ok := q.Detection()
		if !ok || strings.Join(d.By, " ") != want.by || d.History != want.history {
			t.Errorf("%s: %+v, %v", text, d, ok)
		}
	}
	q, err := query.Compile("* | count", query.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := q.Detection(); ok {
		t.Error("count is no detection command")
	}
}

func TestDetectionCommandsNameTheLimitTheyWouldPass(t *testing.T) {
	var lines []string
	for i := range 1000 {
		lines = append(lines, fmt.Sprintf(`{"@timestamp":%q,"u":"user %d","n":%d}`, refTime(i), i, i%2))
	}
	for _, text := range []string{
		"newterms u over 1h", "missing by u over 1h", "spike by u factor=2 baseline=1h", "changed n by u", "sequence by u maxspan=1h [n:0] [n:1]",
	} {
		q, err := query.Compile("* | "+text, query.Options{Now: now})
		if err != nil {
			t.Fatal(err)
		}
		b := &files.Backend{Main: files.Input{Path: "-", Reader: strings.NewReader(strings.Join(lines, "\n"))}}
		_, err = q.Run(context.Background(), query.RunOptions{Backend: b, MaxMemory: 20_000})
		var limit *exec.LimitError
		if !errors.As(err, &limit) || !strings.HasPrefix(text, limit.Pipe) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
