package pipe

import "strconv"

// Top counts combinations of values and keeps the most common, or with Rare the least common.
type Top struct {
	Place
	Rare         bool
	Limit        int // 0: all
	Fields       []Field
	By           []Field
	ShowCount    bool
	ShowPerc     bool
	CountField   string
	PercentField string
}

// Name is top or rare.
func (t *Top) Name() string {
	if t.Rare {
		return "rare"
	}
	return "top"
}

func (t *Top) String() string {
	s := t.Name() + " limit=" + strconv.Itoa(t.Limit)
	if !t.ShowCount {
		s += " showcount=false"
	}
	if !t.ShowPerc {
		s += " showperc=false"
	}
	if t.CountField != "count" {
		s += " countfield=" + quote(t.CountField)
	}
	if t.PercentField != "percent" {
		s += " percentfield=" + quote(t.PercentField)
	}
	s += " " + list(t.Fields)
	if t.By != nil {
		s += " by " + list(t.By)
	}
	return s
}

func parseTop(p *parser) Pipe { return p.top(&Top{}) }

func parseRare(p *parser) Pipe { return p.top(&Top{Rare: true}) }

func (p *parser) top(t *Top) Pipe {
	t.Limit, t.ShowCount, t.ShowPerc, t.CountField, t.PercentField = 10, true, true, "count", "percent"
	options := map[string]func(){
		"limit":        func() { t.Limit = p.integer("limit", 0) },
		"showcount":    func() { t.ShowCount = p.boolean("showcount") },
		"showperc":     func() { t.ShowPerc = p.boolean("showperc") },
		"countfield":   func() { t.CountField = p.str("a name for the count") },
		"percentfield": func() { t.PercentField = p.str("a name for the percentage") },
	}
	p.options(t.Name(), options)
	if isDigits(p.word()) {
		t.Limit = p.integer("the number of values", 0)
	}
	p.options(t.Name(), options)
	t.Fields = p.someFields(t.Name(), p.plainName, "by")
	p.options(t.Name(), options)
	if p.keyword("by") != "" {
		t.By = p.someFields(t.Name()+" by", p.plainName)
		p.options(t.Name(), options)
	}
	seen := map[string]bool{}
	names := append([]Field{}, t.By...)
	names = append(names, t.Fields...)
	if t.ShowCount {
		names = append(names, Field{Name: t.CountField, At: p.here()})
	}
	if t.ShowPerc {
		names = append(names, Field{Name: t.PercentField, At: p.here()})
	}
	for _, f := range names {
		if seen[f.Name] {
			p.fail(f.At, "countfield=n percentfield=p", "two columns would be called %q", f.Name)
		}
		seen[f.Name] = true
	}
	return t
}
