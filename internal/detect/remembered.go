package detect

import (
	"cmp"
	"slices"
)

// remembered is the past of runs that follow each other in order of time and of which none is repeated: what a
// rule finds in old data. It keeps in memory what the database would.
type remembered struct {
	joins int64 // how near windows of one episode are, in nanoseconds

	serial   int64
	episodes map[string]*Stored
	byKey    map[string][]*Stored // in order of time
	ending   []*Stored            // in order of their ends, run by run
	buckets  map[string][]Bucket  // by key, in order of time
	open     map[int64][]string   // the keys of the buckets of a stretch that may be replaced
	last     map[string]said
	// forgets says that nothing found is found again, so that no episode needs to be kept.
	forgets bool
}

func newRemembered(joins int64, forgets bool) *remembered {
	return &remembered{
		joins: joins, episodes: map[string]*Stored{}, byKey: map[string][]*Stored{}, buckets: map[string][]Bucket{},
		open: map[int64][]string{}, last: map[string]said{}, forgets: forgets,
	}
}

func (m *remembered) episode(id string) (Stored, bool, error) {
	if s := m.episodes[id]; s != nil {
		return *s, true, nil
	}
	return Stored{}, false, nil
}

func (m *remembered) bucketKeys(_ string, span Span) ([]string, error) {
	var out []string
	for at, keys := range m.open {
		if at >= span.From && at < span.To {
			out = append(out, keys...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

func (m *remembered) bucketsOf(_, key string, span Span) ([]Bucket, error) {
	all := m.buckets[key]
	at := func(b Bucket, at int64) int { return cmp.Compare(b.At, at) }
	from, _ := slices.BinarySearchFunc(all, span.From, at)
	to, _ := slices.BinarySearchFunc(all, span.To, at)
	return slices.Clone(all[from:max(from, to)]), nil
}

func (m *remembered) episodesOf(_, key string, from, to int64) ([]Stored, error) {
	var out []Stored
	for _, s := range slices.Backward(m.byKey[key]) {
		if s.LastEnd < from {
			break
		}
		if s.FirstEnd <= to {
			out = append(out, *s)
		}
	}
	return out, nil
}

func (m *remembered) episodesEnding(_ string, from, to int64) ([]Stored, error) {
	var out []Stored
	for _, s := range slices.Backward(m.ending) {
		if s.LastEnd < from {
			break
		}
		if s.LastEnd < to {
			out = append(out, *s)
		}
	}
	return out, nil
}

func (m *remembered) lastSaid(_, same string) (said, bool, error) {
	s, ok := m.last[same]
	return s, ok, nil
}

// keep takes in what a run brought, as the database would.
func (m *remembered) keep(r *result) {
	for _, s := range r.said {
		m.last[s.same] = s
	}
	m.sumUp(r)
	if m.forgets {
		return
	}
	for i := range r.episodes {
		s := r.episodes[i]
		if have := m.episodes[s.ID]; have != nil {
			s.Serial = have.Serial
			*have = s
			continue
		}
		m.serial++
		s.Serial = m.serial
		m.episodes[s.ID] = &s
		if m.joins > 0 {
			m.byKey[s.Key] = append(m.byKey[s.Key], &s)
		} else {
			m.ending = append(m.ending, &s)
		}
	}
}

// sumUp takes in a run's buckets. The stretches before those it replaced are final: neighbours of one episode
// are made one, so that an episode that never ends costs no more with every run.
func (m *remembered) sumUp(r *result) {
	if len(r.dropped) == 0 {
		return
	}
	dropped := r.dropped[0]
	for at, keys := range m.open {
		if at >= dropped.From && at < dropped.To {
			for _, key := range keys {
				m.buckets[key] = slices.DeleteFunc(m.buckets[key], func(b Bucket) bool { return b.At == at })
			}
		}
		delete(m.open, at)
	}
	for _, b := range r.buckets {
		all := m.buckets[b.Key]
		for n := len(all); n > 1 && all[n-1].At < dropped.From && all[n-1].FirstEnd-all[n-2].LastEnd < m.joins; n-- {
			all[n-2].join(&all[n-1])
			all = all[:n-1]
		}
		m.buckets[b.Key] = append(all, b)
		m.open[b.At] = append(m.open[b.At], b.Key)
	}
}
