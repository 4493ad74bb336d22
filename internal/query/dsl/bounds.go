package dsl

import (
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"

	"tocsin/internal/query/kql"
)

// IndexKind is how an index keeps the values of a field, as far as answers can be told from it.
type IndexKind uint8

// The kinds of indexed fields.
const (
	IndexUnknown IndexKind = iota // nothing is known: documents have to be looked at
	IndexAbsent                   // no document has a value
	IndexKeyword                  // whole texts
	IndexWords                    // the words of the standard analyzer
	IndexInteger                  // within Least and Most
	IndexDouble
	IndexBoolean
	IndexIP
	IndexDate // ISO 8601 or milliseconds
)

// Indexed is what is known of a field's index.
type Indexed struct {
	Kind IndexKind
	// Name is the field to ask: the field itself, or a keyword beside a text.
	Name string
	// Plain says that values compare as texts only, never as addresses or dates.
	Plain bool
	// IgnoreAbove is from how many characters on texts are left out; 0 is never. Ignored is the field's
	// name in _ignored then, empty where the cluster does not keep it there.
	IgnoreAbove int
	Ignored     string
	Least, Most int64
}

// Bounds are two filters around one: what Narrow matches the filter matches, and what the filter
// matches Wide matches. Where Exact is true both are the filter.
type Bounds struct {
	Narrow, Wide kql.Node
	Exact        bool
}

// Bound finds the bounds of a filter of untyped values, as exec matches them on rows, that an index can
// answer. The names in the bounds are those of the index.
func Bound(n kql.Node, field func(name string) Indexed) Bounds {
	switch n := n.(type) {
	case *kql.And:
		return joined(n.Nodes, field, false)
	case *kql.Or:
		return joined(n.Nodes, field, true)
	case *kql.Not:
		b := Bound(n.Node, field)
		return Bounds{Narrow: negated(b.Wide), Wide: negated(b.Narrow), Exact: b.Exact}
	case *kql.Is:
		if kql.IsMatchAll(n) {
			return exact(n)
		}
		if l, ok := plainName(n.Field); ok {
			return is(n, field(l))
		}
	case *kql.Range:
		if l, ok := plainName(n.Field); ok {
			return compares(n, field(l))
		}
	}
	return unknown()
}

func plainName(t kql.Term) (string, bool) {
	l, ok := t.(*kql.Literal)
	if !ok || l.Kind != kql.String {
		return "", false
	}
	return l.Text, true
}

func exact(n kql.Node) Bounds              { return Bounds{Narrow: n, Wide: n, Exact: true} }
func between(narrow, wide kql.Node) Bounds { return Bounds{Narrow: narrow, Wide: wide} }
func unknown() Bounds                      { return between(nothing(), kql.MatchAll()) }
func nothing() kql.Node                    { return &kql.Not{Node: kql.MatchAll()} }

// None reports whether no document can match.
func (b Bounds) None() bool { return b.Wide != nil && isNothing(b.Wide) }

func isNothing(n kql.Node) bool {
	not, ok := n.(*kql.Not)
	return ok && kql.IsMatchAll(not.Node)
}

func negated(n kql.Node) kql.Node {
	if not, ok := n.(*kql.Not); ok {
		return not.Node
	}
	return &kql.Not{Node: n}
}

// joined is the bounds of an and or an or, without what decides nothing.
func joined(nodes []kql.Node, field func(string) Indexed, or bool) Bounds {
	out := Bounds{Exact: true}
	narrow, wide := make([]kql.Node, len(nodes)), make([]kql.Node, len(nodes))
	for i, n := range nodes {
		b := Bound(n, field)
		narrow[i], wide[i] = b.Narrow, b.Wide
		out.Exact = out.Exact && b.Exact
	}
	if out.Wide = join(wide, or); out.Exact {
		out.Narrow = out.Wide
	} else {
		out.Narrow = join(narrow, or)
	}
	return out
}

func join(nodes []kql.Node, or bool) kql.Node {
	kept := make([]kql.Node, 0, len(nodes))
	for _, n := range nodes {
		all, none := kql.IsMatchAll(n), isNothing(n)
		if or && all || !or && none {
			return n
		}
		if !all && !none {
			kept = append(kept, n)
		}
	}
	if or {
		return kql.NewOr(kept...)
	}
	return kql.NewAnd(kept...)
}

// is is the bounds of field:value.
func is(n *kql.Is, f Indexed) Bounds {
	name := kql.Word(f.Name)
	ask := func(value kql.Term) kql.Node { return &kql.Is{Field: name, Value: value} }
	value, literal := n.Value.(*kql.Literal)
	if literal && value.Kind == kql.Null {
		return exact(nothing())
	}
	if f.Kind == IndexAbsent {
		return exact(nothing())
	}
	if f.Kind == IndexUnknown {
		return unknown()
	}
	if !literal {
		return like(n.Value.(*kql.Wildcard), f, ask)
	}
	text := value.Name()
	switch f.Kind {
	case IndexKeyword:
		return whole(value, text, f, ask)
	case IndexWords:
		return exact(ask(value))
	case IndexInteger, IndexDouble:
		return number(text, f, ask)
	case IndexBoolean:
		if text == "true" || text == "false" {
			return exact(ask(value))
		}
		return exact(nothing())
	case IndexIP:
		if isAddress(text) || isNetwork(text) {
			return exact(ask(value))
		}
		return exact(nothing())
	case IndexDate:
		if isDate(text) {
			return exact(ask(value))
		}
	}
	return unknown()
}

// like is the bounds of a wildcard.
func like(w *kql.Wildcard, f Indexed, ask func(kql.Term) kql.Node) Bounds {
	n := ask(w)
	switch {
	case f.Kind == IndexWords && w.Lone():
		return between(n, kql.MatchAll()) // a text without words may not be found
	case f.Kind == IndexWords:
		return exact(n)
	case f.Kind == IndexKeyword && f.IgnoreAbove > 0:
		if f.Ignored == "" {
			return between(n, kql.MatchAll())
		}
		wide := kql.NewOr(n, &kql.Is{Field: kql.Word("_ignored"), Value: kql.Phrase(f.Ignored)})
		if w.Lone() {
			return exact(wide)
		}
		return between(n, wide)
	case f.Kind == IndexKeyword, w.Lone():
		return exact(n)
	}
	return unknown() // on rows the text of a number is compared
}

// whole is the bounds of a text on a keyword. On rows an address finds its other spellings too, and a
// date those of the times in it.
func whole(value *kql.Literal, text string, f Indexed, ask func(kql.Term) kql.Node) Bounds {
	n := ask(value)
	if f.IgnoreAbove > 0 && utf16Length(text) > f.IgnoreAbove {
		return between(nothing(), kql.MatchAll())
	}
	mark := kql.WildcardMark
	short := f.IgnoreAbove == 0 || f.IgnoreAbove >= 64
	switch {
	case f.Plain:
		return exact(n)
	case isAddress(text) && short:
		nodes := []kql.Node{n, ask(&kql.Wildcard{Value: mark + ":" + mark})}
		if a, _ := netip.ParseAddr(text); a.Is4In6() {
			nodes = append(nodes, ask(kql.Phrase(a.Unmap().String())))
		}
		return between(n, kql.NewOr(nodes...))
	case strings.Contains(text, "/") && networkLike.MatchString(text), strings.HasPrefix(text, "now"):
		return between(n, kql.MatchAll())
	case isAddress(text), maybeDate.MatchString(text) && !short:
		return between(n, kql.MatchAll())
	case maybeDate.MatchString(text):
		return between(n, kql.NewOr(n, ask(&kql.Wildcard{Value: mark + "-" + mark + "-" + mark})))
	}
	return exact(n)
}

var (
	// maybeDate finds more than what rows take for a date: years, and milliseconds since 1970.
	maybeDate   = regexp.MustCompile(`^\s*[-+]?[0-9]`)
	networkLike = regexp.MustCompile(`^[0-9a-fA-F.:]+/[0-9]+$`)
	decimal     = regexp.MustCompile(`^-?[0-9]{1,18}(\.[0-9]{1,15})?$`)
)

func utf16Length(s string) int {
	n := 0
	for _, r := range s {
		if n++; r > 0xffff {
			n++
		}
	}
	return n
}

func isAddress(text string) bool {
	a, err := netip.ParseAddr(text)
	return err == nil && a.Zone() == ""
}

func isNetwork(text string) bool {
	p, err := netip.ParsePrefix(text)
	return err == nil && !p.Addr().Is4In6() && p == p.Masked()
}

// number is the bounds of field:value on a number.
func number(text string, f Indexed, ask func(kql.Term) kql.Node) Bounds {
	if !strings.ContainsAny(text, "0123456789") && !strings.HasPrefix(text, "now") {
		return exact(nothing())
	}
	if f.Kind == IndexDouble {
		if decimal.MatchString(text) && len(text) <= 16 {
			return exact(ask(kql.Word(text)))
		}
		return unknown()
	}
	whole, fraction, _ := strings.Cut(text, ".")
	switch n, err := strconv.ParseInt(whole, 10, 64); {
	case !decimal.MatchString(text) || err != nil:
		return unknown()
	case strings.Trim(fraction, "0") != "" || n < f.Least || n > f.Most:
		return exact(nothing())
	default:
		return exact(ask(kql.Word(strconv.FormatInt(n, 10))))
	}
}

// isDate tells the spellings of a date that rows and every cluster read alike.
func isDate(text string) bool {
	for _, layout := range []string{"2006-01-02", "2006-01-02T15:04:05Z", "2006-01-02T15:04:05.000Z"} {
		if t, err := time.Parse(layout, text); err == nil && len(text) == len(layout) {
			return t.Year() > 1700 && t.Year() < 2200
		}
	}
	return false
}

// compares is the bounds of field < value.
func compares(n *kql.Range, f Indexed) Bounds {
	value, ok := n.Value.(*kql.Literal)
	switch {
	case f.Kind == IndexAbsent:
		return exact(nothing())
	case !ok || value.Kind == kql.Null || f.Kind == IndexUnknown:
		return unknown()
	}
	text := value.Name()
	ask := &kql.Range{Field: kql.Word(f.Name), Op: n.Op, Value: value}
	switch f.Kind {
	case IndexKeyword:
		special := !f.Plain && (maybeDate.MatchString(text) || isAddress(text) || strings.HasPrefix(text, "now") || startsNumber.MatchString(text))
		switch {
		case special:
			return unknown()
		case f.IgnoreAbove == 0:
			return exact(ask)
		case f.Ignored != "":
			return between(ask, kql.NewOr(ask, &kql.Is{Field: kql.Word("_ignored"), Value: kql.Phrase(f.Ignored)}))
		}
		return between(ask, kql.MatchAll())
	case IndexInteger:
		if i, err := strconv.ParseInt(text, 10, 64); err == nil && decimal.MatchString(text) && i >= f.Least && i <= f.Most {
			return exact(ask)
		}
	case IndexDouble:
		if decimal.MatchString(text) && len(text) <= 16 {
			return exact(ask)
		}
	case IndexIP:
		if isAddress(text) {
			return exact(ask)
		}
	case IndexDate:
		if isDate(text) {
			return exact(ask)
		}
	}
	return unknown()
}

var startsNumber = regexp.MustCompile(`^\s*[-+]?\.?[0-9]`)
