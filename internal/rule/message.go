package rule

import (
	"errors"
	"fmt"
	"time"

	"tocsin/internal/alert"
	"tocsin/internal/wording"
)

// Message is a template for the sentence of an alert: Go's text/template, in which .user.name is the value
// of that field of the alert. It is safe for concurrent use.
type Message struct {
	template *wording.Template
	reads    []reading
}

// reading is a field that a message tells, and where.
type reading struct {
	name string
	at   int
	// row is set where the field is one of a row, inside a range.
	row bool
}

// MessageData is what a message can tell.
type MessageData struct {
	Rule     *Rule
	Severity alert.Severity
	Risk     float64
	// Count is how many events or rows the alert stands for.
	Count int
	// Time is the alert's; First and Last are those of its events. Zero is unknown.
	Time, First, Last time.Time
	// Fields are the alert's: columns of its row and fields of its document, by dotted name. Nil values are
	// left out.
	Fields map[string][]any
	// Rows are the rows of the run where an alert is made of all of them.
	Rows []map[string][]any
}

// String is the template as it was written.
func (m *Message) String() string { return m.template.String() }

// Render makes the sentence. Text from the alert stands in it as it is: whoever shows it escapes it. The
// error is for the rule's author.
func (m *Message) Render(d MessageData) (string, error) {
	said, err := m.template.Render(&d)
	if err != nil {
		return "", fmt.Errorf("message of rule %s: %w", d.Rule.ID, err)
	}
	return said, nil
}

func (d *decoder) message(n *node, r *Rule) {
	v := n.get("message")
	if v == nil || v.wrong {
		return
	}
	m, at, err := newMessage(v.text)
	if err != nil {
		d.problem(v.at(at), "message: "+err.Error())
		return
	}
	r.Message = m
}

// newMessage reads a template; the place of an error is an offset in its text.
func newMessage(written string) (*Message, int, error) {
	t, err := wording.Parse(written)
	var wrong *wording.Error
	switch {
	case errors.As(err, &wrong):
		return nil, wrong.At, errors.New(wrong.Said)
	case err != nil:
		return nil, 0, err
	}
	m := &Message{template: t}
	for _, r := range t.Reads() {
		m.reads = append(m.reads, reading{r.Name, r.At, r.Inner})
	}
	return m, 0, nil
}

// Value implements wording.Source. The rule's names hide fields of the alert, as in filters on alerts; count
// and the times are hidden by columns of the search.
func (d *MessageData) Value(name string) any {
	switch name {
	case "rule.name":
		return d.Rule.Name
	case "rule.id":
		return d.Rule.ID
	case "severity":
		return d.Severity.String()
	case "risk_score":
		return d.Risk
	case "tags":
		tags := make([]any, len(d.Rule.Tags))
		for i, t := range d.Rule.Tags {
			tags[i] = t
		}
		return wording.Values(tags)
	case "owner":
		return wording.Filled(d.Rule.Owner)
	case "runbook":
		return wording.Filled(d.Rule.Runbook)
	case "rows":
		rows := make([]any, 0, len(d.Rows))
		for _, r := range d.Rows {
			rows = append(rows, wording.Row(r))
		}
		return rows
	}
	if v := wording.Values(d.Fields[name]); v != nil {
		return v
	}
	switch name {
	case "count":
		return d.Count
	case "time":
		return wording.Moment(d.Time)
	case "first":
		return wording.Moment(d.First)
	case "last":
		return wording.Moment(d.Last)
	}
	return nil
}
