package kibana

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tocsin/internal/demo"
	"tocsin/internal/elastic"
)

// inProcess answers requests without a network, and fails as many as it is told to.
type inProcess struct {
	handler http.Handler
	fail    int
	calls   int
}

func (p *inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	p.calls++
	if p.fail > 0 {
		p.fail--
		return nil, fmt.Errorf("the connection broke")
	}
	w := httptest.NewRecorder()
	if r.Body == nil {
		r.Body = http.NoBody
	}
	p.handler.ServeHTTP(w, r)
	return w.Result(), nil
}

// world is a stand-in cluster with a clock of its own, and what is expected of the reader.
type world struct {
	now     time.Time
	cluster *demo.Cluster
	line    *inProcess
	made    *demo.Detections
	docs    []demo.Detection
	changed map[string]time.Time // the newest change of a document, in a field that tells it
}

func newWorld(seed uint64) *world {
	w := &world{now: time.Date(2026, 5, 6, 12, 0, 0, 0, time.UTC), made: demo.NewDetections(seed), changed: map[string]time.Time{}}
	w.cluster = demo.NewCluster(demo.ClusterOptions{Now: func() time.Time { return w.now }})
	w.line = &inProcess{handler: w.cluster}
	return w
}

type fataler interface {
	Fatalf(format string, args ...any)
}

func (w *world) source(t fataler, adjust func(*Options)) *Source {
	c, err := elastic.New(elastic.Options{Name: "siem", URLs: []string{"http://cluster"}, Transport: w.line})
	if err != nil {
		t.Fatalf("%v", err)
	}
	o := Options{Name: "siem", Client: c, Since: 6 * time.Hour, Log: slog.New(slog.DiscardHandler), PageSize: 3}
	if adjust != nil {
		adjust(&o)
	}
	s, err := New(o)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return s
}

func (w *world) put(t fataler, kibana string, at time.Time) demo.Detection {
	d := w.made.Make(kibana, demo.QueryDetection, at)
	if err := w.cluster.Put(d); err != nil {
		t.Fatalf("%v", err)
	}
	w.docs = append(w.docs, d)
	return d
}

// TestNoDocumentIsEverSkipped holds the law of the source: whatever comes in whichever order, late or
// early, changed or copied, with batches lost, crashes back to earlier commits and broken connections,
// once all is quiet each document was handed over, in its newest version.
func TestNoDocumentIsEverSkipped(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(rapid.Uint64().Draw(t, "seed"))
		for range rapid.IntRange(0, 10).Draw(t, "before") {
			w.put(t, rapid.SampledFrom(demo.Kibanas).Draw(t, "kibana"), w.now.Add(-time.Duration(rapid.IntRange(0, 8*3600).Draw(t, "age"))*time.Second))
		}
		src, b := w.source(t, nil), newBook()
		var earlier []*book
		fetch := func(keep bool) bool {
			batch, err := src.Fetch(context.Background(), b.ask())
			if err != nil {
				return false
			}
			if keep {
				earlier = append(earlier, &book{state: b.state, alerts: maps.Clone(b.alerts), handed: b.handed})
				b.commit(batch)
			}
			return batch.More
		}
		settle := func() {
			for n := 0; fetch(true); n++ {
				if n > 1000 {
					t.Fatalf("no end of batches")
				}
			}
		}
		fetch(true) // decides the floor
		floor, ok, err := Floor(b.state)
		if err != nil {
			t.Fatalf("%v", err)
		}
		firstFloor := w.now.Add(-6 * time.Hour)
		if ok && !floor.Equal(firstFloor) {
			t.Fatalf("floor %s, want %s", floor, firstFloor)
		}
		steps := rapid.IntRange(1, 60).Draw(t, "steps")
		for range steps {
			switch rapid.SampledFrom([]string{"put", "put", "late", "future", "same", "change", "copy", "wait", "wait", "long", "fetch", "fetch", "settle", "settle", "lose", "crash", "fault"}).Draw(t, "step") {
			case "put":
				w.put(t, rapid.SampledFrom(demo.Kibanas).Draw(t, "kibana"), w.now.Add(-time.Duration(rapid.IntRange(-2000, 60_000).Draw(t, "delay"))*time.Millisecond))
			case "late":
				w.put(t, "8.19", w.now.Add(-time.Duration(rapid.IntRange(0, 5*3600).Draw(t, "delay"))*time.Second))
			case "future":
				w.put(t, "8.19", w.now.Add(time.Duration(rapid.IntRange(1, 5*3600).Draw(t, "ahead"))*time.Second))
			case "same":
				at := w.now.Add(-time.Second)
				for range rapid.IntRange(1, 12).Draw(t, "many") {
					w.put(t, "9.1", at)
				}
			case "change":
				if len(w.docs) == 0 {
					continue
				}
				d := w.docs[rapid.IntRange(0, len(w.docs)-1).Draw(t, "which")]
				field := rapid.SampledFrom(changeFields).Draw(t, "field")
				if err := w.cluster.Change(d.Index, d.ID, map[string]any{field: w.now.Format(isoMillis)}); err != nil {
					t.Fatalf("%v", err)
				}
				w.changed[d.ID] = w.now
			case "copy":
				if len(w.docs) == 0 {
					continue
				}
				d := w.docs[rapid.IntRange(0, len(w.docs)-1).Draw(t, "which")]
				if isOld(d) {
					continue // it would be written over
				}
				if d.Index = ".siem-signals-default-000001"; w.cluster.Put(d) != nil {
					t.Fatalf("no copy")
				}
			case "wait":
				w.now = w.now.Add(time.Duration(rapid.IntRange(1, 120).Draw(t, "seconds")) * time.Second)
			case "long":
				w.now = w.now.Add(time.Duration(rapid.IntRange(1, 40).Draw(t, "minutes")) * time.Minute)
			case "fetch":
				fetch(true)
			case "settle":
				settle()
			case "lose":
				fetch(false)
			case "crash":
				if len(earlier) > 0 && rapid.Bool().Draw(t, "restored") {
					b = earlier[rapid.IntRange(max(0, len(earlier)-5), len(earlier)-1).Draw(t, "back to")]
					earlier = nil
				}
				src = w.source(t, nil)
			case "fault":
				w.line.fail = rapid.IntRange(1, 4).Draw(t, "faults")
			}
		}
		w.line.fail = 0
		for range 3 {
			settle()
			w.now = w.now.Add(11 * time.Minute)
		}
		settle()
		floor, _, err = Floor(b.state)
		if err != nil {
			t.Fatalf("%v", err)
		}
		for _, d := range w.docs {
			a, handed := b.alerts[d.ID]
			if want := !d.Time.Before(floor); handed != want {
				t.Fatalf("document %s of %s, floor %s, now %s: handed over %v", d.ID, d.Time, floor, w.now, handed)
			}
			if at, ok := w.changed[d.ID]; ok && handed && a.Updated.Before(at) {
				t.Fatalf("document %s of %s was changed at %s, its newest version handed over is of %s", d.ID, d.Time, at, a.Updated)
			}
		}
		before := w.line.calls
		if got, err := src.Fetch(context.Background(), b.ask()); err != nil || len(got.Alerts) > 0 || w.line.calls-before > 2 {
			t.Fatalf("not quiet in the end: %d alerts, %d requests, %v", len(got.Alerts), w.line.calls-before, err)
		}
	})
}

func TestClockOfTheClusterSteppingBackLosesNothing(t *testing.T) {
	w := newWorld(1)
	w.put(t, "8.19", w.now)
	src, b := w.source(t, nil), newBook()
	b.settle(t, src)
	w.now = w.now.Add(-3 * time.Hour)
	var want []string
	for range 3 {
		w.now = w.now.Add(time.Second)
		want = append(want, w.put(t, "8.19", w.now).ID)
		b.settle(t, src)
	}
	for _, id := range want {
		if a, ok := b.alerts[id]; !ok || a.Late {
			t.Errorf("%s was handed over: %v, late: %v", id, ok, a.Late)
		}
	}
}

func TestUnknownStateSaysWhatToDo(t *testing.T) {
	w := newWorld(1)
	src, b := w.source(t, nil), newBook()
	for _, state := range []string{`{"version":2}`, `[]`, `{"version":1,"floor":"x"}`, `{}`} {
		b.state = json.RawMessage(state)
		if _, err := src.Fetch(t.Context(), b.ask()); err == nil {
			t.Errorf("%s was taken", state)
		} else if _, _, floorErr := Floor(b.state); floorErr == nil {
			t.Errorf("%s has a floor", state)
		}
	}
}

func TestOptionsAreChecked(t *testing.T) {
	c, err := elastic.New(elastic.Options{URLs: []string{"http://a"}})
	if err != nil {
		t.Fatal(err)
	}
	good := Options{Name: "siem", Client: c, Log: slog.New(slog.DiscardHandler)}
	for name, spoil := range map[string]func(*Options){
		"no name": func(o *Options) { o.Name = "" }, "no client": func(o *Options) { o.Client = nil }, "no log": func(o *Options) { o.Log = nil },
		"space": func(o *Options) { o.Space = "a,b" }, "upper case": func(o *Options) { o.Space = "Blue" }, "poll": func(o *Options) { o.Poll = -1 },
		"kibana_url": func(o *Options) { o.KibanaURL = "kibana:5601" },
	} {
		o := good
		spoil(&o)
		if _, err := New(o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	s, err := New(good)
	if err != nil || s.Name() != "siem" || s.Poll() != 5*time.Second {
		t.Errorf("%v %v", s, err)
	}
}
