package detect

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"tocsin/internal/sleep"
	"tocsin/internal/store"
)

// keptFor is how long after it happened an event can come and still be judged with all that was found around it.
const keptFor = 30 * 24 * time.Hour

// The bounds of forgetting: seldom, and a little at a time, so that no run waits for it.
const (
	pruneEvery = 10  // rounds of looking after sources
	pruneMost  = 500 // rows in one transaction
	pruneSteps = 40  // transactions in one round
	prunePause = 20 * time.Millisecond
	// countsKept is how long counts are needed, and a little more.
	countsKept = sweepBack + time.Hour
)

// pruning is what is forgotten of one rule. Times are in microseconds.
type pruning struct {
	rule string
	// lock is held by whoever reads what is stored of the rule until its result is stored; nil for a rule that is gone.
	lock chan struct{}
	// before is the event time before which nothing is judged again that came in its time, counts that of counts,
	// and said that of what started something last.
	before, counts, said int64
	// joins is how near windows of one episode are, in nanoseconds, and grid the length of buckets.
	joins, grid int64
}

// prune forgets what no run looks at again: episodes, their buckets and counts that are older than what may still
// come, and that have not changed since. What is open stays, and what a rule that is off had found. It reports
// whether there may be more.
func (d *Detector) prune(ctx context.Context) (more bool, err error) {
	steps := 0
	for _, p := range d.prunings(d.now()) {
		var forgetting []func(*store.Tx, *pruning) (int, error)
		err := d.db.View(ctx, func(tx *store.Tx) error {
			there, err := p.old(tx)
			if there {
				forgetting = append(forgetting, forgetEpisodes, forgetSaid, forgetCounts)
			}
			return err
		})
		if err != nil {
			return false, fmt.Errorf("look for what rule %s found long ago: %w", p.rule, err)
		}
		for _, step := range forgetting {
			for {
				if steps >= pruneSteps {
					return true, nil
				}
				n, err := d.pruned(ctx, &p, step)
				if err != nil {
					return false, fmt.Errorf("forget what rule %s found long ago: %w", p.rule, err)
				}
				if n < pruneMost {
					break
				}
				steps++
				if err := sleep.For(ctx, prunePause); err != nil {
					return false, err
				}
			}
		}
		if p.joins > 0 {
			if err := d.thin(ctx, &p); err != nil {
				return false, fmt.Errorf("sum up what rule %s found long ago: %w", p.rule, err)
			}
		}
	}
	return false, nil
}

// prunings are the rules of which something may be forgotten at now.
func (d *Detector) prunings(now time.Time) (out []pruning) {
	entries := d.options.Rules()
	there := make(map[string]bool, len(entries))
	for i := range entries {
		if r := entries[i].Rule; r != nil {
			there[r.ID] = true
		}
		there[entries[i].ID] = true
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	keep := d.options.Keep.Microseconds()
	// A clock that is ahead forgets nothing: time is as far as events are.
	newest := int64(0)
	seen := func(h *sourceHealth) int64 {
		if h == nil || h.seen.IsZero() {
			return 0
		}
		return min(h.seen.UnixMicro(), now.UnixMicro())
	}
	for _, h := range d.health {
		newest = max(newest, seen(h))
	}
	if newest == 0 {
		return nil
	}
	out = append(out, pruning{rule: healthRule, before: newest - keep, counts: newest - keep, said: newest - keep})
	for id, s := range d.states {
		if s.set == nil {
			if !there[id] && s.wrong == nil {
				out = append(out, pruning{rule: id, lock: s.handing, before: newest - keep, counts: newest - keep, said: newest - keep})
			}
			continue
		}
		until := seen(d.health[s.set.source.Name])
		if until == 0 || s.memory.Since == 0 {
			continue
		}
		t := d.timingOf(s.set)
		for _, gap := range t.missed(s.memory.Covered, s.memory.Older, s.memory.Since, now.UnixMicro()) {
			until = min(until, gap.From)
		}
		joins := s.set.search.joins
		around := 2*max(joins/1000, t.Reach) + t.Every + t.Lookback + t.Grid
		before := until - keep - around
		out = append(out, pruning{
			rule: id, lock: s.handing, before: before, counts: until - countsKept.Microseconds(),
			said: before - s.set.rule.SameAgainAfter.Microseconds(), joins: joins, grid: t.Grid,
		})
	}
	slices.SortFunc(out, func(a, b pruning) int {
		switch {
		case a.rule < b.rule:
			return -1
		case a.rule > b.rule:
			return 1
		}
		return 0
	})
	return out
}

// pruned does one step of forgetting, and tells how many rows went. While a run of the rule is being stored nothing is
// forgotten: it is the next time.
func (d *Detector) pruned(ctx context.Context, p *pruning, step func(*store.Tx, *pruning) (int, error)) (n int, err error) {
	if p.lock != nil {
		select {
		case p.lock <- struct{}{}:
			defer func() { <-p.lock }()
		default:
			return 0, nil
		}
	}
	err = d.db.Update(ctx, func(tx *store.Tx) (err error) {
		n, err = step(tx, p)
		return err
	})
	return n, err
}

// old reports whether there is something old at all: mostly there is not, and then nothing is written.
func (p *pruning) old(tx *store.Tx) (there bool, err error) {
	err = tx.Query(func(r *sql.Rows) error {
		there = true
		return nil
	}, `SELECT 1 WHERE EXISTS (SELECT 1 FROM detect_episodes WHERE rule = ? AND last_end < ?)
		OR EXISTS (SELECT 1 FROM detect_said WHERE rule = ? AND at < ?) OR EXISTS (SELECT 1 FROM detect_counts WHERE rule = ? AND at < ?)`,
		p.rule, p.before*1000, p.rule, p.said, p.rule, p.counts)
	return there, err
}

// fresh is whether an episode o is to be kept: it is near, has changed lately, or is open.
const fresh = `(o.last_end >= ? OR o.updated >= ? OR EXISTS (SELECT 1 FROM detect_open x WHERE x.rule = o.rule AND x.id = o.id))`

// forgetEpisodes forgets some episodes with their buckets. Of those that overlap, as merged ones do, all go or none.
func forgetEpisodes(tx *store.Tx, p *pruning) (int, error) {
	type old struct {
		id, key string
		last    int64
	}
	var all []old
	err := tx.Query(func(r *sql.Rows) error {
		all = append(all, old{})
		o := &all[len(all)-1]
		return r.Scan(&o.id, &o.key, &o.last)
	}, `SELECT e.id, e.key, e.last_end FROM detect_episodes e WHERE e.rule = ? AND e.last_end < ? AND NOT EXISTS (
			SELECT 1 FROM detect_episodes o WHERE o.rule = e.rule AND o.key = e.key AND o.first_end <= e.last_end AND `+fresh+`)
		ORDER BY e.last_end, e.serial LIMIT ?`, p.rule, p.before*1000, p.before*1000, p.before, pruneMost)
	if err != nil {
		return 0, err
	}
	for _, o := range all {
		if err := tx.Exec(`DELETE FROM detect_episodes WHERE id = ?`, o.id); err != nil {
			return 0, err
		}
		if err := tx.Exec(`DELETE FROM detect_buckets WHERE rule = ? AND key = ? AND at <= ?`, p.rule, o.key, floor(o.last, 1000)/1000); err != nil {
			return 0, err
		}
	}
	return len(all), nil
}

// forgetSaid forgets what started something so long ago that nothing is the same again too soon.
func forgetSaid(tx *store.Tx, p *pruning) (int, error) {
	n, err := tx.Change(`DELETE FROM detect_said WHERE rule = ? AND same IN (SELECT same FROM detect_said WHERE rule = ? AND at < ? LIMIT ?)`,
		p.rule, p.rule, p.said, pruneMost)
	return int(n), err
}

// forgetCounts forgets counts that are compared no more.
func forgetCounts(tx *store.Tx, p *pruning) (int, error) {
	n, err := tx.Change(`DELETE FROM detect_counts WHERE rule = ? AND at IN (SELECT at FROM detect_counts WHERE rule = ? AND at < ? LIMIT ?)`,
		p.rule, p.rule, p.counts, pruneMost)
	return int(n), err
}

// thin makes one bucket of the old ones of an episode that goes on for longer than anything is kept.
func (d *Detector) thin(ctx context.Context, p *pruning) error {
	span := Span{0, p.before - p.grid}
	var keys []string
	err := d.db.View(ctx, func(tx *store.Tx) error {
		return tx.Query(func(r *sql.Rows) error {
			keys = append(keys, "")
			return r.Scan(&keys[len(keys)-1])
		}, `SELECT key FROM detect_buckets WHERE rule = ? AND at < ? GROUP BY key HAVING COUNT(*) > 1 ORDER BY key`, p.rule, span.To)
	})
	if err != nil {
		return err
	}
	for some := range slices.Chunk(keys, 50) {
		if _, err := d.pruned(ctx, p, func(tx *store.Tx, p *pruning) (int, error) {
			for _, key := range some {
				if err := thinKey(tx, p, key, span); err != nil {
					return 0, err
				}
			}
			return 0, nil
		}); err != nil {
			return err
		}
	}
	return nil
}

func thinKey(tx *store.Tx, p *pruning, key string, span Span) error {
	all, err := bucketsOf(tx, p.rule, key, span)
	if err != nil {
		return err
	}
	for i := 0; i < len(all); {
		whole, n := all[i], 1
		for ; i+n < len(all) && all[i+n].FirstEnd-whole.LastEnd < p.joins; n++ {
			whole.join(&all[i+n])
		}
		if n > 1 {
			body, err := json.Marshal(&whole)
			if err != nil {
				return err
			}
			if err := tx.Exec(`DELETE FROM detect_buckets WHERE rule = ? AND key = ? AND at > ? AND at <= ?`, p.rule, key, whole.At, all[i+n-1].At); err != nil {
				return err
			}
			if err := tx.Exec(`UPDATE detect_buckets SET body = ? WHERE rule = ? AND key = ? AND at = ?`, body, p.rule, key, whole.At); err != nil {
				return err
			}
		}
		i += n
	}
	return nil
}
