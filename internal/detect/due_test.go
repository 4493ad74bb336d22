package detect

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tocsin/internal/rule"
)

var anyTiming = rapid.Custom(func(t *rapid.T) timing {
	every := rapid.Int64Range(1, 20).Draw(t, "every") * 1000
	o := timing{
		Every: every, Lookback: rapid.Int64Range(0, 30).Draw(t, "lookback") * 1000, Reach: rapid.Int64Range(0, 40).Draw(t, "reach") * 1000,
		Ticks: rapid.Bool().Draw(t, "ticks"), Chunk: rapid.Int64Range(0, 50).Draw(t, "chunk") * 1000, Grid: every,
	}
	if !o.Ticks {
		o.Grid = rapid.Int64Range(1, every/1000).Draw(t, "grid") * 1000
	}
	return o
})

// TestNoWindowIsSkipped lets a rule run at any times, with failures, clock steps and what comes late, and
// then catch up: all of the time since it began is covered, and no span is left over.
func TestNoWindowIsSkipped(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := anyTiming.Draw(t, "timing")
		now := rapid.Int64Range(0, 1000).Draw(t, "start") * 777
		since := o.since(now)
		var covered Set
		judge := func(span Span) {
			span = o.whole(span, now)
			if o.edge(now) < span.To {
				t.Fatalf("%v is judged before its time: it is %d", span, now)
			}
			if o.Ticks && (span.From%o.Every != 0 || span.To%o.Every != 0) {
				t.Fatalf("%v is not made of whole ticks of %d", span, o.Every)
			}
			covered = covered.Add(span)
		}
		for range rapid.IntRange(1, 30).Draw(t, "runs") {
			now += rapid.Int64Range(-40_000, 100_000).Draw(t, "later")
			covered = covered.Within(Span{since, max(since, o.edge(now))}) // what is ahead of the clock is not covered
			since := min(since, o.since(now))
			if rapid.Bool().Draw(t, "works") {
				judge(o.current(now, since))
			}
			if rapid.Bool().Draw(t, "something came late") {
				event := rapid.Int64Range(since, max(since, now)).Draw(t, "event")
				covered = covered.Without(Of(o.touched(event)))
			}
			if rapid.Bool().Draw(t, "catches up") {
				if span := o.next(o.missed(covered, nil, since, now)); !span.Empty() {
					judge(span)
				}
			}
		}
		since = min(since, o.since(now))
		judge(o.current(now, since))
		for n := 0; ; n++ {
			span := o.next(o.missed(covered, nil, since, now))
			if span.Empty() {
				break
			}
			before := o.missed(covered, nil, since, now).Length()
			judge(span)
			if after := o.missed(covered, nil, since, now).Length(); after >= before || n > 10_000 {
				t.Fatalf("judging %v catches up nothing: %d µs missed before, %d after", span, before, after)
			}
		}
		if gaps := covered.Gaps(Span{since, o.edge(now)}); len(gaps) > 0 {
			t.Fatalf("%v was never judged", gaps)
		}
	})
}

func TestEveryWindowAnEventTakesPartInIsTouched(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := anyTiming.Draw(t, "timing")
		event := rapid.Int64Range(-100_000, 100_000).Draw(t, "event")
		span := o.touched(event)
		if o.Ticks {
			for tick := floor(event-o.Every, o.Every); tick < event+o.Reach+2*o.Every; tick += o.Every {
				if in := tick >= event && tick-o.Reach < event; in && !Of(span).Contains(Span{tick - o.Every, tick}) {
					t.Fatalf("the tick at %d sees an event at %d and is not in %v", tick, event, span)
				}
			}
			return
		}
		if !Of(span).Contains(Span{event, event + o.Reach}) {
			t.Fatalf("%v does not hold all windows of an event at %d", span, event)
		}
	})
}

func TestARuleHasItsTurnsInEvenIntervals(t *testing.T) {
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, every := range []time.Duration{time.Second, 10 * time.Second, 5 * time.Minute, 24 * time.Hour} {
		j := jitter("rule", every)
		if j < 0 || j >= every {
			t.Errorf("every %v: the jitter is %v", every, j)
		}
		first := turn(start, every, j)
		if !first.After(start) || first.Sub(start) > every {
			t.Errorf("every %v: the turn after %v is %v", every, start, first)
		}
		if second := turn(first, every, j); second.Sub(first) != every {
			t.Errorf("every %v: the turn after %v is %v", every, first, second)
		}
	}
	if jitter("a", time.Hour) == jitter("b", time.Hour) {
		t.Error("two rules have their turns at once")
	}
}

func TestABrokenRuleWaitsLongerEachTime(t *testing.T) {
	last := time.Duration(0)
	for n := range 20 {
		wait := backoff(n, time.Minute)
		if wait < last || wait > 5*time.Minute {
			t.Errorf("after %d failures it waits %v, before that %v", n, wait, last)
		}
		last = wait
	}
	if last != 5*time.Minute {
		t.Errorf("it waits %v at most", last)
	}
}

func TestNoMoreIsCaughtUpAtOnceThanIsReadAnyway(t *testing.T) {
	for search, want := range map[string]time.Duration{
		"a:1": time.Hour, "a:1 | count by u over 6h | search count > 3": 6 * time.Hour, "a:1 | newterms u over 14d": 14 * time.Hour,
		"a:1 | missing by u over 7d": 7 * time.Hour, "a:1 | sequence by u maxspan=5m [a:1] [b:1]": time.Hour,
	} {
		r, err := rule.Parse([]byte(fmt.Sprintf("name: r\nevery: 5m\nsearch: %q", search)), rule.ParseOptions{ID: "r"})
		if err != nil {
			t.Fatal(err)
		}
		set, err := newRuleset(r, "", &Source{Name: "logs"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := time.Duration(set.timing.Chunk) * time.Microsecond; got != want {
			t.Errorf("%s: %v, want %v", search, got, want)
		}
	}
}
