package logstore

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestLateGivesWhatCameAfterASeqOfBeforeATime(t *testing.T) {
	s := open(t, t.TempDir())
	index := func(index, id string, ago time.Duration) Operation {
		return Operation{Index: index, ID: id, Source: []byte(`{"@timestamp":"` + at(-ago) + `"}`)}
	}
	first := ingest(t, s, index("logs-a", "old", time.Hour), index("logs-a", "new", 0))
	since := first[len(first)-1].Seq
	ingest(t, s, index("logs-a", "late", time.Hour), index("logs-a", "in time", 0), index("other", "late elsewhere", time.Hour), index("logs-b", "left out", time.Hour))
	before := time.Now().Add(-time.Minute)
	late := func(since int64) (ids []string) {
		t.Helper()
		last, err := s.Late(t.Context(), []string{"logs-*", "-logs-b"}, since, before, func(d Document) error {
			ids = append(ids, d.ID)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if last <= first[1].Seq {
			t.Errorf("the newest seq is %d, after %d", last, first[1].Seq)
		}
		slices.Sort(ids)
		return ids
	}
	if diff := cmp.Diff([]string{"late"}, late(since)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"late", "old"}, late(0)); diff != "" {
		t.Error(diff)
	}
	if got := late(1<<63 - 1); got != nil {
		t.Errorf("after the end there is %v", got)
	}
}
