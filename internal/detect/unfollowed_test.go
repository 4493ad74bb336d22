package detect_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/ledger"
	"tocsin/internal/rule"
)

// followed are the conditions as they stand, and why nobody follows them.
func followed(entries []ledger.Entry) (out []string) {
	for i, c := range conditions(entries) {
		all := ofRules(entries)
		a := all[len(all)-1-i].Alert
		if a.Unfollowed != "" {
			c += " " + a.Unfollowed
		}
		out = append(out, c)
	}
	return out
}

func TestConditionsOfARuleThatIsPausedOrRemovedAreNoLongerFollowed(t *testing.T) {
	heart := several(120, func(i int) event { return at(5*i+1, "heart") })
	ann := several(5, func(i int) event { return at(10+i, "ann") })
	longer := several(55, func(i int) event { return at(10+i, "ann") })
	for _, c := range []struct {
		name, search string
		events       []event
		stop         string
		stopped      []string // after an hour
		again        []string // after two more, in which it runs again
	}{
		{
			"a missing key, paused", "not user.name: heart | missing by user.name over 20m", ann, "paused",
			[]string{"ann false 00:51 its rule was paused"},
			[]string{"ann true -"},
		},
		{
			"a missing key that came back while the rule was paused", "not user.name: heart | missing by user.name over 20m", append(ann, at(70, "ann"), at(80, "ann"), at(90, "ann"), at(170, "ann"), at(185, "ann")), "paused",
			[]string{"ann false 00:51 its rule was paused"},
			[]string{"ann false 01:10", "ann false 02:50"},
		},
		{
			"a missing key, removed", "not user.name: heart | missing by user.name over 20m", ann, "removed",
			[]string{"ann false 00:51 its rule was removed"},
			[]string{"ann false 00:51 its rule was removed"},
		},
		{
			"a threshold, paused", "user.name: ann | count by user.name over 10m | search count > 3", longer, "paused",
			[]string{"ann false 00:51 its rule was paused"},
			[]string{"ann false 01:14"},
		},
		{
			"a threshold, removed", "user.name: ann | count by user.name over 10m | search count > 3", longer, "removed",
			[]string{"ann false 00:51 its rule was removed"},
			[]string{"ann false 01:14"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			var lives [2][]ledger.Entry
			synctest.Test(t, func(t *testing.T) {
				p := newProcess(t, dir, append(c.events, heart...), "name: r\nevery: 1m\nwindow: 5m\nsearch: '"+c.search+"'")
				on := p.rules
				p.live(49*time.Minute + 30*time.Second)
				p.rules = nil
				if c.stop == "paused" {
					off := *on[0].Rule
					off.Enabled = rule.Off
					p.rules = []rule.Entry{{ID: "r", Rule: &off, Content: on[0].Content}}
				}
				lives[0] = p.live(10 * time.Minute)
				p.rules = on
				lives[1] = p.live(2*time.Hour + 10*time.Minute)
			})
			for i, want := range [][]string{c.stopped, c.again} {
				if diff := cmp.Diff(want, followed(lives[i])); diff != "" {
					t.Errorf("life %d: %s", i, diff)
				}
			}
		})
	}
}

// TestARuleThatIsGoneForAMomentIsNotRemoved: its file is being replaced.
func TestARuleThatIsGoneForAMomentIsNotRemoved(t *testing.T) {
	dir := t.TempDir()
	var entries []ledger.Entry
	synctest.Test(t, func(t *testing.T) {
		p := newProcess(t, dir, several(100, func(i int) event { return at(i, "ann") }), "name: r\nevery: 1m\nsearch: '* | count by user.name over 10m | search count > 3'")
		on := p.rules
		start := time.Now()
		p.current = func() []rule.Entry {
			if d := time.Since(start); d > 30*time.Minute-10*time.Second && d < 30*time.Minute+10*time.Second {
				return nil
			}
			return on
		}
		entries = p.live(40 * time.Minute)
	})
	if got := fmt.Sprint(followed(entries)); got != "[ann true -]" {
		t.Error(got)
	}
}
