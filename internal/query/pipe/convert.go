package pipe

// Convert rewrites fields by conversion functions.
type Convert struct {
	Place
	TimeFormat string
	Calls      []Conversion
}

// Conversion is one function of convert.
type Conversion struct {
	Func  string // auto num ctime mktime dur2sec memk rmcomma rmunit none
	Field Field
	As    string // "": the field itself
}

func (c Conversion) String() string {
	s := c.Func + "(" + c.Field.String() + ")"
	if c.As != "" {
		s += " as " + quoteName(c.As, false)
	}
	return s
}

// DefaultTimeFormat is how convert writes and reads times unless told otherwise.
const DefaultTimeFormat = "%m/%d/%Y %H:%M:%S"

// Name is convert.
func (c *Convert) Name() string { return "convert" }

func (c *Convert) String() string {
	s := "convert "
	if c.TimeFormat != DefaultTimeFormat {
		s += "timeformat=" + quote(c.TimeFormat) + " "
	}
	return s + list(c.Calls)
}

func parseConvert(p *parser) Pipe {
	c := &Convert{TimeFormat: DefaultTimeFormat}
	p.options("convert", map[string]func(){"timeformat": func() { c.TimeFormat = p.quotedString("the format") }})
	for {
		f := p.oneOf("the conversion", "auto", "num", "ctime", "mktime", "dur2sec", "memk", "rmcomma", "rmunit", "none")
		p.want('(', "after "+f)
		call := Conversion{Func: f, Field: p.name("a field")}
		p.want(')', "to close "+f)
		if p.keyword("as") != "" {
			call.As = p.alias()
			if call.Field.Wild {
				p.fail(call.Field.At, "", "a wildcard cannot have one name after as")
			}
		}
		c.Calls = append(c.Calls, call)
		comma := p.take(',')
		if p.atEnd() {
			if comma {
				p.failHere("", "a conversion is missing after the comma; found %s", p.found())
			}
			return c
		}
	}
}
