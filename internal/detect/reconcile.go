package detect

import (
	"cmp"
	"slices"

	"tocsin/internal/alert"
)

// Stored is an episode as the database has it.
type Stored struct {
	ID string `json:"-"`
	// Serial orders episodes by when they were stored first.
	Serial int64  `json:"-"`
	Key    string `json:"-"`
	Episode
	// Samples are some of the documents it was made of when it was found.
	Samples []Sample `json:"samples,omitempty"`
	// Series is how what it measures went, as of when it changed last; nil for nothing to show.
	Series *Series `json:"series,omitempty"`
	// MergedInto is the id of the episode this one became part of; empty for none.
	MergedInto string `json:"merged_into,omitempty"`
	// Withdrawn says that no window holds any more.
	Withdrawn bool `json:"withdrawn,omitempty"`
	// Late says that it was found after its time had been covered once, or was not covered in time.
	Late bool `json:"late,omitempty"`
	// Held is why its alert was kept back when it was found; nil where it was not.
	Held *alert.Held `json:"held,omitempty"`
	// Keeper is what kept it back.
	Keeper keeper `json:"keeper,omitempty"`
	// Said is up to which event time what was said of it last tells, in microseconds, and Again how often it was
	// said again, for it still grew.
	Said  int64 `json:"said,omitempty"`
	Again int   `json:"again,omitempty"`
	// Ongoing says that it is a condition that ends, Ended when it did, in nanoseconds; 0 while it holds.
	Ongoing bool  `json:"ongoing,omitempty"`
	Ended   int64 `json:"ended,omitempty"`
	// Unfollowed is why nobody looks any more whether it holds; then Ended is when that began.
	Unfollowed string `json:"unfollowed,omitempty"`
	// Updated is when it was last changed, in microseconds; it only grows.
	Updated int64 `json:"updated"`
	// Rule is the version of the rule that found it.
	Rule string `json:"rule,omitempty"`
	// Definition names what the rule judged when it was found.
	Definition string `json:"definition,omitempty"`
	// Fixed says that the rule judged something else then: that it does not find it now means nothing.
	Fixed bool `json:"-"`
}

func (s *Stored) standing() bool { return s.MergedInto == "" && !s.Withdrawn }

// near reports whether one of the ends of windows of both is less than length from one of the other, or the
// same.
func near(a, b *Episode, length int64) bool {
	return a.FirstEnd <= b.LastEnd && b.FirstEnd <= a.LastEnd || a.FirstEnd-b.LastEnd < length && b.FirstEnd-a.LastEnd < length
}

// Reconcile makes the stored episodes of one key say what was derived from all of its windows in the same
// stretch of time. Every episode derived keeps the id stored first of those it is made of; a stored one that
// belongs to it too is merged into it, and one that no window speaks for is withdrawn. What is new gets the
// id that name makes. Only what changed comes out. stored are all episodes of the key that are near the
// derived ones or in their stretch of time, those merged and withdrawn too; taken tells of an id that some
// other episode has.
func Reconcile(stored []Stored, derived []Episode, length int64, name func(first int64, try int) string, taken func(id string) bool) []Stored {
	slices.SortFunc(stored, func(a, b Stored) int { return cmp.Compare(a.Serial, b.Serial) })
	became := make([]int, len(stored)) // the derived episode that a stored one now is, -1 for none
	for i := range became {
		became[i] = -1
	}
	carrier := make([]int, len(derived)) // the stored episode of a derived one, -1 for a new one
	for d := range derived {
		carrier[d] = -1
		best := 0
		for i := range stored {
			if became[i] >= 0 || !near(&stored[i].Episode, &derived[d], length) {
				continue
			}
			if fit := fitness(&stored[i], &derived[d], derived, length); fit > best {
				carrier[d], best = i, fit
			}
		}
		if carrier[d] >= 0 {
			became[carrier[d]] = d
		}
	}
	ids := map[string]bool{}
	for i := range stored {
		ids[stored[i].ID] = true
	}
	out := make([]Stored, 0, len(derived))
	mark := map[int]string{} // by derived episode
	for d := range derived {
		s := Stored{Episode: derived[d]}
		if i := carrier[d]; i >= 0 {
			s = stored[i]
			s.Episode, s.MergedInto, s.Withdrawn = derived[d], "", false
			if stored[i].Fixed {
				s.Episode = both(stored[i].Episode, derived[d])
			}
		} else {
			for try := 0; ; try++ {
				if s.ID = name(derived[d].First, try); !ids[s.ID] && !taken(s.ID) {
					break
				}
			}
			ids[s.ID] = true
		}
		mark[d] = s.ID
		out = append(out, s)
	}
	for i := range stored {
		if became[i] >= 0 {
			continue
		}
		s := stored[i]
		into := slices.IndexFunc(derived, func(e Episode) bool { return near(&s.Episode, &e, length) })
		switch {
		case into >= 0:
			s.MergedInto, s.Withdrawn = mark[into], false
		case s.Fixed || s.MergedInto != "":
		default:
			s.Withdrawn = true
		}
		out = append(out, s)
	}
	return changed(stored, out)
}

// fitness ranks a stored episode for a derived one; 0 is not at all. One that stands goes before one that was
// merged or withdrawn, then the one stored first. An episode that fits a later derived one alone and better
// is left to it where it was part of another before.
func fitness(s *Stored, d *Episode, all []Episode, length int64) int {
	if s.standing() {
		return 2
	}
	if s.First == d.First || s.FirstEnd == d.FirstEnd {
		return 1
	}
	for i := range all {
		if &all[i] != d && near(&s.Episode, &all[i], length) {
			return 0
		}
	}
	return 1
}

// both is an episode that an earlier version found with what this one found of it.
func both(a, b Episode) Episode {
	if b.FirstEnd < a.FirstEnd {
		a.FirstEnd, a.First = b.FirstEnd, b.First
	}
	a.First = min(a.First, b.First)
	a.LastEnd = max(a.LastEnd, b.LastEnd)
	a.Windows = max(a.Windows, b.Windows)
	if b.Best.better(&a.Best) {
		a.Best = b.Best
	}
	return a
}

// changed leaves out what is as it was.
func changed(before, after []Stored) []Stored {
	return slices.DeleteFunc(after, func(s Stored) bool {
		i := slices.IndexFunc(before, func(b Stored) bool { return b.ID == s.ID })
		return i >= 0 && same(&before[i], &s)
	})
}

func same(a, b *Stored) bool {
	return a.First == b.First && a.FirstEnd == b.FirstEnd && a.LastEnd == b.LastEnd && a.Windows == b.Windows &&
		a.MergedInto == b.MergedInto && a.Withdrawn == b.Withdrawn && sameWindow(&a.Best, &b.Best)
}

func sameWindow(a, b *Window) bool {
	return a.End == b.End && a.First == b.First && a.Rank == b.Rank && slices.Equal(a.Row, b.Row)
}
