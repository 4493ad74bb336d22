package detect

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"tocsin/internal/alert"
	"tocsin/internal/rule"
	"tocsin/internal/store"
)

// keeper is what kept an alert back.
type keeper string

// The keepers. What mostAlerts kept stays so; the others may end while the alert's condition goes on.
const (
	noKeeper   keeper = ""
	exception  keeper = "exception"
	shadowMode keeper = "shadow"
	quietHours keeper = "hours"
	sameAgain  keeper = "same"
	mostAlerts keeper = "most"
)

// hold has the rule keep an alert back, or not: s.Held and s.Keeper say so. at is the time for which it is to be
// said, in nanoseconds. The order is from what is about the alert alone to what is about others.
func (e *evaluation) hold(s *Stored, a *alert.Alert, at int64) error {
	r := e.rule.rule
	fields, err := a.Fields()
	if err != nil {
		return err
	}
	hold := func(by keeper, as alert.Fate, reason string) error {
		s.Keeper, s.Held = by, &alert.Held{As: as, Reason: reason}
		return nil
	}
	if x := r.Excepted(fields, e.now); x != nil {
		return hold(exception, alert.Excluded, "exception of the rule: "+x.Reason+" ("+x.Match+")")
	}
	if r.Enabled == rule.Shadow {
		return hold(shadowMode, alert.Shadow, "its rule is in shadow mode")
	}
	if !r.Schedule.Speaks.Contains(e.now) {
		return hold(quietHours, alert.Silenced, "made outside the hours in which its rule speaks: "+r.Schedule.Speaks.String())
	}
	same, facts, err := e.same(fields)
	if err != nil {
		return err
	}
	if same != "" {
		last, ok, err := e.lastSaid(same)
		if err != nil {
			return err
		}
		after := e.rule.rule.SameAgainAfter
		apart := time.Duration(at/1000-last.at) * time.Microsecond
		if ok && last.id != s.ID && int(a.Severity) <= last.severity && apart.Abs() < after {
			return hold(sameAgain, alert.Suppressed, fmt.Sprintf("the same as %s of %s%s: same_again_after is %s",
				last.id, store.Time(last.at).Format(time.RFC3339), with(facts), inWords(after)))
		}
	}
	if e.fresh >= r.MaxAlerts {
		e.over = append(e.over, a.ID)
		e.worst = max(e.worst, a.Severity)
		return hold(mostAlerts, alert.Suppressed, fmt.Sprintf("over max_alerts, %d of one run: counted in one alert more", r.MaxAlerts))
	}
	e.fresh++
	s.Keeper, s.Held, s.Said = noKeeper, nil, s.LastEnd/1000
	e.say(same, said{same: same, at: at / 1000, severity: int(a.Severity), id: s.ID})
	return nil
}

// say notes what started something last.
func (e *evaluation) say(same string, now said) {
	if same == "" {
		return
	}
	e.recent[same] = now
	e.result.said = append(slices.DeleteFunc(e.result.said, func(o said) bool { return o.same == same }), now)
}

// stillGrowing says an episode that grew again, when it was said long enough ago or when what kept it back is over.
func (e *evaluation) stillGrowing(s *Stored, a *alert.Alert) error {
	if s.Held != nil {
		if s.Keeper == noKeeper || s.Keeper == mostAlerts {
			return nil
		}
		before := *s
		if err := e.hold(s, a, s.LastEnd); err != nil {
			return err
		}
		if s.Keeper == before.Keeper { // for the same reason still
			s.Held = before.Held
		}
		return nil
	}
	r, after := e.rule.rule, e.rule.rule.SameAgainAfter
	last := cmp.Or(s.Said, s.FirstEnd/1000)
	if after <= 0 || time.Duration(s.LastEnd/1000-last)*time.Microsecond < after {
		return nil
	}
	fields, err := a.Fields()
	if err != nil {
		return err
	}
	if r.Excepted(fields, e.now) != nil || r.Enabled == rule.Shadow || !r.Schedule.Speaks.Contains(e.now) {
		return nil
	}
	same, _, err := e.same(fields)
	if err != nil {
		return err
	}
	s.Again++
	s.Said = s.LastEnd / 1000
	e.say(same, said{same: same, at: s.Said, severity: int(a.Severity), id: s.ID})
	return nil
}

// same is the name of what makes alerts the same, with its fields; "" where nothing does, for the rule has no such
// time or the alert lacks one of the fields.
func (e *evaluation) same(fields alert.Fields) (name string, facts []string, err error) {
	if e.rule.rule.SameAgainAfter <= 0 {
		return "", nil, nil
	}
	by := e.rule.rule.DedupeBy
	if by == nil {
		by = e.rule.rule.By
	}
	parts := [][]string{}
	for _, name := range by {
		var values []string
		for _, v := range fields[name] {
			values = append(values, alert.Text(v))
		}
		if len(values) == 0 {
			return "", nil, nil
		}
		slices.Sort(values)
		parts = append(parts, values)
		facts = append(facts, name+" "+strings.Join(values, ", "))
	}
	text, err := json.Marshal(parts)
	if err != nil {
		return "", nil, err
	}
	return identity("same", string(text)), facts, nil
}

// lastSaid is what started something last, by what is stored and by this run.
func (e *evaluation) lastSaid(same string) (said, bool, error) {
	if last, ok := e.recent[same]; ok {
		return last, true, nil
	}
	return e.past.lastSaid(e.rule.rule.ID, same)
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
