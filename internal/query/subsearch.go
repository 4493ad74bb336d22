package query

// Subsearches reports whether the search reads anything beside its own events: a subsearch in its filter or in
// a pipe.
func (q *Query) Subsearches() bool {
	if len(q.plan.Filter.Subs) > 0 {
		return true
	}
	for _, s := range q.plan.Steps {
		if len(s.Subs) > 0 || s.Filter != nil && len(s.Filter.Subs) > 0 {
			return true
		}
	}
	return false
}

// Leading is how many pipes, right after the filter, only narrow down the documents that Events asks for.
func (q *Query) Leading() int { return q.plan.Leading() }
