package pipe

import "strconv"

// MvExpand makes one row of each value of a field.
type MvExpand struct {
	Place
	Field Field
	Limit int // the most rows of one row, 0 for all
}

// Name is mvexpand.
func (m *MvExpand) Name() string { return "mvexpand" }

func (m *MvExpand) String() string {
	s := "mvexpand " + m.Field.String()
	if m.Limit > 0 {
		s += " limit=" + strconv.Itoa(m.Limit)
	}
	return s
}

func parseMvExpand(p *parser) Pipe {
	m := &MvExpand{}
	options := map[string]func(){"limit": func() { m.Limit = p.integer("limit", 0) }}
	p.options("mvexpand", options)
	m.Field = p.plainName("a field")
	p.options("mvexpand", options)
	return m
}

// MakeMv splits a text into a list, by a separator or by the first group of a regular expression.
type MakeMv struct {
	Place
	Field      Field
	Delim      string
	Tokenizer  string
	AllowEmpty bool
}

// Name is makemv.
func (m *MakeMv) Name() string { return "makemv" }

func (m *MakeMv) String() string {
	s := "makemv "
	if m.Tokenizer != "" {
		s += "tokenizer=" + quote(m.Tokenizer) + " "
	} else {
		s += "delim=" + quote(m.Delim) + " "
	}
	if m.AllowEmpty {
		s += "allowempty=true "
	}
	return s + m.Field.String()
}

func parseMakeMv(p *parser) Pipe {
	m := &MakeMv{}
	options := map[string]func(){
		"delim": func() {
			if m.Delim = p.str("a separator"); m.Delim == "" {
				p.failHere(`delim=","`, "the separator is empty")
			}
		},
		"tokenizer": func() {
			start := p.pos
			m.Tokenizer = p.quotedString("the regular expression")
			if re := p.regexp(m.Tokenizer, Span{start, p.pos}); re.NumSubexp() == 0 {
				p.fail(Span{start, p.pos}, `tokenizer="([^,]+),?"`, "the tokenizer has no group")
			}
		},
		"allowempty": func() { m.AllowEmpty = p.boolean("allowempty") },
	}
	p.options("makemv", options)
	m.Field = p.plainName("a field")
	p.options("makemv", options)
	if m.Delim != "" && m.Tokenizer != "" {
		p.failHere("", "makemv takes delim or tokenizer, not both")
	}
	if m.Delim == "" && m.Tokenizer == "" {
		m.Delim = " "
	}
	return m
}
