package demo

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestDetectionsOfOneSeedAreTheSame(t *testing.T) {
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	a, b, other := NewDetections(3), NewDetections(3), NewDetections(4)
	ids := map[string]bool{}
	for range 200 {
		first, second := a.Next(now), b.Next(now)
		if diff := cmp.Diff(first, second); diff != "" {
			t.Fatal(diff)
		}
		ids[first.ID], ids[other.Next(now).ID] = true, true
	}
	if len(ids) != 400 {
		t.Errorf("%d different ids, want 400", len(ids))
	}
}

func TestEveryKibanaHasItsKinds(t *testing.T) {
	made := NewDetections(1)
	for _, kibana := range Kibanas {
		for _, kind := range DetectionKinds(kibana) {
			d := made.Make(kibana, kind, time.Now())
			var source map[string]any
			if err := json.Unmarshal(d.Source, &source); err != nil {
				t.Fatal(err)
			}
			old := source["signal"] != nil
			if old != older(kibana, "8.0") || old != strings.HasPrefix(d.Index, ".siem-signals-") {
				t.Errorf("%s %s is in %s", kibana, kind, d.Index)
			}
		}
	}
	if kinds := DetectionKinds("7.6"); len(kinds) != 2 {
		t.Errorf("7.6 has the kinds %v", kinds)
	}
}

func post(t *testing.T, c *Cluster, path, body string) (int, map[string]any) {
	t.Helper()
	w := httptest.NewRecorder()
	c.ServeHTTP(w, httptest.NewRequest(http.MethodPost, path, strings.NewReader(body)))
	var out map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
		t.Fatal(err)
	}
	return w.Code, out
}

func TestClusterRefusesWhatItDoesNotUnderstand(t *testing.T) {
	c := NewCluster(ClusterOptions{})
	const search = "/.alerts-security.alerts-default/_search"
	for _, r := range []struct{ path, body string }{
		{search, `{"query":{"match":{"a":"b"}}}`},
		{search, `{"query":{"range":{"host.name":{"gte":1}}}}`},
		{search, `{"query":{"range":{"@timestamp":{"gte":"now-1d/d"}}}}`},
		{search, `{"query":{"bool":{"boost":2}}}`},
		{search, `{"query":{"bool":{"should":[{"match_all":{}}],"minimum_should_match":2}}}`},
		{search, `{"aggs":{"a":{"terms":{"field":"@timestamp"}}}}`},
		{search, `{"sort":["@timestamp"]}`},
		{search, `{"sort":[{"host.name":{"order":"asc"}}]}`},
		{search, `{"_source":["host.*"]}`},
		{search, `{"size":10001}`},
		{search, `{"from":10}`},
		{search, `{"search_after":[1]}`},
		{search + "?scroll=1m", `{}`},
		{search, `not json`},
		{"/_search", `{}`},
		{"/.alerts-security.alerts-default/_delete_by_query", `{}`},
	} {
		code, answer := post(t, c, r.path, r.body)
		if code != http.StatusBadRequest || answer["error"] == nil {
			t.Errorf("%s %s: %d %v", r.path, r.body, code, answer)
		}
	}
	if code, _ := post(t, c, "/.alerts-security.alerts-other/_search", `{}`); code != http.StatusNotFound {
		t.Errorf("an index there is not: %d", code)
	}
}

func TestPointInTimeKeepsItsDocuments(t *testing.T) {
	c := NewCluster(ClusterOptions{})
	made := NewDetections(2)
	for range 5 {
		if err := c.Put(made.Next(time.Now())); err != nil {
			t.Fatal(err)
		}
	}
	_, opened := post(t, c, "/.alerts-security.alerts-default/_pit?keep_alive=1m", "")
	if err := c.Put(made.Next(time.Now())); err != nil {
		t.Fatal(err)
	}
	seen := map[any]bool{}
	after := ""
	for range 3 {
		body := `{"size":2,"pit":{"id":"` + opened["id"].(string) + `","keep_alive":"1m"},"sort":[{"@timestamp":{"order":"asc"}},{"_shard_doc":{"order":"asc"}}]` + after + `}`
		code, answer := post(t, c, "/_search", body)
		if code != http.StatusOK {
			t.Fatal(answer)
		}
		for _, hit := range answer["hits"].(map[string]any)["hits"].([]any) {
			hit := hit.(map[string]any)
			seen[hit["_id"]] = true
			sort, err := json.Marshal(hit["sort"])
			if err != nil {
				t.Fatal(err)
			}
			after = `,"search_after":` + string(sort)
		}
	}
	if len(seen) != 5 {
		t.Errorf("%d documents, want the 5 of the point in time", len(seen))
	}
}

func TestReplayIsLivelyForAsLongAsItRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewCluster(ClusterOptions{Seed: 5})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- c.Replay(ctx) }()
		count := func() int {
			synctest.Wait()
			c.mu.Lock()
			defer c.mu.Unlock()
			return len(c.docs)
		}
		changed := func() (n int) {
			c.mu.Lock()
			defer c.mu.Unlock()
			for _, d := range c.docs {
				if d.seq != d.place {
					n++
				}
			}
			return n
		}
		time.Sleep(4 * time.Second)
		if n := count(); n < replayFirst || n > replayFirst+2 {
			t.Errorf("%d detections after 4 seconds", n)
		}
		time.Sleep(36 * time.Second)
		before := count()
		if before > 30 || changed() < 2 {
			t.Errorf("after 40 seconds %d detections, %d of them changed", before, changed())
		}
		time.Sleep(replayBurst)
		if n := count(); n < before+replayBurstSize {
			t.Errorf("no burst: %d detections before, %d after", before, n)
		}
		time.Sleep(24 * time.Hour)
		if n := count(); n < replayKeeps || n > replayKeeps+replayKeeps/10 {
			t.Errorf("after a day %d detections are kept", n)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
