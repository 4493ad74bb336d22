package pipe

// Search keeps the rows a filter matches.
type Search struct {
	Place
	Filter Filter
}

// Name is search.
func (s *Search) Name() string { return "search" }

func (s *Search) String() string { return "search " + s.Filter.String() }

func parseSearch(p *parser) Pipe {
	s := &Search{Filter: p.filter(p.depth > 0)}
	if s.Filter.Empty() {
		p.failHere("search count > 10", "search needs a filter; found %s", p.found())
	}
	return s
}
