package detect

import (
	"hash/fnv"
	"time"
)

// timing is what decides when a rule judges which event times. Durations are in microseconds.
type timing struct {
	Every    int64
	Lookback int64
	// Grid is what spans judged are aligned to.
	Grid int64
	// Reach is how long after its time an event still takes part in what is judged.
	Reach int64
	// Ticks says that the rule is judged at multiples of Every only: the one at T stands for [T-Every, T).
	Ticks bool
	// Chunk is the most that is caught up at once.
	Chunk int64
}

// leastLookback is the least overlap where it is measured.
const leastLookback = time.Minute

// edge is up to when a rule can judge at now.
func (t timing) edge(now int64) int64 {
	if t.Ticks {
		return floor(now, t.Every)
	}
	return floor(now, 1000) // clusters keep times in milliseconds
}

// since is where a rule that runs for the first time begins.
func (t timing) since(now int64) int64 {
	return floor(t.edge(now)-t.Every-t.Lookback, t.Grid)
}

// current is the window now due: what is new since the last turn, and the overlap read again.
func (t timing) current(now, since int64) Span {
	edge := t.edge(now)
	return Span{max(floor(edge-t.Every-t.Lookback, t.Grid), floor(since, t.Grid)), edge}
}

// missed are the windows that were never covered, or are no longer, before the window now due. Older are
// those wanted beside the ones from since on.
func (t timing) missed(covered, older Set, since, now int64) Set {
	if due := t.current(now, since).From; len(older) == 0 && len(covered) == 1 && covered[0].From <= since && covered[0].To >= due {
		return nil // as it nearly always is
	}
	return older.Add(Span{since, t.current(now, since).From}).Without(covered)
}

// next is the oldest part of what was missed that is to be judged at once; it is empty when nothing is.
func (t timing) next(missed Set) Span {
	if len(missed) == 0 {
		return Span{}
	}
	first := missed[0]
	span := Span{floor(first.From, t.Grid), first.To}
	chunk := max(floor(max(t.Chunk, t.Every), t.Grid), t.Grid)
	if span.Length() > chunk {
		span.To = span.From + chunk
	}
	return span
}

// whole is the span that is judged so that all of a span is: whole stretches of the grid, as far as there is
// anything to judge at now.
func (t timing) whole(span Span, now int64) Span {
	return Span{floor(span.From, t.Grid), max(min(ceil(span.To, t.Grid), t.edge(now)), span.To)}
}

// touched are the windows that an event at a time takes part in.
func (t timing) touched(event int64) Span {
	if t.Ticks {
		return Span{floor(event-1, t.Every), ceil(event+t.Reach, t.Every)}
	}
	return Span{floor(event, t.Grid), ceil(event+t.Reach+1, t.Grid)}
}

// jitter is how long after its turn a rule runs: always the same for a rule, spread evenly over a part of
// every, so that rules with one interval do not all ask at once.
func jitter(id string, every time.Duration) time.Duration {
	h := fnv.New64a()
	h.Write([]byte(id))
	spread := min(every/2, time.Minute)
	if spread <= 0 {
		return 0
	}
	if step := jitterStep; spread >= step {
		return time.Duration(h.Sum64()%uint64(spread/step)) * step
	}
	return time.Duration(h.Sum64() % uint64(spread))
}

// jitterStep is how far turns are apart at least: rules that have theirs in the same moment share requests.
const jitterStep = 200 * time.Millisecond

// turn is when a rule runs next: the first of its turns after now.
func turn(now time.Time, every, jitter time.Duration) time.Time {
	n := now.UnixNano() - int64(jitter)
	return time.Unix(0, floor(n, int64(every))+int64(every)+int64(jitter))
}

// backoff is how long a rule that failed so many times in a row waits, at least until its next turn.
func backoff(failures int, every time.Duration) time.Duration {
	const first, most = time.Second, 5 * time.Minute
	if failures <= 0 {
		return 0
	}
	wait := min(first<<min(failures-1, 9), most)
	if failures == 1 {
		return min(wait, every)
	}
	return wait
}
