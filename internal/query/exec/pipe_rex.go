package exec

import (
	"regexp"
	"strings"

	"tocsin/internal/query/pipe"
	"tocsin/internal/row"
)

func (b *builder) rex(p *pipe.Rex) (op, *row.Schema, error) {
	slot := b.message(p.Field)
	if p.Sed != nil {
		edit, err := sed(p.Sed)
		return &changeOp{change: func(r *row.Row) {
			if v := r.Get(slot); !v.IsNull() {
				r.Set(slot, eachText(v, func(s string) row.Value { return row.NewString(edit(s)) }))
			}
		}}, b.in, err
	}
	re, err := regexp.Compile(p.Pattern)
	if err != nil {
		return nil, nil, err
	}
	targets := make([]int, re.NumSubexp()+1)
	for i, n := range re.SubexpNames() {
		targets[i] = -1
		if n != "" {
			targets[i] = b.in.Slot(n)
		}
	}
	return &changeOp{change: func(r *row.Row) { extract(r, re, targets, r.Get(slot), p.MaxMatch) }}, b.in, nil
}

// extract writes the named groups of the first matches. Without a match nothing changes; a group
// that took no part in the match changes nothing either.
func extract(r *row.Row, re *regexp.Regexp, targets []int, v row.Value, most int) {
	found := 0
	lists := make([][]row.Value, len(targets))
	for i := range v.Len() {
		left := -1
		if most > 0 {
			left = most - found
			if left <= 0 {
				break
			}
		}
		text := v.At(i).Text()
		for _, m := range re.FindAllStringSubmatchIndex(text, left) {
			found++
			for g, to := range targets {
				if to >= 0 && m[2*g] >= 0 {
					lists[g] = append(lists[g], row.NewString(text[m[2*g]:m[2*g+1]]))
				}
			}
		}
	}
	for g, to := range targets {
		switch {
		case len(lists[g]) == 0:
		case len(lists[g]) == 1:
			r.Set(to, lists[g][0])
		default:
			r.Set(to, row.NewList(lists[g]))
		}
	}
}

// sed makes the func of a sed script.
func sed(s *pipe.SedScript) (func(string) string, error) {
	if s.Letters {
		to := map[rune]rune{}
		for i, r := range s.From {
			if _, ok := to[r]; !ok {
				to[r] = s.To[i]
			}
		}
		return func(text string) string {
			return strings.Map(func(r rune) rune {
				if t, ok := to[r]; ok {
					return t
				}
				return r
			}, text)
		}, nil
	}
	re, err := regexp.Compile(s.Pattern)
	if err != nil {
		return nil, err
	}
	with := backReferences(strings.ReplaceAll(s.With, "&", `\0`))
	with = strings.ReplaceAll(with, `\${0}`, "&")
	return func(text string) string {
		if len(text)*len(with) > maxReplaced {
			return text
		}
		if s.Global && s.Nth == 0 {
			return re.ReplaceAllString(text, with)
		}
		var out []byte
		n, last := 0, 0
		for _, m := range re.FindAllStringSubmatchIndex(text, -1) {
			n++
			if n < max(s.Nth, 1) || !s.Global && n > max(s.Nth, 1) {
				continue
			}
			out = append(out, text[last:m[0]]...)
			out = re.ExpandString(out, with, text, m)
			last = m[1]
		}
		return string(append(out, text[last:]...))
	}, nil
}

func (b *builder) regex(p *pipe.Regex) (op, *row.Schema, error) {
	slot := b.message(p.Field)
	re, err := regexp.Compile(p.Pattern)
	return &filterOp{keep: func(r *row.Row) bool {
		v := r.Get(slot)
		for i := range v.Len() {
			if re.MatchString(v.At(i).Text()) {
				return !p.Not
			}
		}
		return p.Not
	}}, b.in, err
}

func (b *builder) replace(p *pipe.Replace) (op, *row.Schema, error) {
	type rule struct {
		old  pipe.Field
		with string
	}
	var rules []rule
	for _, pair := range p.Pairs {
		rules = append(rules, rule{pipe.Field{Name: pair.Old, Wild: strings.Contains(pair.Old, "*")}, pair.With})
	}
	change := func(v row.Value) row.Value {
		return eachValue(v, func(e row.Value) row.Value {
			text := e.Text()
			for _, r := range rules {
				if parts, ok := r.old.Match(text); ok {
					return row.NewString(fillStars(r.with, parts))
				}
			}
			return e
		})
	}
	fixed := b.slots(p.Fields)
	return &changeOp{change: func(r *row.Row) {
		if p.Fields == nil {
			for i, v := range r.Vals {
				r.Vals[i] = change(v)
			}
			return
		}
		for _, s := range fixed {
			r.Set(s, change(r.Get(s)))
		}
	}}, b.in, nil
}

func eachValue(v row.Value, f func(row.Value) row.Value) row.Value {
	switch v.Kind() {
	case row.Null:
		return v
	case row.List:
		out := make([]row.Value, v.Len())
		for i, e := range v.Values() {
			out[i] = f(e)
		}
		return row.NewList(out)
	}
	return f(v)
}

// fillStars puts the parts in place of the stars of with, for as long as there are both.
func fillStars(with string, parts []string) string {
	before, after, found := strings.Cut(with, "*")
	if !found || len(parts) == 0 {
		return with
	}
	return before + parts[0] + fillStars(after, parts[1:])
}
