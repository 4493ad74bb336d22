package pipe

import "strconv"

// Dedup keeps the first N rows of each combination of values.
type Dedup struct {
	Place
	N           int
	Fields      []Field
	KeepEmpty   bool // keep rows that lack a field
	Consecutive bool // only rows that follow each other are the same
	SortBy      []SortKey
}

// Name is dedup.
func (d *Dedup) Name() string { return "dedup" }

func (d *Dedup) String() string {
	s := "dedup "
	if d.N != 1 {
		s += strconv.Itoa(d.N) + " "
	}
	s += list(d.Fields)
	if d.KeepEmpty {
		s += " keepempty=true"
	}
	if d.Consecutive {
		s += " consecutive=true"
	}
	if d.SortBy != nil {
		s += " sortby " + list(d.SortBy)
	}
	return s
}

func parseDedup(p *parser) Pipe {
	d := &Dedup{N: 1}
	options := map[string]func(){
		"keepempty":   func() { d.KeepEmpty = p.boolean("keepempty") },
		"consecutive": func() { d.Consecutive = p.boolean("consecutive") },
	}
	p.options("dedup", options)
	if isDigits(p.word()) {
		d.N = p.integer("the number of rows to keep", 1)
	}
	p.options("dedup", options)
	d.Fields = p.someFields("dedup", p.plainName, "sortby")
	p.options("dedup", options)
	if p.keyword("sortby") != "" {
		d.SortBy = p.sortKeys("sortby")
	}
	p.options("dedup", options)
	return d
}
