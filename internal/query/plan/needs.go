package plan

import (
	"slices"

	"tocsin/internal/query/pipe"
)

// needs are the fields of documents that the steps use, nil when that may be all.
func (q *Query) needs(steps []*Step) []string {
	need := set{all: q.Columns.Open}
	if !need.all {
		need.add(q.Columns.Names...)
	}
	for _, s := range slices.Backward(steps) {
		need = q.before(s, need)
	}
	if need.all {
		return nil
	}
	out := []string{}
	for _, n := range need.names {
		if n == "_time" {
			n = q.TimeField()
		}
		if !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out
}

// set is a set of names, or of all.
type set struct {
	names []string
	all   bool
}

func (s *set) add(names ...string) {
	for _, n := range names {
		if !slices.Contains(s.names, n) {
			s.names = append(s.names, n)
		}
	}
}

func (s *set) remove(names ...string) {
	s.names = slices.DeleteFunc(slices.Clone(s.names), func(n string) bool { return slices.Contains(names, n) })
}

// before is what a step needs so that need is there after it.
func (q *Query) before(s *Step, need set) set {
	in := s.In
	resolve := func(names ...string) []string {
		out := make([]string, len(names))
		for i, n := range names {
			out[i] = in.Resolve(n, q.TimeField())
		}
		return out
	}
	need.names = slices.Clone(need.names)
	timed := func() { need.add(in.Time(q.TimeField())) }
	filter := func(f *Filter) {
		if f == nil || f.Tree == nil {
			return
		}
		names, all := Fields(f.Tree)
		need.add(resolve(names...)...)
		need.all = need.all || all
		for _, sub := range f.Subs {
			need.add(resolve(sub.Columns.Names...)...)
			need.all = need.all || sub.Columns.Open
		}
	}
	switch p := s.Pipe.(type) {
	case *pipe.Search:
		filter(s.Filter)
	case *pipe.Where:
		need.add(resolve(pipe.Refs(p.Expr)...)...)
	case *pipe.Eval:
		for _, set := range slices.Backward(p.Sets) {
			need.remove(set.Field.Name)
			need.add(resolve(pipe.Refs(set.Expr)...)...)
		}
	case *pipe.Fields:
		if !p.Drop {
			return q.keeps(p.Fields, in)
		}
	case *pipe.Table:
		return q.keeps(p.Fields, in)
	case *pipe.Rename:
		for _, r := range slices.Backward(p.Pairs) {
			if r.From.Wild {
				need.all = need.all || in.Open
				need.add(in.Names...)
				continue
			}
			need.remove(r.To.Name)
			need.add(resolve(r.From.Name)...)
		}
	case *pipe.Sort:
		for _, k := range p.Keys {
			need.add(resolve(k.Field.Name)...)
		}
	case *pipe.Dedup:
		need.add(resolve(namesOf(p.Fields)...)...)
		for _, k := range p.SortBy {
			need.add(resolve(k.Field.Name)...)
		}
	case *pipe.Stats:
		need = set{}
		q.aggNeeds(&need, p.Aggs, p.By, in)
		if !p.Over.IsZero() {
			timed()
		}
	case *pipe.EventStats:
		need.remove(columnsOf(p.Aggs)...)
		q.aggNeeds(&need, p.Aggs, p.By, in)
	case *pipe.StreamStats:
		need.remove(columnsOf(p.Aggs)...)
		q.aggNeeds(&need, p.Aggs, p.By, in)
		for _, e := range []pipe.Expr{p.ResetBefore, p.ResetAfter} {
			if e != nil {
				need.add(resolve(pipe.Refs(e)...)...)
			}
		}
		if !p.TimeWindow.IsZero() {
			timed()
		}
	case *pipe.TimeChart:
		need = set{}
		timed()
		q.aggNeeds(&need, p.Aggs, nil, in)
		if p.By != nil {
			need.add(resolve(p.By.Name)...)
		}
	case *pipe.Chart:
		need = set{}
		by := []pipe.By{p.Over}
		if p.By != nil {
			by = append(by, *p.By)
		}
		q.aggNeeds(&need, p.Aggs, by, in)
	case *pipe.Top:
		need = set{}
		need.add(resolve(namesOf(p.Fields)...)...)
		need.add(resolve(namesOf(p.By)...)...)
	case *pipe.Bin:
		if p.As != "" {
			need.remove(p.As)
		}
		if p.Field.Name == "" {
			timed()
		} else {
			need.add(resolve(p.Field.Name)...)
		}
	case *pipe.Rex:
		need.add(resolve(orMessage(p.Field))...)
	case *pipe.Regex:
		need.add(resolve(orMessage(p.Field))...)
	case *pipe.Spath:
		need.add(resolve(orMessage(p.Input))...)
	case *pipe.MvExpand:
		need.add(resolve(p.Field.Name)...)
	case *pipe.MakeMv:
		need.add(resolve(p.Field.Name)...)
	case *pipe.Lookup:
		for _, k := range p.Keys {
			need.add(resolve(k.Field.Name)...)
		}
		for _, m := range p.Output {
			need.add(resolve(m.Field.Name)...)
		}
	case *pipe.InputLookup:
		if !p.Append {
			return set{}
		}
	case *pipe.Join:
		need.add(resolve(namesOf(p.Keys)...)...)
	case *pipe.IPLocation:
		need.add(resolve(p.Field.Name)...)
	case *pipe.Union:
		timed()
	case *pipe.NewTerms:
		timed()
		need.add(resolve(namesOf(p.Fields)...)...)
	case *pipe.Changed:
		timed()
		for _, f := range p.Fields {
			need.remove("previous." + f.Name)
		}
		need.add(resolve(namesOf(append(slices.Clone(p.Fields), p.By...))...)...)
	case *pipe.Missing:
		need = set{}
		timed()
		need.add(resolve(namesOf(p.By)...)...)
	case *pipe.Spike:
		need = set{}
		timed()
		need.add(resolve(namesOf(p.By)...)...)
	case *pipe.Sequence:
		need = set{}
		timed()
		need.add(resolve(namesOf(p.By)...)...)
		for _, f := range s.Conditions {
			filter(f)
		}
	case *pipe.Head, *pipe.Tail, *pipe.Append:
	case *pipe.FillNull, *pipe.Replace:
		// Without fields they work on all columns, of which those needed later are enough.
	default:
		need.all = need.all || in.Open
		need.add(in.Names...)
	}
	return need
}

func (q *Query) keeps(fields []pipe.Field, in Columns) set {
	out := set{}
	for _, f := range fields {
		if f.Wild {
			out.all = out.all || in.Open
			out.add(in.Names...)
			continue
		}
		out.add(in.Resolve(f.Name, q.TimeField()))
	}
	return out
}

func (q *Query) aggNeeds(need *set, aggs []pipe.Aggregate, by []pipe.By, in Columns) {
	for _, b := range by {
		need.add(in.Resolve(b.Field.Name, q.TimeField()))
	}
	for _, a := range aggs {
		switch {
		case a.Field != nil:
			need.add(in.Resolve(a.Field.Name, q.TimeField()))
		case a.Expr != nil:
			for _, n := range pipe.Refs(a.Expr) {
				need.add(in.Resolve(n, q.TimeField()))
			}
		}
		if a.Func == "earliest" || a.Func == "latest" {
			need.add(in.Time(q.TimeField()))
		}
	}
}

// orMessage is the field, or message where none is named.
func orMessage(f pipe.Field) string {
	if f.Name == "" {
		return "message"
	}
	return f.Name
}
