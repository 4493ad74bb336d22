package app

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"tocsin/internal/alert"
	"tocsin/internal/tuning"
	"tocsin/internal/web"
)

func TestTheTimelineOfAnAlertHasAllThatHappened(t *testing.T) {
	h := newChannelHouse(t, `
route: {group_wait: 0s, group_interval: 1s}
`)
	h.take(alert.Alert{ID: "1", Rule: alert.Rule{Name: "A"}})
	var line web.Timeline
	whats := func() (out []string) {
		line = web.Timeline{}
		h.ask("GET", "/api/v1/alerts/1/timeline", "", &line)
		for _, m := range line.Moments {
			out = append(out, m.What)
		}
		return out
	}
	h.eventually("it is sent", func() bool { return slices.Contains(whats(), "sent") })
	err := h.intake.Handle(t.Context(), tuning.Acknowledgement{Alert: "1", Action: tuning.Acknowledge, Who: "ann <b>"})
	if err != nil {
		t.Fatal(err)
	}
	h.eventually("its message says that it is acknowledged", func() bool { return slices.Contains(whats(), "edited") })
	if err := h.intake.Handle(t.Context(), tuning.Acknowledgement{Alert: "1", Action: tuning.Close, Who: "bob", Verdict: tuning.FalsePositive, Why: "a test"}); err != nil {
		t.Fatal(err)
	}
	h.eventually("it is closed", func() bool { return slices.Contains(whats(), "close") && !slices.Contains(whats(), "waits") })
	got := whats()
	for _, want := range []string{"seen", "decided", "sent", "acknowledge", "edited", "close"} {
		if !slices.Contains(got, want) {
			t.Errorf("there is no %s in %q", want, got)
		}
	}
	if !slices.IsSortedFunc(line.Moments, func(a, b web.Moment) int { return a.At.Compare(b.At) }) || got[0] != "seen" {
		t.Errorf("%+v", line.Moments)
	}
	if status, page := h.ask("GET", "/alerts/1", "", nil); status != http.StatusOK || !strings.Contains(page, "closed by bob as false positive: a test") || strings.Contains(page, "ann <b>") {
		t.Errorf("the page: %d", status)
	}
	if status, _ := h.ask("GET", "/api/v1/alerts/none/timeline", "", nil); status != http.StatusNotFound {
		t.Errorf("of no alert: %d", status)
	}
	if status, text := h.ask("POST", "/api/v1/silences", `{"match":"rule.name: B","for":"1h","why":"a test"}`, nil); status != http.StatusOK {
		t.Fatalf("%d %s", status, text)
	}
	h.take(alert.Alert{ID: "2", Rule: alert.Rule{Name: "B"}})
	line = web.Timeline{}
	h.ask("GET", "/api/v1/alerts/2/timeline", "", &line)
	if last := line.Moments[len(line.Moments)-1]; last.What != "decided" || !strings.HasPrefix(last.Text, "silenced: silence ") {
		t.Errorf("%+v", line.Moments)
	}
}
