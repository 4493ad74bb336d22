package pipe

import "strconv"

// StreamStats adds to each row the aggregates of the rows up to it, in the order they come.
type StreamStats struct {
	Place
	Aggs          []Aggregate
	By            []By
	Window        int      // how many rows are looked back at; 0: all
	TimeWindow    Duration // how much time is looked back at; zero: all
	Current       bool     // the row itself counts
	Global        bool     // with By and Window, the window is over all rows, not those of the key
	ResetBefore   Expr     // begin anew before a row for which this is true
	ResetAfter    Expr
	ResetOnChange bool // begin anew when the keys differ from those of the row before
}

// Name is streamstats.
func (s *StreamStats) Name() string { return "streamstats" }

func (s *StreamStats) String() string {
	out := "streamstats"
	if s.Window > 0 {
		out += " window=" + strconv.Itoa(s.Window)
	}
	if !s.TimeWindow.IsZero() {
		out += " time_window=" + s.TimeWindow.String()
	}
	if !s.Current {
		out += " current=false"
	}
	if !s.Global {
		out += " global=false"
	}
	if s.ResetBefore != nil {
		out += " reset_before=(" + s.ResetBefore.String() + ")"
	}
	if s.ResetAfter != nil {
		out += " reset_after=(" + s.ResetAfter.String() + ")"
	}
	if s.ResetOnChange {
		out += " reset_on_change=true"
	}
	out += " " + list(s.Aggs)
	if s.By != nil {
		out += " by " + list(s.By)
	}
	return out
}

func parseStreamStats(p *parser) Pipe {
	s := &StreamStats{Current: true, Global: true}
	inParens := func() Expr {
		p.want('(', "before the expression")
		e := p.expr()
		p.want(')', "after the expression")
		return e
	}
	options := map[string]func(){
		"window":          func() { s.Window = p.integer("window", 0) },
		"time_window":     func() { s.TimeWindow = p.duration("time_window") },
		"current":         func() { s.Current = p.boolean("current") },
		"global":          func() { s.Global = p.boolean("global") },
		"reset_before":    func() { s.ResetBefore = inParens() },
		"reset_after":     func() { s.ResetAfter = inParens() },
		"reset_on_change": func() { s.ResetOnChange = p.boolean("reset_on_change") },
	}
	p.options("streamstats", options)
	s.Aggs = p.aggregates("streamstats")
	p.options("streamstats", options)
	if p.keyword("by") != "" {
		s.By = p.by("streamstats")
	}
	p.options("streamstats", options)
	p.distinctColumns(s.Aggs)
	return s
}
