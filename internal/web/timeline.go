package web

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"tocsin/internal/account"
	"tocsin/internal/ledger"
	"tocsin/internal/notice"
	"tocsin/internal/outbox"
	"tocsin/internal/tuning"
)

// Timeline is what happened to an alert, in the order of time.
type Timeline struct {
	Moments []Moment `json:"moments"`
}

// Moment is one thing that happened to an alert.
type Moment struct {
	At time.Time `json:"at"`
	// What happened: happened, seen, decided, queued, sent, edited, waits, failed, ended, acknowledge, close, reopen.
	What string `json:"what" enum:"happened,seen,decided,queued,sent,edited,waits,failed,ended,acknowledge,close,reopen"`
	Text string `json:"text"`
}

// addTimeline adds the endpoint of timelines.
func (s *alertPages) addTimeline() {
	s.add(Route{
		Method: "GET", Path: "/alerts/{id}/timeline", Tag: "alerts", Role: account.Viewer, Summary: "Tell what happened to an alert, and when",
		Answer: Timeline{}, Fails: []int{404}, Handle: func(rw http.ResponseWriter, r *http.Request) {
			e, err := s.named(r.Context(), r.PathValue("id"))
			var moments []Moment
			if err == nil {
				moments, err = s.timeline(r.Context(), &e)
			}
			var missing *notFoundError
			switch {
			case errors.As(err, &missing):
				fail(rw, http.StatusNotFound, err.Error())
			case err != nil:
				s.broken(rw, r, err)
			default:
				answer(rw, http.StatusOK, Timeline{moments})
			}
		},
	})
}

// timeline is what happened to an alert, oldest first.
func (s *alertPages) timeline(ctx context.Context, e *ledger.Entry) ([]Moment, error) {
	a, out := &e.Alert, []Moment{}
	add := func(at time.Time, what, text string) {
		if !at.IsZero() {
			out = append(out, Moment{at.UTC(), what, text})
		}
	}
	switch {
	case !a.First.IsZero():
		add(a.First, "happened", "the first of what it is about")
		if a.Last.After(a.First) {
			add(a.Last, "happened", "the last of what it is about so far")
		}
	case !a.Event.IsZero():
		add(a.Event, "happened", "what it is about")
	}
	if a.Index != "" && a.Time.Before(e.SeenAt) { // of another than us
		add(a.Time, "happened", "its rule wrote it in "+a.Source)
	}
	seen := "Tocsin took it in from " + a.Source
	if a.Late {
		seen += ", late"
	}
	add(e.SeenAt, "seen", seen)
	if e.Decision != ledger.Forward {
		add(e.SeenAt, "decided", fmt.Sprintf("%s: %s", e.Fate, e.Reason))
	} else if e.Notice == "" {
		add(e.SeenAt, "decided", e.Reason)
	}
	if err := s.messageMoments(ctx, e, e.Notice, "", add); err != nil {
		return nil, err
	}
	if e.Copies != nil {
		copies, err := s.ledger.Copies(ctx, e.Seq)
		if err != nil {
			return nil, err
		}
		for _, c := range copies {
			if err := s.messageMoments(ctx, e, c.Notice, "its copy: ", add); err != nil {
				return nil, err
			}
		}
	}
	if a.Ended.After(a.First) || !a.Ended.IsZero() && a.First.IsZero() {
		text := "its condition ended"
		if a.Unfollowed != "" {
			text = "no longer followed: " + a.Unfollowed
		}
		add(a.Ended, "ended", text)
	}
	done, err := s.Book.Done(ctx, a.ID)
	if err != nil {
		return nil, err
	}
	for _, d := range done {
		add(d.At, string(d.Action), handledText(d))
	}
	slices.SortStableFunc(out, func(a, b Moment) int { return cmp.Compare(a.At.UnixMicro(), b.At.UnixMicro()) })
	return out, nil
}

func handledText(d tuning.Acknowledgement) string {
	text := map[tuning.Action]string{tuning.Acknowledge: "acknowledged", tuning.Close: "closed", tuning.Reopen: "opened again"}[d.Action] + " by " + d.Who
	if d.Verdict != "" {
		text += " as " + strings.ReplaceAll(string(d.Verdict), "_", " ")
	}
	if d.Why != "" {
		text += ": " + d.Why
	}
	return text
}

// messageMoments tells when the message of an alert was queued, posted and edited. before stands before each text.
func (s *alertPages) messageMoments(ctx context.Context, e *ledger.Entry, key notice.Key, before string, add func(time.Time, string, string)) error {
	if key == "" {
		return nil
	}
	m, ok, err := s.outbox.Message(ctx, key)
	if err != nil || !ok {
		return err
	}
	joined := m.Created.Before(e.SeenAt) // the message was there before the alert
	if joined {
		add(e.SeenAt, "decided", before+"it joins a message of "+m.Channel)
	} else {
		add(m.Created, "decided", before+"its message was queued for "+m.Channel)
	}
	switch {
	case m.PostedAt.IsZero():
	case joined:
		add(m.PostedAt, "sent", before+"the message it joined was posted in "+m.Channel)
	default:
		add(m.PostedAt, "sent", before+"its message was posted in "+m.Channel)
	}
	if m.SaidAt.After(m.PostedAt) && !m.PostedAt.IsZero() {
		add(m.SaidAt, "edited", fmt.Sprintf("%sthe message was edited, to its revision %d", before, m.Said))
	}
	now := time.Now()
	switch m.State {
	case outbox.Failed:
		add(now, "failed", before+"given up: "+m.Reason)
	case outbox.Queued, outbox.Sending, outbox.Doubt:
		text := "it waits to be posted in " + m.Channel
		if m.Said > 0 {
			text = "its message waits to be edited"
		}
		if m.Reason != "" {
			text += ": " + m.Reason
		}
		add(now, "waits", before+text)
	case outbox.Said:
	}
	return nil
}
