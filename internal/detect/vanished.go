package detect

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"tocsin/internal/query"
	"tocsin/internal/store"
)

// surroundings are what was there of what a rule searches, and since when it no longer is.
type surroundings struct {
	Definition string `json:"definition"`
	// Fields and Indices are the names that were found once, and what is missing of them since when; 0 is not.
	Fields  map[string]int64 `json:"fields,omitempty"`
	Indices map[string]int64 `json:"indices,omitempty"`
}

// survey looks whether the fields and indices that rules search are there. Only what was there before can vanish:
// of a field that never was the rule's warnings tell.
func (w *ward) survey(ctx context.Context) error {
	if !w.read {
		if err := w.remember(ctx); err != nil {
			return err
		}
	}
	sets := map[string]*ruleset{}
	w.d.mu.Lock()
	for id, s := range w.d.states {
		if s.set != nil {
			sets[id] = s.set
		}
	}
	w.d.mu.Unlock()
	w.gone, w.blind = map[string][]ailment{}, map[string]bool{}
	for id, set := range sets {
		k := w.known[id]
		if k == nil || k.Definition != set.definition {
			k = &surroundings{Definition: set.definition, Fields: map[string]int64{}, Indices: map[string]int64{}}
		}
		next := &surroundings{Definition: k.Definition, Fields: maps.Clone(k.Fields), Indices: maps.Clone(k.Indices)}
		if err := next.see(ctx, set, w.d.now()); err != nil {
			w.blind[id] = true
			w.d.log.Debug("what a rule searches could not be looked at", "rule", set.rule.Name, "error", err)
			next = k
		}
		w.gone[id] = next.ailments(id, set)
		if before := w.known[id]; before == nil || !maps.Equal(before.Fields, next.Fields) || !maps.Equal(before.Indices, next.Indices) || before.Definition != next.Definition {
			if err := w.keep(ctx, id, next); err != nil {
				return err
			}
		}
		w.known[id] = next
	}
	return nil
}

// see looks for what the rule searches.
func (k *surroundings) see(ctx context.Context, set *ruleset, now time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	b, err := set.source.Open(ctx, set.rule.Indices)
	if err != nil {
		return err
	}
	q, err := set.search.compile(now, time.Time{}, time.Time{})
	if err != nil {
		return err
	}
	patterns := q.Indices()
	if patterns == nil {
		patterns = set.rule.Indices
	}
	if k.Fields == nil {
		k.Fields = map[string]int64{}
	}
	if k.Indices == nil {
		k.Indices = map[string]int64{}
	}
	all := [][]string{nil} // the source's own
	if len(patterns) > 0 {
		all = all[:0]
		for _, p := range patterns {
			if !strings.HasPrefix(p, "-") {
				all = append(all, []string{p})
			}
		}
	}
	whole := true
	for _, from := range all {
		n, ok, err := query.Reaches(ctx, b, from)
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		whole = whole && n > 0
		sight(k.Indices, strings.Join(from, ","), n > 0, now)
	}
	if !whole {
		return nil // the fields are gone with the index: one thing is wrong
	}
	uses := q.Uses()
	there, ok, err := query.Has(ctx, b, q.Indices(), uses)
	if err != nil || !ok {
		return err
	}
	for _, f := range uses {
		sight(k.Fields, f, slices.Contains(there, f), now)
	}
	return nil
}

// sight notes whether something is there.
func sight(known map[string]int64, name string, there bool, now time.Time) {
	switch since, before := known[name]; {
	case there:
		known[name] = 0
	case before && since == 0:
		known[name] = now.UnixMicro()
	}
}

// ailments are what is missing.
func (k *surroundings) ailments(id string, set *ruleset) (out []ailment) {
	a := ailment{Source: set.source.Name, Rule: id, Name: set.rule.Name}
	for _, name := range slices.Sorted(maps.Keys(k.Indices)) {
		if since := k.Indices[name]; since > 0 {
			a.What, a.More, a.Since = indexGone, name, store.Time(since)
			what := "index " + name
			if name == "" {
				what = "no index of its source"
				a.Reason = fmt.Sprintf("Rule %s finds nothing: %s is there", a.Name, what)
			} else {
				a.Reason = fmt.Sprintf("Rule %s finds nothing: %s is gone", a.Name, what)
			}
			out = append(out, a)
		}
	}
	if len(out) > 0 {
		return out
	}
	var names []string
	first := int64(0)
	for _, name := range slices.Sorted(maps.Keys(k.Fields)) {
		if since := k.Fields[name]; since > 0 {
			names = append(names, name)
			if first == 0 || since < first {
				first = since
			}
		}
	}
	if len(names) > 0 {
		a.What, a.Since = fieldGone, store.Time(first)
		verb := "is"
		if len(names) > 1 {
			verb = "are"
		}
		a.Reason = fmt.Sprintf("Rule %s may find nothing: %s, which it looks at, %s no longer in source %s", a.Name, cut(strings.Join(names, ", "), 300), verb, a.Source)
		out = append(out, a)
	}
	return out
}

// remember reads what was there.
func (w *ward) remember(ctx context.Context) error {
	err := w.d.db.View(ctx, func(tx *store.Tx) error {
		return tx.Query(func(r *sql.Rows) error {
			var (
				id   string
				body []byte
				k    surroundings
			)
			if err := r.Scan(&id, &body); err != nil {
				return err
			}
			if err := json.Unmarshal(body, &k); err != nil {
				return err
			}
			w.known[id] = &k
			return nil
		}, `SELECT rule, body FROM detect_surroundings`)
	})
	if err != nil {
		return fmt.Errorf("read what rules had to search: %w", err)
	}
	w.read = true
	return nil
}

func (w *ward) keep(ctx context.Context, id string, k *surroundings) error {
	body, err := json.Marshal(k)
	if err != nil {
		return err
	}
	err = w.d.db.Update(ctx, func(tx *store.Tx) error {
		return tx.Exec(`INSERT INTO detect_surroundings (rule, body) VALUES (?, ?) ON CONFLICT (rule) DO UPDATE SET body = excluded.body`, id, body)
	})
	if err != nil {
		return fmt.Errorf("keep what rule %s has to search: %w", id, err)
	}
	return nil
}
