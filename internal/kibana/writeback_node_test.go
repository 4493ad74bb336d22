package kibana

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/alert"
	"tocsin/internal/elastic"
	"tocsin/internal/testkit"
)

// shelf is a Record in memory.
type shelf struct {
	mu      sync.Mutex
	alerts  []alert.Alert
	written map[int64]string
}

func (s *shelf) put(a alert.Alert) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.alerts {
		if s.alerts[i].ID == a.ID {
			s.alerts[i] = a
			return
		}
	}
	s.alerts = append(s.alerts, a)
}

func (s *shelf) Unwritten(_ context.Context, after int64, limit, _ int) (out []Unwritten, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, a := range s.alerts {
		seq := int64(i + 1)
		_, revision, err := a.Encode()
		if err != nil {
			return nil, err
		}
		if seq > after && s.written[seq] != revision && len(out) < limit {
			out = append(out, Unwritten{Alert: a, Seq: seq, Revision: revision, Before: s.written[seq] != ""})
		}
	}
	return out, nil
}

func (s *shelf) SetWritten(_ context.Context, revisions map[int64]string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.written == nil {
		s.written = map[int64]string{}
	}
	for seq, r := range revisions {
		s.written[seq] = r
	}
	return nil
}

// forget is a crash before anything was noted.
func (s *shelf) forget() { s.written = nil }

// reports keeps the last report of a part.
type reports struct {
	mu   sync.Mutex
	err  error
	hint string
}

func (r *reports) set(_ string, err error, hint string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.err, r.hint = err, hint
}

func writeBackOf(t *testing.T, c *elastic.Client, space string, s *shelf) *WriteBack {
	t.Helper()
	w, err := NewWriteBack(WriteBackOptions{Client: c, Space: space, Record: s})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// all writes until nothing is left.
func (w *WriteBack) all(t *testing.T) {
	t.Helper()
	for {
		more, err := w.round(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if !more {
			return
		}
	}
}

func ownAlertOf(n int) alert.Alert {
	at := time.Date(2026, 11, 24, 6, 0, n, 0, time.UTC)
	return alert.Alert{
		ID: alert.ID(fmt.Sprintf("own-%04d", n)), Source: "siem", SourceID: "doc", Index: "filebeat-1", Time: at, Updated: at, Event: at.Add(-time.Second),
		Rule:     alert.Rule{Name: "SSH brute force", ID: "ssh", Type: "windowed", Version: "3", Owner: "blue"},
		Severity: alert.SeverityHigh, Risk: 73, Reason: "11 failures of root", Status: alert.StatusOpen, Tags: []string{"ssh"}, Count: 11,
		Threat: []alert.Threat{{TechniqueID: "T1110.001"}},
		First:  at.Add(-time.Minute), Last: at,
		Document: json.RawMessage(`{"user.name":"root","source.ip":"10.0.0.1","event":{"action":"ssh_login","kind":"event"},"count":11,"tocsin":{"samples":[{"_id":"x","_source":{"a":1}}]}}`),
	}
}

// stored are the documents of an index by id.
func stored(t *testing.T, n testkit.Node, index string) map[string]map[string]any {
	t.Helper()
	n.Ask(t, http.MethodPost, "/"+index+"/_refresh", nil, nil)
	var answer struct {
		Hits struct {
			Hits []struct {
				ID     string         `json:"_id"`
				Source map[string]any `json:"_source"`
			} `json:"hits"`
		} `json:"hits"`
	}
	n.Ask(t, http.MethodPost, "/"+index+"/_search", map[string]any{"size": 2000}, &answer)
	out := map[string]map[string]any{}
	for _, h := range answer.Hits.Hits {
		out[h.ID] = h.Source
	}
	return out
}

func count(t *testing.T, n testkit.Node, index, query string) (total int) {
	t.Helper()
	var answer struct {
		Count int `json:"count"`
	}
	n.Ask(t, http.MethodPost, "/"+index+"/_count", map[string]any{"query": map[string]any{"query_string": map[string]any{"query": query}}}, &answer)
	return answer.Count
}

// cleanWriteBack takes down, when the test ends, what write-back made.
func (s *site) cleanWriteBack(t *testing.T) {
	t.Helper()
	s.node.CleanUp(t, WriteBackPrefix+s.space)
	t.Cleanup(func() {
		err := s.client.Do(context.Background(), http.MethodDelete, "/_index_template/"+writeBackTemplate, nil, nil, nil)
		if err != nil && !elastic.IsNotFound(err) {
			t.Error(err)
		}
	})
}

func TestOwnAlertsBecomeDocuments(t *testing.T) {
	onEach(t, func(t *testing.T, s *site) {
		s.cleanWriteBack(t)
		shelf := &shelf{}
		for n := range 450 {
			shelf.put(ownAlertOf(n))
		}
		w := writeBackOf(t, s.client, s.space, shelf)
		w.all(t)
		docs := stored(t, s.node, w.Index())
		if len(docs) != 450 {
			t.Fatalf("%d documents", len(docs))
		}
		for query, want := range map[string]int{
			`kibana.alert.rule.name:"SSH brute force" AND kibana.alert.severity:high AND kibana.alert.risk_score:[70 TO 75]`: 450,
			`kibana.alert.rule.threat.technique.subtechnique.id:T1110.001 AND kibana.alert.rule.threat.tactic.id:TA0006`:     450,
			`kibana.alert.original_time:[2026-11-24T05:59:00Z TO 2026-11-24T06:00:00Z]`:                                      2,
			`source.ip:"10.0.0.0/8" AND user.name:root AND event.action:ssh_login AND event.kind:signal`:                     450,
			`kibana.alert.original_event.kind:event AND tocsin.count:11 AND tocsin.row.count:11`:                             450,
			`kibana.alert.workflow_status:open AND kibana.alert.status:active AND tocsin.withdrawn:false`:                    450,
		} {
			if got := count(t, s.node, w.Index(), query); got != want {
				t.Errorf("%s: %d, want %d", query, got, want)
			}
		}
		// Somebody takes one up; then it grows, one is withdrawn, one becomes part of another.
		s.change(t, w.Index(), "own-0001", map[string]any{"kibana.alert.workflow_status": "acknowledged"})
		one, two, three := ownAlertOf(1), ownAlertOf(2), ownAlertOf(3)
		one.Count, one.Last = 50, one.Last.Add(time.Hour)
		two.Withdrawn = true
		three.MergedInto = one.ID
		for _, a := range []alert.Alert{one, two, three} {
			shelf.put(a)
		}
		w.all(t)
		// A crash between writing and noting: all is written again, into the same documents.
		shelf.forget()
		again := writeBackOf(t, s.client, s.space, shelf)
		again.all(t)
		docs = stored(t, s.node, w.Index())
		own := func(id, name string) any { return docs[id]["tocsin"].(map[string]any)[name] }
		got := []any{
			len(docs), own("own-0001", "count"), own("own-0001", "last"), docs["own-0001"]["kibana.alert.workflow_status"],
			own("own-0002", "withdrawn"), docs["own-0002"]["kibana.alert.status"], own("own-0003", "merged_into"), own("own-0004", "merged_into"),
		}
		want := []any{450, 50.0, "2026-11-24T07:00:01.000Z", "acknowledged", true, "recovered", "own-0001", nil}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		found, err := again.Look(t.Context())
		if err != nil || !found.There || !found.Ours || !found.Template {
			t.Errorf("%+v %v", found, err)
		}
	})
}

func TestEvidenceThatDoesNotFitIsKeptAsText(t *testing.T) {
	onEach(t, func(t *testing.T, s *site) {
		s.cleanWriteBack(t)
		shelf := &shelf{}
		for n, document := range []string{
			`{"user.name":"root","source.port":"not a port","source.ip":"nowhere"}`,
			`{"user":{"name":{"first":"an object where a keyword is"}}}`,
			`{"host":"text where an object is"}`,
			`{"user.name":"last","kibana.alert.severity":"forged","tocsin":{"count":"forged"},"_id":"forged","@timestamp":"forged"}`,
			`{"labels":{"deep":` + strings.Repeat(`{"a":`, 30) + `1` + strings.Repeat(`}`, 30) + `}}`,
			`{"odd":` + strings.Repeat(`{"a":`, 30) + `1` + strings.Repeat(`}`, 30) + `,"long":"` + strings.Repeat("x", 40_000) + `"}`,
		} {
			a := ownAlertOf(n)
			a.Document = json.RawMessage(document)
			shelf.put(a)
		}
		w := writeBackOf(t, s.client, s.space, shelf)
		w.all(t)
		docs := stored(t, s.node, w.Index())
		if len(docs) != 6 || w.refusal() != nil {
			t.Fatalf("%d documents, %v", len(docs), w.refusal())
		}
		for _, n := range []int{1, 2, 4} {
			own := docs[fmt.Sprintf("own-%04d", n)]["tocsin"].(map[string]any)
			kept := own["evidence"] == string(shelf.alerts[n].Document) && own["evidence_refused"] != nil
			// OpenSearch's ignore_malformed takes an object where a keyword is.
			if n == 1 && own["evidence"] == nil {
				_, kept = docs["own-0001"]["user"].(map[string]any)
			}
			if !kept {
				t.Errorf("evidence of %d: %v", n, own)
			}
		}
		for _, n := range []int{0, 3} {
			d := docs[fmt.Sprintf("own-%04d", n)]
			own := d["tocsin"].(map[string]any)
			if own["evidence"] != nil || d["kibana.alert.severity"] != "high" || own["count"] != 11.0 || d["@timestamp"] == "forged" {
				t.Errorf("document of %d: %v", n, d)
			}
		}
		// A later content that fits takes the text back.
		shelf.put(ownAlertOf(1))
		w.all(t)
		d := stored(t, s.node, w.Index())["own-0001"]
		if own := d["tocsin"].(map[string]any); own["evidence"] != nil || d["user.name"] != "root" {
			t.Errorf("%v", d)
		}
	})
}

// What the index never takes is told, and keeps back nothing else.
func TestADocumentRefusedForGoodBlocksNoOther(t *testing.T) {
	onEach(t, func(t *testing.T, s *site) {
		index := WriteBackPrefix + s.space
		s.cleanWriteBack(t)
		s.node.Ask(t, http.MethodPut, "/"+index, map[string]any{"settings": map[string]any{"index.mapping.ignore_malformed": false}, "mappings": map[string]any{"properties": map[string]any{
			"kibana": map[string]any{"properties": map[string]any{"alert": map[string]any{"properties": map[string]any{"reason": map[string]any{"type": "long"}}}}},
		}}}, nil)
		s.node.Ask(t, http.MethodPut, "/"+index+"/_mapping", map[string]any{"dynamic": "false"}, nil)
		shelf := &shelf{}
		for n := range 3 {
			a := ownAlertOf(n)
			a.Reason = "7"
			if n == 1 {
				a.Reason = strings.Repeat("not a number ", 3)
			}
			shelf.put(a)
		}
		w := writeBackOf(t, s.client, s.space, shelf)
		w.all(t)
		if docs := stored(t, s.node, index); len(docs) != 2 || w.refusal() == nil || !strings.Contains(w.refusal().Error(), "own-0001") {
			t.Errorf("%d documents, %v", len(docs), w.refusal())
		}
		a := shelf.alerts[1]
		a.Reason = "8"
		shelf.put(a)
		w.all(t)
		if docs := stored(t, s.node, index); len(docs) != 3 || w.refusal() != nil {
			t.Errorf("%d documents, %v", len(docs), w.refusal())
		}
	})
}

func TestWriteBackNeedsThreePrivileges(t *testing.T) {
	s := newSite(t, testkit.Elastic8)
	s.cleanWriteBack(t)
	for _, tc := range []struct {
		privileges []string
		fails      string
	}{
		{[]string{"create_index", "index", "view_index_metadata"}, ""},
		{[]string{"index", "view_index_metadata"}, "make index"},
		{[]string{"create_index", "view_index_metadata"}, "write alerts"},
		{[]string{"read"}, "look for index"},
	} {
		space := s.space + "-" + fmt.Sprint(len(tc.privileges)) + tc.privileges[0][:1]
		plain, _ := s.node.APIKey(t, map[string]any{"cluster": []string{}, "indices": []any{
			map[string]any{"names": []string{WriteBackPrefix + "*"}, "privileges": tc.privileges},
		}})
		c := newClient(t, elastic.Options{Name: "siem", URLs: []string{s.node.URL}, APIKey: plain, CAFile: s.node.CAFile})
		shelf := &shelf{}
		shelf.put(ownAlertOf(1))
		w := writeBackOf(t, c, space, shelf)
		_, err := w.round(t.Context())
		if tc.fails == "" {
			found, look := w.Look(t.Context())
			if err != nil || look != nil || !found.Ours || !found.Unseen || len(stored(t, s.node, w.Index())) != 1 {
				t.Errorf("%v: %v; %+v %v", tc.privileges, err, found, look)
			}
			a := ownAlertOf(1)
			a.Count, a.Document = 12, json.RawMessage(`{"cloud":{"new":{"field":"a"}}}`)
			shelf.put(a)
			w.all(t)
			if docs := stored(t, s.node, w.Index()); len(docs) != 1 || docs["own-0001"]["cloud"] == nil {
				t.Errorf("%v", docs)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), tc.fails) || !strings.Contains(writeBackHint(err), "create_index, index and view_index_metadata") {
			t.Errorf("%v: %v", tc.privileges, err)
		}
		if left, _ := shelf.Unwritten(t.Context(), 0, 9, 0); len(left) != 1 {
			t.Error("what was refused counts as written")
		}
	}
}

// A cluster that is away, then busy with some, then well: everything arrives, and health says how it is.
func TestWriteBackOutlastsABadCluster(t *testing.T) {
	var (
		mu    sync.Mutex
		state = "away"
		there = map[string]bool{}
	)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if state == "away" {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		if r.URL.Path != "/_bulk" {
			fmt.Fprint(w, `{}`)
			return
		}
		var items []string
		dec := json.NewDecoder(r.Body)
		for i := 0; dec.More(); i++ {
			var head map[string]struct {
				ID string `json:"_id"`
			}
			var doc json.RawMessage
			if dec.Decode(&head) != nil || dec.Decode(&doc) != nil {
				w.WriteHeader(http.StatusBadRequest)
				return
			}
			if state == "busy" && i%2 == 1 {
				items = append(items, `{"create":{"status":429,"error":{"type":"es_rejected_execution_exception","reason":"busy"}}}`)
				continue
			}
			there[head["create"].ID] = true
			items = append(items, `{"create":{"status":201,"result":"created"}}`)
		}
		fmt.Fprintf(w, `{"errors":true,"items":[%s]}`, strings.Join(items, ","))
	}))
	defer server.Close()
	defer server.CloseClientConnections()
	c := newClient(t, elastic.Options{Name: "siem", URLs: []string{server.URL}})
	shelf, health := &shelf{}, &reports{}
	for n := range 4 {
		a := ownAlertOf(n)
		a.Document = nil
		shelf.put(a)
	}
	w, err := NewWriteBack(WriteBackOptions{Client: c, Space: "default", Record: shelf, Report: health.set})
	if err != nil {
		t.Fatal(err)
	}
	round := func() error { _, err := w.round(t.Context()); return err }
	if err := round(); !elastic.IsBusy(err) {
		t.Errorf("away: %v", err)
	}
	mu.Lock()
	state = "busy"
	mu.Unlock()
	if err := round(); err == nil || !strings.Contains(err.Error(), "own-0001") || len(there) != 2 {
		t.Errorf("busy: %v, %v", err, there)
	}
	mu.Lock()
	state = "well"
	mu.Unlock()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	for {
		left, err := shelf.Unwritten(ctx, 0, 9, 0)
		if err != nil {
			t.Fatal(err)
		}
		if len(left) == 0 {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	stop()
	if err := <-ended; err != nil || len(there) != 4 || health.err != nil {
		t.Errorf("%v %v %v", err, there, health.err)
	}
}

func TestHintsNameTheCause(t *testing.T) {
	for _, tc := range []struct {
		err  error
		want string
	}{
		{&elastic.Error{Status: 403}, "create_index"},
		{fmt.Errorf("x: %w", errRefused), "create_index"},
		{&elastic.Error{Status: 401}, "new key"},
		{errors.New("x"), "wait"},
	} {
		if got := writeBackHint(tc.err); !strings.Contains(got, tc.want) {
			t.Errorf("%v: %s", tc.err, got)
		}
	}
	if !slices.IsSorted(ecsRoots) {
		t.Error("the field sets are not in order")
	}
}
