package logstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// value draws a JSON value with the texts that engines confuse.
func value(depth int) *rapid.Generator[string] {
	scalar := rapid.SampledFrom([]string{
		`"a"`, `"A"`, `"a b"`, `"["`, `"[\"a\"]"`, `""`, `"é"`, `"\u00e9"`, `"\ud800"`, `"*"`, `"a*"`, `"\""`, `"\\"`, `"\n"`, `"\u0000"`,
		`5`, `5.0`, `-5`, `05e0`, `1e3`, `9007199254740993`, `"5"`, `"00501"`, `"1.50"`, `"0x10"`, `true`, `"true"`, `null`, `{}`, `[]`,
		`"10.0.0.1"`, `"10.0.0.01"`, `"2024-01-01T00:00:00Z"`, `"2024-01-01T00:00:00.000Z"`, `"1h"`, `"-"`, `"<!channel>"`, `"$x"`, "\"`\"", `"'"`,
	})
	if depth == 0 {
		return scalar.Filter(func(s string) bool { return json.Valid([]byte(s)) })
	}
	return rapid.Custom(func(t *rapid.T) string {
		switch rapid.IntRange(0, 5).Draw(t, "kind") {
		case 0:
			return "[" + strings.Join(rapid.SliceOfN(value(depth-1), 0, 3).Draw(t, "list"), ",") + "]"
		case 1:
			return document(depth-1).Draw(t, "object")
		default:
			return value(0).Draw(t, "scalar")
		}
	})
}

var keys = rapid.SampledFrom([]string{"a", "b", "a.b", "b.a", "a.a.b", "_a", "", "a.", ".a", "*", "a b", `\"`, "_time", "_seq", "_msg", "stream", strings.Repeat("k", 130)})

func document(depth int) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		var parts []string
		for range rapid.IntRange(0, 4).Draw(t, "fields") {
			parts = append(parts, `"`+keys.Draw(t, "key")+`":`+value(depth).Draw(t, "value"))
		}
		return "{" + strings.Join(parts, ",") + "}"
	})
}

// texts answers the values at a path by decoding the document with the standard library, slowly: keys are
// joined in every way that makes the path.
func texts(raw json.RawMessage, path string, arrived bool) []string {
	raw = json.RawMessage(strings.TrimSpace(string(raw)))
	switch raw[0] {
	case '[':
		var list []json.RawMessage
		if json.Unmarshal(raw, &list) != nil {
			panic("list")
		}
		var out []string
		for _, e := range list {
			out = append(out, texts(e, path, arrived)...)
		}
		return out
	case '{':
		if arrived {
			return nil
		}
		decoder := json.NewDecoder(strings.NewReader(string(raw)))
		var out []string
		if _, err := decoder.Token(); err != nil {
			panic(err)
		}
		for decoder.More() {
			key, err := decoder.Token()
			if err != nil {
				panic(err)
			}
			var v json.RawMessage
			if err := decoder.Decode(&v); err != nil {
				panic(err)
			}
			if key == path {
				out = append(out, texts(v, "", true)...)
			} else if rest, ok := strings.CutPrefix(path, key.(string)+"."); ok {
				out = append(out, texts(v, rest, false)...)
			}
		}
		return out
	case '"':
		var s string
		if json.Unmarshal(raw, &s) != nil {
			panic("string")
		}
		if arrived {
			return []string{s}
		}
	case 'n':
	default:
		if arrived {
			return []string{string(raw)}
		}
	}
	return nil
}

// A filter finds exactly the documents a slow reading of all of them finds: what the engine is asked never
// loses one.
func TestFiltersAreExact(t *testing.T) {
	s := open(t, t.TempDir())
	round := 0
	rapid.Check(t, func(t *rapid.T) {
		round++
		index := fmt.Sprint("round-", round)
		documents := rapid.SliceOfN(document(2), 1, 12).Draw(t, "documents")
		var operations []Operation
		for _, d := range documents {
			operations = append(operations, Operation{Index: index, Source: []byte(d)})
		}
		outcomes, err := s.Ingest(context.Background(), operations, true)
		if err != nil {
			t.Fatal(err)
		}
		for i, o := range outcomes {
			if o.Failure != nil {
				t.Fatalf("%s: %v", documents[i], o.Failure)
			}
		}
		for range 5 {
			field := keys.Draw(t, "field")
			if rapid.Bool().Draw(t, "longer") {
				field += "." + keys.Draw(t, "subfield")
			}
			field = strings.ReplaceAll(field, `\"`, `"`)
			var wanted []string
			for _, v := range rapid.SliceOfN(value(0), 1, 3).Draw(t, "values") {
				if v[0] == '"' {
					var text string
					if err := json.Unmarshal([]byte(v), &text); err != nil {
						t.Fatal(err)
					}
					v = text
				}
				if !strings.Contains(v, "\uFFFD") { // a broken surrogate has no text to ask for
					wanted = append(wanted, v)
				}
			}
			var want []string
			for _, d := range documents {
				if slices.ContainsFunc(texts(json.RawMessage(d), field, false), func(v string) bool { return slices.Contains(wanted, v) }) {
					want = append(want, d)
				}
			}
			var got []string
			err := s.Scan(context.Background(), Search{Indices: []string{index}, Filters: []Filter{{field, wanted}}}, func(d Document) error {
				got = append(got, string(d.Source))
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("%q in %q: %s", wanted, field, diff)
			}
		}
	})
}

func TestScanKeepsOrderRangeAndLimit(t *testing.T) {
	s := open(t, t.TempDir())
	s.chunkRows = 500
	base := time.Now().Add(-20 * 24 * time.Hour).Truncate(time.Hour)
	var operations []Operation
	stamp := func(i int) time.Time {
		switch {
		case i < 100: // alone, far apart
			return base.Add(time.Duration(i) * time.Hour)
		case i < 1300: // all in one nanosecond: more than a chunk
			return base.Add(101 * time.Hour)
		default: // close together
			return base.Add(102*time.Hour + time.Duration(i))
		}
	}
	const n = 2500
	for i := range n {
		operations = append(operations, Operation{Index: fmt.Sprint("i", i%3), Source: fmt.Appendf(nil, `{"@timestamp":%q,"n":%d,"third":%d}`, stamp(i).UTC().Format(time.RFC3339Nano), i, i%3)})
	}
	ingest(t, s, operations...)
	numbers := func(q Search) []int {
		t.Helper()
		var out []int
		err := s.Scan(t.Context(), q, func(d Document) error {
			var v struct{ N int }
			if err := json.Unmarshal(d.Source, &v); err != nil {
				return err
			}
			if !d.Time.Equal(stamp(v.N)) || d.Index != fmt.Sprint("i", v.N%3) {
				return fmt.Errorf("document %d is of %s at %s", v.N, d.Index, d.Time)
			}
			out = append(out, v.N)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	where := func(keep func(i int) bool) []int {
		var out []int
		for i := range n {
			if keep(i) {
				out = append(out, i)
			}
		}
		return out
	}
	all := func(int) bool { return true }
	for _, c := range []struct {
		name string
		q    Search
		keep func(int) bool
	}{
		{"all", Search{}, all},
		{"a name", Search{Indices: []string{"i1"}}, func(i int) bool { return i%3 == 1 }},
		{"patterns", Search{Indices: []string{"i2*", "*0"}}, func(i int) bool { return i%3 != 1 }},
		{"filter", Search{Filters: []Filter{{"third", []string{"2"}}}}, func(i int) bool { return i%3 == 2 }},
		{"from is in, to is not", Search{From: stamp(3), To: stamp(50)}, func(i int) bool { return i >= 3 && i < 50 }},
		{"one nanosecond", Search{From: stamp(100), To: stamp(100).Add(1)}, func(i int) bool { return i >= 100 && i < 1300 }},
		{"nothing", Search{From: stamp(0).Add(1), To: stamp(1)}, func(int) bool { return false }},
		{"far bounds", Search{From: time.Unix(-1e11, 0), To: time.Unix(1e11, 0)}, all},
	} {
		want := where(c.keep)
		for _, newest := range []bool{false, true} {
			for _, limit := range []int{0, 1, 150, 1700} {
				c.q.Newest, c.q.Limit = newest, limit
				cut := slices.Clone(want)
				if newest {
					slices.Reverse(cut)
				}
				if limit > 0 && len(cut) > limit {
					cut = cut[:limit]
				}
				if got := numbers(c.q); !slices.Equal(got, cut) {
					t.Errorf("%s, newest %t, limit %d: %d documents, want %d, or another order", c.name, newest, limit, len(got), len(cut))
				}
			}
		}
	}
}

func TestScanEndsWhenItsVisitorOrContextDoes(t *testing.T) {
	s := open(t, t.TempDir())
	ingest(t, s, Operation{Index: "a", Source: []byte(`{}`)}, Operation{Index: "a", Source: []byte(`{}`)})
	stop := errors.New("stop")
	visited := 0
	if err := s.Scan(t.Context(), Search{}, func(Document) error { visited++; return stop }); !errors.Is(err, stop) || visited != 1 {
		t.Errorf("visited %d, %v", visited, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Scan(ctx, Search{}, func(Document) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled, it answered %v", err)
	}
}

func TestSearchesWaitForEachOther(t *testing.T) {
	s := open(t, t.TempDir())
	ingest(t, s, Operation{Index: "a", Source: []byte(`{}`)})
	inside, leave := make(chan struct{}), make(chan struct{})
	done := make(chan error, cap(s.searches))
	for range cap(s.searches) {
		go func() {
			done <- s.Scan(context.Background(), Search{}, func(Document) error {
				inside <- struct{}{}
				<-leave
				return nil
			})
		}()
		<-inside
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := s.Scan(ctx, Search{}, func(Document) error { return nil }); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("one too many answered %v", err)
	}
	close(leave)
	for range cap(s.searches) {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestGlob(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"a", "a", true},
		{"a", "ab", false},
		{"a*", "a", true},
		{"*", "", true},
		{"*b", "ab", true},
		{"*b", "ba", false},
		{"a*a", "a", false},
		{"a*a", "aa", true},
		{"a*b*c", "aXbYc", true},
		{"a*b*c", "acb", false},
		{"*ab", "aab", true},
		{"**", "x", true},
	} {
		if got := glob(c.pattern, c.name); got != c.want {
			t.Errorf("glob(%q, %q) = %t", c.pattern, c.name, got)
		}
	}
}
