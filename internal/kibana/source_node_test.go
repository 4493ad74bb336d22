package kibana

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/alert"
	"tocsin/internal/demo"
	"tocsin/internal/elastic"
	"tocsin/internal/testkit"
)

func TestManyDocumentsOfOneMillisecondComeOnceEach(t *testing.T) {
	onEach(t, func(t *testing.T, s *site) {
		const n = 25_000
		fresh, old := s.createNew(t), s.createOld(t, alertsPrefix)
		when := time.Now().Add(-time.Hour).Truncate(time.Millisecond)
		s.spread(t, old, fresh, multiplied(t, n, when)...)
		src, b := s.source(t, func(o *Options) { o.PageSize = 1000 }), newBook()
		got := b.settle(t, src)
		if len(got) != n || len(b.alerts) != n {
			t.Fatalf("handed over %d, %d of them different; want %d once each", len(got), len(b.alerts), n)
		}
		if again := b.settle(t, src); len(again) != 0 {
			t.Errorf("a quiet poll handed over %d", len(again))
		}
		more := multiplied(t, n+3, when)[n:]
		s.spread(t, old, fresh, more...)
		if diff := cmp.Diff(idsOfDetections(more), ids(b.settle(t, src))); diff != "" {
			t.Errorf("three more of the same millisecond: -want +got\n%s", diff)
		}
	})
}

func TestBothShapesBehindOneAliasAreReadOnce(t *testing.T) {
	onEach(t, func(t *testing.T, s *site) {
		fresh := s.createNew(t)
		old := s.createOld(t, alertsPrefix) // attached to the new alias after an upgrade
		s.create(t, s.signals(2), "7.17", 1, signalsPrefix)
		detections := several(2, 200, time.Now().Add(-time.Minute), true)
		s.spread(t, old, fresh, detections...)
		// A migration copies documents with their ids; the first was changed afterwards.
		copied := detections[slices.IndexFunc(detections, func(d demo.Detection) bool { return !isOld(d) })]
		s.put(t, s.signals(2), copied)
		changed := time.Now().Add(-30 * time.Second).UTC().Truncate(time.Millisecond)
		s.change(t, fresh, copied.ID, map[string]any{"kibana.alert.workflow_status": "closed", "kibana.alert.workflow_status_updated_at": changed.Format(isoMillis)})

		src, b := s.source(t, func(o *Options) { o.PageSize = 7 }), newBook()
		got := b.settle(t, src)
		if diff := cmp.Diff(idsOfDetections(detections), slices.Compact(ids(got))); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
		if a := b.alerts[copied.ID]; a.Status != alert.StatusClosed || !a.Updated.Equal(changed) || a.Index != fresh {
			t.Errorf("of two copies not the newest is kept: %s %s %s", a.Status, a.Updated, a.Index)
		}
		d, err := src.Describe(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if d.Shapes["7.x"] == 0 || d.Shapes["8.x"] == 0 || len(d.Aliases) != 2 || d.Aliases[0].Access != "readable" ||
			!slices.Contains(d.Aliases[0].Indices, old) || !slices.Contains(d.Aliases[0].Indices, fresh) || d.Clock.IsZero() || d.Kibana == "" {
			t.Errorf("described as %+v", d)
		}
	})
}

func TestChangesInPlaceAreReadAgain(t *testing.T) {
	onEach(t, func(t *testing.T, s *site) {
		index := s.createNew(t)
		made := demo.NewDetections(4)
		now := time.Now().UTC().Truncate(time.Millisecond)
		early := made.Make("8.8", demo.SuppressedDetection, now.Add(-5*time.Hour))
		recent := made.Make("8.8", demo.QueryDetection, now.Add(-time.Minute))
		s.put(t, index, early, recent)
		src, b := s.source(t), newBook()
		if got := b.settle(t, src); len(got) != 2 {
			t.Fatalf("read %d, want 2", len(got))
		}
		s.change(t, index, early.ID, map[string]any{"kibana.alert.suppression.docs_count": 41, "kibana.alert.last_detected": time.Now().UTC().Format(isoMillis)})
		got := b.settle(t, src)
		if len(got) != 1 || got[0].SourceID != early.ID || got[0].Count != 42 || got[0].Late {
			t.Errorf("after suppression: %+v", got)
		}
		// In the window every change is seen, also one that tells no time.
		s.change(t, index, recent.ID, map[string]any{"kibana.alert.workflow_tags": []string{"x"}})
		if got := b.settle(t, src); len(got) != 1 || got[0].SourceID != recent.ID {
			t.Errorf("after a change without a time: %v", ids(got))
		}
		if got := b.settle(t, src); len(got) != 0 {
			t.Errorf("a quiet poll handed over %v", ids(got))
		}
	})
}

func TestStatusOf7xIsReadAgainForLiveMessages(t *testing.T) {
	onEach(t, func(t *testing.T, s *site) {
		index := s.createOld(t)
		early := demo.NewDetections(4).Make("7.15", demo.QueryDetection, time.Now().Add(-5*time.Hour))
		recent := demo.NewDetections(5).Make("7.15", demo.QueryDetection, time.Now().Add(-time.Minute))
		s.put(t, index, early, recent)
		src, b := s.source(t), newBook()
		b.settle(t, src)
		b.live = []string{recent.ID, early.ID, "gone"}
		b.settle(t, src) // what is live is read once to know it
		if got := b.settle(t, src); len(got) != 0 {
			t.Errorf("nothing changed, handed over %v", ids(got))
		}
		s.change(t, index, early.ID, map[string]any{"signal": map[string]any{"status": "in-progress"}})
		got := b.settle(t, src)
		if len(got) != 1 || got[0].SourceID != early.ID || got[0].Status != alert.StatusAcknowledged {
			t.Errorf("after a change of status: %+v", got)
		}
	})
}

func TestSweepFindsWhatCameLate(t *testing.T) {
	onEach(t, func(t *testing.T, s *site) {
		index := s.createNew(t)
		made := demo.NewDetections(6)
		now := time.Now()
		s.put(t, index, made.Make("8.19", demo.QueryDetection, now))
		src, b := s.source(t, func(o *Options) { o.SweepEvery = time.Millisecond }), newBook()
		b.settle(t, src)
		late := made.Make("8.19", demo.QueryDetection, now.Add(-3*time.Hour))
		lateAsTheOverlap := made.Make("8.19", demo.QueryDetection, now.Add(-5*time.Minute))
		tooOld := made.Make("8.19", demo.QueryDetection, now.Add(-25*time.Hour))
		s.put(t, index, late, lateAsTheOverlap, tooOld)
		got := b.settle(t, src)
		if diff := cmp.Diff(idsOfDetections([]demo.Detection{late, lateAsTheOverlap}), ids(got)); diff != "" {
			t.Fatalf("-want +got\n%s", diff)
		}
		for _, a := range got {
			if a.Late != (a.SourceID == late.ID) {
				t.Errorf("%s is late: %v", a.SourceID, a.Late)
			}
		}
	})
}

func TestDocumentOfTheFutureMovesNothing(t *testing.T) {
	onEach(t, func(t *testing.T, s *site) {
		index := s.createNew(t)
		made := demo.NewDetections(7)
		now := time.Now()
		future := made.Make("8.19", demo.QueryDetection, now.AddDate(5, 0, 0))
		s.put(t, index, made.Make("8.19", demo.QueryDetection, now.Add(-time.Minute)), future)
		src, b := s.source(t), newBook()
		if got := b.settle(t, src); len(got) != 2 {
			t.Fatalf("read %d, want 2", len(got))
		}
		var st state
		if err := json.Unmarshal(b.state, &st); err != nil {
			t.Fatal(err)
		}
		if st.Cursor.After(time.Now().Add(time.Minute)) {
			t.Errorf("the cursor stands at %s", st.Cursor)
		}
		next := made.Make("8.19", demo.QueryDetection, now)
		s.put(t, index, next)
		if diff := cmp.Diff([]string{next.ID}, ids(b.settle(t, src))); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
		again := s.source(t)
		if got := b.settle(t, again); len(got) == 0 || !slices.Contains(ids(got), future.ID) {
			t.Errorf("after a restart the window is handed over again, got %v", ids(got))
		}
	})
}

func TestFirstStartTakesInWhatSinceSays(t *testing.T) {
	onEach(t, func(t *testing.T, s *site) {
		index := s.createNew(t)
		now := time.Now()
		made := demo.NewDetections(8)
		at := func(back time.Duration) demo.Detection {
			return made.Make("8.19", demo.QueryDetection, now.Add(-back))
		}
		ancient, old, recent := at(1000*time.Hour), at(30*time.Hour), at(time.Hour)
		block := made.Make("8.19", demo.BlockDetection, now.Add(-time.Hour))
		s.put(t, index, ancient, old, recent, block)
		for _, c := range []struct {
			name  string
			since func(*Options)
			want  []demo.Detection
			said  int64
		}{
			{"a day", func(o *Options) { o.Since = 24 * time.Hour }, []demo.Detection{recent, block}, 1},
			{"two days", func(o *Options) { o.Since = 48 * time.Hour }, []demo.Detection{old, recent, block}, 2},
			{"now", func(o *Options) { o.Since = 0 }, nil, 0},
			{"all", func(o *Options) { o.All = true }, []demo.Detection{ancient, old, recent, block}, 3},
		} {
			src, b := s.source(t, c.since), newBook()
			count, oldest, newest, err := src.Waiting(t.Context())
			if err != nil || count != c.said || (count > 0) == oldest.IsZero() || newest.Before(oldest) {
				t.Errorf("%s: waiting %d from %s to %s: %v", c.name, count, oldest, newest, err)
			}
			if diff := cmp.Diff(idsOfDetections(c.want), ids(b.settle(t, src))); diff != "" {
				t.Errorf("%s: -want +got\n%s", c.name, diff)
			}
			floor, ok, err := Floor(b.state)
			if err != nil || !ok || floor.IsZero() != (c.name == "all") {
				t.Errorf("%s: floor %s %v %v", c.name, floor, ok, err)
			}
			after := made.Make("8.19", demo.QueryDetection, time.Now().Add(time.Second))
			s.put(t, index, after)
			if diff := cmp.Diff([]string{after.ID}, ids(b.settle(t, src))); diff != "" {
				t.Errorf("%s: what came after: -want +got\n%s", c.name, diff)
			}
			s.node.Ask(t, "DELETE", "/"+index+"/_doc/"+after.ID+"?refresh=true", nil, nil)
		}
		var seen []string
		for d, err := range s.source(t).IDs(t.Context(), now.Add(-2*time.Hour)) {
			if err != nil {
				t.Fatal(err)
			}
			if d.Rule == "" || d.Time.IsZero() || d.Index != index {
				t.Errorf("%+v lacks something", d)
			}
			seen = append(seen, d.SourceID)
		}
		slices.Sort(seen)
		if diff := cmp.Diff(idsOfDetections([]demo.Detection{recent, block}), seen); diff != "" {
			t.Errorf("ids since: -want +got\n%s", diff)
		}
	})
}

func TestIndexThatIsNotThereYetIsWaitedFor(t *testing.T) {
	onEach(t, func(t *testing.T, s *site) {
		src, b := s.source(t, func(o *Options) { o.Since = 0 }), newBook()
		if got := b.settle(t, src); len(got) != 0 || b.state == nil {
			t.Fatalf("handed over %d, state %s", len(got), b.state)
		}
		if d, err := src.Describe(t.Context()); err != nil || d.Aliases[0].Access != "absent" {
			t.Errorf("described as %+v, %v", d, err)
		}
		if n, _, _, err := src.Waiting(t.Context()); n != 0 || err != nil {
			t.Errorf("waiting: %d, %v", n, err)
		}
		// Written between the first look and the sight of the index: no alert may be lost for that.
		first := demo.NewDetections(9).Make("8.19", demo.QueryDetection, time.Now().Add(time.Millisecond))
		index := s.createNew(t)
		s.put(t, index, first)
		restarted := s.source(t, func(o *Options) { o.Since = 0 })
		if diff := cmp.Diff([]string{first.ID}, ids(b.settle(t, restarted))); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
		// Gone again, as when an index is deleted: no error for ever, and what comes back is read.
		s.node.Ask(t, "DELETE", "/"+index, nil, nil)
		if _, err := restarted.Fetch(t.Context(), b.ask()); err != nil && !elastic.IsNotFound(err) {
			t.Fatal(err)
		}
		b.settle(t, restarted)
		s.createNew(t)
		second := demo.NewDetections(10).Make("8.19", demo.QueryDetection, time.Now())
		s.put(t, index, second)
		if diff := cmp.Diff([]string{second.ID}, ids(b.settle(t, restarted))); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
	})
}

func TestLeastPrivilegeSuffices(t *testing.T) {
	s := newSite(t, testkit.Elastic8)
	index := s.createNew(t)
	d := demo.NewDetections(11).Make("8.19", demo.QueryDetection, time.Now())
	s.put(t, index, d)
	source := func(names ...string) *Source {
		plain, _ := s.node.APIKey(t, map[string]any{"indices": []any{map[string]any{"names": names, "privileges": []string{"read", "view_index_metadata"}, "allow_restricted_indices": true}}})
		c := newClient(t, elastic.Options{Name: "siem", URLs: []string{s.node.URL}, CAFile: s.node.CAFile, APIKey: plain})
		return s.source(t, func(o *Options) { o.Client = c })
	}
	for _, prefix := range []string{alertsPrefix, signalsPrefix} {
		src, b := source(prefix+s.space), newBook()
		if diff := cmp.Diff([]string{d.ID}, ids(b.settle(t, src))); diff != "" {
			t.Errorf("with %s alone: -want +got\n%s", prefix, diff)
		}
		if _, err := src.Describe(t.Context()); err != nil {
			t.Error(err)
		}
	}
	_, err := source("something-else").Fetch(t.Context(), alert.Ask{})
	if err == nil || !strings.Contains(err.Error(), "view_index_metadata") || !strings.Contains(err.Error(), alertsPrefix+s.space) {
		t.Errorf("without any privilege: %v", err)
	}
}

// counter counts the requests that pass through to a node.
type counter struct {
	mu    sync.Mutex
	calls []string
}

func (c *counter) take() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := c.calls
	c.calls = nil
	return out
}

func TestQuietPollIsOneRequest(t *testing.T) {
	for _, kind := range []testkit.Kind{testkit.OpenSearch, testkit.Elastic7} {
		t.Run(string(kind), func(t *testing.T) {
			s := newSite(t, kind)
			target, err := url.Parse(s.node.URL)
			if err != nil {
				t.Fatal(err)
			}
			c := &counter{}
			proxy := httputil.NewSingleHostReverseProxy(target)
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				c.mu.Lock()
				c.calls = append(c.calls, r.Method+" "+r.URL.Path)
				c.mu.Unlock()
				proxy.ServeHTTP(w, r)
			}))
			t.Cleanup(server.Close)
			index := s.createNew(t)
			s.put(t, index, several(12, 100, time.Now(), false)...)
			client := newClient(t, elastic.Options{Name: "siem", URLs: []string{server.URL}})
			src, b := s.source(t, func(o *Options) { o.Client = client }), newBook()
			b.settle(t, src)
			c.take()
			for range 3 {
				b.settle(t, src)
				if calls := c.take(); len(calls) != 1 {
					t.Errorf("a quiet poll asked %d times: %v", len(calls), calls)
				}
			}
		})
	}
}

func TestExpiredSearchStartsAgainAndSkipsNothing(t *testing.T) {
	onEach(t, func(t *testing.T, s *site) {
		index := s.createNew(t)
		detections := several(13, 300, time.Now(), false)
		s.put(t, index, detections...)
		src, b := s.source(t, func(o *Options) { o.PageSize = 50 }), newBook()
		for range 2 {
			batch, err := src.Fetch(context.Background(), b.ask())
			if err != nil {
				t.Fatal(err)
			}
			b.commit(batch)
		}
		src.scan.pages.Close(t.Context()) // the cluster forgets the open search
		if _, err := src.Fetch(context.Background(), b.ask()); err == nil {
			t.Fatal("an open search that is gone was no error")
		}
		b.settle(t, src)
		if len(b.alerts) != len(detections) {
			t.Errorf("read %d of %d", len(b.alerts), len(detections))
		}
	})
}

// TestTheClusterFiltersWhatTheParserDrops compares documents read through the source filter with the
// whole ones.
func TestTheClusterFiltersWhatTheParserDrops(t *testing.T) {
	onEach(t, func(t *testing.T, s *site) {
		fresh, old := s.createNew(t), s.createOld(t, alertsPrefix)
		now := time.Now().UTC().Truncate(time.Millisecond)
		var detections []demo.Detection
		made := demo.NewDetections(14)
		for _, kibana := range demo.Kibanas {
			for _, kind := range demo.DetectionKinds(kibana) {
				detections = append(detections, made.Make(kibana, kind, now))
			}
		}
		for _, d := range realDocuments(t) {
			detections = append(detections, demo.Detection{Index: d.Index, ID: d.ID, Source: d.Source})
		}
		s.spread(t, old, fresh, detections...)
		src, b := s.source(t, func(o *Options) { o.All = true }), newBook()
		b.settle(t, src)
		p, err := NewParser(ParserOptions{Source: "siem", Space: s.space})
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range detections {
			got, ok := b.alerts[d.ID]
			if !ok {
				t.Errorf("%s was not read", d.ID)
				continue
			}
			want, err := p.Parse(got.Index, d.ID, d.Source)
			if err != nil {
				t.Fatal(err)
			}
			fields := func(a alert.Alert) alert.Fields {
				f, err := a.Fields()
				if err != nil {
					t.Fatal(err)
				}
				return f
			}
			if diff := cmp.Diff(fields(want), fields(got)); diff != "" {
				t.Errorf("%s fields: -whole +filtered\n%s", d.Index, diff)
			}
			want.Document, got.Document = nil, nil
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: -whole +filtered\n%s", d.Index, diff)
			}
		}
	})
}
