package detect

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"tocsin/internal/alert"
	"tocsin/internal/rule"
	"tocsin/internal/store"
)

// collect takes in a row found for the first time where one alert is made of all rows of a run.
func (e *evaluation) collect(s *Stored, a alert.Alert) error {
	e.known[s.ID] = true
	fields, err := a.Fields()
	if err != nil {
		return err
	}
	if x := e.rule.rule.Excepted(fields, e.now); x != nil {
		s.Held = &alert.Held{As: alert.Excluded, Reason: x.Reason}
	} else {
		tick := ceil(ceil(s.FirstEnd, 1000)/1000, e.rule.timing.Every)
		e.rows[tick] = append(e.rows[tick], a)
	}
	s.Updated, s.Definition = store.Micros(e.now), e.rule.definition
	e.result.episodes = append(e.result.episodes, *s)
	return nil
}

// perRun makes one alert of the rows of each tick. Rows found later for a tick make one more, which is late.
func (e *evaluation) perRun() error {
	for _, tick := range slices.Sorted(maps.Keys(e.rows)) {
		rows := e.rows[tick]
		s := Stored{Late: e.late, Rule: e.rule.revision, Updated: store.Micros(e.now)}
		for later := 0; ; later++ {
			s.ID = runID(e.rule.rule.ID, tick, later)
			_, there, err := e.past.episode(s.ID)
			if err != nil {
				return err
			}
			if !there && !e.known[s.ID] {
				break
			}
			s.Late = true
		}
		s.Key = s.ID
		s.First, s.FirstEnd, s.LastEnd, s.Windows = tick*1000, tick*1000, tick*1000, len(rows)
		a, err := e.rule.ofRun(&s, rows)
		if err != nil {
			return err
		}
		if err := e.hold(&s, &a, s.FirstEnd); err != nil {
			return err
		}
		a.Held = s.Held
		e.known[s.ID] = true
		e.stamp(&s, &a)
	}
	e.rows = map[int64][]alert.Alert{}
	return nil
}

// ofRun makes the alert of all rows of a run.
func (r *ruleset) ofRun(s *Stored, rows []alert.Alert) (alert.Alert, error) {
	a := r.base(s)
	a.Count = len(rows)
	a.Severity, a.Risk = 0, 0
	var (
		bodies []json.RawMessage
		all    []map[string][]any
	)
	for i := range rows {
		one := &rows[i]
		a.Severity, a.Risk = max(a.Severity, one.Severity), max(a.Risk, one.Risk)
		if i == 0 || one.Event.Before(a.First) {
			a.First = one.Event
		}
		if one.Time.After(a.Last) {
			a.Last = one.Time
		}
		fields, err := alert.Flatten(one.Document)
		if err != nil {
			return a, err
		}
		all = append(all, fields)
		if len(bodies) < mostRows {
			bodies = append(bodies, one.Document)
		}
	}
	body, err := json.Marshal(map[string]any{"tocsin": map[string]any{"rows": bodies, "count": len(rows)}})
	if err != nil {
		return a, err
	}
	a.Document = body
	a.Reason = rows[0].Reason
	if n := len(rows); n > 1 {
		a.Reason = fmt.Sprintf("%d rows in the %s until %s; the first: %s", n, inWords(time.Duration(r.timing.Every)*time.Microsecond), a.Time.Format("15:04:05"), a.Reason)
	}
	if r.rule.Message != nil {
		usual := a.Reason
		a.Reason = r.message(rule.MessageData{
			Rule: r.rule, Severity: a.Severity, Risk: a.Risk, Count: a.Count, Time: a.Time, First: a.First, Last: a.Last,
			Fields: map[string][]any{}, Rows: all,
		}, func() string { return usual })
	}
	return a, nil
}

// mostRows is how many rows an alert of a run keeps.
const mostRows = 100
