package pipe

// EventStats adds to each row the aggregates of all rows with its keys.
type EventStats struct {
	Place
	Aggs []Aggregate
	By   []By
}

// Name is eventstats.
func (e *EventStats) Name() string { return "eventstats" }

func (e *EventStats) String() string {
	s := "eventstats " + list(e.Aggs)
	if e.By != nil {
		s += " by " + list(e.By)
	}
	return s
}

func parseEventStats(p *parser) Pipe {
	e := &EventStats{Aggs: p.aggregates("eventstats")}
	if p.keyword("by") != "" {
		e.By = p.by("eventstats")
	}
	p.distinctColumns(e.Aggs)
	return e
}
