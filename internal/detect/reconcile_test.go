package detect

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// windowsOf judges every window of some events of one key: those with a count that holds.
func windowsOf(events []int64, length int64, holds func(n int) bool) []Window {
	events = slices.Clone(events)
	slices.Sort(events)
	var out []Window
	for i, end := range events {
		if i+1 < len(events) && events[i+1] == end {
			continue
		}
		from, _ := slices.BinarySearch(events, end-length+1)
		if n := i + 1 - from; holds(n) {
			out = append(out, Window{Key: "k", End: end, First: events[from], Rank: float64(n), Ranked: true})
		}
	}
	return out
}

// wholeEpisodes joins all windows at once, without buckets.
func wholeEpisodes(windows []Window, length int64) []Episode {
	var out []Episode
	for _, w := range windows {
		if n := len(out); n > 0 && w.End-out[n-1].LastEnd < length {
			e := &out[n-1]
			e.LastEnd = w.End
			e.Windows++
			if w.better(&e.Best) {
				e.Best = w
			}
			continue
		}
		out = append(out, Episode{First: w.First, FirstEnd: w.End, LastEnd: w.End, Windows: 1, Best: w})
	}
	return out
}

var conditions = map[string]func(int) bool{
	"more than two": func(n int) bool { return n > 2 },
	"at most one":   func(n int) bool { return n <= 1 },
	"exactly two":   func(n int) bool { return n == 2 },
}

// TestEpisodesComeOutTheSameInWhateverOrderEventsCome is the law of late events: after any order of arrival
// and any cut into runs, the episodes that stand are those of one look at everything.
func TestEpisodesComeOutTheSameInWhateverOrderEventsCome(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const micro = 1000
		grid := rapid.Int64Range(1, 10).Draw(t, "grid")
		length := rapid.Int64Range(grid, 30).Draw(t, "length") * micro
		condition := rapid.SampledFrom([]string{"more than two", "at most one", "exactly two"}).Draw(t, "condition")
		holds := conditions[condition]
		times := rapid.SliceOfN(rapid.Int64Range(0, 200*micro), 0, 40).Draw(t, "events")
		perBatch := rapid.IntRange(1, 10).Draw(t, "events a batch")

		var (
			have    []int64
			buckets []Bucket
			stored  []Stored
			serial  int64
		)
		for batch := range slices.Chunk(times, perBatch) {
			have = append(have, batch...)
			// Whatever an event can change is judged again, on the grid.
			var again Set
			for _, e := range batch {
				from := e / micro
				again = again.Add(Span{floor(from, grid), ceil(from+length/micro+1, grid)})
			}
			for _, span := range again {
				buckets = slices.DeleteFunc(buckets, func(b Bucket) bool { return b.At >= span.From && b.At < span.To })
				var judged []Window
				for _, w := range windowsOf(have, length, holds) {
					if w.End >= span.From*micro && w.End < span.To*micro {
						judged = append(judged, w)
					}
				}
				buckets = append(buckets, Buckets(judged, grid)...)
				slices.SortFunc(buckets, func(a, b Bucket) int { return int(a.At - b.At) })
				byID := map[string]int{}
				for i := range stored {
					byID[stored[i].ID] = i
				}
				for _, c := range Reconcile(slices.Clone(stored), Episodes(buckets, length), length,
					func(first int64, try int) string { return fmt.Sprintf("%d/%d", first, try) },
					func(id string) bool { _, ok := byID[id]; return ok }) {
					if i, ok := byID[c.ID]; ok {
						c.Serial = stored[i].Serial
						stored[i] = c
						continue
					}
					serial++
					c.Serial, byID[c.ID] = serial, len(stored)
					stored = append(stored, c)
				}
			}
		}

		var got []Episode
		for _, s := range stored {
			if s.standing() {
				got = append(got, s.Episode)
			} else if s.MergedInto != "" {
				if !slices.ContainsFunc(stored, func(o Stored) bool { return o.ID == s.MergedInto }) {
					t.Fatalf("%s is merged into %s, which is not there", s.ID, s.MergedInto)
				}
			}
		}
		slices.SortFunc(got, func(a, b Episode) int { return int(a.FirstEnd - b.FirstEnd) })
		want := wholeEpisodes(windowsOf(times, length, holds), length)
		if diff := cmp.Diff(want, got); diff != "" && len(want)+len(got) > 0 {
			t.Fatalf("episodes (- perfect run, + ours): %s", diff)
		}
	})
}
