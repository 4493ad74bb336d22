package detect

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"tocsin/internal/alert"
	"tocsin/internal/rule"
	"tocsin/internal/store"
)

// hold says why a rule keeps a new alert back; nil where it does not. The order is from what is about the
// alert alone to what is about others.
func (e *evaluation) hold(s *Stored, a *alert.Alert) (*alert.Held, error) {
	r := e.rule.rule
	fields, err := a.Fields()
	if err != nil {
		return nil, err
	}
	if x := r.Excepted(fields, e.now); x != nil {
		return &alert.Held{As: alert.Excluded, Reason: "exception of the rule: " + x.Reason + " (" + x.Match + ")"}, nil
	}
	if r.Enabled == rule.Shadow {
		return &alert.Held{As: alert.Shadow, Reason: "its rule is in shadow mode"}, nil
	}
	if !r.Schedule.Speaks.Contains(e.now) {
		return &alert.Held{As: alert.Silenced, Reason: "made outside the hours in which its rule speaks: " + r.Schedule.Speaks.String()}, nil
	}
	held, same, err := e.again(s, a, fields)
	if err != nil || held != nil {
		return held, err
	}
	if e.fresh >= r.MaxAlerts {
		e.over = append(e.over, a.ID)
		e.worst = max(e.worst, a.Severity)
		return &alert.Held{As: alert.Suppressed, Reason: fmt.Sprintf("over max_alerts, %d of one run: counted in one alert more", r.MaxAlerts)}, nil
	}
	e.fresh++
	if same != "" {
		now := said{same: same, at: s.FirstEnd / 1000, severity: int(a.Severity), id: s.ID}
		e.recent[same] = now
		e.result.said = append(slices.DeleteFunc(e.result.said, func(o said) bool { return o.same == same }), now)
	}
	return nil, nil
}

// again says whether an alert is the same as one before, too soon. It gives the name of what makes alerts the
// same; "" where nothing does, for the rule has no such time or the alert lacks one of the fields.
func (e *evaluation) again(s *Stored, a *alert.Alert, fields alert.Fields) (*alert.Held, string, error) {
	r := e.rule.rule
	after := e.rule.sameAgainAfter()
	if after <= 0 {
		return nil, "", nil
	}
	by := r.DedupeBy
	if by == nil {
		by = e.rule.search.by
	}
	parts := [][]string{}
	var facts []string
	for _, name := range by {
		var values []string
		for _, v := range fields[name] {
			values = append(values, alert.Text(v))
		}
		if len(values) == 0 {
			return nil, "", nil
		}
		slices.Sort(values)
		parts = append(parts, values)
		facts = append(facts, name+" "+strings.Join(values, ", "))
	}
	text, err := json.Marshal(parts)
	if err != nil {
		return nil, "", err
	}
	same := identity("same", string(text))
	last, ok := e.recent[same]
	if !ok {
		if last, ok, err = e.past.lastSaid(r.ID, same); err != nil {
			return nil, "", err
		}
	}
	apart := time.Duration(s.FirstEnd/1000-last.at) * time.Microsecond
	if !ok || int(a.Severity) > last.severity || apart.Abs() >= after {
		return nil, same, nil
	}
	return &alert.Held{As: alert.Suppressed, Reason: fmt.Sprintf("the same as %s of %s%s: same_again_after is %s",
		last.id, store.Time(last.at).Format(time.RFC3339), with(facts), inWords(after))}, same, nil
}

func with(facts []string) string {
	if len(facts) == 0 {
		return ""
	}
	return " with " + strings.Join(facts, " and ")
}

// summary makes one alert more of those beyond the most of a run: they are counted and named, and none is said.
func (e *evaluation) summary(span Span) error {
	if len(e.over) == 0 {
		return nil
	}
	r := e.rule.rule
	id := identity("over", r.ID, string(e.over[0]), fmt.Sprint(len(e.over)))
	s := Stored{ID: id, Key: id, Late: e.late, Rule: e.rule.revision, Updated: store.Micros(e.now)}
	s.First, s.FirstEnd, s.LastEnd, s.Windows = span.To*1000-1, span.To*1000-1, span.To*1000-1, len(e.over)
	a := e.rule.base(&s)
	a.Severity = e.worst
	a.Count = len(e.over)
	a.Reason = fmt.Sprintf("%d more alerts of one run than the %d of max_alerts: they are kept, and not said one by one", len(e.over), r.MaxAlerts)
	named := e.over[:min(len(e.over), 20)]
	ids := make([]string, len(named))
	for i, n := range named {
		ids[i] = string(n)
	}
	body, err := json.Marshal(map[string]any{"tocsin": map[string]any{"over_max_alerts": len(e.over), "ids": ids}})
	if err != nil {
		return err
	}
	a.Document = body
	e.over = nil
	e.stamp(&s, &a)
	return nil
}
