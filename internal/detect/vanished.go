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
	places, byRule := map[string]*place{}, map[string]*place{} // by key; each rule's own
	for id, set := range sets {
		p, err := placeOf(set, w.d.now())
		if err != nil {
			w.blind[id] = true
			continue
		}
		key := p.key()
		if places[key] == nil {
			all := *p
			all.uses = nil
			places[key] = &all
		}
		places[key].uses = append(places[key].uses, p.uses...)
		byRule[id] = p
	}
	for _, p := range places {
		if p.err = p.look(ctx); p.err == nil {
			p.err = w.idle(ctx, p)
		}
		if p.err != nil {
			w.d.log.Debug("what rules search could not be looked at", "source", p.source.Name, "error", p.err)
		}
	}
	for id, own := range byRule {
		set, p := sets[id], places[own.key()]
		k := w.known[id]
		if k == nil || k.Definition != set.definition {
			k = &surroundings{Definition: set.definition}
		}
		next := &surroundings{Definition: k.Definition, Fields: maps.Clone(k.Fields), Indices: maps.Clone(k.Indices)}
		if p.err != nil {
			w.blind[id] = true
		} else {
			next.see(p, own.uses, w.d.now())
			w.d.warn(id, set, next.unknown(p, own.uses))
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

// place is where rules search. It is looked at once for all of them.
type place struct {
	source   *Source
	indices  []string   // as the rule says
	from     []string   // as its search says
	patterns [][]string // each to be there; nil in it for the source's own
	uses     []string

	reached map[string]int // indices, by pattern; nil where the source has none
	there   map[string]bool
	told    bool            // there is known
	idle    map[string]bool // those of there that no event has any more
	err     error
}

func (p *place) key() string {
	return strings.Join([]string{p.source.Name, strings.Join(p.indices, ","), strings.Join(p.from, ",")}, "\x00")
}

func placeOf(set *ruleset, now time.Time) (*place, error) {
	q, err := set.search.compile(now, time.Time{}, time.Time{})
	if err != nil {
		return nil, err
	}
	p := &place{source: set.source, indices: set.rule.Indices, from: q.Indices(), uses: q.Uses()}
	named := p.from
	if named == nil {
		named = p.indices
	}
	for _, n := range named {
		if !strings.HasPrefix(n, "-") {
			p.patterns = append(p.patterns, []string{n})
		}
	}
	if p.patterns == nil {
		p.patterns = [][]string{nil}
	}
	return p, nil
}

// look asks the source what is there.
func (p *place) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	b, err := p.source.Open(ctx, p.indices)
	if err != nil {
		return err
	}
	for _, from := range p.patterns {
		n, ok, err := query.Reaches(ctx, b, from)
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		if p.reached == nil {
			p.reached = map[string]int{}
		}
		if p.reached[strings.Join(from, ",")] = n; n == 0 {
			return nil // its fields are gone with the index: one thing is wrong
		}
	}
	slices.Sort(p.uses)
	p.uses = slices.Compact(p.uses)
	there, ok, err := query.Has(ctx, b, p.from, p.uses)
	if err != nil || !ok {
		return err
	}
	p.there, p.told = make(map[string]bool, len(there)), true
	for _, f := range there {
		p.there[f] = true
	}
	return nil
}

// see notes what is there of what a rule searches.
func (k *surroundings) see(p *place, uses []string, now time.Time) {
	if k.Fields == nil {
		k.Fields = map[string]int64{}
	}
	if k.Indices == nil {
		k.Indices = map[string]int64{}
	}
	for pattern, n := range p.reached {
		sight(k.Indices, pattern, n > 0, now)
	}
	if !p.told {
		return
	}
	for _, f := range uses {
		if _, known := k.Fields[f]; !known && p.idle[f] {
			k.Fields[f] = 0 // events had it a week ago
		}
		sight(k.Fields, f, p.there[f] && !p.idle[f], now)
	}
}

// unknown are the fields that a rule looks at and that never were there.
func (k *surroundings) unknown(p *place, uses []string) (out []string) {
	if !p.told {
		return nil
	}
	for _, f := range slices.Compact(slices.Sorted(slices.Values(uses))) {
		if _, known := k.Fields[f]; !known && !p.there[f] {
			out = append(out, f)
		}
	}
	return out
}

// warn notes the fields that a rule looks at and that its source does not have.
func (d *Detector) warn(id string, set *ruleset, unknown []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.states[id]
	if s == nil || s.set != set {
		return
	}
	s.unknown = nil
	for _, f := range unknown {
		s.unknown = append(s.unknown, fmt.Sprintf("no document in source %s has the field %s: what asks for it finds nothing", set.source.Name, f))
	}
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
