package detect

import (
	"cmp"
	"slices"
)

// Window is one window that a rule found: what holds of a key at a moment. Times are nanoseconds since
// 1970, for windows are told apart by the exact times of their events.
type Window struct {
	// Key names whom it is about.
	Key string `json:"-"`
	// End is the event time for which it was judged, First that of its first event.
	End   int64 `json:"end"`
	First int64 `json:"first"`
	// Rank is the first numeric value of its row; Ranked is false without one.
	Rank   float64 `json:"rank,omitempty"`
	Ranked bool    `json:"ranked,omitempty"`
	// Row is what it says, in order, and Samples some of the documents it was made of.
	Row     []Column `json:"row,omitempty"`
	Samples []Sample `json:"samples,omitempty"`
}

// Column is one column of a row, its value as JSON.
type Column struct {
	Name  string `json:"n"`
	Value string `json:"v"`
}

// Sample is a document that a window was made of.
type Sample struct {
	Index string `json:"index,omitempty"`
	ID    string `json:"id,omitempty"`
	JSON  string `json:"doc,omitempty"`
}

// better reports whether the row of w stands for an episode rather than that of o, which ended before: the
// greatest first number, of equal ones the earliest; without numbers the last.
func (w *Window) better(o *Window) bool {
	switch {
	case w.Ranked && o.Ranked:
		return w.Rank > o.Rank || w.Rank == o.Rank && w.End < o.End
	case w.Ranked != o.Ranked:
		return w.Ranked
	}
	return w.End > o.End
}

// Bucket sums up the windows of a key whose ends lie in one stretch of the grid. As no stretch is longer
// than what joins windows to episodes, its windows belong together, and no more of them must be kept.
type Bucket struct {
	Key string `json:"-"`
	// At is the beginning of the stretch, in microseconds.
	At int64 `json:"-"`
	// FirstEnd and LastEnd are the ends of its first and last window; First is the time of the first
	// event of the first one.
	FirstEnd int64  `json:"first_end"`
	LastEnd  int64  `json:"last_end"`
	First    int64  `json:"first"`
	Windows  int    `json:"windows"`
	Best     Window `json:"best"`
}

// join makes a bucket that of the windows of a later one too.
func (b *Bucket) join(next *Bucket) {
	b.LastEnd = max(b.LastEnd, next.LastEnd)
	b.Windows += next.Windows
	if next.Best.better(&b.Best) {
		b.Best = next.Best
	}
}

// Buckets sums up windows by key and by stretches of a grid, in microseconds. They come out by key and time.
func Buckets(windows []Window, grid int64) []Bucket {
	type place struct {
		key string
		at  int64
	}
	all := map[place]*Bucket{}
	for i := range windows {
		w := &windows[i]
		p := place{w.Key, floor(floor(w.End, 1000)/1000, grid)}
		b := all[p]
		if b == nil {
			all[p] = &Bucket{Key: w.Key, At: p.at, FirstEnd: w.End, LastEnd: w.End, First: w.First, Windows: 1, Best: *w}
			continue
		}
		b.Windows++
		if w.End < b.FirstEnd {
			b.FirstEnd, b.First = w.End, w.First
		}
		b.LastEnd = max(b.LastEnd, w.End)
		if w.better(&b.Best) {
			b.Best = *w
		}
	}
	out := make([]Bucket, 0, len(all))
	for _, b := range all {
		out = append(out, *b)
	}
	slices.SortFunc(out, func(a, b Bucket) int { return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.At, b.At)) })
	return out
}

// floor is the greatest multiple of grid that is not above n.
func floor(n, grid int64) int64 {
	r := n % grid
	if r < 0 {
		r += grid
	}
	return n - r
}

// ceil is the least multiple of grid that is not below n.
func ceil(n, grid int64) int64 { return -floor(-n, grid) }

// Episode is what windows of one key make together, each less than a length after the one before.
type Episode struct {
	// First is the time of its first event; FirstEnd and LastEnd are the ends of its first and last window,
	// of which the last is the time of its last event.
	First    int64  `json:"first"`
	FirstEnd int64  `json:"first_end"`
	LastEnd  int64  `json:"last_end"`
	Windows  int    `json:"windows"`
	Best     Window `json:"best"`
}

// Episodes joins the buckets of one key, in order of time. Windows whose ends are less than length apart, in
// nanoseconds, are one episode; a length of 0 joins none, and each window must then have its own bucket.
func Episodes(buckets []Bucket, length int64) []Episode {
	var out []Episode
	for i := range buckets {
		b := &buckets[i]
		if n := len(out); n > 0 && b.FirstEnd-out[n-1].LastEnd < length {
			e := &out[n-1]
			e.LastEnd = max(e.LastEnd, b.LastEnd)
			e.Windows += b.Windows
			if b.Best.better(&e.Best) {
				e.Best = b.Best
			}
			continue
		}
		out = append(out, Episode{First: b.First, FirstEnd: b.FirstEnd, LastEnd: b.LastEnd, Windows: b.Windows, Best: b.Best})
	}
	return out
}
