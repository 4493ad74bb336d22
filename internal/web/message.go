package web

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"tocsin/internal/account"
	"tocsin/internal/alert"
	"tocsin/internal/blockkit"
	"tocsin/internal/ledger"
	"tocsin/internal/notice"
	"tocsin/internal/query"
	"tocsin/internal/rule"
	"tocsin/internal/slack"
	"tocsin/internal/wording"
)

// MessagePreview says which message to show.
type MessagePreview struct {
	Template *string `json:"template,omitempty" doc:"The text of a route, as its template: what the message says of its alerts."`
	Message  *string `json:"message,omitempty" doc:"The message of a rule: the sentence of an alert."`
	Alert    string  `json:"alert,omitempty" doc:"The id of the alert to show, of its document, or the beginning of either; the newest without one."`
	Rule     string  `json:"rule,omitempty" doc:"The name of a rule: its newest alert is shown."`
	Content  string  `json:"content,omitempty" doc:"A rule that is being written, as YAML or JSON, with document: the message of an alert that it would make of it."`
	Format   string  `json:"format,omitempty" enum:"yaml,json" doc:"What content is; yaml without it."`
	// Document is a row of the rule's search.
	Document json.RawMessage `json:"document,omitempty" doc:"Of content: a row of its search, or an event."`
	Count    int             `json:"count,omitempty" doc:"How many of the newest alerts the message is about, 1 without it and at most 20."`
}

// MessagePreviewed is a message as it would be posted.
type MessagePreviewed struct {
	Alert alert.ID `json:"alert"` // the one shown, the newest of several
	slack.Preview
	HTML string `json:"html" doc:"The same for a page: escaped, and with no link but to web pages."`
	// Fields are what a template can tell of the alert.
	Fields []alert.Fact `json:"fields" doc:"The fields of the alert shown, by name; long values are cut."`
	// Failed is why the text cannot be made of this alert; the message is then the usual one and says so.
	Failed *TemplateWrong `json:"failed,omitempty"`
}

// FunctionList is what templates can call.
type FunctionList struct {
	Functions []wording.Function `json:"functions"`
}

// TemplateWrong is what is wrong with a template, and where.
type TemplateWrong struct {
	Error  string `json:"error"`
	Line   int    `json:"line,omitempty"` // from 1; 0 where it is no template that is wrong
	Column int    `json:"column,omitempty" doc:"From 1, in characters."`
}

// MessageFailure is the body of an answer to a text or a rule that is wrong.
type MessageFailure struct {
	TemplateWrong
	Problems []rule.Problem `json:"problems,omitempty" doc:"Of a rule that is being written."`
}

const mostPreview = 1 << 20

// MessagesOptions say what rules that are being written are read with. Without Rules there is no page.
type MessagesOptions struct {
	Rules   *rule.Library
	Sources []string
	Lookups func() map[string]*query.Table
}

type messages struct {
	*Web
	o MessagesOptions
}

// Messages is the endpoint that shows messages before they are sent, and the page that words them.
func Messages(o MessagesOptions) Part {
	return func(w *Web) {
		s := &messages{w, o}
		if o.Rules != nil {
			w.page(Page{Method: "GET", Path: "/rules/{id}/message", Role: account.Editor, Handle: s.wordingPage})
			w.page(Page{Method: "POST", Path: "/rules/{id}/message", Role: account.Editor, Handle: s.wordingForm})
		}
		w.add(Route{
			Method: "GET", Path: "/messages/functions", Tag: "messages", Role: account.Viewer, Summary: "List what templates of messages can call",
			Answer: FunctionList{}, Handle: func(rw http.ResponseWriter, _ *http.Request) {
				answer(rw, http.StatusOK, FunctionList{wording.Functions})
			},
		})
		w.add(Route{
			Method: "POST", Path: "/messages/preview", Tag: "messages", Role: account.Viewer, Summary: "Show a message with a real alert", Reads: true,
			Text: "Lays out the message of the newest alert, or of the one named, as Slack would get it, with a text that is not saved yet. A text that is wrong is a 400 with its line and column.",
			Body: MessagePreview{}, Answer: MessagePreviewed{}, Fails: []int{404}, Failure: MessageFailure{}, Handle: s.preview,
		})
	}
}

func (s *messages) preview(rw http.ResponseWriter, r *http.Request) {
	in, ok := body[MessagePreview](rw, r, mostPreview)
	if !ok {
		return
	}
	switch {
	case in.Alert != "" && in.Rule != "":
		fail(rw, http.StatusBadRequest, "name an alert or a rule, not both")
		return
	case (in.Content == "") != (len(in.Document) == 0) || in.Content != "" && (in.Alert+in.Rule != "" || in.Count > 1):
		fail(rw, http.StatusBadRequest, "content goes with document, and with nothing that names alerts")
		return
	case in.Count < 0 || in.Count > notice.NamedMost || in.Count > 1 && in.Alert != "":
		fail(rw, http.StatusBadRequest, fmt.Sprintf("count is from 1 to %d, and 1 with an alert", notice.NamedMost))
		return
	}
	for _, text := range []*string{in.Template, in.Message} {
		if text == nil {
			continue
		}
		if _, err := wording.Parse(*text); err != nil {
			answer(rw, http.StatusBadRequest, wrongTemplate(err))
			return
		}
	}
	var (
		alerts []alert.Alert
		err    error
	)
	if in.Content != "" {
		var a alert.Alert
		if a, err = s.imagined(in); err != nil {
			var problems *rule.Problems
			if errors.As(err, &problems) {
				answer(rw, http.StatusBadRequest, MessageFailure{TemplateWrong{Error: problems.Error()}, problems.List})
			} else {
				fail(rw, http.StatusBadRequest, err.Error())
			}
			return
		}
		alerts = []alert.Alert{a}
	} else {
		alerts, err = s.shown(r.Context(), in)
	}
	switch {
	case err != nil:
		s.broken(rw, r, err)
		return
	case len(alerts) == 0 && in.Alert+in.Rule == "":
		fail(rw, http.StatusNotFound, "no alert was seen yet: messages are shown with a real one")
		return
	case len(alerts) == 0:
		fail(rw, http.StatusNotFound, fmt.Sprintf("no alert of %q was seen: leave it out to show the newest of all", cmp.Or(in.Alert, in.Rule)))
		return
	}
	out, err := previewOf(in, alerts)
	if err != nil {
		s.broken(rw, r, err)
		return
	}
	answer(rw, http.StatusOK, out)
}

// shown are the alerts of a preview with their documents, oldest first.
func (s *messages) shown(ctx context.Context, in MessagePreview) ([]alert.Alert, error) {
	f := ledger.Filter{Limit: max(1, in.Count), Rule: in.Rule, Documents: true}
	if in.Alert != "" {
		f.IDs = []string{in.Alert}
	}
	entries, _, err := s.ledger.List(ctx, f)
	if err != nil {
		return nil, err
	}
	var out []alert.Alert
	for _, e := range entries {
		out = append(out, e.Alert)
	}
	slices.Reverse(out)
	return out, nil
}

func previewOf(in MessagePreview, alerts []alert.Alert) (MessagePreviewed, error) {
	newest := &alerts[len(alerts)-1]
	out := MessagePreviewed{Alert: newest.ID, Fields: fieldsOf(newest)}
	n := notice.Notice{Revision: 1, Kind: notice.KindAlert, Count: len(alerts)}
	if in.Template != nil {
		n.Template = *in.Template
	}
	for i := range alerts {
		a := &alerts[i]
		if in.Message != nil {
			sentence, err := wording.Parse(*in.Message)
			if err == nil {
				a.Reason, err = sentence.Render(notice.Values(a))
			}
			if err != nil {
				out.Failed = wrongTemplate(err)
				n.Note = "The rule's message failed at " + err.Error()
			}
		}
		n.Severity = max(n.Severity, a.Severity)
		if n.Since.IsZero() || a.Time.Before(n.Since) {
			n.Since = a.Time
		}
		if a.Time.After(n.Until) {
			n.Until = a.Time
		}
	}
	n.Fill(alerts)
	if n.BodyError != "" {
		if _, err := n.Try(alerts); err != nil {
			out.Failed = wrongTemplate(err)
		}
	}
	shown, err := laidOut(n)
	out.Preview, out.HTML = shown.Preview, shown.HTML
	return out, err
}

// message is a notice as it would be posted, and for a page.
type message struct {
	slack.Preview
	HTML string
}

func laidOut(n notice.Notice) (m message, err error) {
	if m.Preview, err = slack.Render(n); err != nil {
		return m, err
	}
	shown, err := blockkit.Read(m.Text, m.Blocks, m.Attachments).HTML()
	m.HTML = string(shown)
	return m, err
}

func wrongTemplate(err error) *TemplateWrong {
	var wrong *wording.Error
	if errors.As(err, &wrong) {
		return &TemplateWrong{Error: wrong.Said, Line: wrong.Line, Column: wrong.Column}
	}
	return &TemplateWrong{Error: err.Error()}
}
