package pipe

// Changed keeps the events at which a field differs from its value before, for each key.
type Changed struct {
	Place
	Fields []Field
	By     []Field
}

// Name is changed.
func (c *Changed) Name() string { return "changed" }

func (c *Changed) String() string {
	s := "changed " + list(c.Fields)
	if c.By != nil {
		s += " by " + list(c.By)
	}
	return s
}

func parseChanged(p *parser) Pipe {
	c := &Changed{Fields: p.someFields("changed", p.plainName, "by")}
	if p.keyword("by") != "" {
		c.By = p.someFields("changed by", p.plainName)
	}
	return c
}
