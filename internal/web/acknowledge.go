package web

import (
	"net/http"
	"slices"

	"tocsin/internal/account"
	"tocsin/internal/alert"
	"tocsin/internal/tuning"
)

// Handling is what somebody does about an alert.
type Handling struct {
	Why     string         `json:"why,omitempty"`
	Verdict tuning.Verdict `json:"verdict,omitempty" enum:"false_positive,true_positive,benign" doc:"Of closing: what the alert was."`
	Who     string         `json:"who,omitempty" doc:"Who does it, where nobody is signed in."`
}

// HandlingDone is what was done about an alert, oldest first.
type HandlingDone struct {
	ID   string                   `json:"id"`
	Done []tuning.Acknowledgement `json:"done"`
}

// acknowledgements adds what people do about alerts.
func (s *tunings) acknowledgements() {
	for _, one := range []struct {
		action  tuning.Action
		summary string
	}{
		{tuning.Acknowledge, "Say that somebody looks after an alert: nothing of it repeats or escalates"},
		{tuning.Close, "Close an alert, and say what it was"},
		{tuning.Reopen, "Take back that an alert was acknowledged or closed"},
	} {
		s.add(Route{
			Method: "POST", Path: "/alerts/{id}/" + string(one.action), Tag: "alerts", Role: account.Editor, Summary: one.summary, Body: Handling{}, Optional: true,
			Answer: HandlingDone{}, Fails: []int{404}, Handle: func(rw http.ResponseWriter, r *http.Request) { s.handle(rw, r, one.action) },
		})
	}
	s.add(Route{
		Method: "GET", Path: "/alerts/{id}/handling", Tag: "alerts", Role: account.Viewer, Summary: "List what people did about an alert", Answer: HandlingDone{},
		Fails: []int{404}, Handle: s.handled,
	})
}

func (s *tunings) handle(rw http.ResponseWriter, r *http.Request, action tuning.Action) {
	var in Handling
	if r.ContentLength != 0 {
		var ok bool
		if in, ok = body[Handling](rw, r, mostTuning); !ok {
			return
		}
	}
	switch {
	case in.Verdict != "" && action != tuning.Close:
		fail(rw, http.StatusBadRequest, "only what is closed has a verdict")
		return
	case in.Verdict != "" && !slices.Contains(tuning.Verdicts, in.Verdict):
		fail(rw, http.StatusBadRequest, "the verdict is one of false_positive, true_positive and benign")
		return
	}
	e, ok := s.find(rw, r)
	if !ok {
		return
	}
	if err := s.o.Handle(r.Context(), tuning.Acknowledgement{Alert: e.Alert.ID, Action: action, Who: setter(r, in.Who), Why: in.Why, Verdict: in.Verdict}); err != nil {
		s.broken(rw, r, err)
		return
	}
	s.answerDone(rw, r, string(e.Alert.ID))
}

func (s *tunings) handled(rw http.ResponseWriter, r *http.Request) {
	if e, ok := s.find(rw, r); ok {
		s.answerDone(rw, r, string(e.Alert.ID))
	}
}

func (s *tunings) answerDone(rw http.ResponseWriter, r *http.Request, id string) {
	done, err := s.o.Book.Done(r.Context(), alert.ID(id))
	if err != nil {
		s.broken(rw, r, err)
		return
	}
	answer(rw, http.StatusOK, HandlingDone{id, append([]tuning.Acknowledgement{}, done...)})
}
