package forecast

import (
	"context"
	"fmt"
	"slices"

	"tocsin/internal/alert"
	"tocsin/internal/rule"
)

// Difference is what a change of a rule would have changed.
type Difference struct {
	// Sentence sums it up for people.
	Sentence string `json:"sentence"`
	// Same, Gained and Lost count the alerts that would have been forwarded by both, by the new version alone, and
	// by the old one alone.
	Same   int `json:"same"`
	Gained int `json:"gained"`
	Lost   int `json:"lost"`
	// GainedAlerts and LostAlerts are the first of them. A lost one that the new version makes and keeps back says
	// why.
	GainedAlerts []Found `json:"gained_alerts"`
	LostAlerts   []Found `json:"lost_alerts"`

	New *Backtest `json:"new"`
	Old *Backtest `json:"old"`
}

// mostDiffering is how many alerts of each kind are told.
const mostDiffering = 100

// Compare tells what the new version of a rule would have said otherwise than an old one.
func (f *Forecaster) Compare(ctx context.Context, a Ask, old *rule.Rule) (*Difference, error) {
	half := func(from float64) func(float64) {
		if a.Progress == nil {
			return nil
		}
		return func(done float64) { a.Progress(from + done/2) }
	}
	before := *old
	before.ID = a.Rule.ID // ids of alerts are made of it: those of both are to be comparable
	was, now := a, a
	was.Rule, was.Progress, now.Progress = &before, half(0), half(0.5)
	d := &Difference{GainedAlerts: []Found{}, LostAlerts: []Found{}}
	var err error
	if d.Old, err = f.Backtest(ctx, was); err != nil {
		return nil, fmt.Errorf("of the version before: %w", err)
	}
	if d.New, err = f.Backtest(ctx, now); err != nil {
		return nil, err
	}
	d.match()
	return d, nil
}

// match pairs the alerts of both versions: by their ids, then by whom they are about and when.
func (d *Difference) match() {
	paired := make([]bool, len(d.New.all)) // of the new ones
	kept := map[alert.ID]int{}             // new ones that are kept back
	ids := map[alert.ID]int{}
	byKey := map[string][]int{}
	for i := range d.New.all {
		one := &d.New.all[i]
		if one.Held != "" {
			kept[one.ID] = i
			continue
		}
		ids[one.ID] = i
		if one.Key != nil {
			byKey[keyText(one.Key)] = append(byKey[keyText(one.Key)], i)
		}
	}
	var left []*Found
	for i := range d.Old.all {
		one := &d.Old.all[i]
		if one.Held != "" {
			continue
		}
		if n, ok := ids[one.ID]; ok {
			paired[n] = true
			d.Same++
			continue
		}
		left = append(left, one)
	}
	for _, one := range left {
		near := slices.IndexFunc(byKey[keyText(one.Key)], func(n int) bool {
			return !paired[n] && !d.New.all[n].First.After(one.Last) && !one.First.After(d.New.all[n].Last)
		})
		if one.Key != nil && near >= 0 {
			paired[byKey[keyText(one.Key)][near]] = true
			d.Same++
			continue
		}
		if d.Lost++; len(d.LostAlerts) < mostDiffering {
			lost := *one
			if n, ok := kept[one.ID]; ok {
				lost.Held, lost.HeldReason = d.New.all[n].Held, d.New.all[n].HeldReason
			}
			d.LostAlerts = append(d.LostAlerts, lost)
		}
	}
	for n := range d.New.all {
		if d.New.all[n].Held != "" || paired[n] {
			continue
		}
		if d.Gained++; len(d.GainedAlerts) < mostDiffering {
			d.GainedAlerts = append(d.GainedAlerts, d.New.all[n])
		}
	}
	d.Sentence = d.sentence()
}

func (d *Difference) sentence() string {
	s := fmt.Sprintf("over %s: %s kept, %s lost, %s new", period(d.New.To.Sub(d.New.From)), grouped(d.Same), grouped(d.Lost), grouped(d.Gained))
	if d.New.Messages == d.Old.Messages {
		return s + "; " + count(d.New.Messages, "Slack message") + " as before"
	}
	become := "become"
	if d.Old.Messages == 1 {
		become = "becomes"
	}
	return s + fmt.Sprintf("; %s %s %s", count(d.Old.Messages, "Slack message"), become, grouped(d.New.Messages))
}
