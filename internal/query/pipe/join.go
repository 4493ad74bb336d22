package pipe

import "strconv"

// Join adds the columns of a subsearch's rows to the rows with equal keys.
type Join struct {
	Place
	Left      bool // keep rows without a match
	Max       int  // the most matches of a row, 0 for all
	Overwrite bool // the subsearch's columns win over those of the same name
	Keys      []Field
	Sub       Subsearch
}

// Name is join.
func (j *Join) Name() string { return "join" }

func (j *Join) String() string {
	s := "join"
	if j.Left {
		s += " type=left"
	}
	if j.Max != 1 {
		s += " max=" + strconv.Itoa(j.Max)
	}
	if !j.Overwrite {
		s += " overwrite=false"
	}
	return s + " " + list(j.Keys) + " " + j.Sub.String()
}

func parseJoin(p *parser) Pipe {
	j := &Join{Max: 1, Overwrite: true}
	options := map[string]func(){
		"type":      func() { j.Left = p.oneOf("type", "inner", "left", "outer") != "inner" },
		"max":       func() { j.Max = p.integer("max", 0) },
		"overwrite": func() { j.Overwrite = p.boolean("overwrite") },
	}
	p.options("join", options)
	j.Keys = p.someFields("join", p.plainName)
	p.options("join", options)
	j.Sub = p.subsearch()
	return j
}

// Append adds the rows of a subsearch after the rows there are.
type Append struct {
	Place
	Sub Subsearch
}

// Name is append.
func (a *Append) Name() string { return "append" }

func (a *Append) String() string { return "append " + a.Sub.String() }

func parseAppend(p *parser) Pipe { return &Append{Sub: p.subsearch()} }

// Union merges the rows of subsearches with the rows there are, by time.
type Union struct {
	Place
	Subs []Subsearch
}

// Name is union.
func (u *Union) Name() string { return "union" }

func (u *Union) String() string {
	s := "union"
	for _, sub := range u.Subs {
		s += " " + sub.String()
	}
	return s
}

func parseUnion(p *parser) Pipe {
	u := &Union{}
	for {
		u.Subs = append(u.Subs, p.subsearch())
		p.take(',')
		if p.atEnd() {
			return u
		}
	}
}
