package detect

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"tocsin/internal/query"
)

// A field that a mapping still has, but no event any more, is as gone as one that no mapping has: a shipper was
// changed, or a parser. Fields are rare by nature too, so one is idle only where no event of the last day has it,
// though there were events, and enough had it on the same day a week before.
const (
	idleEvery = time.Hour // between two looks at a place
	idleDay   = 24 * time.Hour
	idleAgo   = 7 * idleDay
	idleLeast = 20 // events of that day that had it
)

// idleness is which fields of a place no event has any more.
type idleness struct {
	at     time.Time
	uses   []string
	fields map[string]bool
}

// idle looks for the fields of a place that no event has any more, at most every hour. What is there of its fields
// is known.
func (w *ward) idle(ctx context.Context, p *place) error {
	if !p.told {
		return nil
	}
	now := w.d.now()
	have := w.idles[p.key()]
	if since := now.Sub(have.at); since < 0 || since >= idleEvery || !slices.Equal(have.uses, p.uses) {
		have = idleness{at: now, uses: slices.Clone(p.uses), fields: map[string]bool{}}
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		b, err := p.source.Open(ctx, p.indices)
		if err != nil {
			return err
		}
		came := sync.OnceValues(func() (bool, error) { return p.some(ctx, b, "*", 1, now.Add(-idleDay), now.Add(time.Hour)) })
		for _, f := range p.uses {
			if !p.there[f] || f == p.source.timeField() || strings.ContainsAny(f, "*\" ") || strings.HasPrefix(f, "_") {
				continue
			}
			if have.fields[f], err = p.unused(ctx, b, f, now, came); err != nil {
				return err
			}
		}
		w.idles[p.key()] = have
	}
	p.idle = have.fields
	return nil
}

// unused reports whether events came in the last day, none with the field, and enough with it a week before.
func (p *place) unused(ctx context.Context, b query.Backend, field string, now time.Time, came func() (bool, error)) (bool, error) {
	filter := field + ":*"
	has, err := p.some(ctx, b, filter, 1, now.Add(-idleDay), now.Add(time.Hour))
	if err != nil || has {
		return false, err
	}
	had, err := p.some(ctx, b, filter, idleLeast, now.Add(-idleAgo-idleDay), now.Add(-idleAgo))
	if err != nil || !had {
		return false, err
	}
	return came()
}

// some reports whether so many events of a time pass a filter.
func (p *place) some(ctx context.Context, b query.Backend, filter string, least int, from, to time.Time) (bool, error) {
	text := fmt.Sprintf("%s | head %d | fields %s", filter, least, p.source.timeField())
	if len(p.from) > 0 {
		text = "from " + strings.Join(p.from, ",") + " " + text
	}
	q, err := query.Compile(text, query.Options{TimeField: p.source.timeField(), Now: to, Earliest: from.Truncate(time.Millisecond), Latest: to.Truncate(time.Millisecond)})
	if err != nil {
		return false, fmt.Errorf("look for %s: %w", filter, err)
	}
	n := 0
	_, err = q.Stream(ctx, query.RunOptions{Backend: b}, query.Sink{
		Columns: func([]string) error { return nil },
		Row: func(*query.Row) error {
			n++
			return nil
		},
	})
	if err != nil {
		return false, fmt.Errorf("look for %s: %w", filter, err)
	}
	return n >= least, nil
}
