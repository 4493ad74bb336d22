package pipe

// Replace puts other values in place of those that fit a pattern, whose stars stand for any text.
type Replace struct {
	Place
	Pairs  []Replacement
	Fields []Field // nil: all columns
}

// Replacement is one pattern and what takes its place; the stars of With are what those of Old stood for.
type Replacement struct{ Old, With string }

func (r Replacement) String() string { return quote(r.Old) + " with " + quote(r.With) }

// Name is replace.
func (r *Replace) Name() string { return "replace" }

func (r *Replace) String() string {
	s := "replace " + list(r.Pairs)
	if r.Fields != nil {
		s += " in " + list(r.Fields)
	}
	return s
}

func parseReplace(p *parser) Pipe {
	r := &Replace{}
	for {
		old := p.str("the value to replace")
		if p.keyword("with") == "" {
			p.failHere(`replace "old" with "new" in f`, "after the old value comes with; found %s", p.found())
		}
		r.Pairs = append(r.Pairs, Replacement{old, p.str("the new value")})
		if !p.take(',') {
			break
		}
	}
	if p.keyword("in") != "" {
		r.Fields = p.someFields("replace", p.plainName)
	}
	return r
}
