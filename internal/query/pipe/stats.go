package pipe

import "strings"

// Stats aggregates rows by keys, or over a window that slides along the events of each key.
type Stats struct {
	Place
	Aggs    []Aggregate
	By      []By
	Over    Duration // zero: one result per key
	UseNull bool     // keep rows that lack a key
}

// By is one key of a grouping.
type By struct {
	Field Field
	// Size rounds the values down to bins; zero for the values themselves.
	Size Size
	// As is another name for the key's column, "" for the field's own.
	As string
}

// Column is the name of the key's column.
func (b By) Column() string {
	if b.As != "" {
		return b.As
	}
	return b.Field.Name
}

func (b By) String() string {
	s := b.Field.String()
	if !b.Size.IsZero() {
		s = "span(" + s + ", " + b.Size.String() + ")"
	}
	if b.As != "" {
		s += " as " + quoteName(b.As, false)
	}
	return s
}

// Name is stats.
func (s *Stats) Name() string { return "stats" }

func (s *Stats) String() string {
	out := "stats "
	if s.UseNull {
		out += "usenull=true "
	}
	out += list(s.Aggs)
	if len(s.By) > 0 {
		out += " by " + list(s.By)
	}
	if !s.Over.IsZero() {
		out += " over " + s.Over.String()
	}
	return out
}

func parseStats(p *parser) Pipe {
	s := &Stats{}
	options := map[string]func(){"usenull": func() { s.UseNull = p.boolean("usenull") }}
	p.options("stats", options)
	s.Aggs = p.aggregates("stats")
	for {
		p.options("stats", options)
		switch p.keyword("by", "over") {
		case "by":
			if s.By != nil {
				p.failHere("", "by is given twice")
			}
			s.By = p.by("stats")
			continue
		case "over":
			if !s.Over.IsZero() {
				p.failHere("", "over is given twice")
			}
			s.Over = p.duration("the window after over")
			continue
		}
		break
	}
	p.distinctColumns(s.Aggs, columnsOf(s.By)...)
	return s
}

func columnsOf(by []By) []string {
	var out []string
	for _, b := range by {
		out = append(out, b.Column())
	}
	return out
}

// by reads the keys after by: f, f span=5m, span(f, 5m), each with `as name` after it if wanted.
func (p *parser) by(command string) []By {
	var out []By
	comma := false
	for {
		c := p.peek()
		if c == ',' && len(out) > 0 && !comma {
			p.pos++
			comma = true
			continue
		}
		option, isOption := p.optionNext()
		if isOption && strings.EqualFold(option, "span") && len(out) > 0 && out[len(out)-1].Size.IsZero() && !comma {
			p.pos += len(option)
			p.want('=', "after span")
			out[len(out)-1].Size = p.size("span")
			continue
		}
		if len(out) > 0 && !comma && (p.atEnd() || isOption || p.isKeyword("over")) {
			break
		}
		if p.atEnd() || c == ',' {
			p.failHere("", "%s needs a field after by; found %s", command, p.found())
		}
		if len(out) > 0 && !comma && p.keyword("as") != "" {
			if out[len(out)-1].As != "" {
				p.failHere("", "as is given twice")
			}
			out[len(out)-1].As = p.alias()
			continue
		}
		out = append(out, p.oneBy())
		comma = false
	}
	seen := map[string]bool{}
	for _, b := range out {
		if seen[b.Column()] {
			p.fail(b.Field.At, "", "%q is given twice after by", b.Column())
		}
		seen[b.Column()] = true
	}
	return out
}

func (p *parser) oneBy() By {
	w := p.word()
	after := p.pos + len(w)
	if strings.EqualFold(w, "span") && after < len(p.text) && p.text[after] == '(' {
		p.pos = after + 1
		b := By{Field: p.plainName("a field")}
		p.want(',', "between field and span")
		b.Size = p.size("the span")
		p.want(')', "to close span")
		return b
	}
	return By{Field: p.plainName("a field after by")}
}
