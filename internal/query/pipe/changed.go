package pipe

// Changed keeps the events at which a field differs from its value before, for each key.
type Changed struct {
	Place
	Fields []Field
	By     []Field
	// Over is how long a value is remembered that is not seen again; zero is a week.
	Over Duration
}

// Name is changed.
func (c *Changed) Name() string { return "changed" }

func (c *Changed) String() string {
	s := "changed " + list(c.Fields)
	if c.By != nil {
		s += " by " + list(c.By)
	}
	if !c.Over.IsZero() {
		s += " over " + c.Over.String()
	}
	return s
}

func parseChanged(p *parser) Pipe {
	c := &Changed{Fields: p.someFields("changed", p.plainName, "by", "over")}
	if p.keyword("by") != "" {
		c.By = p.someFields("changed by", p.plainName, "over")
	}
	if p.keyword("over") != "" {
		c.Over = p.duration("the time after over")
	}
	return c
}
