package detect_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"tocsin/internal/alert"
	"tocsin/internal/ledger"
	"tocsin/internal/rule"
)

const growing = "name: r\nevery: 1m\nwindow: 10m\nsearch: 'event.action: ssh_login | count by user.name | search count > 3'\n"

func TestAnEpisodeThatGrowsIsSaidAgain(t *testing.T) {
	hours := several(180, func(i int) event { return after(time.Duration(i+1)*time.Minute, "ann", i) })
	for more, again := range map[string]int{
		"":                        0,
		"same_again_after: 1h":    2,
		"same_again_after: 1d":    0,
		"same_again_after: 30m":   5,
		"same_again_after: 'off'": 0,
		"same_again_after: 1h\nschedule: {speaks: '00:00-01:30'}": 1,
	} {
		entries := ofRules(run(t, 4*time.Hour, hours, growing+more))
		if len(entries) != 1 || entries[0].Alert.Again != again || entries[0].Fate != alert.Pending {
			t.Errorf("%q: %d alerts, said again %d times, want %d", more, len(entries), entries[0].Alert.Again, again)
		}
	}
}

func TestAnEpisodeIsSaidWhenWhatKeptItBackIsOver(t *testing.T) {
	hours := several(120, func(i int) event { return after(time.Duration(i+1)*time.Minute, "ann", i) })
	stopped := hours[:20]
	for _, c := range []struct {
		name, before, after string
		events              []event
		want                alert.Fate
	}{
		{"shadow", "enabled: shadow", "", hours, alert.Pending},
		{"shadow, and it has stopped growing", "enabled: shadow", "", stopped, alert.Shadow},
		{"hours", "schedule: {speaks: '00:30-08:00'}", "schedule: {speaks: '00:30-08:00'}", hours, alert.Pending},
		{"exception", "exceptions: [{match: 'user.name: ann', reason: ours, until: 2000-01-01T00:20:00Z}]", "exceptions: [{match: 'user.name: ann', reason: ours, until: 2000-01-01T00:20:00Z}]", hours, alert.Pending},
		{"exception that stays", "exceptions: [{match: 'user.name: ann', reason: ours}]", "exceptions: [{match: 'user.name: ann', reason: ours}]", hours, alert.Excluded},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			var entries []ledger.Entry
			synctest.Test(t, func(t *testing.T) {
				p := newProcess(t, dir, c.events, growing+c.before)
				first := p.live(25 * time.Minute)
				if len(first) != 1 || first[0].Fate == alert.Pending && c.want != alert.Pending {
					t.Errorf("at first: %+v", first)
				}
				p.rules = []rule.Entry{parseRule(t, growing+c.after)}
				entries = ofRules(p.live(time.Hour))
			})
			if len(entries) != 1 || entries[0].Fate != c.want {
				t.Errorf("fates: %v", fmt.Sprint(fates(entries)))
			}
		})
	}
}

// ofRules leaves out what is told of rules and sources themselves.
func ofRules(entries []ledger.Entry) []ledger.Entry {
	return slices.DeleteFunc(entries, func(e ledger.Entry) bool { return e.Alert.Rule.Type == "health" })
}

// TestOneSuppressedIsSaidWhenTheTimeIsOver: the second episode of ann comes too soon after the first, and goes on.
func TestOneSuppressedIsSaidWhenTheTimeIsOver(t *testing.T) {
	events := append(several(5, func(i int) event { return after(time.Duration(i+1)*time.Minute, "ann", i) }),
		several(60, func(i int) event { return after(time.Duration(i+21)*time.Minute, "ann", i) })...)
	text := growing + "same_again_after: 40m\n"
	if got, _ := fates(ofRules(run(t, 30*time.Minute, events, text))); got[alert.Suppressed] != 1 || got[alert.Pending] != 1 {
		t.Errorf("too soon: %v", got)
	}
	if got, _ := fates(ofRules(run(t, 2*time.Hour, events, text))); got[alert.Pending] != 2 {
		t.Errorf("later: %v", got)
	}
}

// TestAnEventIsTheSameByWhatItsCommandTellsApart: without dedupe_by, a new combination is not the same as another
// new one, and one key's change not that of another key.
func TestAnEventIsTheSameByWhatItsCommandTellsApart(t *testing.T) {
	events := []event{
		after(time.Minute, "ann", 1), after(2*time.Minute, "ann", 2), after(3*time.Minute, "bob", 1), after(4*time.Minute, "bob", 2),
		after(5*time.Minute, "bob", 1),
	}
	for search, want := range map[string]map[alert.Fate]int{
		"newterms user.name, n over 1d":   {alert.Pending: 4},
		"newterms user.name over 1d":      {alert.Pending: 2},
		"changed n by user.name over 1d":  {alert.Pending: 2, alert.Suppressed: 1},
		"changed user.name by n over 10m": {alert.Pending: 2},
	} {
		got, _ := fates(ofRules(run(t, 20*time.Minute, events, "name: r\nevery: 1m\nsame_again_after: 1h\nsearch: 'event.action: ssh_login | "+search+"'\n")))
		if !maps.Equal(got, want) {
			t.Errorf("%s: %v, want %v", search, got, want)
		}
	}
}
