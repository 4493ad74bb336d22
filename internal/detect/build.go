package detect

import (
	"errors"
	"slices"
	"strconv"
	"time"

	"tocsin/internal/alert"
	"tocsin/internal/rule"
	"tocsin/internal/store"
	"tocsin/internal/wording"
)

// ruleset is a rule made ready to run on its source. It is not changed after it was made.
type ruleset struct {
	rule     *rule.Rule
	revision string
	// content is the rule as it is written; nil where nobody says.
	content []byte
	source  *Source
	search  *search
	timing  timing
	// definition names all that decides what is found.
	definition string
}

// base is what all alerts of a rule have in common.
func (r *ruleset) base(s *Stored) alert.Alert {
	a := alert.Alert{
		ID: alert.ID(s.ID), Source: r.source.Name, SourceID: s.ID, Status: alert.StatusOpen,
		Time: time.Unix(0, s.FirstEnd).UTC(), Event: time.Unix(0, s.First).UTC(),
		Rule:     r.rule.InAlerts(),
		Severity: r.rule.Severity.Fixed, Risk: r.rule.Risk.Fixed, Tags: r.rule.Tags,
		MergedInto: alert.ID(s.MergedInto), Withdrawn: s.Withdrawn, Updated: store.Time(s.Updated), Late: s.Late,
	}
	a.Rule.Type, a.Rule.Version = string(r.search.kind), s.Rule
	a.Threat = alert.Threats(r.rule.Attack)
	if a.Ongoing = s.open(); s.Ended != 0 {
		a.Ended, a.Unfollowed = time.Unix(0, s.Ended).UTC(), s.Unfollowed
	}
	return a
}

// ofDocument makes the alert of a document.
func (r *ruleset) ofDocument(s *Stored, d *document) (alert.Alert, error) {
	a := r.base(s)
	a.Index, a.Document = d.Index, d.body()
	if d.ID != "" {
		a.SourceID = d.ID
	}
	r.forwarded(&a, d)
	a.Count = 1
	fields, err := r.weigh(&a)
	if err != nil {
		return a, err
	}
	a.Reason, err = r.reason(&a, fields, func() string { return r.search.ofDocument(fields) })
	return a, err
}

// ofWindow makes the alert of an episode.
func (r *ruleset) ofWindow(s *Stored) (alert.Alert, error) {
	if r.search.carries && len(s.Best.Samples) == 1 {
		one := s.Best.Samples[0]
		a, err := r.ofDocument(s, &document{Sample: one, At: s.First, Columns: s.Best.Row})
		return r.told(a), err
	}
	a := r.base(s)
	w := &s.Best
	a.Document = rowBody([][]Column{w.Row}, append(s.Samples[:len(s.Samples):len(s.Samples)], w.Samples...), s.Series)
	a.First, a.Last = time.Unix(0, s.First).UTC(), time.Unix(0, s.LastEnd).UTC()
	a.Count = 1
	if n, err := strconv.Atoi(column(w.Row, "count")); err == nil && n > 0 && !slices.Contains(r.search.by, "count") {
		a.Count = n
	}
	for _, name := range r.search.by {
		if v := column(w.Row, name); v != "" {
			a.Facts = append(a.Facts, alert.Fact{Name: name, Value: v})
		}
	}
	fields, err := r.weigh(&a)
	if err != nil {
		return a, err
	}
	a.Reason, err = r.reason(&a, fields, func() string { return r.search.ofWindow(w) })
	return r.told(a), err
}

// told is the alert with a sentence that says what became of it.
func (r *ruleset) told(a alert.Alert) alert.Alert {
	switch {
	case a.Withdrawn:
		a.Reason = "Withdrawn, for what came late undid it: " + a.Reason
	case a.MergedInto != "":
		a.Reason = "Part of a longer alert: " + a.Reason
	}
	return a
}

// weigh sets what the alert's fields say of its severity, host and user, and gives the fields.
func (r *ruleset) weigh(a *alert.Alert) (alert.Fields, error) {
	fields, err := alert.Flatten(a.Document)
	if err != nil {
		return nil, err
	}
	a.Severity, a.Risk = r.rule.Severity.Of(fields), r.rule.Risk.Of(fields)
	a.Host, a.User = fields.First("host.name"), fields.First("user.name")
	return fields, nil
}

// reason is the rule's own sentence, or the one that otherwise makes.
func (r *ruleset) reason(a *alert.Alert, fields alert.Fields, otherwise func() string) (string, error) {
	if r.rule.Message == nil {
		return otherwise(), nil
	}
	return r.message(rule.MessageData{
		Rule: r.rule, Severity: a.Severity, Risk: a.Risk, Count: a.Count, Time: a.Time, First: a.First, Last: a.Last, Fields: fields,
	}, otherwise), nil
}

// message is the rule's own sentence. Where it cannot be made of an alert, that is no reason to keep the alert
// back: the usual sentence stands there, and why.
func (r *ruleset) message(d rule.MessageData, otherwise func() string) string {
	said, err := r.rule.Message.Render(d)
	if err == nil {
		return said
	}
	var wrong *wording.Error
	why := err.Error()
	if errors.As(err, &wrong) {
		why = wrong.Error()
	}
	return otherwise() + " (the rule's message could not be made, at " + why + ")"
}

// fix marks the episodes that were found when the rule judged something else.
func (r *ruleset) fix(stored []Stored) {
	for i := range stored {
		stored[i].Fixed = stored[i].Definition != r.definition
	}
}
