package pipe

import (
	"strconv"
	"strings"
)

// Sort orders rows; nulls come last in either direction.
type Sort struct {
	Place
	Limit int // 0: all rows
	Keys  []SortKey
}

// SortKey is one field of an order.
type SortKey struct {
	Field Field
	Desc  bool
	// As says how values compare: "" by themselves, num, str or ip.
	As string
}

func (k SortKey) String() string {
	s := k.Field.String()
	if k.As != "" {
		s = k.As + "(" + s + ")"
	}
	if k.Desc {
		return "-" + s
	}
	return s
}

// Name is sort.
func (s *Sort) Name() string { return "sort" }

func (s *Sort) String() string {
	if s.Limit > 0 {
		return "sort " + strconv.Itoa(s.Limit) + " " + list(s.Keys)
	}
	return "sort " + list(s.Keys)
}

func parseSort(p *parser) Pipe {
	s := &Sort{}
	p.options("sort", map[string]func(){"limit": func() { s.Limit = p.integer("limit", 0) }})
	if isDigits(p.word()) {
		s.Limit = p.integer("the number of rows", 0)
	}
	s.Keys = p.sortKeys("sort")
	return s
}

// sortKeys reads fields, each with a sign before it or asc or desc after it.
func (p *parser) sortKeys(command string) []SortKey {
	var out []SortKey
	for {
		k := SortKey{}
		if p.take('-') {
			k.Desc = true
		} else {
			p.take('+')
		}
		w := strings.ToLower(p.word())
		if after := p.pos + len(w); w != "" && after < len(p.text) && p.text[after] == '(' {
			k.As = p.oneOf("how to compare", "auto", "num", "str", "ip")
			if k.As == "auto" {
				k.As = ""
			}
			p.pos++
			k.Field = p.plainName("a field to sort by")
			p.want(')', "to close "+w)
		} else {
			k.Field = p.plainName("a field to sort by")
		}
		if p.keyword("asc", "desc") == "desc" {
			k.Desc = !k.Desc
		}
		out = append(out, k)
		comma := p.take(',')
		if _, option := p.optionNext(); !comma && (p.atEnd() || option) {
			return out
		}
		if p.atEnd() {
			p.failHere("", "%s misses a field after the comma; found %s", command, p.found())
		}
	}
}
