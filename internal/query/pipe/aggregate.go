package pipe

import (
	"slices"
	"strconv"
	"strings"
)

// Aggregate is one function over many rows.
type Aggregate struct {
	// Func is the function's canonical name: count sum avg min max range dc values list first last
	// earliest latest median perc mode stdev stdevp var varp.
	Func string
	// Written is the name as written, in lower case; columns are named by it.
	Written string
	// Percent is the N of percN.
	Percent float64
	// Field is the argument, nil for a bare count and for eval.
	Field *Field
	// Expr is the argument of eval(...), Text how it was written.
	Expr Expr
	Text string
	// As is the name given with as, "" for none.
	As string
	At Span
}

// aggregates maps every name of an aggregate to its canonical name.
var aggregates = map[string]string{
	"count": "count", "c": "count", "sum": "sum", "avg": "avg", "mean": "avg", "min": "min", "max": "max", "range": "range",
	"dc": "dc", "distinct_count": "dc", "estdc": "dc", "values": "values", "list": "list", "first": "first", "last": "last",
	"earliest": "earliest", "latest": "latest", "median": "median", "mode": "mode", "stdev": "stdev", "stdevp": "stdevp",
	"var": "var", "varp": "varp", "percentile": "perc",
}

// percentOf reads the N of percN, pN and percentileN.
func percentOf(name string) (float64, bool) {
	for _, prefix := range []string{"percentile", "perc", "p"} {
		if n, ok := strings.CutPrefix(name, prefix); ok && plainNumber(n) {
			f, err := strconv.ParseFloat(n, 64)
			return f, err == nil && f >= 0 && f <= 100
		}
	}
	return 0, false
}

// isAggregate reports whether a word names an aggregate.
func isAggregate(name string) bool {
	_, percent := percentOf(name)
	return aggregates[name] != "" || percent
}

func aggregateNames() []string {
	var out []string
	for n := range aggregates {
		if len(n) > 1 && n != "percentile" {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return append(out, "perc95")
}

// Column is the name of the column the aggregate makes: the one given, else as written.
func (a Aggregate) Column() string {
	if a.As != "" {
		return a.As
	}
	return a.written()
}

// Numeric reports whether the aggregate is a number or nothing, whatever it is of.
func (a Aggregate) Numeric() bool {
	switch a.Func {
	case "count", "sum", "avg", "stdev", "stdevp", "var", "varp", "range", "dc", "median", "perc":
		return true
	}
	return false
}

func (a Aggregate) written() string {
	switch {
	case a.Expr != nil:
		return a.Written + "(eval(" + a.Text + ")" + a.percentArg() + ")"
	case a.Field != nil:
		return a.Written + "(" + a.Field.Name + a.percentArg() + ")"
	}
	return a.Written
}

func (a Aggregate) percentArg() string {
	if a.Written == "percentile" {
		return ", " + strconv.FormatFloat(a.Percent, 'g', -1, 64)
	}
	return ""
}

// String prints the aggregate.
func (a Aggregate) String() string {
	s := a.written()
	if a.Field != nil {
		s = a.Written + "(" + a.Field.String() + a.percentArg() + ")"
	}
	if a.As != "" {
		s += " as " + quoteName(a.As, false)
	}
	return s
}

// aggregate reads one aggregate.
func (p *parser) aggregate(command string) Aggregate {
	p.space()
	start := p.pos
	w := p.word()
	name := strings.ToLower(w)
	if w == "" {
		p.failHere("", "%s needs an aggregate such as count or sum(f); found %s", command, p.found())
	}
	if !isAggregate(name) {
		p.failHere(Nearest(name, aggregateNames()), "unknown aggregate %q", w)
	}
	a := Aggregate{Func: aggregates[name], Written: name}
	if n, ok := percentOf(name); ok {
		a.Func, a.Percent = "perc", n
	}
	p.pos += len(w)
	end := p.pos
	if p.take('(') {
		p.aggregateArg(&a)
		end = p.pos
	} else {
		p.pos = end
	}
	if a.Field == nil && a.Expr == nil && a.Func != "count" {
		p.fail(Span{start, end}, w+"(field)", "%s needs a field in parentheses", w)
	}
	if a.Field == nil && a.Expr == nil {
		a.Written = "count"
	}
	if p.keyword("as") != "" {
		a.As = p.alias()
		end = p.pos
	}
	a.At = Span{start, end}
	return a
}

func (p *parser) aggregateArg(a *Aggregate) {
	if p.take(')') {
		return
	}
	if p.isKeyword("eval") && p.evalNext() {
		p.keyword("eval")
		p.want('(', "after eval")
		p.space()
		start := p.pos
		a.Expr = p.expr()
		p.space()
		a.Text = strings.TrimRight(p.text[start:p.pos], " \t\r\n")
		p.want(')', "to close eval")
	} else {
		f := p.plainName("a field")
		a.Field = &f
		if c := p.peek(); p.pos < len(p.text) && c != ')' && c != ',' {
			p.failHere(a.Written+"(eval(...))", "an aggregate takes a field; for an expression use eval: found %s", p.found())
		}
	}
	if a.Written == "percentile" {
		p.want(',', "before the percentage")
		p.space()
		w := p.word()
		f, err := strconv.ParseFloat(w, 64)
		if err != nil || !plainNumber(w) || f > 100 {
			p.failHere("percentile(f, 95)", "the percentage must be a number from 0 to 100; found %s", p.found())
		}
		p.pos += len(w)
		a.Percent = f
	}
	p.want(')', "to close "+a.Written)
}

// evalNext reports whether the word eval is followed by a parenthesis.
func (p *parser) evalNext() bool {
	i := p.pos + len("eval")
	for i < len(p.text) && isSpace(p.text[i]) {
		i++
	}
	return i < len(p.text) && p.text[i] == '('
}

// aggregates reads aggregates with commas or spaces between them, up to by, over, an option or the end.
func (p *parser) aggregates(command string) []Aggregate {
	var out []Aggregate
	comma := false
	for {
		if len(out) > 0 && p.take(',') {
			if comma {
				p.failHere("", "an aggregate is missing before this comma")
			}
			comma = true
			continue
		}
		_, option := p.optionNext()
		if p.atEnd() || option || len(out) > 0 && p.isKeyword("by", "over") && !comma {
			if len(out) == 0 || comma {
				p.failHere("count, sum(f), dc(f)", "%s needs an aggregate here; found %s", command, p.found())
			}
			break
		}
		out = append(out, p.aggregate(command))
		comma = false
	}
	return out
}

// distinctColumns refuses two columns of one name.
func (p *parser) distinctColumns(aggs []Aggregate, by ...string) {
	seen := map[string]bool{}
	for _, n := range by {
		seen[n] = true
	}
	for _, a := range aggs {
		if seen[a.Column()] {
			p.fail(a.At, a.written()+" as another_name", "two columns would be called %q", a.Column())
		}
		seen[a.Column()] = true
	}
}
