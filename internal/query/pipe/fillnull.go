package pipe

import "strings"

// FillNull puts a value where fields have none.
type FillNull struct {
	Place
	Value  Literal
	Fields []Field // nil: all columns
}

// Name is fillnull.
func (f *FillNull) Name() string { return "fillnull" }

func (f *FillNull) String() string {
	s := "fillnull value=" + f.Value.String()
	if f.Fields != nil {
		s += " " + list(f.Fields)
	}
	return s
}

func parseFillNull(p *parser) Pipe {
	f := &FillNull{Value: Literal{Kind: NumberLiteral, Text: "0"}}
	options := map[string]func(){"value": func() { f.Value = p.fillValue() }}
	p.options("fillnull", options)
	f.Fields = p.fields(p.plainName)
	p.options("fillnull", options)
	return f
}

// fillValue reads a number, a quoted string, or a bare word, which is a string.
func (p *parser) fillValue() Literal {
	start := p.pos
	if p.peek() == '"' {
		s := p.quoted()
		return Literal{Kind: StringLiteral, Text: s, At: Span{start, p.pos}}
	}
	s := p.str("a value")
	at := Span{start, p.pos}
	switch lower := strings.ToLower(s); {
	case lower == "true" || lower == "false":
		return Literal{Kind: BoolLiteral, Text: lower, At: at}
	case plainNumber(strings.TrimPrefix(s, "-")) && strings.Count(s, ".") <= 1 && strings.Trim(s, "-.") != "":
		return Literal{Kind: NumberLiteral, Text: s, At: at}
	}
	return Literal{Kind: StringLiteral, Text: s, At: at}
}
