package pipe

// NewTerms keeps the first event of each combination of values that was not seen for a time before it.
type NewTerms struct {
	Place
	Fields []Field
	Over   Duration
}

// Name is newterms.
func (n *NewTerms) Name() string { return "newterms" }

func (n *NewTerms) String() string { return "newterms " + list(n.Fields) + " over " + n.Over.String() }

func parseNewTerms(p *parser) Pipe {
	n := &NewTerms{Fields: p.someFields("newterms", p.plainName, "over")}
	n.Over = p.overDuration("newterms user.name over 14d")
	return n
}

// overDuration reads `over` and a duration.
func (p *parser) overDuration(try string) Duration {
	if p.keyword("over") == "" {
		p.failHere(try, "over and a duration are missing; found %s", p.found())
	}
	return p.duration("the time after over")
}
