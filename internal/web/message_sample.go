package web

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tocsin/internal/alert"
	"tocsin/internal/query"
	"tocsin/internal/rule"
	"tocsin/internal/wording"
)

// imagined is an alert as a rule that is being written would make it of a row.
func (s *messages) imagined(in MessagePreview) (alert.Alert, error) {
	parse := rule.Parse
	switch in.Format {
	case "", "yaml":
	case "json":
		parse = rule.ParseJSON
	default:
		return alert.Alert{}, fmt.Errorf("format %q is neither yaml nor json", in.Format)
	}
	var tables map[string]*query.Table
	if s.o.Lookups != nil {
		tables = s.o.Lookups()
	}
	r, err := parse([]byte(in.Content), rule.ParseOptions{Sources: s.o.Sources, Lookups: tables})
	if err != nil {
		return alert.Alert{}, err
	}
	fields, err := alert.Flatten(in.Document)
	if err != nil {
		return alert.Alert{}, fmt.Errorf("read the document: %w", err)
	}
	now := time.Now().UTC()
	a := alert.Alert{
		ID: "preview", Source: r.Source, SourceID: "preview", Time: now, Updated: now, Event: now, Status: alert.StatusOpen, Count: 1,
		Rule:     r.InAlerts(),
		Severity: r.Severity.Of(fields), Risk: r.Risk.Of(fields), Tags: r.Tags, Threat: alert.Threats(r.Attack),
		Host: fields.First("host.name"), User: fields.First("user.name"), Document: in.Document,
	}
	for _, name := range []string{cmp.Or(r.TimestampField, "@timestamp"), "last", "first"} {
		if at, err := time.Parse(time.RFC3339Nano, fields.First(name)); err == nil {
			a.Time, a.Event = at.UTC(), at.UTC()
			break
		}
	}
	if n, ok := wording.Number(fields.First("count")); ok && n >= 1 && n < 1e15 {
		a.Count = int(n)
	}
	for _, name := range r.By {
		if v := fields.First(name); v != "" {
			a.Facts = append(a.Facts, alert.Fact{Name: name, Value: v})
		}
	}
	if r.Message == nil {
		a.Reason = "The sentence is made of the search when it alerts."
		return a, nil
	}
	data := rule.MessageData{Rule: r, Severity: a.Severity, Risk: a.Risk, Count: a.Count, Time: a.Time, First: a.Time, Last: a.Time, Fields: fields}
	if a.Reason, err = r.Message.Render(data); err != nil {
		var wrong *wording.Error
		if !errors.As(err, &wrong) {
			return a, err
		}
		a.Reason = "(the rule's message could not be made, at " + wrong.Error() + ")"
	}
	return a, nil
}

// The bounds of the fields told with a preview.
const (
	mostFields = 200
	mostValue  = 200
)

// fieldsOf are the fields of an alert that a template can tell, by name. A document that cannot be read tells none.
func fieldsOf(a *alert.Alert) []alert.Fact {
	fields, err := a.Fields()
	if err != nil {
		return []alert.Fact{}
	}
	names := make([]string, 0, len(fields))
	for name := range fields {
		if strings.HasPrefix(name, "tocsin.") { // what an alert carries beside its fields
			continue
		}
		names = append(names, name)
	}
	slices.Sort(names)
	out := []alert.Fact{}
	for _, name := range names[:min(len(names), mostFields)] {
		out = append(out, alert.Fact{Name: name, Value: wording.Truncate(mostValue, wording.Values(fields[name]))})
	}
	return out
}
