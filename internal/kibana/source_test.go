package kibana

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tocsin/internal/alert"
	"tocsin/internal/demo"
	"tocsin/internal/elastic"
)

func TestLargeWindowIsListedByAScan(t *testing.T) {
	w := newWorld(1)
	src, b := w.source(t, func(o *Options) { o.PageSize = 1000 }), newBook()
	for i := range listMost + 500 {
		w.put(t, "8.19", w.now.Add(-time.Duration(i%3)*time.Second))
	}
	if got := b.settle(t, src); len(got) != listMost+500 {
		t.Fatalf("read %d", len(got))
	}
	for range 2 {
		d := w.put(t, "8.19", w.now.Add(-2*time.Second))
		if got := b.settle(t, src); len(got) != 1 || got[0].SourceID != d.ID {
			t.Errorf("read %d, want the new one", len(got))
		}
	}
}

func TestPartialAnswersAreErrorsAndSkipNothing(t *testing.T) {
	w := newWorld(2)
	partial := true
	inner := w.line.handler
	w.line.handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rec := httptest.NewRecorder()
		inner.ServeHTTP(rec, r)
		text, err := io.ReadAll(rec.Body)
		if err != nil {
			t.Error(err)
		}
		if partial {
			text = []byte(strings.Replace(string(text), `"failed":0,"skipped":0,"successful":1`, `"failed":1,"skipped":0,"successful":0`, 1))
		}
		rw.WriteHeader(rec.Code)
		if _, err := rw.Write(text); err != nil {
			t.Error(err)
		}
	})
	d := w.put(t, "8.19", w.now)
	src, b := w.source(t, nil), newBook()
	for range 3 {
		if _, err := src.Fetch(t.Context(), b.ask()); err == nil || !strings.Contains(err.Error(), "read alerts of siem") {
			t.Fatalf("a partial answer: %v", err)
		}
	}
	partial = false
	if got := b.settle(t, src); len(got) != 1 || got[0].SourceID != d.ID {
		t.Errorf("read %v", ids(got))
	}
}

func TestCancelledFetchLeavesNothingOpen(t *testing.T) {
	w := newWorld(3)
	for range 10 {
		w.put(t, "8.19", w.now)
	}
	src, b := w.source(t, nil), newBook()
	batch, err := src.Fetch(t.Context(), b.ask())
	if err != nil || !batch.More {
		t.Fatal(batch.More, err)
	}
	b.commit(batch)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := src.Fetch(ctx, b.ask()); err == nil {
		t.Fatal("no error")
	}
	if got := b.settle(t, src); len(b.alerts) != 10 {
		t.Errorf("after it %d came, %d are known of 10", len(got), len(b.alerts))
	}
}

func TestMetricsTellWhatWasRead(t *testing.T) {
	w := newWorld(4)
	registry := prometheus.NewRegistry()
	adjust := func(o *Options) { o.Registerer, o.SweepEvery = registry, time.Second }
	src, b := w.source(t, adjust), newBook()
	w.put(t, "8.19", w.now)
	b.settle(t, src)
	w.put(t, "8.19", w.now.Add(-3*time.Hour))
	w.now = w.now.Add(time.Minute)
	b.settle(t, src)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if m.GetLabel()[0].GetValue() != "siem" {
				t.Errorf("%s has no source", f.GetName())
			}
			got[f.GetName()] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	if got["tocsin_kibana_documents_read_total"] != 2 || got["tocsin_kibana_sweep_found_total"] != 1 || got["tocsin_kibana_documents_listed_total"] == 0 {
		t.Errorf("metrics: %v", got)
	}
	if _, ok := got["tocsin_kibana_lag_seconds"]; !ok {
		t.Errorf("no lag in %v", got)
	}
	if _, err := New(src.o); err == nil {
		t.Error("metrics of one name were registered twice")
	}
}

// TestDemoIsReadAsItReplays runs the reader as `tocsin demo` does: whatever the replay adds and
// changes is handed over.
func TestDemoIsReadAsItReplays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := demo.NewCluster(demo.ClusterOptions{Seed: 9})
		line := &inProcess{handler: cluster}
		client, err := elastic.New(elastic.Options{Name: "siem", URLs: []string{"http://cluster"}, Transport: line})
		if err != nil {
			t.Fatal(err)
		}
		o := (&world{line: line}).source(t, nil).o
		o.Client, o.Poll, o.PageSize = client, time.Second, 500
		src := newSource(t, o)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- cluster.Replay(ctx) }()
		b := newBook()
		updates, closed := 0, 0
		for range 300 {
			for _, a := range b.settle(t, src) {
				if b.handed[a.SourceID] > 1 {
					updates++
				}
				if a.Status != alert.StatusOpen {
					closed++
				}
			}
			b.live = b.live[:0]
			for id := range b.alerts {
				b.live = append(b.live, id)
			}
			slices.Sort(b.live)
			time.Sleep(o.Poll)
		}
		cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		b.settle(t, src)
		n := 0
		for d, err := range src.IDs(context.Background(), time.Time{}) {
			if err != nil {
				t.Fatal(err)
			}
			if n++; b.handed[d.SourceID] == 0 {
				t.Errorf("%s of %q was not handed over", d.SourceID, d.Rule)
			}
		}
		if n < 40 || updates < 10 || closed < 5 {
			t.Errorf("in five minutes %d detections, %d updates, %d taken up or closed", n, updates, closed)
		}
		d, err := src.Describe(context.Background())
		if err != nil || d.Shapes["7.x"] == 0 || d.Shapes["8.x"] == 0 || len(d.Aliases[0].Indices) != 2 || d.Newest.IsZero() {
			t.Errorf("described as %+v, %v", d, err)
		}
		count, oldest, newest, err := src.Waiting(context.Background())
		if err != nil || count == 0 || !newest.After(oldest) {
			t.Errorf("waiting: %d from %s to %s, %v", count, oldest, newest, err)
		}
	})
}

func TestCursorOfTheStateIsReadable(t *testing.T) {
	w := newWorld(5)
	w.put(t, "8.19", w.now)
	src, b := w.source(t, nil), newBook()
	b.settle(t, src)
	var st map[string]any
	if err := json.Unmarshal(b.state, &st); err != nil {
		t.Fatal(err)
	}
	if st["version"] != 1.0 || st["cursor"] != w.now.Format(time.RFC3339) || st["floor"] != w.now.Add(-6*time.Hour).Format(time.RFC3339) {
		t.Errorf("state %s", b.state)
	}
}
