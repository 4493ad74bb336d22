package intake_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/alert"
	"tocsin/internal/intake"
	"tocsin/internal/notice"
	"tocsin/internal/policy"
	"tocsin/internal/tuning"
)

func TestADailyReportTellsOfTheDay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // it begins at midnight UTC
		c := &channel{}
		reporting = func(o *intake.Options) {
			o.Reports = []policy.Report{
				{Name: "daily", Channel: "#report", Every: notice.Daily, At: 8 * 60},
				{Name: "high", Channel: "#high", Every: notice.Daily, At: 9 * 60, Match: filter(t, "severity: high")},
				{Name: "low", Channel: "#low", Every: notice.Daily, At: 9 * 60, Match: filter(t, "severity: low")},
			}
			o.Rules = func() []string { return []string{"noisy", "quiet", "never"} }
			o.Expected = []string{"s", "other"}
			o.Brought = func() map[string]time.Time {
				return map[string]time.Time{"never": {}, "alive": time.Now(), "old": time.Date(1999, 12, 30, 0, 0, 0, 0, time.UTC)}
			}
		}
		defer func() { reporting = nil }()
		dir := t.TempDir()
		h := newHouse(t, dir, c, byRule())
		h.set(tuning.Draft{Kind: policy.Silence, Match: "rule.name: silent", Until: time.Now().Add(24 * time.Hour)})
		var wrong []alert.Alert
		h.run(7*time.Hour, func(context.Context) {
			for i := range 12 {
				a := on(one("noisy", i), fmt.Sprint("web-", i%3))
				a.User = "root"
				h.take(a)
			}
			for i := range 6 {
				h.take(one("silent", i))
			}
			for i := range 4 {
				a := one("wrong", i)
				a.Severity = alert.SeverityLow
				wrong = append(wrong, a)
				h.take(a)
			}
			time.Sleep(time.Hour)
			for i, a := range wrong {
				verdict := tuning.FalsePositive
				if i == 3 {
					verdict = tuning.TruePositive
				}
				if err := h.intake.Handle(context.Background(), tuning.Acknowledgement{Alert: a.ID, Action: tuning.Close, Who: "ann", Verdict: verdict}); err != nil {
					t.Fatal(err)
				}
			}
		})
		h.db.Close()
		h = newHouse(t, dir, c, byRule())
		defer h.db.Close()
		h.run(3*24*time.Hour, nil)
		var daily, low, high []message
		for _, m := range c.all() {
			switch m.Channel {
			case "#report":
				daily = append(daily, m)
			case "#high":
				high = append(high, m)
			case "#low":
				low = append(low, m)
			}
		}
		if len(daily) != 3 || len(low) != 3 || daily[0].at.Hour() != 8 || daily[0].at.Minute() != 0 {
			t.Fatalf("%d reports, the first at %s; %d", len(daily), daily[0].at, len(low))
		}
		s := daily[0].Summary
		want := &notice.Summary{
			Period: notice.Daily, From: s.From, To: s.To, Seen: 22,
			Fates: []notice.FateOf{{Fate: alert.Sent, Count: 2}, {Fate: alert.Grouped, Count: 14}, {Fate: alert.Silenced, Count: 6}},
			Rules: []notice.RuleOf{
				{Rule: "noisy", Severity: alert.SeverityHigh, Count: 12, Said: 12},
				{Rule: "silent", Severity: alert.SeverityHigh, Count: 6},
				{Rule: "wrong", Severity: alert.SeverityLow, Count: 4, Said: 4, False: 3},
			},
			Tops: []notice.Top{
				{Field: "host.name", Values: []notice.Share{{Value: "web-0", Count: 4}, {Value: "web-1", Count: 4}, {Value: "web-2", Count: 4}}, Distinct: 3, Over: 12},
				{Field: "user.name", Values: []notice.Share{{Value: "root", Count: 12}}, Distinct: 1, Over: 12},
			},
			Held:  []notice.Held{{Fate: alert.Silenced, Reason: s.Held[0].Reason, Count: 6}},
			Never: []string{"never", "quiet"}, Silent: []notice.Silent{{Source: "other"}, {Source: "never"}, {Source: "old", Since: time.Date(1999, 12, 30, 0, 0, 0, 0, time.UTC)}}, False: 3, Judged: 4,
			Tune: []notice.Tune{
				{Rule: "wrong", Reason: "3 of 4 alerts closed in 30 days were false positives", Try: s.Tune[0].Try},
				{Rule: "silent", Reason: "6 of its 6 alerts were silenced", Try: s.Tune[1].Try},
				{Rule: "noisy", Reason: "12 of all 22 alerts are its, and nobody took one up", Try: s.Tune[2].Try},
			},
		}
		if diff := cmp.Diff(want, s); diff != "" {
			t.Error(diff)
		}
		if s := low[0].Summary; s.Seen != 4 || len(s.Rules) != 1 || s.Never != nil || s.Judged != 4 || s.False != 3 {
			t.Errorf("of low severities: %+v", s)
		}
		// What others closed is none of a report's, and no rule of theirs is advised to change.
		if s := high[0].Summary; s.Seen != 18 || s.Judged != 0 || s.False != 0 || len(s.Tune) != 2 || s.Silent != nil {
			t.Errorf("of high severities: %+v", s)
		}
		if s := daily[1].Summary; s.Seen != 0 || s.Before != 22 || !s.From.Equal(daily[0].Summary.To) {
			t.Errorf("the next day: %+v", s)
		}
	})
}
