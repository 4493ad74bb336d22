package detect_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/ledger"
)

// conditions are the alerts of rules by user: that of a key, whether its condition holds, and when it ended.
func conditions(entries []ledger.Entry) []string {
	out := []string{}
	for _, e := range ofRules(entries) {
		a := &e.Alert
		who := a.User
		for _, f := range a.Facts {
			who = f.Value
		}
		end := "-"
		if !a.Ended.IsZero() {
			end = a.Ended.Format("15:04")
		}
		out = append([]string{fmt.Sprint(who, " ", a.Ongoing, " ", end)}, out...)
	}
	return out
}

func at(minutes int, user string) event {
	return after(time.Duration(minutes)*time.Minute, user, minutes)
}

func TestAConditionEndsWhenItNoLongerHolds(t *testing.T) {
	heart := several(60, func(i int) event { return at(5*i+1, "heart") })
	ann := several(5, func(i int) event { return at(10+i, "ann") })
	late := at(20, "ann")
	late.In = bubbleStart.Add(60 * time.Minute)
	for _, c := range []struct {
		name, search string
		events       []event
		early        []string // after 20 minutes
		middle       []string // after 50
		end          []string // after 170
	}{
		{
			"a threshold", "not user.name: heart | count by user.name over 10m | search count > 3", ann,
			[]string{"ann true -"},
			[]string{"ann false 00:24"},
			[]string{"ann false 00:24"},
		},
		{
			"it goes on", "not user.name: heart | count by user.name over 10m | search count > 3", several(100, func(i int) event { return at(10+i, "ann") }),
			[]string{"ann true -"},
			[]string{"ann true -"},
			[]string{"ann false 01:59"},
		},
		{
			"something late belongs to it", "not user.name: heart | count by user.name over 10m | search count >= 2", append(several(5, func(i int) event { return at(10+i, "ann") }), late),
			[]string{"ann true -"},
			[]string{"ann false 00:24"},
			[]string{"ann false 00:30"},
		},
		{
			"a key that is missing for good", "not user.name: heart | missing by user.name over 20m", ann,
			[]string{},
			[]string{"ann true -"},
			[]string{"ann true -"},
		},
		{
			"a key that is back", "not user.name: heart | missing by user.name over 20m", append(several(5, func(i int) event { return at(10+i, "ann") }), at(90, "ann"), at(91, "ann"), at(92, "ann")),
			[]string{},
			[]string{"ann true -"},
			[]string{"ann false 01:30", "ann true -"},
		},
		{
			"a spike", "not user.name: heart | spike by user.name factor=2 baseline=1h min=3", ann,
			[]string{"ann true -"},
			[]string{"ann false 00:20"},
			[]string{"ann false 00:20"},
		},
		{
			"documents end nothing", "user.name: ann and n: 12", ann,
			[]string{"ann false -"},
			[]string{"ann false -"},
			[]string{"ann false -"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			var lives [3][]ledger.Entry
			synctest.Test(t, func(t *testing.T) {
				p := newProcess(t, dir, append(c.events, heart...), "name: r\nevery: 1m\nwindow: 5m\nsearch: '"+c.search+"'")
				for i, during := range []time.Duration{20 * time.Minute, 30 * time.Minute, 120 * time.Minute} {
					lives[i] = p.live(during)
				}
			})
			for i, want := range [][]string{c.early, c.middle, c.end} {
				if diff := cmp.Diff(want, conditions(lives[i])); diff != "" {
					t.Errorf("life %d: %s", i, diff)
				}
			}
		})
	}
}
