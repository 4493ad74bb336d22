package pipe

import "strconv"

// Spike reports the keys with far more events than they had before.
type Spike struct {
	Place
	By       []Field
	Factor   string // as written
	Baseline Duration
	Seasonal Duration // compare with the same time one such period ago; zero: with what came just before
	Min      int      // fewer events than this are no spike
}

// Name is spike.
func (s *Spike) Name() string { return "spike" }

func (s *Spike) String() string {
	out := "spike"
	if s.By != nil {
		out += " by " + list(s.By)
	}
	out += " factor=" + s.Factor + " baseline=" + s.Baseline.String()
	if !s.Seasonal.IsZero() {
		out += " seasonal=" + s.Seasonal.String()
	}
	if s.Min > 0 {
		out += " min=" + strconv.Itoa(s.Min)
	}
	return out
}

func parseSpike(p *parser) Pipe {
	s := &Spike{}
	options := map[string]func(){
		"factor": func() {
			w := p.word()
			if f, err := strconv.ParseFloat(w, 64); err != nil || !plainNumber(w) || f <= 1 {
				p.failHere("factor=3", "factor must be a number above 1; found %s", p.found())
			}
			s.Factor = w
			p.pos += len(w)
		},
		"baseline": func() { s.Baseline = p.duration("baseline") },
		"seasonal": func() { s.Seasonal = p.duration("seasonal") },
		"min":      func() { s.Min = p.integer("min", 0) },
	}
	p.options("spike", options)
	if p.keyword("by") != "" {
		s.By = p.someFields("spike by", p.plainName)
	}
	p.options("spike", options)
	if s.Factor == "" || s.Baseline.IsZero() {
		p.failHere("spike by host.name factor=3 baseline=24h", "spike needs factor and baseline")
	}
	return s
}
