package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"tocsin/internal/nearest"
	"tocsin/internal/yamltext"
)

// mapping is a section being read. Each key asked for is a key there is; close reports the keys
// of the file that nobody asked for.
type mapping struct {
	d *decoder
	// key is empty for the whole file, else as "sources[0]".
	key     string
	place   Place
	entries []entry
	asked   []string
	// broken is set when the file has no mapping here, which has been reported: then nothing more
	// is missing.
	broken bool
}

// entry is one key of a section with its value.
type entry struct {
	name  string
	place Place
	value ast.Node
	// valuePlace is where the value stands, the key's place where there is none.
	valuePlace Place
}

// mapping reads a section. What is not one is reported and has no entries.
func (d *decoder) mapping(n ast.Node, key string, at Place) *mapping {
	m := &mapping{d: d, key: key, place: at}
	if n == nil {
		return m
	}
	before := len(d.problems)
	m.entries = d.entries(n, key, at, true)
	m.broken = len(m.entries) == 0 && len(d.problems) > before
	return m
}

// missing reports that the section lacks something.
func (m *mapping) missing(said string) {
	if !m.broken {
		m.d.problem(m.place, m.key+" has no "+said)
	}
}

// entries are the pairs of a mapping, merged ones (<<) after its own. A name that stands twice
// is reported and taken once.
func (d *decoder) entries(n ast.Node, key string, at Place, own bool) []entry {
	var pairs []*ast.MappingValueNode
	resolved := d.resolve(n)
	switch v := resolved.(type) {
	case nil, *ast.NullNode:
		return nil
	case *ast.MappingNode:
		pairs = v.Values
	case *ast.MappingValueNode:
		pairs = []*ast.MappingValueNode{v}
	default:
		name := key
		if name == "" {
			name = "the file"
		}
		d.problem(at, fmt.Sprintf("%s must be a mapping of keys and values, not %s: write \"key: value\" lines", name, kindOf(resolved)))
		return nil
	}
	var entries, merged []entry
	for _, pair := range pairs {
		if pair == nil || pair.Key == nil {
			continue
		}
		if pair.Key.IsMergeKey() {
			merged = append(merged, d.merge(pair.Value, key)...)
			continue
		}
		name, ok := yamltext.KeyName(pair.Key)
		e := entry{name: name, place: d.placeOf(pair.Key), value: pair.Value}
		if !ok {
			d.problem(e.place, "a key must be plain text")
			continue
		}
		e.valuePlace = e.place
		if v := pair.Value; v != nil && v.Type() != ast.NullType {
			e.valuePlace = d.placeOf(v)
		}
		if i := slices.IndexFunc(entries, func(have entry) bool { return have.name == name }); i >= 0 {
			d.problem(e.place, fmt.Sprintf("%s stands twice, first on line %d: delete one", join(key, name), entries[i].place.Line))
			continue
		}
		entries = append(entries, e)
	}
	for _, e := range merged {
		if !slices.ContainsFunc(entries, func(have entry) bool { return have.name == e.name }) {
			entries = append(entries, e)
		}
	}
	if own {
		for _, e := range entries {
			d.places[join(key, e.name)] = e.valuePlace
		}
	}
	return entries
}

// merge are the entries of a << key: those of a mapping or of several, earlier ones first.
func (d *decoder) merge(n ast.Node, key string) []entry {
	if n == nil {
		return nil
	}
	if s, ok := d.resolve(n).(*ast.SequenceNode); ok {
		var entries []entry
		for _, value := range s.Values {
			entries = append(entries, d.entries(value, join(key, "<<"), d.placeOf(value), false)...)
		}
		return entries
	}
	return d.entries(n, join(key, "<<"), d.placeOf(n), false)
}

func join(key, name string) string {
	if key == "" {
		return name
	}
	return key + "." + name
}

// ask notes that name is a key of this section and finds it.
func (m *mapping) ask(name string) (entry, bool) {
	m.asked = append(m.asked, name)
	i := slices.IndexFunc(m.entries, func(e entry) bool { return e.name == name })
	if i < 0 {
		return entry{}, false
	}
	return m.entries[i], true
}

// has says whether the file has a key, without making it known.
func (m *mapping) has(name string) bool {
	return slices.ContainsFunc(m.entries, func(e entry) bool { return e.name == name })
}

// placeOf is where the key stands, the section's place without it.
func (m *mapping) placeOf(name string) Place {
	for _, e := range m.entries {
		if e.name == name {
			return e.place
		}
	}
	return m.place
}

// text reads a key that must be text.
func (m *mapping) text(name string) (text, bool) {
	e, ok := m.ask(name)
	if !ok {
		return text{}, false
	}
	return m.d.scalar(e.value, join(m.key, name), e.valuePlace, false, false)
}

// word reads a key whose own reader judges what is written: a duration, a rate, an address.
func (m *mapping) word(name string) (text, bool) {
	e, ok := m.ask(name)
	if !ok {
		return text{}, false
	}
	return m.d.scalar(e.value, join(m.key, name), e.valuePlace, true, false)
}

// list reads a key that must be a list.
func (m *mapping) list(name string) ([]item, bool) {
	e, ok := m.ask(name)
	if !ok {
		return nil, false
	}
	return m.d.list(e.value, join(m.key, name), e.valuePlace)
}

// texts reads a key that must be a list of texts; one that stands twice is reported.
func (m *mapping) texts(name string) ([]text, bool) {
	items, ok := m.list(name)
	if !ok {
		return nil, false
	}
	texts := make([]text, 0, len(items))
	for _, it := range items {
		t, ok := m.d.scalar(it.node, it.key, it.place, false, false)
		if !ok {
			continue
		}
		if slices.ContainsFunc(texts, func(have text) bool { return have.value == t.value }) {
			m.d.wrong(t, "stands in the list twice: delete one")
			continue
		}
		texts = append(texts, t)
	}
	return texts, true
}

// section reads a key that must be a section; it is nil when the file has none, or nothing in it.
func (m *mapping) section(name string) *mapping {
	e, ok := m.ask(name)
	if !ok || e.value == nil || e.value.Type() == ast.NullType {
		return nil
	}
	return m.d.mapping(e.value, join(m.key, name), e.place)
}

// oneOf reads a key that must be one of a few words.
func (m *mapping) oneOf(name string, words ...string) (string, bool) {
	t, ok := m.word(name)
	if !ok {
		return "", false
	}
	if !slices.Contains(words, t.value) {
		said := "must be " + strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
		if near := nearest.Key(t.value, words); near != "" && !t.expanded() {
			said += fmt.Sprintf(": did you mean %s?", near)
		}
		m.d.wrong(t, said)
		return "", false
	}
	return t.value, true
}

var listIndex = regexp.MustCompile(`\[[0-9]+\]`)

// close reports the keys that nobody asked for, each with the nearest there is.
func (m *mapping) close() {
	if m.d.known == nil {
		m.d.known = map[string][]string{}
	}
	general := listIndex.ReplaceAllString(m.key, "[]")
	for _, name := range m.asked {
		if !slices.Contains(m.d.known[general], name) {
			m.d.known[general] = append(m.d.known[general], name)
		}
	}
	for _, e := range m.entries {
		if slices.Contains(m.asked, e.name) {
			continue
		}
		where := "at the top of the file"
		if m.key != "" {
			where = "in " + m.key
		}
		said := fmt.Sprintf("%q is not a key %s: ", e.name, where)
		if hint := hintFor(general, e.name); hint != "" {
			said += hint
		} else if near := nearest.Key(e.name, m.asked); near != "" {
			said += fmt.Sprintf("did you mean %q?", near)
		} else {
			said += "the keys are " + strings.Join(m.asked, ", ")
		}
		m.d.problem(e.place, said)
	}
}
