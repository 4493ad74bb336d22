package web_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/alert"
	"tocsin/internal/ledger"
	"tocsin/internal/web"
)

func TestARowTellsWhatBecameOfAnEpisode(t *testing.T) {
	first := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	row := web.RowOf(ledger.Entry{Alert: alert.Alert{First: first, Last: first.Add(time.Hour), MergedInto: "b", Withdrawn: true, Again: 2, Ended: first.Add(2 * time.Hour), Count: 12}})
	text, err := json.Marshal(row)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]any{}
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]any{
		"first": "2026-01-02T03:04:05Z", "last": "2026-01-02T04:04:05Z", "merged_into": "b", "withdrawn": true, "said_again": 2.0, "ended": "2026-01-02T05:04:05Z", "count": 12.0,
	} {
		if diff := cmp.Diff(want, got[name]); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if text, err = json.Marshal(web.RowOf(ledger.Entry{})); err != nil {
		t.Fatal(err)
	}
	got = map[string]any{}
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"first", "last", "merged_into", "withdrawn", "said_again", "ended", "count"} {
		if _, there := got[name]; there {
			t.Errorf("an alert about one event has %s", name)
		}
	}
}
