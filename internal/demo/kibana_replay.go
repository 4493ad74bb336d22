package demo

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// replayKeeps bounds the memory of a replay that runs for days.
const replayKeeps = 500

// The pace of a replay: a lively start, then what a small site sees in a busy hour.
const (
	replayFirst      = 5
	replayPause      = 20 * time.Second
	replaySuppressed = 20 * time.Second
	replayStatus     = 30 * time.Second
	replayBurst      = 3 * time.Minute
	replayBurstSize  = 30
)

// Replay adds sample detections for as long as ctx lasts: five within the first seconds, then one every
// half minute or so, now and then a burst of thirty of one rule, and changes of what is there already: a
// suppressed alert that counts more, an alert that an analyst takes up or closes. It returns nil when ctx ends.
func (c *Cluster) Replay(ctx context.Context) error {
	r := &replay{cluster: c, made: NewDetections(c.seed), dice: rand.New(rand.NewPCG(c.seed, 0xde40))}
	r.made.space = c.space
	began := c.now()
	next := map[string]time.Time{
		"one": began, "suppressed": began.Add(replaySuppressed), "status": began.Add(replayStatus), "burst": began.Add(replayBurst),
	}
	for n := 0; ; {
		what := "one"
		for name, at := range next {
			if at.Before(next[what]) {
				what = name
			}
		}
		t := time.NewTimer(max(0, next[what].Sub(c.now())))
		select {
		case <-ctx.Done():
			t.Stop()
			return nil
		case <-t.C:
		}
		var err error
		var pause time.Duration
		switch what {
		case "one":
			err = r.one(n)
			n++
			if pause = 350 * time.Millisecond; n >= replayFirst {
				pause = replayPause + time.Duration(r.dice.Int64N(int64(replayPause)))
			}
		case "suppressed":
			err, pause = r.suppress(), replaySuppressed
		case "status":
			err, pause = r.status(), replayStatus
		case "burst":
			err, pause = r.burst(), time.Duration(300+r.dice.IntN(600))*time.Second
		}
		if err != nil {
			return fmt.Errorf("replay sample detections: %w", err)
		}
		next[what] = c.now().Add(pause)
		c.keep(replayKeeps)
	}
}

type replay struct {
	cluster    *Cluster
	made       *Detections
	dice       *rand.Rand
	suppressed []Detection // what can still count more
	counts     map[string]int
	open       []Detection
}

// opening makes sure that the first messages show what there is.
var opening = []struct {
	kibana string
	kind   DetectionKind
}{
	{"8.19", QueryDetection},
	{"9.1", ThresholdDetection},
	{"8.8", SuppressedDetection},
	{"7.17", QueryDetection},
	{"8.19", NewTermsDetection},
	{"9.1", IndicatorDetection},
	{"8.19", SequenceDetection},
	{"7.10", ThresholdDetection},
}

func (r *replay) one(n int) error {
	if n < len(opening) {
		return r.put(r.made.Make(opening[n].kibana, opening[n].kind, r.cluster.now()), opening[n].kind)
	}
	kibana := Kibanas[r.dice.IntN(len(Kibanas))]
	kinds := DetectionKinds(kibana)
	kind := kinds[r.dice.IntN(len(kinds))]
	return r.put(r.made.Make(kibana, kind, r.cluster.now()), kind)
}

func (r *replay) put(d Detection, kind DetectionKind) error {
	if kind == SuppressedDetection {
		r.suppressed = tail(append(r.suppressed, d), 5)
	}
	r.open = tail(append(r.open, d), 50)
	return r.cluster.Put(d)
}

func tail[T any](of []T, n int) []T {
	if len(of) > n {
		return of[len(of)-n:]
	}
	return of
}

// burst is many hosts breaking one rule at once.
func (r *replay) burst() error {
	rules := sampleRules[string(QueryDetection)]
	want := rules[r.dice.IntN(len(rules))].name
	for made := 0; made < replayBurstSize; {
		f := r.made.find(QueryDetection, r.cluster.now())
		if f.rule.name != want {
			continue
		}
		d, err := r.made.write("8.19", QueryDetection, f)
		if err != nil {
			return err
		}
		if err := r.cluster.Put(d); err != nil {
			return err
		}
		made++
	}
	return nil
}

// suppress makes one alert stand for more.
func (r *replay) suppress() error {
	if len(r.suppressed) == 0 {
		return nil
	}
	d := r.suppressed[r.dice.IntN(len(r.suppressed))]
	if r.counts == nil {
		r.counts = map[string]int{}
	}
	r.counts[d.ID] += 1 + r.dice.IntN(9)
	now := iso(r.cluster.now())
	return r.change(d.Index, d.ID, map[string]any{
		"kibana.alert.suppression.docs_count": 2 + r.counts[d.ID], "kibana.alert.suppression.end": now, "kibana.alert.last_detected": now,
	})
}

// change changes a document that may have been forgotten.
func (r *replay) change(index, id string, fields map[string]any) error {
	err := r.cluster.Change(index, id, fields)
	if errors.Is(err, errNoDocument) {
		r.suppressed = slices.DeleteFunc(r.suppressed, func(d Detection) bool { return d.ID == id })
		delete(r.counts, id)
		return nil
	}
	return err
}

// status lets an analyst take up or close one alert.
func (r *replay) status() error {
	if len(r.open) == 0 {
		return nil
	}
	i := r.dice.IntN(len(r.open))
	d := r.open[i]
	r.open = append(r.open[:i:i], r.open[i+1:]...)
	word := []string{"acknowledged", "closed"}[r.dice.IntN(2)]
	if d.Index == r.cluster.indices()[1] {
		return r.change(d.Index, d.ID, map[string]any{"signal": map[string]any{"status": word}})
	}
	return r.change(d.Index, d.ID, map[string]any{
		"kibana.alert.workflow_status": word, "kibana.alert.workflow_status_updated_at": iso(r.cluster.now()),
	})
}
