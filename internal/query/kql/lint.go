package kql

import (
	"fmt"
	"regexp"
	"strings"

	"tocsin/internal/nearest"
)

// Warning is something that is KQL but probably not what was meant.
type Warning struct {
	Place   Span
	Message string
	Hint    string // what to write instead; may be empty
}

// Lint looks for what Kibana accepts but nobody means in a tree that was parsed from text. Fields are
// the names there are, to find unknown ones; with none that is not looked for. Warnings come in the
// order of the text.
func Lint(text string, n Node, fields []string) []Warning {
	l := linter{text: text}
	if len(fields) > 0 {
		l.known = make(map[string]bool, len(fields))
		l.fields = fields
		for _, f := range fields {
			for ; f != "" && !l.known[f]; f = parentOf(f) {
				l.known[f] = true
			}
		}
	}
	l.node(n, "")
	return l.warnings
}

// parentOf is the object a field is in: exists may be asked of one.
func parentOf(field string) string {
	return field[:max(strings.LastIndexByte(field, '.'), 0)]
}

type linter struct {
	text     string
	fields   []string
	known    map[string]bool
	warnings []Warning
	lastName Span
}

func (l *linter) warn(at Span, hint, format string, args ...any) {
	l.warnings = append(l.warnings, Warning{Place: at, Message: fmt.Sprintf(format, args...), Hint: hint})
}

func (l *linter) node(n Node, path string) {
	switch n := n.(type) {
	case *And:
		for _, c := range n.Nodes {
			l.node(c, path)
		}
	case *Or:
		for _, c := range n.Nodes {
			l.node(c, path)
		}
	case *Not:
		l.node(n.Node, path)
	case *Nested:
		l.field(n.Path, path)
		if p, ok := n.Path.(*Literal); ok && path != "" {
			l.node(n.Query, path+"."+p.Name())
		} else if ok {
			l.node(n.Query, p.Name())
		}
	case *Range:
		l.field(n.Field, path)
		l.bound(n.Value)
	case *Is:
		if f, ok := n.Field.(*Literal); ok && f.Kind == Null && f.Place == (Span{}) {
			l.free(n.Value, path)
			return
		}
		l.field(n.Field, path)
		l.value(n.Value)
	}
}

// raw is a term as it was written, without the space around it.
func (l *linter) raw(t Term) string {
	at := t.Span()
	if at.Start < 0 || at.End > len(l.text) || at.Start > at.End {
		return ""
	}
	return l.text[at.Start:at.End]
}

func (l *linter) field(t Term, path string) {
	at := t.Span()
	if at == l.lastName { // the field of a list of values is looked at once
		return
	}
	l.lastName = at
	raw := l.raw(t)
	if raw == "" || raw[0] == '"' && strings.HasSuffix(raw, `"`) {
		if lit, ok := t.(*Literal); ok && strings.Contains(lit.Text, "*") {
			l.warn(at, "", "* in quotes is a plain character, so this is no wildcard")
		}
	} else if !l.words(raw, at, "field name") && strings.ContainsAny(raw, " \t\n\r") {
		l.warn(at, "", "the field name holds a space: a keyword (and, or) or a colon may be missing")
	}
	lit, ok := t.(*Literal)
	if !ok || l.known == nil {
		return
	}
	name := lit.Name()
	if path != "" {
		name = path + "." + name
	}
	if l.known[name] {
		return
	}
	if near := meant(name, l.fields); near != "" {
		l.warn(at, near, "there is no field %q", name)
		return
	}
	l.warn(at, "", "there is no field %q", name)
}

func (l *linter) value(t Term) {
	at := t.Span()
	raw := l.raw(t)
	lit, ok := t.(*Literal)
	if ok && lit.Quoted {
		if strings.Contains(lit.Text, "*") {
			hint := ""
			if !strings.Contains(raw, `\`) {
				hint = Escape(strings.ReplaceAll(lit.Text, "*", WildcardMark))
				hint = strings.ReplaceAll(hint, WildcardMark, "*")
			}
			l.warn(at, hint, "* in quotes is a plain character, so this is no wildcard")
		}
		return
	}
	if ok && lit.Kind == Null {
		l.warn(at, "", "null matches nothing and Elasticsearch refuses it; fields without a value are found by: not field:*")
		return
	}
	if ok && lit.Kind == String {
		if lower := strings.ToLower(lit.Text); lower == "true" || lower == "false" || lower == "null" {
			l.warn(at, lower, "%s is only text; a boolean or null is written in lower case", lit.Text)
			return
		}
	}
	if l.words(raw, at, "value") {
		return
	}
	switch {
	case strings.Contains(raw, "\n"):
		l.warn(at, "", "the value goes on behind the line break: a keyword (and, or) may be missing")
	case !ok && strings.ContainsAny(raw, " \t"):
		l.warn(at, "", "a wildcard with a space in it finds, on text fields, each of its parts alone")
	case otherRange.MatchString(raw):
		l.warn(at, "", "ranges of this form are Lucene's; in KQL they are written: field >= 1 and field <= 5")
	case len(raw) > 2 && raw[0] == '/' && raw[len(raw)-1] == '/' && strings.ContainsAny(raw, `[.+?|^$`):
		l.warn(at, "", "KQL has no regular expressions: the slashes are part of the value")
	}
}

// otherRange is a range as Lucene writes them. It begins with a bracket: a brace is no KQL.
var otherRange = regexp.MustCompile(`^\[.*\sTO\s.*\]$`)

func (l *linter) bound(t Term) {
	if w, ok := t.(*Wildcard); ok {
		l.warn(w.Place, "", "a wildcard has no order: * is a plain character behind < and >")
		return
	}
	l.value(t)
}

// free judges a value without a field.
func (l *linter) free(t Term, path string) {
	at := t.Span()
	raw := l.raw(t)
	if path != "" {
		l.warn(at, "", "a value without a field finds nothing inside braces")
		return
	}
	if lit, ok := t.(*Literal); ok && !lit.Quoted && lit.Kind == String {
		if m := assignment.FindStringSubmatch(raw); m != nil {
			hint := m[1] + ":" + m[3]
			if m[2] == "!=" {
				hint = "not " + hint
			}
			l.warn(at, hint, "%s is no comparison in KQL, so this is text to be found in any field", m[2])
			return
		}
	}
	l.value(t)
}

var assignment = regexp.MustCompile(`^([\w@.-]+)\s*(==?|!=)\s*([^\s=]\S*)$`)

// words finds keywords that are text, and escapes that do not do what they look like.
func (l *linter) words(raw string, at Span, what string) bool {
	lower := strings.ToLower(raw)
	if i := strings.Index(raw, `\not`); i >= 0 && (i == 0 || raw[i-1] != '\\') {
		l.warn(Span{at.Start + i, at.Start + i + 4}, `\u006eot`, `\n is a line break, so \not is not the word "not"`)
		return true
	}
	for _, op := range [...]string{"&&", "||"} {
		if i := strings.Index(raw, op); i >= 0 {
			l.warn(Span{at.Start + i, at.Start + i + 2}, map[string]string{"&&": "and", "||": "or"}[op], "%s is no keyword in KQL: it is part of the %s", op, what)
			return true
		}
	}
	for _, word := range [...]string{"and", "or", "not"} {
		switch {
		case lower == word, strings.HasPrefix(lower, word) && blank(lower[len(word)]):
			if word == "not" && lower != word {
				continue
			}
			l.warn(Span{at.Start, at.Start + len(word)}, "", "%q has nothing before it, so it is part of the %s", raw[:len(word)], what)
			return true
		case strings.HasSuffix(lower, word) && blank(lower[len(lower)-len(word)-1]):
			l.warn(Span{at.End - len(word), at.End}, "", "%q has nothing after it, so it is part of the %s", raw[len(raw)-len(word):], what)
			return true
		}
	}
	return false
}

func blank(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == 0xA0 }

// meant is the known name that can be made of name with the fewest changes, if they are few.
func meant(name string, known []string) string {
	best, limit := "", max(2, len(name)/4)+1
	for _, k := range known {
		if strings.EqualFold(k, name) {
			return k
		}
		if d := len(k) - len(name); d >= limit || -d >= limit {
			continue
		}
		if d := nearest.Distance([]byte(name), []byte(k)); d < limit {
			best, limit = k, d
		}
	}
	if best != "" {
		return best
	}
	// The last part may be right and what is before it forgotten.
	for _, k := range known {
		if strings.HasSuffix(k, "."+name) && (best == "" || len(k) < len(best)) {
			best = k
		}
	}
	return best
}
