package pipe

// Missing reports the keys seen before of which there is no event for a time.
type Missing struct {
	Place
	By   []Field
	Over Duration
}

// Name is missing.
func (m *Missing) Name() string { return "missing" }

func (m *Missing) String() string {
	s := "missing"
	if m.By != nil {
		s += " by " + list(m.By)
	}
	return s + " over " + m.Over.String()
}

func parseMissing(p *parser) Pipe {
	m := &Missing{}
	if p.keyword("by") != "" {
		m.By = p.someFields("missing by", p.plainName, "over")
	}
	m.Over = p.overDuration("missing by host.name over 7d")
	return m
}
