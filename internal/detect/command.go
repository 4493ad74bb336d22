package detect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"tocsin/internal/query"
)

// command makes ready a search that a detection command judges. The command reads what it needs of the history with
// each run: what it says of a stretch of time is a function of the events alone, so it has nothing to remember, and
// loses nothing in a restart.
func (s *search) command(c query.Command) {
	s.commanded, s.by, s.reach = c, c.By, c.History
	switch c.Name {
	case "newterms", "changed":
		s.carries = true
	case "spike":
		// Buckets that follow each other are one episode.
		s.joins, s.window, s.measure = int64(c.Length)+1, c.Length, "count"
	case "missing", "sequence":
		s.window = c.Length
	}
}

// chunk is how much is caught up at once, where that is more than an hour: as much as is read anyway. Of its long
// past a detection command reads little, so the range is what counts.
func (s *search) chunk() time.Duration {
	if s.commanded.Name != "" {
		return s.reach / 24
	}
	return s.reach
}

// findVerdicts is what a detection command says of a span of event time.
func (s *search) findVerdicts(ctx context.Context, b query.Backend, span Span, now time.Time) (*found, error) {
	f := &found{}
	q, err := s.compile(now, micro(span.From), micro(span.To))
	if err != nil {
		return nil, err
	}
	seen := map[string]int{}
	err = s.stream(ctx, q, query.RunOptions{Backend: b, Documents: s.carries, Windows: true}, f, func(names []string, r *query.Row) error {
		w, err := s.verdict(names, r)
		if err != nil {
			return err
		}
		if s.carries { // several rows of one document are told apart by their order
			n := seen[w.Key]
			seen[w.Key]++
			w.Key = fmt.Sprint(w.Key, "\x00", n)
		}
		f.windows = append(f.windows, w)
		return nil
	})
	if err == nil && s.commanded.Name == "missing" {
		if err = s.quiet(ctx, b, f, now); err != nil {
			err = fmt.Errorf("see whether the source brings events at all: %w", err)
		}
	}
	return f, err
}

// quiet leaves out what is missing at times at which the source had brought no event at all for as long: that the
// source is silent is then what there is to say.
func (s *search) quiet(ctx context.Context, b query.Backend, f *found, now time.Time) error {
	slices.SortFunc(f.windows, func(a, b Window) int { return cmp.Or(cmp.Compare(a.End, b.End), cmp.Compare(a.Key, b.Key)) })
	over := int64(s.commanded.Length)
	alive := int64(math.MinInt64) // an event of the source: it was alive for over from then on
	kept := f.windows[:0]
	for _, w := range f.windows {
		if alive == math.MinInt64 || w.End < alive || w.End-alive >= over {
			q, err := query.Compile("* | head 1 | fields "+s.timeField, query.Options{
				TimeField: s.timeField, Now: now, Earliest: time.Unix(0, w.End-over+1).UTC(), Latest: time.Unix(0, w.End+1).UTC(), Lookups: s.lookups,
			})
			if err != nil {
				return err
			}
			alive = math.MinInt64
			err = s.stream(ctx, q, query.RunOptions{Backend: b}, &found{}, func(_ []string, r *query.Row) error {
				if t, ok := r.Get(0).AsTime(); ok {
					alive = t
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
		if alive != math.MinInt64 {
			kept = append(kept, w)
		}
	}
	f.windows = kept
	return nil
}

// verdict is a row of a detection command as a window: when it holds, and of what.
func (s *search) verdict(names []string, r *query.Row) (w Window, err error) {
	time := func(name string) (int64, error) {
		if i := slices.Index(names, name); i >= 0 {
			if t, ok := r.Get(i).AsTime(); ok {
				return t, nil
			}
		}
		return 0, fmt.Errorf("the search drops or changes the column %s, the time of what %s found: keep it in fields and table", name, s.commanded.Name)
	}
	var key []Column
	for i, n := range names {
		v := r.Get(i)
		c := Column{n, string(v.AppendJSON(nil))}
		if !s.carries && (n == "first" || n == "last") {
			continue
		}
		w.Row = append(w.Row, c)
		if slices.Contains(s.by, n) {
			key = append(key, c)
		}
		if !w.Ranked && !slices.Contains(s.by, n) && v.IsNumber() {
			w.Rank, w.Ranked = v.Float(), true
		}
	}
	w.Key = keyOf(key)
	var first, last int64
	switch s.commanded.Name {
	case "missing":
		if last, err = time("last"); err != nil {
			return w, err
		}
		w.First, w.End = last, last+int64(s.commanded.Length)
	case "spike", "sequence":
		if first, err = time("first"); err != nil {
			return w, err
		}
		if last, err = time("last"); err != nil {
			return w, err
		}
		w.First, w.End = first, last
		if s.commanded.Name == "spike" {
			w.End-- // the end of a bucket is no longer in it
		} else if s.commanded.Waits {
			w.End = first + int64(s.commanded.Length)
		}
	default:
		if r.Doc == nil {
			return w, errors.New("a document came without its id")
		}
		at, err := s.timeOf(r.Doc.JSON)
		if err != nil {
			return w, err
		}
		id := r.Doc.ID
		if id == "" {
			id = identity("content", r.Doc.JSON)
		}
		w.First, w.End = at, at
		w.Key = r.Doc.Index + "\x00" + id
		w.Samples = []Sample{{Index: r.Doc.Index, ID: r.Doc.ID, JSON: strings.Clone(r.Doc.JSON)}}
	}
	return w, nil
}
