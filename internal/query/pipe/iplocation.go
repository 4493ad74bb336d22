package pipe

// IPLocation adds the place of an address, from a MaxMind database.
type IPLocation struct {
	Place
	Field     Field
	Prefix    string
	AllFields bool
}

// Name is iplocation.
func (l *IPLocation) Name() string { return "iplocation" }

func (l *IPLocation) String() string {
	s := "iplocation "
	if l.Prefix != "" {
		s += "prefix=" + quote(l.Prefix) + " "
	}
	if l.AllFields {
		s += "allfields=true "
	}
	return s + l.Field.String()
}

func parseIPLocation(p *parser) Pipe {
	l := &IPLocation{}
	options := map[string]func(){
		"prefix":    func() { l.Prefix = p.str("a prefix") },
		"allfields": func() { l.AllFields = p.boolean("allfields") },
	}
	p.options("iplocation", options)
	l.Field = p.plainName("a field")
	p.options("iplocation", options)
	return l
}
