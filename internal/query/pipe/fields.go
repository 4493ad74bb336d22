package pipe

// Fields keeps columns, or drops them.
type Fields struct {
	Place
	Drop   bool
	Fields []Field
}

// Name is fields.
func (f *Fields) Name() string { return "fields" }

func (f *Fields) String() string {
	if f.Drop {
		return "fields - " + list(f.Fields)
	}
	return "fields " + list(f.Fields)
}

func parseFields(p *parser) Pipe {
	f := &Fields{}
	if p.take('-') {
		f.Drop = true
	} else {
		p.take('+')
	}
	f.Fields = p.someFields("fields", p.name)
	return f
}

func parseDrop(p *parser) Pipe { return &Fields{Drop: true, Fields: p.someFields("drop", p.name)} }

// Table shows exactly these columns; those that are not there are null.
type Table struct {
	Place
	Fields []Field
}

// Name is table.
func (t *Table) Name() string { return "table" }

func (t *Table) String() string { return "table " + list(t.Fields) }

func parseTable(p *parser) Pipe { return &Table{Fields: p.someFields("table", p.name)} }
