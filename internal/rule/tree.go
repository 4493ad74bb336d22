package rule

import (
	"encoding/json"
	"slices"
	"strconv"

	"tocsin/internal/yamltext"
)

// kind is what a value of YAML or JSON is.
type kind int

const (
	isNull kind = iota
	isText
	isNumber
	isBool
	isList
	isMapping
)

// node is a value of YAML or JSON and where it stands.
type node struct {
	kind  kind
	place Place
	// text is a text's value, and a number or boolean as it was written.
	text    string
	items   []*node
	entries []entry
	// inside is where a character of the text stands, by its index in runes; nil where only the whole has
	// a place.
	inside func(at int) Place
	// wrong is set when the value is not what it should be, which has been reported.
	wrong bool
}

// entry is a key and its value.
type entry struct {
	name  string
	place Place
	value *node
}

// get is the value of a key, nil without one.
func (n *node) get(name string) *node {
	if n == nil {
		return nil
	}
	if i := slices.IndexFunc(n.entries, func(e entry) bool { return e.name == name }); i >= 0 {
		return n.entries[i].value
	}
	return nil
}

// at is where the byte of the text stands.
func (n *node) at(offset int) Place {
	if n.inside == nil {
		return n.place
	}
	return n.inside(len([]rune(n.text[:min(max(offset, 0), len(n.text))])))
}

// called is how a sentence calls the value.
func (n *node) called() string {
	switch n.kind {
	case isText:
		return "text"
	case isNumber:
		return "the number " + n.text
	case isBool:
		return n.text
	case isList:
		return "a list"
	case isMapping:
		return "a mapping"
	default:
		return "nothing"
	}
}

// plain is the value as encoding/json would read it, numbers as json.Number.
func (n *node) plain() any {
	switch n.kind {
	case isText:
		return n.text
	case isNumber:
		return json.Number(n.text)
	case isBool:
		return n.text == "true"
	case isList:
		out := make([]any, 0, len(n.items))
		for _, item := range n.items {
			out = append(out, item.plain())
		}
		return out
	case isMapping:
		out := make(map[string]any, len(n.entries))
		for _, e := range n.entries {
			out[e.name] = e.value.plain()
		}
		return out
	default:
		return nil
	}
}

// reader turns a text into nodes and collects what is wrong with it.
type reader struct {
	source   yamltext.Text
	problems []Problem
	warnings []Problem
}

func (r *reader) problem(at Place, said string) {
	r.problems = append(r.problems, Problem{Place: at, Text: said})
}

func (r *reader) warn(at Place, said string) {
	r.warnings = append(r.warnings, Problem{Place: at, Text: said})
}

// twice reports a key that stands a second time.
func (r *reader) twice(at Place, name string, first Place) {
	r.problem(at, name+" stands twice, first on line "+strconv.Itoa(first.Line)+": delete one")
}
