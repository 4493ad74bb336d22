package intake

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"tocsin/internal/alert"
	"tocsin/internal/ledger"
	"tocsin/internal/notice"
	"tocsin/internal/outbox"
	"tocsin/internal/policy"
	"tocsin/internal/store"
)

// neverAfter is for how long a rule that runs must have made nothing to be named as one that never fires.
const neverAfter = 30 * 24 * time.Hour

// reports says the reports that are due, and tells when the next is.
func (c *commit) reports() error {
	for k := range c.Intake.reports {
		r := &c.Intake.reports[k]
		if err := c.report(r); err != nil {
			return fmt.Errorf("say report %s: %w", r.Name, err)
		}
	}
	return nil
}

func (c *commit) report(r *policy.Report) error {
	said, err := reported(c.tx, r.Name)
	if err == nil && (said.IsZero() || said.After(c.now)) { // it begins now, or the clock stepped back
		said = c.now
		err = c.looked(reportLook(r.Name), c.now)
	}
	if err != nil {
		return err
	}
	traffic, err := c.traffic(r.Channel, c.policy.ReportRate())
	if err != nil {
		return err
	}
	end, due := c.policy.StepReport(c.now, r, said, traffic)
	c.due = sooner(c.due, due)
	if end.IsZero() {
		return nil
	}
	n, err := c.told(r, said, end)
	if err != nil {
		return err
	}
	if err := outbox.Put(c.tx, n, c.now); err != nil {
		return err
	}
	c.queued++
	return c.looked(reportLook(r.Name), end)
}

func (c *commit) looked(name string, at time.Time) error {
	err := c.tx.Exec(`INSERT INTO looks (name, at, changes) VALUES (?, ?, 0) ON CONFLICT (name) DO UPDATE SET at = excluded.at`, name, store.Micros(at))
	if err != nil {
		return fmt.Errorf("keep when %s was said: %w", name, err)
	}
	return nil
}

// summary tells of the alerts recorded in a stretch of time.
func (c *commit) summary(r *policy.Report, from, to time.Time) (*notice.Summary, error) {
	now, err := c.tally(r, from, to)
	if err != nil {
		return nil, err
	}
	before, err := c.tally(r, from.Add(from.Sub(to)), from)
	if err != nil {
		return nil, err
	}
	closed, wrong, err := ledger.Judged(c.tx, from, to, c.counts(r))
	if err != nil {
		return nil, err
	}
	s := &notice.Summary{Period: r.Every, From: from, To: to, Seen: now.seen, Before: before.seen}
	for _, f := range alert.Fates {
		if n := now.fates[f]; n > 0 {
			s.Fates = append(s.Fates, notice.FateOf{Fate: f, Count: n})
		}
	}
	for rule, of := range now.rules {
		of.Before, of.False = before.count(rule), wrong[rule]
		s.Rules = append(s.Rules, *of)
	}
	slices.SortFunc(s.Rules, func(a, b notice.RuleOf) int {
		return cmp.Or(cmp.Compare(b.Severity, a.Severity), cmp.Compare(b.Count, a.Count), cmp.Compare(a.Rule, b.Rule))
	})
	s.Tops = now.tops()
	for _, h := range now.held {
		s.Held = append(s.Held, *h)
	}
	slices.SortFunc(s.Held, func(a, b notice.Held) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Reason, b.Reason))
	})
	for _, n := range closed {
		s.Judged += n
	}
	for _, n := range wrong {
		s.False += n
	}
	if r.Match == nil { // what did not come matches nothing
		if err := c.absent(s, from, to); err != nil {
			return nil, err
		}
	}
	s.Tune, err = c.tune(r, s, now, to)
	return s, err
}

// counts tells which alerts a report counts; nil for all.
func (c *commit) counts(r *policy.Report) func(*alert.Alert) (bool, error) {
	if r.Match == nil {
		return nil
	}
	return func(a *alert.Alert) (bool, error) {
		fields, err := a.Fields()
		if err != nil {
			return false, err
		}
		return r.Match.Match(fields, c.now), nil
	}
}

// absent names what brought nothing: rules for a long time, sources in the stretch of time.
func (c *commit) absent(s *notice.Summary, from, to time.Time) error {
	rules, err := ledger.Newest(c.tx, "rule")
	if err != nil {
		return err
	}
	for _, name := range c.ruleNames() {
		if at, ok := rules[name]; !ok || at.Before(to.Add(-neverAfter)) {
			s.Never = append(s.Never, name)
		}
	}
	slices.Sort(s.Never)
	sources, err := ledger.Newest(c.tx, "source")
	if err != nil {
		return err
	}
	for _, name := range c.expected {
		if at := sources[name]; at.Before(from) {
			s.Silent = append(s.Silent, notice.Silent{Source: name, Since: at})
		}
	}
	brought := c.brought()
	for _, name := range slices.Sorted(maps.Keys(brought)) {
		if at := brought[name]; at.Before(from) {
			s.Silent = append(s.Silent, notice.Silent{Source: name, Since: at})
		}
	}
	return nil
}

// tuneMost is how many rules a report advises to change.
const tuneMost = 3

// tune names the rules that most deserve a change: those that people call wrong, that others hold back, or that make
// most of the noise and nobody takes up.
func (c *commit) tune(r *policy.Report, s *notice.Summary, t *tally, to time.Time) ([]notice.Tune, error) {
	closed, wrong, err := ledger.Judged(c.tx, to.Add(-neverAfter), to, c.counts(r))
	if err != nil {
		return nil, err
	}
	type advice struct {
		notice.Tune
		weight float64
	}
	var all []advice
	for rule, n := range wrong {
		if share := float64(n) / float64(closed[rule]); n >= 2 && share >= 0.3 {
			all = append(all, advice{notice.Tune{
				Rule: rule, Reason: fmt.Sprintf("%d of %d alerts closed in 30 days were false positives", n, closed[rule]),
				Try: "an exception for what they have in common, or a higher threshold",
			}, 2 + share})
		}
	}
	for _, r := range s.Rules {
		if slices.ContainsFunc(all, func(a advice) bool { return a.Rule == r.Rule }) {
			continue
		}
		share := float64(r.Count) / float64(max(1, s.Seen))
		switch held := t.silenced[r.Rule]; {
		case r.Count >= 5 && held*2 > r.Count:
			all = append(all, advice{notice.Tune{
				Rule: r.Rule, Reason: fmt.Sprintf("%d of its %d alerts were silenced", held, r.Count),
				Try: "an exception with a reason, if it is known and none",
			}, 1 + float64(held)/float64(r.Count)})
		case r.Count >= 10 && share >= 0.3 && t.handled[r.Rule] == 0:
			all = append(all, advice{notice.Tune{
				Rule: r.Rule, Reason: fmt.Sprintf("%d of all %d alerts are its, and nobody took one up", r.Count, s.Seen),
				Try: "same_again_after, a higher threshold, or a route of its own without a message for each",
			}, share})
		}
	}
	slices.SortFunc(all, func(a, b advice) int { return cmp.Or(cmp.Compare(b.weight, a.weight), cmp.Compare(a.Rule, b.Rule)) })
	var out []notice.Tune
	for _, a := range all[:min(len(all), tuneMost)] {
		out = append(out, a.Tune)
	}
	return out, nil
}

// tally is what a stretch of time comes to. Its size is that of what differs, not of the alerts.
type tally struct {
	seen              int
	fates             map[alert.Fate]int
	rules             map[string]*notice.RuleOf
	held              map[string]*notice.Held
	hosts, users      map[string]int
	silenced, handled map[string]int // by rule
}

func (c *commit) tally(r *policy.Report, from, to time.Time) (*tally, error) {
	t := &tally{
		fates: map[alert.Fate]int{}, rules: map[string]*notice.RuleOf{}, held: map[string]*notice.Held{}, hosts: map[string]int{}, users: map[string]int{},
		silenced: map[string]int{}, handled: map[string]int{},
	}
	counts := c.counts(r)
	return t, ledger.Period(c.tx, from, to, r.Match != nil, func(s *ledger.Seen) error {
		if counts != nil {
			if ok, err := counts(s.Alert); err != nil || !ok {
				return err
			}
		}
		t.add(s)
		return nil
	})
}

func (t *tally) add(s *ledger.Seen) {
	t.seen++
	t.fates[s.Fate]++
	rule := t.rules[s.Rule]
	if rule == nil {
		rule = &notice.RuleOf{Rule: s.Rule}
		t.rules[s.Rule] = rule
	}
	rule.Severity = max(rule.Severity, s.Severity)
	rule.Count++
	if s.Fate == alert.Sent || s.Fate == alert.Grouped {
		rule.Said++
	}
	if s.Host != "" {
		t.hosts[s.Host]++
	}
	if s.User != "" {
		t.users[s.User]++
	}
	if s.Handled != ledger.Unhandled {
		t.handled[s.Rule]++
	}
	if s.Fate == alert.Silenced {
		t.silenced[s.Rule]++
	}
	if key, sentence := why(s); key != "" {
		h := t.held[key]
		if h == nil {
			h = &notice.Held{Fate: s.Fate, Reason: sentence}
			t.held[key] = h
		}
		h.Count++
	}
}

// why is what held an alert back, as one reason for many alerts; "" where nothing did.
func why(s *ledger.Seen) (key, sentence string) {
	p := s.Cause.Params
	switch s.Cause.Code {
	case alert.CauseRateLimit:
		return "rate " + p["channel"], fmt.Sprintf("over rate_limit %s of %s: said in a digest", p["limit"], p["channel"])
	case alert.CauseMorning:
		return "quiet " + p["hours"] + p["channel"], fmt.Sprintf("%s in %s: said in a digest after them", p["hours"], p["channel"])
	case alert.CauseQuietHours:
		return "waits " + p["hours"] + p["channel"], fmt.Sprintf("%s in %s: waits for their end", p["hours"], p["channel"])
	case alert.CauseInhibited:
		return "inhibited " + p["rule"], "inhibited by " + p["rule"]
	case alert.CauseClosed:
		return "closed", "closed before it was said"
	case alert.CauseHeld:
		if s.Fate == alert.Suppressed {
			return "again " + s.Rule, "the same again too soon: " + s.Rule
		}
	}
	switch s.Fate {
	case alert.Sent, alert.Grouped, alert.Pending, alert.Failed:
		return "", ""
	}
	return string(s.Fate) + s.Reason, s.Reason
}

func (t *tally) count(rule string) int {
	if of := t.rules[rule]; of != nil {
		return of.Count
	}
	return 0
}

// topMost is how many values of a field a report names.
const topMost = 5

func (t *tally) tops() (out []notice.Top) {
	for _, of := range []struct {
		field  string
		values map[string]int
	}{{"host.name", t.hosts}, {"user.name", t.users}} {
		if len(of.values) == 0 {
			continue
		}
		top := notice.Top{Field: of.field, Distinct: len(of.values)}
		for value, n := range of.values {
			top.Values = append(top.Values, notice.Share{Value: value, Count: n})
			top.Over += n
		}
		slices.SortFunc(top.Values, func(a, b notice.Share) int {
			return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Value, b.Value))
		})
		top.Values = top.Values[:min(len(top.Values), topMost)]
		out = append(out, top)
	}
	return out
}
