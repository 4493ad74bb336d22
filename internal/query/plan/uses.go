package plan

import "slices"

// Uses are the fields of documents that the query names, in order of name: in its filter and in its pipes, without
// the time and what a source knows of every document. Patterns of names are not among them, nor is what a subsearch
// uses.
func (q *Query) Uses() []string {
	need := set{}
	for _, s := range slices.Backward(q.Steps) {
		need = q.before(s, need)
	}
	names := need.names
	for _, f := range append([]*Filter{q.Filter}, filters(q.Steps[:q.Leading()])...) {
		if f.Tree == nil {
			continue
		}
		of, _ := Fields(f.Tree)
		names = append(names, of...)
	}
	var out []string
	for _, n := range names {
		if n != "_time" && n != "_id" && n != "_index" && n != q.TimeField() && n != "" {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func filters(steps []*Step) (out []*Filter) {
	for _, s := range steps {
		out = append(out, s.Filter)
	}
	return out
}
