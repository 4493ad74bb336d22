package plan

import (
	"slices"
	"time"

	"tocsin/internal/query/kql"
	"tocsin/internal/query/pipe"
)

// Judged is what a detection command judges: what it says of a time in [From, To), unbounded where
// zero. It is given the events of History before that too.
type Judged struct {
	From, To time.Time
	// History is how long before its time the events are that a verdict depends on.
	History time.Duration
	// Buckets are those of spike.
	Buckets Buckets
}

// Buckets are the stretches of time that spike counts in, aligned to 1970. A bucket is compared with the
// Count buckets that end Shift buckets before it begins.
type Buckets struct {
	Length       time.Duration
	Count, Shift int64
}

// The bounds of a sequence: each key that has begun one holds as many partial ones as it has steps.
const (
	maxSequenceSteps  = 64
	maxSequenceEvents = 1000
)

// changedOver is how long changed remembers a value that has not been seen since, where it does not say.
const changedOver = 7 * 24 * time.Hour

// maxBuckets bounds what spike compares with, so that a bucket of a second is not compared with a century.
const maxBuckets = 100_000

// detection compiles a detection command.
func (c *compiler) detection(s *Step, q *Query) {
	in := s.In
	s.Judged = &Judged{}
	result := func(by []pipe.Field, names ...string) {
		c.known(by, in)
		s.Out = Columns{Names: namesOf(by)}
		for _, n := range names {
			if s.Out.Has(n) {
				c.fail(s.Pipe.Span(), "", "%s makes a column %q itself: rename the field of that name before it", s.Pipe.Name(), n)
			}
		}
		s.Out = s.Out.with(names...)
	}
	switch p := s.Pipe.(type) {
	case *pipe.NewTerms:
		c.known(p.Fields, in)
		s.Judged.History, _ = p.Over.Fixed()
	case *pipe.Changed:
		c.known(append(slices.Clone(p.Fields), p.By...), in)
		for _, f := range p.Fields {
			s.Out = s.Out.with("previous." + f.Name)
		}
		if s.Judged.History = changedOver; !p.Over.IsZero() {
			s.Judged.History, _ = p.Over.Fixed()
		}
	case *pipe.Missing:
		result(p.By, "last")
		s.Judged.History, _ = p.Over.Fixed()
	case *pipe.Spike:
		result(p.By, "count", "baseline", "first", "last")
		c.spike(p, s.Judged)
	case *pipe.Sequence:
		result(p.By, "first", "last", "events")
		c.sequence(p, s, q)
	}
	c.timed(s.Pipe, in)
}

// spike finds the buckets: of a rule's window, else of a 24th of the baseline.
func (c *compiler) spike(p *pipe.Spike, j *Judged) {
	baseline, _ := p.Baseline.Fixed()
	length := c.options.Window
	if length == 0 {
		length = max(baseline/24, time.Second)
	}
	b := Buckets{Length: length, Count: int64((baseline + length - 1) / length)}
	if b.Count > maxBuckets {
		c.fail(p.Span(), "", "a baseline of %s is more than %d buckets of %s, the window", p.Baseline, maxBuckets, length)
	}
	if seasonal, ok := p.Seasonal.Fixed(); ok && !p.Seasonal.IsZero() {
		if seasonal < baseline || seasonal < length {
			c.fail(p.Span(), "baseline=1h seasonal=7d", "seasonal=%s must not be shorter than baseline=%s or the window %s: it says how long ago the baseline was",
				p.Seasonal, p.Baseline, length)
		}
		// The middle of the baseline is the bucket one period ago.
		b.Shift = max(int64((seasonal+length/2)/length)-(b.Count+1)/2, 0)
	}
	j.Buckets = b
	j.History = time.Duration(b.Count+b.Shift+1) * length
}

func (c *compiler) sequence(p *pipe.Sequence, s *Step, q *Query) {
	events := 0
	for _, st := range p.Steps {
		s.Conditions = append(s.Conditions, c.filter(st.Filter, q))
		events = min(events+st.Runs, maxSequenceEvents+1)
	}
	if p.Until != nil {
		s.Conditions = append(s.Conditions, c.filter(*p.Until, q))
	}
	if len(p.Steps) > maxSequenceSteps || events > maxSequenceEvents {
		c.fail(p.Span(), "", "a sequence has at most %d steps and, with their runs, %d events: count them with stats ... over instead", maxSequenceSteps, maxSequenceEvents)
	}
	if p.MaxSpan.IsZero() && c.options.Window > 0 {
		p.MaxSpan = pipe.Duration{N: max(c.options.Window.Milliseconds(), 1), Unit: "ms"}
	}
	s.Judged.History, _ = p.MaxSpan.Fixed()
}

// judge tells each detection command what it judges, and reports how long before the query's range the
// events are that it needs.
func (q *Query) judge() (history time.Duration) {
	for _, s := range slices.Backward(q.Steps) {
		if s.Judged == nil {
			continue
		}
		s.Judged.From, s.Judged.To = q.Source.Earliest, q.Source.Latest
		if !s.Judged.From.IsZero() {
			s.Judged.From = s.Judged.From.Add(-history)
		}
		history += s.Judged.History
	}
	return history
}

// History is how long before the query's range the events are that its answer depends on.
func (q *Query) History() time.Duration { return q.history }

// matching is a filter for the events that a sequence right after the leading searches looks at, nil
// where that is not known before data is read.
func (q *Query) matching() kql.Node {
	steps := q.Steps[q.Leading():]
	if len(steps) == 0 {
		return nil
	}
	if _, ok := steps[0].Pipe.(*pipe.Sequence); !ok {
		return nil
	}
	var nodes []kql.Node
	for _, f := range steps[0].Conditions {
		if f.Tree == nil || len(f.Subs) > 0 || keepsAll(f.Tree) {
			return nil
		}
		nodes = append(nodes, f.Tree)
	}
	if len(nodes) == 1 {
		return nodes[0]
	}
	return &kql.Or{Nodes: nodes}
}
