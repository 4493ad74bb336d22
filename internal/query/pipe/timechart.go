package pipe

import "strconv"

// TimeChart aggregates by time, and by one more field if wanted.
type TimeChart struct {
	Place
	Size     Size // zero: chosen so that there are at most Bins buckets
	Bins     int
	Aggs     []Aggregate
	By       *Field
	Limit    int  // the most series kept apart, 0 for all; the others become OTHER
	UseOther bool // false drops what is over Limit
	UseNull  bool // rows without the field are a series
	Fill     bool // empty buckets are rows too
}

// Name is timechart.
func (t *TimeChart) Name() string { return "timechart" }

func (t *TimeChart) String() string {
	s := "timechart"
	if !t.Size.IsZero() {
		s += " span=" + t.Size.String()
	}
	if t.Bins != 100 {
		s += " bins=" + strconv.Itoa(t.Bins)
	}
	s += series(t.Limit, t.UseOther, t.UseNull)
	if t.Fill {
		s += " fill=true"
	}
	s += " " + list(t.Aggs)
	if t.By != nil {
		s += " by " + t.By.String()
	}
	return s
}

func series(limit int, useOther, useNull bool) string {
	s := ""
	if limit > 0 {
		s += " limit=" + strconv.Itoa(limit)
	}
	if !useOther {
		s += " useother=false"
	}
	if useNull {
		s += " usenull=true"
	}
	return s
}

func parseTimeChart(p *parser) Pipe {
	t := &TimeChart{Bins: 100, UseOther: true}
	options := map[string]func(){
		"span": func() {
			t.Size = p.size("span")
			if t.Size.Number != "" {
				p.failHere("span=5m", "the span of a timechart is a duration")
			}
		},
		"bins":     func() { t.Bins = p.integer("bins", 1) },
		"limit":    func() { t.Limit = p.integer("limit", 0) },
		"useother": func() { t.UseOther = p.boolean("useother") },
		"usenull":  func() { t.UseNull = p.boolean("usenull") },
		"fill":     func() { t.Fill = p.boolean("fill") },
		"cont":     func() { t.Fill = p.boolean("cont") },
	}
	p.options("timechart", options)
	t.Aggs = p.aggregates("timechart")
	p.options("timechart", options)
	if p.keyword("by") != "" {
		f := p.plainName("a field after by")
		t.By = &f
		p.distinctColumns(t.Aggs, f.Name)
	} else {
		p.distinctColumns(t.Aggs)
	}
	p.options("timechart", options)
	return t
}

// Chart aggregates into a grid: a row for each value of Over, a column for each value of By.
type Chart struct {
	Place
	Aggs     []Aggregate
	Over     By
	By       *By
	Limit    int
	UseOther bool
	UseNull  bool
}

// Name is chart.
func (c *Chart) Name() string { return "chart" }

func (c *Chart) String() string {
	s := "chart" + series(c.Limit, c.UseOther, c.UseNull) + " " + list(c.Aggs) + " over " + c.Over.String()
	if c.By != nil {
		s += " by " + c.By.String()
	}
	return s
}

func parseChart(p *parser) Pipe {
	c := &Chart{UseOther: true}
	options := map[string]func(){
		"limit":    func() { c.Limit = p.integer("limit", 0) },
		"useother": func() { c.UseOther = p.boolean("useother") },
		"usenull":  func() { c.UseNull = p.boolean("usenull") },
	}
	p.options("chart", options)
	c.Aggs = p.aggregates("chart")
	p.options("chart", options)
	var by []By
	if p.keyword("over") != "" {
		by = append(by, p.oneBy())
		p.bySpan(&by[0])
	}
	if p.keyword("by") != "" {
		by = append(by, p.by("chart")...)
	}
	if len(by) == 0 {
		p.failHere("chart count over host by status", "chart needs over and a field; found %s", p.found())
	}
	if len(by) > 2 {
		p.fail(by[2].Field.At, "", "chart takes one field for its rows and one for its columns")
	}
	c.Over = by[0]
	if len(by) > 1 {
		c.By = &by[1]
	}
	p.distinctColumns(c.Aggs, c.Over.Column())
	p.options("chart", options)
	return c
}

// bySpan reads span=5m after a key.
func (p *parser) bySpan(b *By) {
	p.options("chart", map[string]func(){"span": func() { b.Size = p.size("span") }})
}
