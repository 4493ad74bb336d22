package elastic_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/elastic"
	"tocsin/internal/query/backendtest"
	"tocsin/internal/query/exec"
	"tocsin/internal/query/plan"
	"tocsin/internal/row"
)

// ask runs a query and gives its rows as JSON; columns are in the order of the answer.
func ask(t *testing.T, b exec.Backend, text string, noPushDown bool) ([]string, *exec.Outcome, error) {
	t.Helper()
	q, err := plan.New(text, plan.Options{Now: backendtest.Now})
	if err != nil {
		t.Fatal(err)
	}
	var columns, rows []string
	out, err := exec.Run(t.Context(), q, exec.Options{Backend: b, NoPushDown: noPushDown}, exec.Sink{
		Columns: func(names []string) error { columns = slices.Clone(names); return nil },
		Row: func(r *row.Row) error {
			if columns == nil {
				rows = append(rows, r.Doc.JSON)
			} else {
				rows = append(rows, string(row.AppendRow(nil, columns, r.Vals)))
			}
			return nil
		},
	})
	return rows, out, err
}

// pushed plans a query.
func pushed(t *testing.T, b exec.Backend, text string, earliest time.Time) plan.Pushed {
	t.Helper()
	q, err := plan.New(text, plan.Options{Now: backendtest.Now, Earliest: earliest})
	if err != nil {
		t.Fatal(err)
	}
	read, _ := q.Read(q.Filter.Tree)
	p, err := b.Plan(t.Context(), read)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestBackendPushesDownWhatIsExact(t *testing.T) {
	// How a mapping indexes decides: "typed" has plain keywords, "short keywords" and "texts with
	// keywords" leave out long texts, which only Elasticsearch tells of.
	pushCases := map[string][]pushCase{}
	for _, tc := range []struct {
		mapping, query          string
		filter, aggregate, only bool // only: on Elasticsearch alone
	}{
		{"typed", `user.name:root`, true, false, false},
		{"typed", `user.name:ro* and not source.ip:10.0.0.0/8 or port >= 80`, true, false, false},
		{"typed", `message:failed`, true, false, false},
		{"typed", `note:short`, false, false, false},
		{"typed", `*:root`, false, false, false},
		{"typed", `root`, false, false, false},
		{"typed", `user.name:root | stats count, sum(port), avg(port), min(port), max(bytes) by user.name, host.name`, true, false, false},
		{"typed", `user.name:root | stats count, sum(port), avg(port), min(port), count(port) by user.name, host.name`, true, true, false},
		{"typed", `| stats count by source.ip`, true, true, false},
		{"typed", `| stats count`, true, true, false},
		{"typed", `event.code:4624 | stats count by user.name`, true, true, false}, // no value is a date
		{"typed", `label:2024 | stats count`, false, false, false},
		{"typed", `| stats count by port`, true, false, false}, // documents have several
		{"typed", `| stats dc(user.name)`, true, true, false},
		{"typed", `| stats count, dc(source.ip) by host.name, span(_time, 1h)`, true, true, false},
		{"typed", `| stats dc(port)`, true, false, false},
		{"typed", `| stats sum(score)`, true, false, false},
		{"typed", `| stats count(tags)`, true, false, false},
		{"typed", `| stats count by span(_time, 5m), user.name`, true, true, false},
		{"typed", `| stats usenull=true count by user.name`, true, false, false},
		{"short keywords", `host.name:web-1`, true, false, false},
		{"short keywords", `host.name:web*`, false, false, false},
		{"short keywords", `host.name:web* | stats count by host.name`, true, true, true},
		{"short keywords", `| stats count by user.name`, true, false, false}, // one is longer than 32
		{"texts with keywords", `user.name:root`, true, false, false},
		{"texts with keywords", `| stats count by user.name`, true, true, true},
		{"unsure", `tags:a`, true, false, false},
		{"unsure", `label:word`, false, false, false},
		{"unsure", `user.name:root`, false, false, false},
		{"unsure", `port:22`, false, false, false},
		{"unsure", `source.ip:10.0.0.1`, false, false, false},
		{"unsure", `bytes:512`, false, false, false},
	} {
		pushCases[tc.mapping] = append(pushCases[tc.mapping], pushCase{tc.query, tc.filter, tc.aggregate, tc.only})
	}
	onEach(t, func(t *testing.T, c *elastic.Client, name string) {
		product, err := c.Product(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		seed := 10
		for mapping, cases := range pushCases {
			seed++
			b := store(t, c, fmt.Sprint(name, "-", seed), mappings[mapping], backendtest.Documents(3, 60))
			for _, tc := range cases {
				p := pushed(t, b, tc.query, time.Time{})
				want := [2]bool{tc.filter, tc.aggregate}
				if tc.only && (product.Name != "elasticsearch" || strings.HasPrefix(product.Version, "7.10.")) {
					want = [2]bool{!strings.Contains(tc.query, "web*"), false}
				}
				if got := [2]bool{p.Filter, p.Aggregate}; got != want {
					t.Errorf("%s: %s: filter and aggregation pushed: %v, want %v", mapping, tc.query, got, want)
				}
			}
		}
	})
}

type pushCase struct {
	query                   string
	filter, aggregate, only bool
}

func TestBackendReadsAllPages(t *testing.T) {
	onEach(t, func(t *testing.T, c *elastic.Client, name string) {
		create(t, c, name, 3)
		var writes []elastic.Write
		const count = 12_500
		for n := range count {
			writes = append(writes, elastic.Write{Op: "create", Index: name, ID: fmt.Sprintf("%05d", n*7919%count), Doc: map[string]any{
				"@timestamp": "2024-01-01T00:00:00.001Z", "user": fmt.Sprint("u", n%12_001), "n": n,
			}})
		}
		if _, err := c.Bulk(t.Context(), writes, "true"); err != nil {
			t.Fatal(err)
		}
		b := elastic.NewBackend(c, []string{name})
		groups, out, err := ask(t, b, "| stats count, sum(n) by user", false)
		if err != nil || len(groups) != 12_001 {
			t.Fatalf("%d groups, %v", len(groups), err)
		}
		if out.Cost.Requests < 2 || out.Cost.Rows != 12_001 {
			t.Errorf("the groups were not aggregated by the cluster: %+v", out.Cost)
		}
		rows, _, err := ask(t, b, "| stats count, sum(n) by user", true)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(rows, groups); diff != "" {
			t.Error(diff)
		}
		// All are of one millisecond, so that their ids alone put them in order.
		list, _, err := ask(t, b, "n >= 0 | fields n", false)
		if err != nil || len(list) != count {
			t.Fatalf("%d rows, %v", len(list), err)
		}
		head, _, err := ask(t, b, "n >= 0 | head 3 | fields n", false)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(list[:3], head); diff != "" || list[0] != `{"n":0}` {
			t.Errorf("first is %s; %s", list[0], diff)
		}
	})
}

// TestMappingsSayWhatValuesAre has documents that spell values otherwise than their mapping: what rows
// read and what the cluster aggregates must be the same still.
func TestMappingsSayWhatValuesAre(t *testing.T) {
	docs := []string{
		`{"user":{"name":5}}`, `{"user.name":"5"}`, `{"user":{"name":5.0}}`, `{"user":{"name":[5.0,true,"true"]}}`, `{"port":"22"}`, `{"port":22.9}`,
		`{"port":22}`, `{"flag":"true"}`, `{"flag":true}`, `{"flag":""}`, `{"source":{"ip":"2001:DB8:0::1"}}`, `{"source":{"ip":"2001:db8::1"}}`,
		`{"source":{"ip":"::ffff:10.0.0.1"}}`, `{"source":{"ip":"10.0.0.1"}}`, `{"score":"2.50"}`, `{"score":2.5}`, `{"@timestamp":"1719835200000","port":1}`,
		`{"@timestamp":1719835200000,"port":2}`, `{"@timestamp":"2024-07-01T12:00:00Z","port":3}`,
	}
	var documents []backendtest.Document
	for i, d := range docs {
		documents = append(documents, backendtest.Document{ID: fmt.Sprintf("%02d", i), JSON: d})
	}
	onEach(t, func(t *testing.T, c *elastic.Client, name string) {
		b := store(t, c, name, mappings["typed"], documents)
		for _, tc := range []struct {
			query string
			want  []string
		}{
			{"| stats count by user.name", []string{`{"user.name":"5","count":2}`, `{"user.name":"5.0","count":2}`, `{"user.name":"true","count":1}`}},
			{"| stats count, sum(port), max(port) by port", []string{
				`{"port":1,"count":1,"sum(port)":1,"max(port)":1}`, `{"port":2,"count":1,"sum(port)":2,"max(port)":2}`,
				`{"port":3,"count":1,"sum(port)":3,"max(port)":3}`, `{"port":22,"count":3,"sum(port)":66,"max(port)":22}`,
			}},
			{"| stats count by flag", []string{`{"flag":false,"count":1}`, `{"flag":true,"count":2}`}},
			{"| stats count by source.ip", []string{`{"source.ip":"10.0.0.1","count":2}`, `{"source.ip":"2001:db8::1","count":2}`}},
			{"score:2.5 | stats count, max(score)", []string{`{"count":2,"max(score)":2.5}`}},
			{"| stats count by span(_time, 1h)", []string{`{"@timestamp":"2024-07-01T12:00:00Z","count":3}`}},
			{"port:22 | stats count", []string{`{"count":3}`}},
		} {
			for _, without := range []bool{false, true} {
				got, out, err := ask(t, b, tc.query, without)
				if err != nil {
					t.Fatal(err)
				}
				for i := range got {
					got[i] = strings.ReplaceAll(got[i], "_time", "@timestamp")
				}
				if diff := cmp.Diff(tc.want, got); diff != "" {
					t.Errorf("%s (push-down %v): %s", tc.query, !without, diff)
				}
				if !without && out.Cost.Rows != int64(len(tc.want)) {
					t.Errorf("%s was not aggregated by the cluster: %+v", tc.query, out.Cost)
				}
			}
		}
		// Documents are answered as they were stored.
		if got, _, err := ask(t, b, "port:22 | head 1", false); err != nil || !strings.Contains(got[0], "22") {
			t.Error(got, err)
		}
	})
}

func TestBackendWithoutMappings(t *testing.T) {
	refuse := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/_field_caps"):
			fmt.Fprint(w, `{"indices":["logs-1"],"fields":{"@timestamp":{"date":{"type":"date","searchable":true,"aggregatable":true}}}}`)
		case r.Method == http.MethodGet:
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, `{"error":{"type":"security_exception","reason":"action [indices:admin/get] is unauthorized"},"status":403}`)
		default:
			t.Errorf("%s %s was asked", r.Method, r.URL.Path)
		}
	})
	c := client(t, elastic.Options{Name: "siem", URLs: []string{serve(t, refuse)}})
	p := pushed(t, elastic.NewBackend(c, []string{"logs-*"}), "user.name:root | stats count by user.name", backendtest.Now)
	if p.Filter || p.Aggregate || len(p.Warnings) != 1 || !strings.Contains(p.Warnings[0], "view_index_metadata") {
		t.Errorf("%+v", p)
	}
	if len(p.Requests) != 1 || !strings.Contains(p.Requests[0], `"gte":1719835200000`) {
		t.Errorf("the time range is not asked for: %v", p.Requests)
	}
}

func TestBackendRefusesPartialAnswers(t *testing.T) {
	index := `{"logs-1":{"mappings":{"properties":{"@timestamp":{"type":"date"},"user":{"type":"keyword"}}},"settings":{"index":{}}}}`
	part := `{"timed_out":false,"_shards":{"total":2,"successful":1,"failed":1},"hits":{"hits":[]},"aggregations":{"groups":{"buckets":[]}}}`
	c := client(t, elastic.Options{Name: "siem", URLs: []string{serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			fmt.Fprint(w, index)
			return
		}
		if strings.HasSuffix(r.URL.Path, "/_pit") {
			fmt.Fprint(w, `{"id":"p"}`)
			return
		}
		fmt.Fprint(w, part)
	}))}})
	b := elastic.NewBackend(c, []string{"logs-*"})
	for _, q := range []string{"| stats count by user", "user:x"} {
		var partial *elastic.PartialError
		if rows, _, err := ask(t, b, q, false); !errors.As(err, &partial) || partial.Failed != 1 {
			t.Errorf("%s: %v, %v", q, rows, err)
		}
	}
}

func TestBackendLeavesOwnAlertsOut(t *testing.T) {
	var asked []string
	c := client(t, elastic.Options{Name: "siem", URLs: []string{serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Path)
		fmt.Fprint(w, `{}`)
	}))}})
	for _, from := range [][]string{{"logs-*"}, {"*"}, {"t*"}, {"tocsin-alerts-default"}, {"tocsin-alerts-*"}} {
		if _, err := elastic.NewBackend(c, nil).Plan(context.Background(), plan.Read{From: from, TimeField: "@timestamp", Fields: []string{}}); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"/logs-*", "/*,-tocsin-alerts-*", "/t*,-tocsin-alerts-*", "/tocsin-alerts-default", "/tocsin-alerts-*"}
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Error(diff)
	}
}
