package exec

import (
	"errors"
	"fmt"

	"tocsin/internal/query/pipe"
	"tocsin/internal/row"
)

// changeOp changes each row in place.
type changeOp struct {
	link
	change func(*row.Row)
}

func (o *changeOp) push(r *row.Row) error {
	o.change(r)
	return o.next.push(r)
}

func (b *builder) eval(p *pipe.Eval) (op, *row.Schema, error) {
	slots, funcs := make([]int, len(p.Sets)), make([]evalFunc, len(p.Sets))
	made := b.step.In
	for i, s := range p.Sets {
		c := &exprCompiler{env: b.env, query: b.query, slot: func(name string) int {
			return b.in.Slot(made.Resolve(name, b.query.TimeField()))
		}}
		funcs[i] = c.compile(s.Expr)
		slots[i] = b.in.Slot(s.Field.Name)
		if !made.Has(s.Field.Name) {
			made.Names = append(made.Names[:len(made.Names):len(made.Names)], s.Field.Name)
		}
	}
	return &evalOp{slots: slots, funcs: funcs}, b.in, nil
}

// maxValue is how large a value may grow, in bytes: repeated doubling must not fill the memory.
const maxValue = 64 << 20

// evalOp sets fields to what their expressions give.
type evalOp struct {
	link
	slots []int
	funcs []evalFunc
}

func (o *evalOp) push(r *row.Row) error {
	for i, f := range o.funcs {
		v := f(r)
		if k := v.Kind(); (k == row.String || k == row.List) && v.Size() > maxValue {
			return fmt.Errorf("eval made a value of more than %d MB: shorten it with substr or mvindex", maxValue>>20)
		}
		r.Set(o.slots[i], v)
	}
	return o.next.push(r)
}

func (b *builder) fillNull(p *pipe.FillNull) (op, *row.Schema, error) {
	value := literal(p.Value)
	if p.Fields != nil {
		slots := b.slots(p.Fields)
		return &changeOp{change: func(r *row.Row) {
			for _, s := range slots {
				if r.Get(s).IsNull() {
					r.Set(s, value)
				}
			}
		}}, b.in, nil
	}
	if !b.step.In.Open {
		slots := make([]int, len(b.step.In.Names))
		for i, n := range b.step.In.Names {
			slots[i] = b.slot(n)
		}
		return &changeOp{change: func(r *row.Row) {
			for _, s := range slots {
				if r.Get(s).IsNull() {
					r.Set(s, value)
				}
			}
		}}, b.in, nil
	}
	// Which columns there are is only known when all rows are.
	return &holdOp{env: b.env, pipe: "fillnull without fields", finish: func(rows []row.Row) []row.Row {
		used := make([]bool, b.in.Len())
		for i := range rows {
			for s, v := range rows[i].Vals {
				used[s] = used[s] || !v.IsNull()
			}
		}
		for i := range rows {
			for s, u := range used {
				if u && rows[i].Get(s).IsNull() {
					rows[i].Set(s, value)
				}
			}
		}
		return rows
	}}, b.in, nil
}

// holdOp keeps all rows until the last has come, and hands on what finish makes of them.
type holdOp struct {
	link
	env    *env
	pipe   string
	rows   []row.Row
	held   int
	finish func(rows []row.Row) []row.Row
}

func (o *holdOp) push(r *row.Row) error {
	c := r.Clone()
	n := c.Size()
	o.held += n
	o.rows = append(o.rows, c)
	return o.env.memory.hold(o.pipe, n)
}

func (o *holdOp) flush() error {
	rows := o.finish(o.rows)
	o.rows = nil
	if err := pushAll(o.next, rows); err != nil {
		return err
	}
	o.env.memory.release(o.held)
	return o.next.flush()
}

// pushAll hands rows on until no more are wanted.
func pushAll(next op, rows []row.Row) error {
	for i := range rows {
		if err := next.push(&rows[i]); errors.Is(err, ErrStop) {
			return nil
		} else if err != nil {
			return err
		}
	}
	return nil
}
