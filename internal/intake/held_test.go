package intake_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tocsin/internal/alert"
	"tocsin/internal/intake"
	"tocsin/internal/notice"
	"tocsin/internal/policy"
	"tocsin/internal/tuning"
)

func TestWhatIsHeldBackIsCountedByChannelAndReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &channel{}
		root := byRule()
		root.Rate = policy.Rate{Count: 1, Per: time.Hour}
		root.GroupBy = []string{"rule.name"}
		h := newHouse(t, t.TempDir(), c, root)
		defer h.db.Close()
		h.set(tuning.Draft{Kind: policy.Silence, Match: "rule.name: silent", Until: time.Now().Add(time.Hour)})
		h.run(5*time.Minute, func(context.Context) {
			h.take(one("a", 1), one("b", 1), one("b", 2), one("silent", 1))
		})
		held, err := h.intake.HeldBack(context.Background(), time.Now().Add(-time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		over := 0
		for _, of := range held["#a"] {
			if strings.Contains(of.Reason, "over rate_limit 1/h of #a") {
				over += of.Count
			}
		}
		if over == 0 {
			t.Errorf("nothing is over the rate of #a: %+v", held)
		}
		if s := held[""]; len(s) != 1 || s[0].Fate != alert.Silenced || s[0].Count != 1 || !strings.Contains(s[0].Reason, "silence") {
			t.Errorf("before any channel: %+v", s)
		}
		if held, err = h.intake.HeldBack(context.Background(), time.Now()); err != nil || len(held) != 0 {
			t.Errorf("since now: %+v, %v", held, err)
		}
	})
}

func TestAReportIsForetoldAsItIsSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // it begins at midnight UTC
		c := &channel{}
		reporting = func(o *intake.Options) {
			o.Reports = []policy.Report{{Name: "daily", Channel: "#report", Every: notice.Daily, At: 8 * 60}}
		}
		defer func() { reporting = nil }()
		h := newHouse(t, t.TempDir(), c, byRule())
		defer h.db.Close()
		var told notice.Notice
		h.run(8*time.Hour+time.Minute, func(ctx context.Context) {
			h.take(one("r", 1), one("r", 2))
			time.Sleep(8*time.Hour - time.Second)
			all, err := h.intake.Reports(ctx)
			if err != nil || len(all) != 1 || all[0].Name != "daily" || all[0].Due.Hour() != 8 {
				t.Errorf("%+v, %v", all, err)
			}
			var ok bool
			if told, ok, err = h.intake.Foretell(ctx, "daily"); err != nil || !ok {
				t.Fatal(ok, err)
			}
			if _, ok, err = h.intake.Foretell(ctx, "another"); err != nil || ok {
				t.Error(ok, err)
			}
		})
		var said notice.Notice
		for _, m := range c.all() {
			if m.Channel == "#report" {
				said = m.Notice
			}
		}
		if said.Summary == nil || told.Summary == nil || told.Summary.Seen != 2 || said.Summary.Seen != 2 || len(told.Summary.Rules) != 1 || told.Kind != said.Kind {
			t.Errorf("foretold %+v, said %+v", told.Summary, said.Summary)
		}
		all, err := h.intake.Reports(context.Background())
		if err != nil || all[0].Said.Hour() != 8 || all[0].Due.Sub(all[0].Said) != 24*time.Hour {
			t.Errorf("%+v, %v", all, err)
		}
	})
}
