package pipe

import (
	"strconv"
	"strings"
)

// Sequence finds events that follow each other in order, for each key.
type Sequence struct {
	Place
	By      []Field
	MaxSpan Duration
	Steps   []Step
	Until   *Filter // ends what has begun; nil for none
}

// Step is one event to come, or with Not one that must not come before the next step.
type Step struct {
	Filter Filter
	Not    bool
	Runs   int // how many such events in a row; 1 unless given
}

func (s Step) String() string {
	out := "[" + s.Filter.String() + "]"
	if s.Not {
		out = "!" + out
	}
	if s.Runs != 1 {
		out += " with runs=" + strconv.Itoa(s.Runs)
	}
	return out
}

// Name is sequence.
func (s *Sequence) Name() string { return "sequence" }

func (s *Sequence) String() string {
	var b strings.Builder
	b.WriteString("sequence")
	if s.By != nil {
		b.WriteString(" by " + list(s.By))
	}
	if !s.MaxSpan.IsZero() {
		b.WriteString(" maxspan=" + s.MaxSpan.String())
	}
	for _, st := range s.Steps {
		b.WriteString(" " + st.String())
	}
	if s.Until != nil {
		b.WriteString(" until [" + s.Until.String() + "]")
	}
	return b.String()
}

func parseSequence(p *parser) Pipe {
	s := &Sequence{}
	options := map[string]func(){"maxspan": func() { s.MaxSpan = p.duration("maxspan") }}
	p.options("sequence", options)
	if p.keyword("by") != "" {
		s.By = p.someFields("sequence by", p.plainName)
	}
	p.options("sequence", options)
	for {
		negated := p.take('!') || p.keyword("not") != ""
		if c := p.peek(); p.pos >= len(p.text) || c != '[' {
			if negated {
				p.failHere("![user.name: root]", "after ! comes a filter in brackets; found %s", p.found())
			}
			break
		}
		st := Step{Not: negated, Filter: p.bracketed(), Runs: 1}
		if p.keyword("with") != "" {
			p.options("with", map[string]func(){"runs": func() { st.Runs = p.integer("runs", 1) }})
		}
		s.Steps = append(s.Steps, st)
	}
	if p.keyword("until") != "" {
		f := p.bracketed()
		s.Until = &f
	}
	at := p.here()
	positive := 0
	for _, st := range s.Steps {
		if !st.Not {
			positive++
		}
	}
	switch {
	case positive < 2 && (positive == 0 || len(s.Steps) < 2 && s.Steps[0].Runs == 1):
		p.fail(at, "sequence by user.name maxspan=5m [A] [B]", "a sequence needs at least two steps")
	case s.Steps[0].Not:
		p.fail(at, "", "the first step of a sequence cannot be one that must not come")
	case s.Steps[len(s.Steps)-1].Not && s.MaxSpan.IsZero():
		p.fail(at, "maxspan=5m", "a sequence that ends with ![...] needs maxspan to know when it has not come")
	}
	return s
}

// bracketed reads a filter in brackets.
func (p *parser) bracketed() Filter {
	p.space()
	start := p.pos
	p.want('[', "before the filter")
	var f Filter
	p.nested(func() { f = p.filter(true) })
	if p.pos >= len(p.text) || p.text[p.pos] != ']' {
		p.fail(Span{start, start + 1}, "", "this bracket is never closed")
	}
	p.pos++
	if f.Empty() {
		p.fail(Span{start, p.pos}, "[*]", "an empty filter: write * for every event")
	}
	return f
}
