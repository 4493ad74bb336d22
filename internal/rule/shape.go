package rule

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"tocsin/internal/nearest"
)

// form is what kind of value a shape takes.
type form int

const (
	textForm form = iota
	wordForm
	patternForm
	boolForm
	integerForm
	numberForm
	listForm
	sectionForm
	mapForm // any keys, each value of the same shape
	anyForm
	eitherForm
)

// shape describes a value. The decoder and the JSON Schema both follow it.
type shape struct {
	form form
	// words are all there are in a wordForm.
	words []string
	// pattern is what the text of a patternForm looks like, in what RE2 and ECMAScript share; said goes on
	// after the text of one that does not.
	pattern *regexp.Regexp
	said    string
	// least and most bound a number.
	least, most float64
	// of is the shape of a list's items or a map's values.
	of *shape
	// repeats lets the items of a list stand twice.
	repeats bool
	keys    []key
	// choices are tried by the kind of the value; no two take the same kind.
	choices []*shape
}

// key describes a key of a section.
type key struct {
	name  string
	shape *shape
	// needed keys must be there.
	needed bool
	// doc is a sentence or two about the key; preset is the default, as JSON, where it is always the same.
	doc    string
	preset any
}

func section(keys ...key) *shape          { return &shape{form: sectionForm, keys: keys} }
func listOf(of *shape) *shape             { return &shape{form: listForm, of: of} }
func mapOf(of *shape) *shape              { return &shape{form: mapForm, of: of} }
func words(w ...string) *shape            { return &shape{form: wordForm, words: w} }
func either(choices ...*shape) *shape     { return &shape{form: eitherForm, choices: choices} }
func integers(least, most float64) *shape { return &shape{form: integerForm, least: least, most: most} }

func numbers(least, most float64) *shape { return &shape{form: numberForm, least: least, most: most} }

func pattern(expression, said string) *shape {
	return &shape{form: patternForm, pattern: regexp.MustCompile(expression), said: said}
}

var (
	texts     = &shape{form: textForm}
	anything  = &shape{form: anyForm}
	durations = pattern(durationPattern, "is not a duration: write whole numbers and units (ms, s, m, h, d, w), the longest first, such as 90s or 1h30m")
	notBlank  = regexp.MustCompile(`\S`)
)

// takes reports whether a value of the kind may have this shape.
func (s *shape) takes(k kind) bool {
	switch s.form {
	case textForm, wordForm, patternForm:
		return k == isText
	case boolForm:
		return k == isBool
	case integerForm, numberForm:
		return k == isNumber
	case listForm:
		return k == isList
	case sectionForm, mapForm:
		return k == isMapping
	case eitherForm:
		return slices.ContainsFunc(s.choices, func(c *shape) bool { return c.takes(k) })
	default:
		return true
	}
}

// wanted is how a sentence calls the values of the shape.
func (s *shape) wanted() string {
	switch s.form {
	case wordForm:
		return oneOf(s.words)
	case boolForm:
		return "true or false"
	case integerForm:
		return "a whole number"
	case numberForm:
		return "a number"
	case listForm:
		return "a list"
	case sectionForm:
		names := make([]string, len(s.keys))
		for i, k := range s.keys {
			names[i] = k.name
		}
		return "a mapping with the keys " + strings.Join(names, ", ")
	case mapForm:
		return "a mapping"
	case eitherForm:
		var all []string
		for _, c := range s.choices {
			switch c.form {
			case wordForm:
				all = append(all, c.words...)
			case boolForm:
				all = append(all, "true", "false")
			default:
				all = append(all, c.wanted())
			}
		}
		return oneOf(all)
	default:
		return "text"
	}
}

func oneOf(w []string) string {
	if len(w) < 2 {
		return strings.Join(w, "")
	}
	return strings.Join(w[:len(w)-1], ", ") + " or " + w[len(w)-1]
}

// check reports what of a value is not as its shape says, and marks it wrong. path is how sentences call
// the value, empty for the whole rule.
func (r *reader) check(n *node, s *shape, path string) {
	if n.wrong {
		return
	}
	if !s.takes(n.kind) {
		n.wrong = true
		r.problem(n.place, r.kindMismatch(n, s, path))
		return
	}
	switch s.form {
	case eitherForm:
		for _, c := range s.choices {
			if c.form == wordForm && n.kind == isText && !slices.Contains(c.words, n.text) {
				n.wrong = true
				r.problem(n.place, r.notAWord(n, path, s.wanted(), c.words))
			} else if c.takes(n.kind) {
				r.check(n, c, path)
			}
		}
	case textForm:
		if !notBlank.MatchString(n.text) {
			n.wrong = true
			r.problem(n.place, path+" is empty: write a value, or delete the key")
		}
	case wordForm:
		if !slices.Contains(s.words, n.text) {
			n.wrong = true
			r.problem(n.place, r.notAWord(n, path, s.wanted(), s.words))
		}
	case patternForm:
		if n.text == "" || !s.pattern.MatchString(n.text) {
			n.wrong = true
			r.problem(n.place, path+" "+quoted(n.text)+" "+s.said)
		}
	case integerForm, numberForm:
		r.checkNumber(n, s, path)
	case listForm:
		r.checkList(n, s, path)
	case sectionForm:
		r.checkSection(n, s, path)
	case mapForm:
		for _, e := range n.entries {
			r.check(e.value, s.of, join(path, e.name))
		}
	}
}

func (r *reader) notAWord(n *node, path, wanted string, words []string) string {
	said := fmt.Sprintf("%s %s must be %s", path, quoted(n.text), wanted)
	if near := nearest.Key(n.text, words); near != "" {
		said += ": did you mean " + near + "?"
	}
	return said
}

func (r *reader) kindMismatch(n *node, s *shape, path string) string {
	if path == "" {
		if n.kind == isNull {
			return "the rule is empty: write at least its name and search"
		}
		return "a rule must be a mapping of keys and values, not " + n.called() + `: write "key: value" lines`
	}
	switch {
	case n.kind == isNull:
		said := path + " has no value: write one, or delete the key"
		if strings.Contains(r.source.Line(n.place.Line), ": #") {
			said += ` (a # after a space begins a comment; text with a # must be in quotes)`
		}
		return said
	case s.form == listForm:
		return fmt.Sprintf("%s must be a list, not %s: write each value on a line of its own after a dash, or all in [ ]", path, n.called())
	case (s.form == textForm || s.form == patternForm) && (n.kind == isNumber || n.kind == isBool):
		return fmt.Sprintf("%s must be %s, not %s: put it in quotes, %q", path, s.wanted(), n.called(), n.text)
	}
	return fmt.Sprintf("%s must be %s, not %s", path, s.wanted(), n.called())
}

func (r *reader) checkNumber(n *node, s *shape, path string) {
	value, err := strconv.ParseFloat(n.text, 64)
	whole := value == float64(int64(value))
	switch {
	case err != nil:
		r.problem(n.place, path+" "+n.text+" is too large a number")
	case s.form == integerForm && !whole:
		r.problem(n.place, path+" must be a whole number, not "+n.text)
	case value < s.least || value > s.most:
		r.problem(n.place, fmt.Sprintf("%s must be from %v to %v, not %s", path, s.least, s.most, n.text))
	default:
		return
	}
	n.wrong = true
}

func (r *reader) checkList(n *node, s *shape, path string) {
	seen := map[string]bool{}
	for i, item := range n.items {
		at := fmt.Sprintf("%s[%d]", path, i)
		r.check(item, s.of, at)
		if s.repeats || item.wrong {
			continue
		}
		written, err := json.Marshal(item.plain())
		if err != nil { // nothing we read is without JSON
			r.problem(item.place, at+" cannot be read")
			continue
		}
		if seen[string(written)] {
			item.wrong = true
			r.problem(item.place, at+" stands in the list twice: delete one")
		}
		seen[string(written)] = true
	}
}

func (r *reader) checkSection(n *node, s *shape, path string) {
	names := make([]string, 0, len(s.keys))
	for _, k := range s.keys {
		names = append(names, k.name)
		switch value := n.get(k.name); {
		case value != nil:
			r.check(value, k.shape, join(path, k.name))
		case k.needed && path == "":
			r.problem(n.place, fmt.Sprintf("the rule has no %s: write %q, %s", k.name, k.name, lowerFirst(k.doc)))
		case k.needed:
			r.problem(n.place, fmt.Sprintf("%s has no %s: write %q, %s", path, k.name, k.name, lowerFirst(k.doc)))
		}
	}
	for _, e := range n.entries {
		if slices.Contains(names, e.name) {
			continue
		}
		where := "of a rule"
		if path != "" {
			where = "in " + path
		}
		said := fmt.Sprintf("%s is not a key %s: ", quoted(e.name), where)
		if hint := hintFor(path, e.name); hint != "" {
			said += hint
		} else if near := nearest.Key(e.name, names); near != "" {
			said += fmt.Sprintf("did you mean %q?", near)
		} else {
			said += "the keys are " + strings.Join(names, ", ")
		}
		r.problem(e.place, said)
	}
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func lowerFirst(s string) string { return strings.ToLower(s[:1]) + strings.TrimSuffix(s[1:], ".") }

// quoted shows what the user wrote, cut where it is long.
func quoted(s string) string {
	if len(s) > 100 {
		s = strings.ToValidUTF8(s[:100], "") + "..."
	}
	return strconv.Quote(s)
}
