package exec

import (
	"fmt"
	"time"

	"tocsin/internal/query/pipe"
	"tocsin/internal/query/plan"
	"tocsin/internal/row"
)

// op is one stage of a stream. push is given a row that it may change and must clone to keep; it
// returns ErrStop when it wants no more. flush is called once, after the last push, also after ErrStop.
type op interface {
	push(r *row.Row) error
	flush() error
	to(next op)
}

// link is the next stage; stages embed it.
type link struct{ next op }

func (l *link) to(next op) { l.next = next }

func (l *link) flush() error { return l.next.flush() }

// output is the last stage. It is told the schema of what comes.
type output interface {
	op
	begin(schema *row.Schema)
	// documents reports whether the JSON of documents is wanted.
	documents() bool
}

// chain builds the stages of a query from the first to the last.
type chain struct {
	env   *env
	query *plan.Query
	ops   []op
	out   *row.Schema
}

func (c *chain) add(o op, out *row.Schema) {
	if len(c.ops) > 0 {
		c.ops[len(c.ops)-1].to(o)
	}
	c.ops = append(c.ops, o)
	c.out = out
}

// end adds the last stage and returns the first.
func (c *chain) end(last output, schema *row.Schema) op {
	if c.out == nil {
		c.out = schema
	}
	last.begin(c.out)
	c.add(last, c.out)
	return c.ops[0]
}

// steps adds stages for these steps, the first of which is given rows of schema.
func (c *chain) steps(steps []*plan.Step, schema *row.Schema) error {
	in := schema
	for i := 0; i < len(steps); i++ {
		b := &builder{env: c.env, query: c.query, step: steps[i], in: in}
		if s, ok := steps[i].Pipe.(*pipe.Stats); ok && !s.Over.IsZero() {
			var after []pipe.Pipe
			for _, st := range steps[i+1:] {
				after = append(after, st.Pipe)
			}
			judges := steps[i+1 : i+1+plan.Judges(after)]
			o, out, err := b.over(s, judges)
			if err != nil {
				return err
			}
			i += len(judges)
			c.add(o, out)
			in = out
			continue
		}
		o, out, err := b.build()
		if err != nil {
			return err
		}
		c.add(c.env.timed(steps[i].Pipe.Name(), o), out)
		in = out
	}
	c.out = in
	return nil
}

// timed wraps a stage to count its rows and its time, where they are asked for.
func (e *env) timed(name string, o op) op {
	if !e.options.Profile {
		return o
	}
	t := &timed{op: o, name: name, env: e}
	e.timings = append(e.timings, t)
	return t
}

// timed counts the rows that go into a stage, and the time spent in it but not in those after it.
type timed struct {
	op
	env  *env
	name string
	in   int64
	took time.Duration
}

func (t *timed) push(r *row.Row) error {
	t.in++
	defer t.stop(t.start())
	return t.op.push(r)
}

func (t *timed) flush() error {
	defer t.stop(t.start())
	return t.op.flush()
}

func (t *timed) start() (began time.Time, inner time.Duration) {
	inner, t.env.inner = t.env.inner, 0
	return time.Now(), inner
}

// stop takes what the stages after this one have spent off its own time.
func (t *timed) stop(began time.Time, inner time.Duration) {
	all := time.Since(began)
	t.took += all - t.env.inner
	t.env.inner = inner + all
}

func (e *env) profile() []Timing {
	out := make([]Timing, len(e.timings))
	for i, t := range e.timings {
		out[i] = Timing{Pipe: t.name, Rows: t.in, Took: t.took}
	}
	return out
}

// builder makes the stage of one step.
type builder struct {
	env   *env
	query *plan.Query
	step  *plan.Step
	in    *row.Schema
}

// slot is the slot of a name as the step sees it.
func (b *builder) slot(name string) int {
	return b.in.Slot(b.step.In.Resolve(name, b.query.TimeField()))
}

func (b *builder) slots(fields []pipe.Field) []int {
	out := make([]int, len(fields))
	for i, f := range fields {
		out[i] = b.slot(f.Name)
	}
	return out
}

// timeSlot is the slot that holds the time of rows.
func (b *builder) timeSlot() int { return b.in.Slot(b.step.In.Time(b.query.TimeField())) }

// message is the slot of a field, or of message when none is named.
func (b *builder) message(f pipe.Field) int {
	if f.Name == "" {
		return b.slot("message")
	}
	return b.slot(f.Name)
}

// build makes the stage and the schema of what it gives.
func (b *builder) build() (op, *row.Schema, error) {
	switch p := b.step.Pipe.(type) {
	case *pipe.Search:
		return b.search()
	case *pipe.Where:
		return b.where(p)
	case *pipe.Eval:
		return b.eval(p)
	case *pipe.Fields:
		return b.fields(p.Fields, p.Drop)
	case *pipe.Table:
		return b.fields(p.Fields, false)
	case *pipe.Rename:
		return b.rename(p)
	case *pipe.Sort:
		return b.sort(p)
	case *pipe.Head:
		return &headOp{skip: p.From, left: p.N}, b.in, nil
	case *pipe.Tail:
		return &tailOp{env: b.env, n: p.N}, b.in, nil
	case *pipe.Dedup:
		return b.dedup(p)
	case *pipe.Stats:
		return b.stats(p)
	case *pipe.Top:
		return b.top(p)
	case *pipe.Bin:
		return b.bin(p)
	case *pipe.TimeChart:
		return b.timeChart(p)
	case *pipe.Chart:
		return b.chart(p)
	case *pipe.EventStats:
		return b.eventStats(p)
	case *pipe.StreamStats:
		return b.streamStats(p)
	case *pipe.FillNull:
		return b.fillNull(p)
	case *pipe.Rex:
		return b.rex(p)
	case *pipe.Regex:
		return b.regex(p)
	case *pipe.Replace:
		return b.replace(p)
	case *pipe.Spath:
		return b.spath(p)
	case *pipe.MvExpand:
		return &mvExpandOp{slot: b.slot(p.Field.Name), limit: p.Limit}, b.in, nil
	case *pipe.MakeMv:
		return b.makeMv(p)
	case *pipe.Lookup:
		return b.lookup(p)
	case *pipe.InputLookup:
		return b.inputLookup(p)
	case *pipe.Join:
		return b.join(p)
	case *pipe.Append:
		return b.append()
	case *pipe.Union:
		return b.union()
	case *pipe.Transaction:
		return b.transaction(p)
	case *pipe.Convert:
		return b.convert(p)
	case *pipe.IPLocation:
		return b.ipLocation(p)
	case *pipe.NewTerms:
		return b.newTerms(p)
	case *pipe.Missing:
		return b.missing(p)
	case *pipe.Spike:
		return b.spike(p)
	case *pipe.Changed:
		return b.changed(p)
	case *pipe.Sequence:
		return b.sequence(p)
	}
	return nil, nil, fmt.Errorf("%s cannot run", b.step.Pipe.Name())
}
