package pipe

// Regex keeps the rows whose field matches a regular expression anywhere, or does not.
type Regex struct {
	Place
	Field   Field // empty name: message
	Not     bool
	Pattern string
}

// Name is regex.
func (r *Regex) Name() string { return "regex" }

func (r *Regex) String() string {
	s := "regex "
	if r.Field.Name != "" {
		s += r.Field.String()
		if r.Not {
			s += "!="
		} else {
			s += "="
		}
	}
	return s + quote(r.Pattern)
}

func parseRegex(p *parser) Pipe {
	r := &Regex{}
	if p.peek() != '"' {
		r.Field = p.plainName("a field")
		r.Not = p.take('!')
		p.want('=', "after the field")
		p.take('=')
	}
	p.space()
	start := p.pos
	r.Pattern = p.quotedString("the regular expression")
	p.regexp(r.Pattern, Span{start, p.pos})
	return r
}
