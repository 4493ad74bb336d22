package logstore

import (
	"math"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"

	"tocsin/internal/query/kql"
	"tocsin/internal/row"
)

// bound is a LogsQL filter that passes all documents a part of a filter wants.
type bound struct {
	logsQL string // empty: everything
	exact  bool   // and no others
	// field and value are set where logsQL is that a column has a value, so that several become a list.
	field, value string
}

var (
	unbounded = bound{}
	all       = bound{exact: true}
	nothing   = bound{logsQL: "!*", exact: true}
)

func exactly(logsQL string) bound { return bound{logsQL: logsQL, exact: true} }

func column(name string) string { return strconv.Quote(name) }

func equals(name, value string) bound {
	return bound{logsQL: column(name) + ":=" + strconv.Quote(value), exact: true, field: name, value: value}
}

// bound finds the bound of a filter of untyped values, as exec matches them on rows: where the census
// does not prove that the columns tell the same, the bound is wider.
func (o *outlook) bound(n kql.Node) bound {
	switch n := n.(type) {
	case *kql.And:
		return o.and(n.Nodes)
	case *kql.Or:
		return o.or(n.Nodes)
	case *kql.Not:
		switch b := o.bound(n.Node); {
		case !b.exact:
			return unbounded
		case b.logsQL == "":
			return nothing
		default:
			return exactly("!(" + b.logsQL + ")")
		}
	case *kql.Is:
		if kql.IsMatchAll(n) {
			return all
		}
		if l, ok := n.Field.(*kql.Literal); ok && l.Kind == kql.String {
			return o.is(l.Text, n.Value)
		}
	case *kql.Range:
		if l, ok := n.Field.(*kql.Literal); ok && l.Kind == kql.String {
			return o.compares(l.Text, n)
		}
	}
	return unbounded
}

func (o *outlook) and(nodes []kql.Node) bound {
	out := bound{exact: true}
	var parts []string
	for _, n := range nodes {
		b := o.bound(n)
		out.exact = out.exact && b.exact
		if b.logsQL != "" {
			parts = append(parts, b.logsQL)
		}
	}
	out.logsQL = strings.Join(parts, " ")
	return out
}

func (o *outlook) or(nodes []kql.Node) bound {
	out := bound{exact: true}
	var parts, fields []string
	lists := map[string][]string{}
	whole := false
	for _, n := range nodes {
		switch b := o.bound(n); {
		case b.logsQL == "":
			whole = true
			out.exact = out.exact && b.exact
		case b.field != "":
			if lists[b.field] == nil {
				fields = append(fields, b.field)
			}
			lists[b.field] = append(lists[b.field], strconv.Quote(b.value))
		default:
			out.exact = out.exact && b.exact
			parts = append(parts, "("+b.logsQL+")")
		}
	}
	if whole {
		return bound{exact: out.exact}
	}
	for _, f := range fields {
		parts = append(parts, column(f)+":in("+strings.Join(lists[f], ",")+")")
	}
	out.logsQL = "(" + strings.Join(parts, " or ") + ")"
	return out
}

// look finds the field a name in a filter means and its shape. A name that no document has may be that of
// a multi-field, which is the field above it compared as a text.
func (o *outlook) look(name string) (field string, s shape, whole, ok bool) {
	if name == "_time" || name == o.read.TimeField || strings.Contains(name, "\x00") || textName(name) {
		return "", 0, false, false
	}
	if s, ok = o.shape(name); !ok || s != 0 {
		return name, s, false, ok
	}
	if parent, multi := strings.CutSuffix(name, ".keyword"); multi {
		s, ok = o.shape(parent)
		return parent, s, true, ok
	}
	return name, 0, false, true
}

// shape is the shape of a field in the days of the read, which the read then relies on. Of plain rows it
// is the field's class; what is otherwise is then odd.
func (o *outlook) shape(name string) (shape, bool) {
	k, ok := o.view.find(name)
	if !ok {
		return 0, false
	}
	s, allowed := k.shape, shape(0)
	switch {
	case s.single():
		allowed = s.kinds()
	case o.plainly && k.class != 0 && k.class != isObject:
		s &= k.class | anyBits<<kindBits
		allowed = anyKind&^k.class | s.kinds()
		o.odd[name] = true
	case o.plainly || s&isOdd != 0:
		return 0, false
	case s.only(anyText | isEmpty):
		allowed = s.kinds()
	default:
		allowed = anyKind &^ (isOdd | anyText&^s.kinds())
	}
	if s.only(isInt) && s.bits() <= exactBits {
		allowed |= exactBits << kindBits
	} else {
		allowed |= anyBits << kindBits
	}
	if before, ok := o.relied[name]; ok {
		allowed = allowed.kinds()&before | min(allowed>>kindBits, before>>kindBits)<<kindBits
	}
	o.relied[name] = allowed
	return s, true
}

// exactBits is how many bits a double holds.
const exactBits = 53

// textName tells the names that the language searches by words.
func textName(name string) bool {
	last := name[strings.LastIndexByte(name, '.')+1:]
	return last == "message" || last == "text"
}

// is is the bound of field:value.
func (o *outlook) is(name string, value kql.Term) bound {
	field, s, whole, ok := o.look(name)
	if !ok {
		return unbounded
	}
	literal, isLiteral := value.(*kql.Literal)
	switch {
	case isLiteral && literal.Kind == kql.Null:
		return nothing
	case !isLiteral:
		return o.like(field, s, value.(*kql.Wildcard))
	case s.kinds() == 0:
		return nothing
	}
	text := literal.Name()
	switch {
	case text == "":
		return unbounded
	case s.only(anyText | isEmpty):
		return o.isText(field, s, text, whole)
	case s.only(isBool), whole && s.only(isInt):
		return equals(field, text)
	case whole:
		return unbounded
	case s.only(isInt) && s.bits() <= exactBits:
		return isWhole(field, text)
	case s.only(isInt):
		return unbounded
	}
	return o.within(field, s, text)
}

// isText is the bound of field:text where all values are texts.
func (o *outlook) isText(field string, s shape, text string, whole bool) bound {
	_, notNet := netip.ParsePrefix(text)
	addr, notAddr := netip.ParseAddr(text)
	switch {
	case whole:
	case s&isTimeText != 0 && maybeDate(text), s&isOddAddress != 0 && (notNet == nil || notAddr == nil):
		return unbounded
	case s&isAddress != 0 && notAddr == nil && addr.Zone() == "":
		return equals(field, addr.Unmap().String())
	case s&isAddress != 0 && notNet == nil:
		return network(field, text)
	}
	return equals(field, text)
}

// network is the bound of an IP network on addresses.
func network(field, text string) bound {
	p, err := netip.ParsePrefix(text)
	if err != nil || !p.Addr().Is4() {
		return unbounded
	}
	p = p.Masked()
	last := p.Addr().As4()
	for i := p.Bits(); i < 32; i++ {
		last[i/8] |= 1 << (7 - i%8)
	}
	return exactly("(" + column(field) + ":ipv4_range(" + p.Addr().String() + ", " + netip.AddrFrom4(last).String() + ") or " +
		equals(field, text).logsQL + ")")
}

// isWhole is the bound of field:text where all values are whole numbers that fit a double.
func isWhole(field, text string) bound {
	n, ok := row.NewString(text).Number()
	switch {
	case !ok && maybeDate(text):
		return unbounded // the time of a number of milliseconds
	case !ok:
		return nothing
	case n.Kind() == row.Int:
		return equals(field, strconv.FormatInt(n.Int(), 10))
	}
	f := n.Float()
	if f != math.Trunc(f) || math.Abs(f) >= 1<<exactBits {
		return nothing
	}
	return equals(field, strconv.FormatInt(int64(f), 10))
}

// within is the bound of field:text where there are values of several kinds: the column of a single value
// is its text, that of several begins with a bracket, there or at an object above.
func (o *outlook) within(field string, s shape, text string) bound {
	_, notNet := netip.ParsePrefix(text)
	_, notAddr := netip.ParseAddr(text)
	if _, number := row.NewString(text).Number(); number || maybeDate(text) || notNet == nil || notAddr == nil || !hasColumn(field) {
		return unbounded
	}
	parts := []string{equals(field, text).logsQL}
	if s&isArray != 0 {
		for i := range len(field) + 1 {
			if i == len(field) || field[i] == '.' {
				parts = append(parts, column(field[:i])+`:="["*`)
			}
		}
	}
	return bound{logsQL: "(" + strings.Join(parts, " or ") + ")"}
}

// maybeDate finds more than what rows take for a date: also years, and milliseconds since 1970.
func maybeDate(text string) bool {
	text = strings.TrimLeft(text, " \t\r\n+-")
	return text != "" && text[0] >= '0' && text[0] <= '9' || strings.HasPrefix(text, "now")
}

// like is the bound of a wildcard.
func (o *outlook) like(field string, s shape, w *kql.Wildcard) bound {
	if w.Lone() {
		if !s.single() || o.below(field) {
			return unbounded
		}
		if s.kinds() == 0 {
			return nothing
		}
		return exactly(column(field) + ":*")
	}
	if s.kinds() == 0 {
		return nothing
	}
	if !s.only(anyText|isEmpty) && !s.only(isInt) && !s.only(isBool) {
		return unbounded
	}
	parts := w.Parts()
	if strings.Join(parts, "") == "" {
		return unbounded
	}
	if len(parts) == 2 && parts[1] == "" {
		return exactly(column(field) + ":=" + strconv.Quote(parts[0]) + "*")
	}
	for i := range parts {
		parts[i] = regexp.QuoteMeta(parts[i])
	}
	return exactly(column(field) + ":~" + strconv.Quote("(?s)^"+strings.Join(parts, ".*")+"$"))
}

// comparesTime is the bound of @timestamp < value and @timestamp >= value, where all values are texts of times and
// the value is a full one: the engine's own time is then that of the document. Filters look at milliseconds.
func (o *outlook) comparesTime(n *kql.Range) bound {
	value, ok := n.Value.(*kql.Literal)
	if !ok || n.Op != kql.LT && n.Op != kql.GTE {
		return unbounded
	}
	at, err := time.Parse(time.RFC3339Nano, value.Text)
	if err != nil || value.Kind != kql.String || !at.Equal(at.Truncate(time.Millisecond)) || at.Year() < 1700 || at.Year() > 2200 {
		return unbounded
	}
	s, ok := o.shape(clockField)
	if !ok || !s.only(isTimeText) {
		return unbounded
	}
	return exactly("(_time:" + n.Op.Symbol() + at.UTC().Format("2006-01-02T15:04:05.000000000Z") + " " + isDated + ")")
}

// compares is the bound of field < value.
func (o *outlook) compares(name string, n *kql.Range) bound {
	if name == clockField && o.clocked() {
		return o.comparesTime(n)
	}
	field, s, whole, ok := o.look(name)
	if !ok || whole {
		return unbounded
	}
	value, ok := n.Value.(*kql.Literal)
	switch {
	case !ok || value.Kind == kql.Null:
		return unbounded
	case s.kinds() == 0:
		return nothing
	case !s.only(isInt) || s.bits() > exactBits:
		return unbounded
	}
	number, ok := row.NewString(value.Name()).Number()
	if !ok || number.Kind() != row.Int || number.Int() >= 1<<exactBits || number.Int() <= -1<<exactBits {
		return unbounded
	}
	return exactly(column(field) + ":" + n.Op.Symbol() + strconv.FormatInt(number.Int(), 10))
}
