package detect_test

import (
	"testing"
	"testing/synctest"
	"time"

	"tocsin/internal/ledger"
)

// What was imported just before a rule ran first is history: it is no alert, though its time of ingest is recent.
func TestAnImportBeforeTheFirstRunIsHistory(t *testing.T) {
	events := []event{
		{At: bubbleStart.Add(-48 * time.Hour), In: bubbleStart.Add(-2 * time.Second), User: "old", N: 1},
		{At: bubbleStart.Add(-30 * time.Hour), In: bubbleStart.Add(-time.Second), User: "older", N: 2},
		{At: bubbleStart.Add(-20 * time.Hour), In: bubbleStart.Add(10 * time.Minute), User: "late", N: 3},
		{At: bubbleStart.Add(12 * time.Minute), In: bubbleStart.Add(12 * time.Minute), User: "new", N: 4},
	}
	dir := t.TempDir()
	var entries []ledger.Entry
	synctest.Test(t, func(t *testing.T) {
		p := newProcess(t, dir, events, plainLogins)
		entries = p.live(20 * time.Minute)
	})
	got := map[string]int{}
	for _, e := range ofRules(entries) {
		got[e.Alert.User]++
	}
	if got["old"]+got["older"] != 0 || got["late"] != 1 || got["new"] != 1 {
		t.Errorf("alerts by user %v, want one each of late and new", got)
	}
}
