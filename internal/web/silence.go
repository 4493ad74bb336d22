package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"tocsin/internal/account"
	"tocsin/internal/duration"
	"tocsin/internal/policy"
	"tocsin/internal/tuning"
)

// TuningOptions say what is set about alerts.
type TuningOptions struct {
	Book *tuning.Book
	// Handle takes in what somebody did about an alert.
	Handle func(context.Context, tuning.Acknowledgement) error
}

// TuningDraft is what a silence, an exception or a switch is made or changed with.
type TuningDraft struct {
	Match    string     `json:"match,omitempty" doc:"KQL on the alert."`
	Rule     string     `json:"rule,omitempty" doc:"The name of a rule; like tag and severity, one more thing that must hold."`
	Tag      string     `json:"tag,omitempty" doc:"A tag of the rule."`
	Severity string     `json:"severity,omitempty" enum:"low,medium,high,critical"`
	From     *time.Time `json:"from,omitempty" doc:"When it begins; now without it."`
	Until    *time.Time `json:"until,omitempty" doc:"When it ends."`
	For      string     `json:"for,omitempty" doc:"How long it lasts, such as 2h, instead of until."`
	Forever  bool       `json:"forever,omitempty" doc:"It has no end; of exceptions and switches."`
	Forward  bool       `json:"forward,omitempty" doc:"Of a switch: such alerts are forwarded, whatever the file says."`
	Why      string     `json:"why,omitempty" doc:"For those who look at it later; required."`
	Who      string     `json:"who,omitempty" doc:"Who sets it, where nobody is signed in."`
	Base     *int64     `json:"base,omitempty" doc:"Of a change: the version the caller saw."`
	Since    *time.Time `json:"since,omitempty" doc:"Of a preview: how far back to look; 7 days without it."`
}

// TuningList is a list of one kind.
type TuningList struct {
	Items []tuning.Entry `json:"items"`
}

// TuningDetail is one of them with its versions, newest first.
type TuningDetail struct {
	tuning.Entry
	History []tuning.Version `json:"history"`
}

// TuningEnd ends one of them.
type TuningEnd struct {
	Note string `json:"note,omitempty" doc:"Why."`
	Who  string `json:"who,omitempty" doc:"Who ends it, where nobody is signed in."`
}

// TuningFailure is the body of an answer to a draft that is wrong.
type TuningFailure struct {
	Failure
	Field  string `json:"field,omitempty"`
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
}

const mostTuning = 64 << 10

// previewBack is how far back a preview looks.
const previewBack = 7 * 24 * time.Hour

// previewMost is how far back it may.
const previewMost = 90 * 24 * time.Hour

type tunings struct {
	*Web
	o TuningOptions
}

// kind serves one kind of what is set.
type kind struct {
	*tunings
	kind policy.TuningKind
}

// Tunings are the endpoints of what people set about alerts.
func Tunings(o TuningOptions) Part {
	return func(w *Web) {
		s := &tunings{w, o}
		for _, k := range []struct {
			path, one, many string
			kind            policy.TuningKind
		}{
			{"/silences", "a silence", "silences", policy.Silence},
			{"/exceptions", "an exception", "exceptions", policy.Exception},
			{"/forwarding", "a switch of what is forwarded", "switches of what is forwarded", policy.Forwarding},
		} {
			of := &kind{s, k.kind}
			tag := k.path[1:]
			for _, r := range []Route{
				{
					Method: "GET", Path: k.path, Role: account.Viewer, Summary: "List the " + k.many, Answer: TuningList{},
					Query:  []Query{{Name: "state", Text: "Only those that stand so.", Values: []string{"pending", "active", "expired"}}},
					Handle: of.list,
				},
				{Method: "POST", Path: k.path, Role: account.Editor, Summary: "Make " + k.one, Body: TuningDraft{}, Answer: tuning.Entry{}, Failure: TuningFailure{}, Handle: of.add},
				{
					Method: "POST", Path: k.path + "/preview", Role: account.Viewer, Summary: "Say what " + k.one + " would have done about the last days", Reads: true,
					Body: TuningDraft{}, Answer: tuning.Preview{}, Failure: TuningFailure{}, Handle: of.preview,
				},
				{Method: "GET", Path: k.path + "/{id}", Role: account.Viewer, Summary: "Show " + k.one + " with its versions", Answer: TuningDetail{}, Fails: []int{404, 409}, Handle: of.show},
				{
					Method: "PUT", Path: k.path + "/{id}", Role: account.Editor, Summary: "Change " + k.one, Body: TuningDraft{}, Answer: tuning.Entry{},
					Fails: []int{404, 409}, Failure: TuningFailure{}, Handle: of.change,
				},
				{
					Method: "POST", Path: k.path + "/{id}/expire", Role: account.Editor, Summary: "End " + k.one + " now", Body: TuningEnd{}, Optional: true,
					Answer: tuning.Entry{}, Fails: []int{404, 409}, Handle: of.expire,
				},
			} {
				r.Tag = tag
				w.add(r)
			}
		}
		s.acknowledgements()
	}
}

func (k *kind) list(rw http.ResponseWriter, r *http.Request) {
	items, err := k.o.Book.List(r.Context(), k.kind, tuning.State(r.URL.Query().Get("state")))
	if err != nil {
		k.broken(rw, r, err)
		return
	}
	answer(rw, http.StatusOK, TuningList{append([]tuning.Entry{}, items...)})
}

// draft reads the body of a request.
func (k *kind) draft(rw http.ResponseWriter, r *http.Request) (TuningDraft, tuning.Draft, bool) {
	in, ok := body[TuningDraft](rw, r, mostTuning)
	if !ok {
		return in, tuning.Draft{}, false
	}
	d := tuning.Draft{
		Kind: k.kind, Match: in.Match, Rule: in.Rule, Tag: in.Tag, Severity: in.Severity, Forever: in.Forever, Forward: in.Forward,
		Why: in.Why, Who: setter(r, in.Who),
	}
	from := time.Now()
	if in.From != nil {
		d.From, from = *in.From, *in.From
	}
	switch {
	case in.Until != nil && in.For != "":
		fail(rw, http.StatusBadRequest, "write until or for, not both")
		return in, d, false
	case in.Until != nil:
		d.Until = *in.Until
	case in.For != "":
		length, err := duration.Parse(in.For)
		if err != nil {
			fail(rw, http.StatusBadRequest, fmt.Sprintf("for %q %v", in.For, err))
			return in, d, false
		}
		d.Until = from.Add(length)
	}
	return in, d, true
}

// setter is who asks; where nobody signs in, who they say they are.
func setter(r *http.Request, said string) string {
	id := who(r)
	if said != "" && id.Via != account.ViaSession && id.Via != account.ViaToken {
		return said
	}
	return id.Name
}

func (k *kind) add(rw http.ResponseWriter, r *http.Request) {
	_, d, ok := k.draft(rw, r)
	if !ok {
		return
	}
	e, err := k.o.Book.Add(r.Context(), d)
	k.answer(rw, r, e, err)
}

func (k *kind) change(rw http.ResponseWriter, r *http.Request) {
	in, d, ok := k.draft(rw, r)
	if !ok {
		return
	}
	base := int64(tuning.AnyVersion)
	if in.Base != nil {
		base = *in.Base
	}
	e, err := k.o.Book.Change(r.Context(), r.PathValue("id"), base, d)
	k.answer(rw, r, e, err)
}

func (k *kind) expire(rw http.ResponseWriter, r *http.Request) {
	var in TuningEnd
	if r.ContentLength != 0 {
		var ok bool
		if in, ok = body[TuningEnd](rw, r, mostTuning); !ok {
			return
		}
	}
	e, err := k.o.Book.Expire(r.Context(), k.kind, r.PathValue("id"), setter(r, in.Who), in.Note)
	k.answer(rw, r, e, err)
}

func (k *kind) show(rw http.ResponseWriter, r *http.Request) {
	e, history, err := k.o.Book.Get(r.Context(), k.kind, r.PathValue("id"))
	if err != nil {
		k.refuse(rw, r, err)
		return
	}
	answer(rw, http.StatusOK, TuningDetail{e, history})
}

func (k *kind) preview(rw http.ResponseWriter, r *http.Request) {
	in, d, ok := k.draft(rw, r)
	if !ok {
		return
	}
	now := time.Now()
	since := now.Add(-previewBack)
	if in.Since != nil {
		since = *in.Since
	}
	if now.Sub(since) > previewMost {
		fail(rw, http.StatusBadRequest, "a preview looks back 90 days at most: write a later since")
		return
	}
	p, err := tuning.NewPreviewer(d, since.UTC(), now)
	if err == nil {
		err = k.ledger.Scan(r.Context(), since, p.Take)
	}
	if err != nil {
		k.refuse(rw, r, err)
		return
	}
	answer(rw, http.StatusOK, p.Done())
}

func (k *kind) answer(rw http.ResponseWriter, r *http.Request, e tuning.Entry, err error) {
	if err != nil {
		k.refuse(rw, r, err)
		return
	}
	answer(rw, http.StatusOK, e)
}

// refuse answers for an error of the room.
func (s *tunings) refuse(rw http.ResponseWriter, r *http.Request, err error) {
	var (
		wrong    *tuning.InputError
		missing  *tuning.NotFoundError
		conflict *tuning.ConflictError
	)
	switch {
	case errors.As(err, &wrong):
		answer(rw, http.StatusBadRequest, TuningFailure{Failure{Error: wrong.Error()}, wrong.Field, wrong.Line, wrong.Column})
	case errors.As(err, &missing):
		fail(rw, http.StatusNotFound, missing.Error())
	case errors.As(err, &conflict):
		fail(rw, http.StatusConflict, conflict.Error())
	default:
		s.broken(rw, r, err)
	}
}
