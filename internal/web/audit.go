package web

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"tocsin/internal/account"
)

// changeNote is what a handler says of the change it made, for the log of changes.
type changeNote struct {
	object, detail string
	done           bool // of a form: it ended in a change
}

type changeNoteKey struct{}

// noted tells the log of changes what was changed, where the path does not name it.
func noted(r *http.Request, object, detail string) {
	if n, ok := r.Context().Value(changeNoteKey{}).(*changeNote); ok {
		n.object, n.detail = object, detail
	}
}

// doneByForm tells the log of changes that a form of a page has done what it says.
func doneByForm(r *http.Request, said string) {
	if n, ok := r.Context().Value(changeNoteKey{}).(*changeNote); ok {
		n.done = true
		if n.detail == "" {
			n.detail = said
		}
	}
}

// logged adds a change to the log of changes before its answer goes out. A change that was refused is none, and
// what a viewer may do changes nothing.
func (w *Web) logged(route Route, next http.HandlerFunc) http.HandlerFunc {
	if w.accounts == nil || route.Method == http.MethodGet || route.Reads || route.Logged || route.Role == account.Viewer {
		return next
	}
	return w.noting(route.Method, apiRoot+route.Path, next, func(status int, _ *changeNote) bool { return status < http.StatusBadRequest })
}

// loggedForm is logged for a form of a page, which has made its change when it ends in done.
func (w *Web) loggedForm(p Page, next http.HandlerFunc) http.HandlerFunc {
	if w.accounts == nil || p.Method == http.MethodGet || p.Logged || p.Open || p.Role == account.Viewer {
		return next
	}
	return w.noting(p.Method, p.Path, next, func(_ int, note *changeNote) bool { return note.done })
}

// noting writes the log of changes where made says that there was one.
func (w *Web) noting(method, path string, next http.HandlerFunc, made func(status int, note *changeNote) bool) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		note := &changeNote{}
		for _, m := range pathParameter.FindAllStringSubmatch(path, -1) {
			note.object = strings.TrimPrefix(note.object+"/"+r.PathValue(m[1]), "/")
		}
		r = r.WithContext(context.WithValue(r.Context(), changeNoteKey{}, note))
		out := &loggedWriter{ResponseWriter: rw, write: func(status int) error {
			if !made(status, note) {
				return nil
			}
			return w.accounts.Note(context.WithoutCancel(r.Context()), who(r), method+" "+path, note.object, note.detail)
		}}
		next(out, r)
		if !out.begun {
			out.WriteHeader(http.StatusOK)
		}
		if out.err != nil {
			w.log.Error("a change is not in the log of changes", "path", r.URL.Path, "error", out.err)
		}
	}
}

// loggedWriter writes the log when it knows that a change was made.
type loggedWriter struct {
	http.ResponseWriter
	write func(status int) error
	begun bool
	err   error
}

// WriteHeader implements http.ResponseWriter.
func (l *loggedWriter) WriteHeader(status int) {
	if !l.begun {
		l.begun = true
		l.err = l.write(status)
	}
	l.ResponseWriter.WriteHeader(status)
}

// Write implements io.Writer.
func (l *loggedWriter) Write(b []byte) (int, error) {
	if !l.begun {
		l.WriteHeader(http.StatusOK)
	}
	return l.ResponseWriter.Write(b)
}

// Unwrap lets handlers flush.
func (l *loggedWriter) Unwrap() http.ResponseWriter { return l.ResponseWriter }

// EventList is a page of the log of changes, newest first.
type EventList struct {
	Events []account.Event `json:"events"`
	Before int64           `json:"before,omitempty" doc:"Asks for the next page; absent on the last."`
}

var auditQuery = []Query{
	{Name: "who", Text: "Part of who did it."},
	{Name: "action", Text: "Part of what was done."},
	{Name: "object", Text: "Part of what it was done to."},
	{Name: "since", Kind: Time, Text: "Only changes since this time."},
	{Name: "until", Kind: Time, Text: "Only changes until this time."},
	{Name: "before", Kind: Integer, Text: "The page before this place: before of the page last read."},
	{Name: "limit", Kind: Integer, Least: 1, Most: 1000, Text: "How many at most; 100 without it."},
}

// routeAudit adds the log of changes.
func (w *Web) routeAudit() {
	w.add(Route{
		Method: "GET", Path: "/audit", Tag: "accounts", Role: account.Admin, Summary: "List the log of changes, newest first",
		Query: auditQuery, Answer: EventList{}, Handle: func(rw http.ResponseWriter, r *http.Request) {
			out, err := w.events(r)
			if err != nil {
				w.broken(rw, r, err)
				return
			}
			answer(rw, http.StatusOK, out)
		},
	})
	w.page(Page{Method: "GET", Path: "/audit", Role: account.Admin, Handle: w.auditPage})
}

// events reads the page of the log that the query asks for, which has been checked.
func (w *Web) events(r *http.Request) (EventList, error) {
	q := r.URL.Query()
	f := account.EventFilter{Who: q.Get("who"), Action: q.Get("action"), Object: q.Get("object")}
	f.Since, _ = time.Parse(time.RFC3339, q.Get("since"))
	f.Until, _ = time.Parse(time.RFC3339, q.Get("until"))
	f.Before, _ = strconv.ParseInt(q.Get("before"), 10, 64)
	f.Limit, _ = strconv.Atoi(q.Get("limit"))
	events, before, err := w.accounts.Events(r.Context(), f)
	return EventList{Events: append([]account.Event{}, events...), Before: before}, err
}

// auditPage shows the log of changes.
func (w *Web) auditPage(rw http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	for name, values := range q { // an empty box of the form is no filter
		if strings.Join(values, "") == "" {
			q.Del(name)
		}
	}
	r.URL.RawQuery = q.Encode()
	if err := checkQuery(auditQuery, r); err != nil {
		w.sorry(rw, r, http.StatusBadRequest, "This filter cannot be read", err.Error())
		return
	}
	list, err := w.events(r)
	if err != nil {
		w.broken(rw, r, err)
		return
	}
	next := ""
	if list.Before > 0 {
		q.Set("before", strconv.FormatInt(list.Before, 10))
		next = "/audit?" + q.Encode()
	}
	filtered := slices.ContainsFunc([]string{"who", "action", "object"}, q.Has)
	w.render(rw, r, http.StatusOK, "audit", struct {
		Events              []account.Event
		Next                string
		Who, Action, Object string
		Filtered            bool
	}{list.Events, next, q.Get("who"), q.Get("action"), q.Get("object"), filtered})
}
