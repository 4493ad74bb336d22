package notice

import (
	"slices"
	"strings"

	"tocsin/internal/alert"
	"tocsin/internal/wording"
)

// Fill has the notice name some alerts, first to last, and makes its Body where it has a Template. What is over
// keeps the values that fired. Set everything else before, but Thread, which it empties.
func (n *Notice) Fill(alerts []alert.Alert) {
	before := n.Items
	n.Items = make([]Item, 0, len(alerts))
	for k := range alerts {
		n.Items = append(n.Items, ItemOf(&alerts[k]))
	}
	Keep(before, n.Items)
	n.Body, n.BodyError, n.Thread, n.ThreadMore = "", "", nil, 0
	body, err := n.Try(alerts)
	if err != nil {
		n.BodyError = err.Error()
		return
	}
	n.Body = body
}

// Said is Body as plain text, without the marks of values; what shows it escapes what has to be. Empty for none.
func (n *Notice) Said() string {
	var b strings.Builder
	wording.Parts(n.Body, func(piece string, _ bool) { b.WriteString(piece) })
	return b.String()
}

// Try makes what the notice's Template says of some alerts, with every value between two marks; empty without a
// template. Its error is a *wording.Error.
func (n *Notice) Try(alerts []alert.Alert) (string, error) {
	if n.Template == "" {
		return "", nil
	}
	t, err := wording.Parse(n.Template)
	if err != nil {
		return "", err
	}
	sources := make([]*told, len(alerts))
	for k := range alerts {
		sources[k] = &told{&alerts[k], flat(&alerts[k])}
	}
	return t.Marked(&all{n, sources})
}

// Values is an alert as templates see it.
func Values(a *alert.Alert) wording.Source { return &told{a, flat(a)} }

// told is an alert as a template sees it.
type told struct {
	alert  *alert.Alert
	fields alert.Fields
}

// Value implements wording.Source: the names that filters on alerts know, what messages of rules know, then
// the document's fields.
func (t *told) Value(name string) any {
	a := t.alert
	if values, ok := a.Own(name); ok {
		return wording.Values(values)
	}
	switch name {
	case "owner":
		return wording.Filled(a.Rule.Owner)
	case "runbook":
		return wording.Filled(a.Rule.Runbook)
	case "url":
		return wording.Filled(a.URL)
	case "rows":
		return t.rows()
	}
	if v := wording.Values(t.fields[name]); v != nil {
		return v
	}
	switch name {
	case "host.name":
		return wording.Filled(a.Host)
	case "user.name":
		return wording.Filled(a.User)
	case "count":
		return max(1, a.Count)
	case "time":
		return wording.Moment(a.Time)
	case "first":
		return wording.Moment(a.First)
	case "last":
		return wording.Moment(a.Last)
	}
	for _, f := range a.Facts {
		if f.Name == name {
			return wording.Filled(f.Value)
		}
	}
	return nil
}

// rows are those of a run, as far as the alert keeps them.
func (t *told) rows() any {
	var out []any
	for _, row := range rowsOf(t.alert.Document) {
		out = append(out, wording.Row(row))
	}
	if out == nil {
		return nil
	}
	return out
}

// all are the alerts of a notice as a template sees them.
type all struct {
	notice *Notice
	alerts []*told
}

// Value implements wording.Source: of one alert its own; of several what they have, each value once.
func (s *all) Value(name string) any {
	switch name {
	case "alerts":
		out := make([]any, len(s.alerts))
		for i, a := range s.alerts {
			out[i] = a
		}
		return out
	case "alerts.count":
		return max(s.notice.Count, len(s.alerts))
	case "channel":
		return wording.Filled(s.notice.Channel)
	}
	if len(s.alerts) == 1 && s.notice.Count <= 1 {
		return s.alerts[0].Value(name)
	}
	switch name {
	case "count":
		return max(s.notice.Count, len(s.alerts))
	case "severity":
		return s.notice.Severity.String()
	case "time", "first":
		return wording.Moment(s.notice.Since)
	case "last":
		return wording.Moment(s.notice.Until)
	case "rows":
		return nil
	}
	var values []any
	for _, a := range s.alerts {
		for _, v := range wording.Each(a.Value(name)) {
			if !slices.ContainsFunc(values, func(w any) bool { return wording.Show(w) == wording.Show(v) }) {
				values = append(values, v)
			}
		}
	}
	return wording.Values(values)
}
