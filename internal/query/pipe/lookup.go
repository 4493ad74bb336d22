package pipe

// Lookup adds columns of a table to the rows whose fields equal the table's keys.
type Lookup struct {
	Place
	Table   string
	TableAt Span
	Keys    []Mapping
	// Output are the columns taken; nil: all but the keys.
	Output []Mapping
	// New fills only fields that are missing (OUTPUTNEW).
	New bool
	// Match is how keys compare: exact, wildcard (stars in the table) or cidr (networks in the table).
	Match      string
	IgnoreCase bool
}

// Mapping is a column of a table and the field it goes with.
type Mapping struct {
	Column string
	Field  Field
}

func (m Mapping) String() string {
	s := quoteName(m.Column, false)
	if m.Field.Name != m.Column {
		s += " as " + m.Field.String()
	}
	return s
}

// Name is lookup.
func (l *Lookup) Name() string { return "lookup" }

func (l *Lookup) String() string {
	s := "lookup "
	if l.Match != "exact" {
		s += "match=" + l.Match + " "
	}
	if l.IgnoreCase {
		s += "case=false "
	}
	s += quoteName(l.Table, false) + " " + list(l.Keys)
	if l.Output != nil {
		if l.New {
			s += " OUTPUTNEW "
		} else {
			s += " OUTPUT "
		}
		s += list(l.Output)
	}
	return s
}

func parseLookup(p *parser) Pipe {
	l := &Lookup{Match: "exact"}
	options := map[string]func(){
		"match": func() { l.Match = p.oneOf("match", "exact", "wildcard", "cidr") },
		"case":  func() { l.IgnoreCase = !p.boolean("case") },
	}
	p.options("lookup", options)
	t := p.plainName("the name of a lookup table")
	l.Table, l.TableAt = t.Name, t.At
	p.options("lookup", options)
	if l.Keys = p.mappings(options); len(l.Keys) == 0 {
		p.failHere("lookup "+l.Table+" key as field OUTPUT column", "lookup needs a key; found %s", p.found())
	}
	if k := p.keyword("output", "outputnew"); k != "" {
		l.New = k == "outputnew"
		if l.Output = p.mappings(options); len(l.Output) == 0 {
			p.failHere("", "a column is missing after OUTPUT; found %s", p.found())
		}
	}
	return l
}

// mappings reads columns, each with `as field` if wanted.
func (p *parser) mappings(options map[string]func()) []Mapping {
	var out []Mapping
	for {
		p.options("lookup", options)
		comma := len(out) > 0 && p.take(',')
		if p.atEnd() || p.isKeyword("output", "outputnew") {
			if comma {
				p.failHere("", "a column is missing after the comma; found %s", p.found())
			}
			return out
		}
		f := p.plainName("a column")
		m := Mapping{Column: f.Name, Field: f}
		if p.keyword("as") != "" {
			m.Field = p.plainName("a field")
		}
		out = append(out, m)
	}
}

// InputLookup reads the rows of a lookup table.
type InputLookup struct {
	Place
	Table   string
	TableAt Span
	Append  bool // after the rows there are
	Where   Expr // nil: all rows
}

// Name is inputlookup.
func (l *InputLookup) Name() string { return "inputlookup" }

func (l *InputLookup) String() string {
	s := "inputlookup "
	if l.Append {
		s += "append=true "
	}
	s += quoteName(l.Table, false)
	if l.Where != nil {
		s += " where " + l.Where.String()
	}
	return s
}

func parseInputLookup(p *parser) Pipe {
	l := &InputLookup{}
	options := map[string]func(){"append": func() { l.Append = p.boolean("append") }}
	p.options("inputlookup", options)
	t := p.plainName("the name of a lookup table")
	l.Table, l.TableAt = t.Name, t.At
	p.options("inputlookup", options)
	if p.keyword("where") != "" {
		l.Where = p.expr()
	}
	return l
}
