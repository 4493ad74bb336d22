package elastic_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"tocsin/internal/elastic"
)

var byTime = []any{map[string]any{"@timestamp": map[string]any{"order": "asc", "unmapped_type": "date"}}}

// readAll counts how often each index/id comes.
func readAll(t *testing.T, p *elastic.Pages) map[string]int {
	t.Helper()
	seen := map[string]int{}
	for {
		hits, err := p.Next(t.Context())
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(hits) == 0 {
			t.Fatal("an empty page")
		}
		for _, h := range hits {
			seen[h.Index+"/"+h.ID]++
		}
	}
	if _, err := p.Next(t.Context()); !errors.Is(err, io.EOF) {
		t.Errorf("after the end: %v", err)
	}
	return seen
}

func wantOnce(t *testing.T, seen map[string]int, n int) {
	t.Helper()
	if len(seen) != n {
		t.Errorf("%d documents came, want %d", len(seen), n)
	}
	for id, times := range seen {
		if times != 1 {
			t.Fatalf("%s came %d times", id, times)
		}
	}
}

func TestScanGivesEachOfManyDocumentsOfOneMillisecondOnce(t *testing.T) {
	onEach(t, func(t *testing.T, c *elastic.Client, name string) {
		create(t, c, name, 3)
		fill(t, c, name, 0, 25_000)
		for _, size := range []int{997, 10_000} {
			wantOnce(t, readAll(t, c.Scan(elastic.Scan{Indices: []string{name}, Sort: byTime, Size: size, Source: false})), 25_000)
		}
		wantOnce(t, readAll(t, c.Scan(elastic.Scan{Indices: []string{name}, Size: 5000, Source: false})), 25_000)
		if way := elastic.PagingWay(c); way == "unknown" {
			t.Error("nothing was learned")
		}
		elastic.OnlyScroll(c)
		wantOnce(t, readAll(t, c.Scan(elastic.Scan{Indices: []string{name}, Sort: byTime, Size: 997, Source: false})), 25_000)
	})
}

// Clusters shorten searches in ways that depend on the query, on the sort, on how the index is cut into
// segments, and on documents that lack the sort field. Each of these has lost documents on some version.
func TestScanGivesEachDocumentWhateverIsAsked(t *testing.T) {
	onEach(t, func(t *testing.T, c *elastic.Client, name string) {
		const all, dated = 6000, 5400 // every tenth has no time
		create(t, c, name, 10)
		for from := 0; from < all; from += 1500 {
			var writes []elastic.Write
			for n := from; n < from+1500; n++ {
				doc := map[string]any{"user": fmt.Sprint("u", n%7), "n": n}
				if n%10 != 0 {
					doc["@timestamp"] = fmt.Sprintf("2024-01-01T00:00:%02d.001Z", n*7%50)
				}
				writes = append(writes, elastic.Write{Op: "create", Index: name, ID: fmt.Sprint("id-", n), Doc: doc})
			}
			if _, err := c.Bulk(t.Context(), writes, "true"); err != nil { // a segment for each
				t.Fatal(err)
			}
		}
		since := map[string]any{"range": map[string]any{"@timestamp": map[string]any{"gte": "2023-01-01T00:00:00Z"}}}
		for _, way := range []string{"as learned", "scroll"} {
			if way == "scroll" {
				elastic.OnlyScroll(c)
			}
			for queryName, tc := range map[string]struct {
				query any
				want  int
			}{
				"none":  {nil, all},
				"range": {since, dated},
				"bool":  {map[string]any{"bool": map[string]any{"filter": []any{since, map[string]any{"exists": map[string]any{"field": "user"}}}}}, dated},
				"term":  {map[string]any{"term": map[string]any{"user": "u0"}}, all/7 + 1},
			} {
				for sortName, sort := range map[string][]any{
					"none": nil, "time": byTime, "name": {"@timestamp"},
					"time down": {map[string]any{"@timestamp": map[string]any{"order": "desc"}}},
					"user":      {map[string]any{"user": "asc"}},
					"two":       {map[string]any{"user": "desc"}, map[string]any{"@timestamp": "asc"}},
				} {
					seen := readAll(t, c.Scan(elastic.Scan{Indices: []string{name}, Query: tc.query, Sort: sort, Size: 499, Source: false}))
					if len(seen) != tc.want {
						t.Errorf("%s, query %s, sort %s: %d documents, want %d", way, queryName, sortName, len(seen), tc.want)
						continue
					}
					wantOnce(t, seen, tc.want)
				}
			}
		}
	})
}

// Several indices behind one pattern have shards of the same number: a tie-breaker that counts shards
// within the index would lose documents at the edges of pages.
func TestScanGivesEachDocumentOfSeveralIndicesOnce(t *testing.T) {
	onEach(t, func(t *testing.T, c *elastic.Client, name string) {
		for i := range 4 {
			index := fmt.Sprint(name, "-", i)
			create(t, c, index, 1+i%2)
			fill(t, c, index, 0, 300)
		}
		for _, size := range []int{7, 100, 1200, 5000} {
			seen := readAll(t, c.Scan(elastic.Scan{Indices: []string{name + "-*"}, Sort: byTime, Size: size}))
			wantOnce(t, seen, 1200)
		}
	})
}

func TestScanSeesOneStateOfTheIndex(t *testing.T) {
	onEach(t, func(t *testing.T, c *elastic.Client, name string) {
		create(t, c, name, 2)
		fill(t, c, name, 0, 100)
		p := c.Scan(elastic.Scan{Indices: []string{name}, Sort: byTime, Size: 30})
		first, err := p.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		fill(t, c, name, 100, 200)
		seen := readAll(t, p)
		for _, h := range first {
			seen[h.Index+"/"+h.ID]++
		}
		wantOnce(t, seen, 100)
	})
}

func TestScanAsksWhatItIsTold(t *testing.T) {
	onEach(t, func(t *testing.T, c *elastic.Client, name string) {
		create(t, c, name, 1)
		fill(t, c, name, 0, 10)
		p := c.Scan(elastic.Scan{
			Indices: []string{name}, Query: map[string]any{"range": map[string]any{"n": map[string]any{"gte": 8}}},
			Sort:   []any{map[string]any{"n": "desc"}},
			Source: []string{"user"}, DocvalueFields: []any{"n"}, Body: map[string]any{"seq_no_primary_term": true},
		})
		hits, err := p.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(hits) != 2 || hits[0].ID != "id-9" || hits[1].ID != "id-8" {
			t.Fatalf("%+v", hits)
		}
		if got := string(hits[0].Source); got != `{"user":"u2"}` {
			t.Errorf("source %s", got)
		}
		if got := string(hits[0].Fields); got != `{"n":[9]}` {
			t.Errorf("fields %s", got)
		}
		if hits[0].SeqNo == nil || *hits[0].SeqNo != 9 {
			t.Errorf("seq_no %v", hits[0].SeqNo)
		}
		if err := p.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestScanOfNoIndex(t *testing.T) {
	onEach(t, func(t *testing.T, c *elastic.Client, name string) {
		wantOnce(t, readAll(t, c.Scan(elastic.Scan{Indices: []string{name + "-none-*"}, Sort: byTime, AllowNoIndices: true})), 0)
		wantOnce(t, readAll(t, c.Scan(elastic.Scan{Indices: []string{name + "-none"}, Sort: byTime, AllowNoIndices: true, IgnoreUnavailable: true})), 0)
		for _, index := range []string{name + "-none", name + "-none-*"} {
			_, err := c.Scan(elastic.Scan{Indices: []string{index}, Sort: byTime}).Next(t.Context())
			if !elastic.IsNotFound(err) || !strings.Contains(fmt.Sprint(err), "index_not_found_exception") {
				t.Errorf("%s: %v", index, err)
			}
		}
		create(t, c, name, 1)
		wantOnce(t, readAll(t, c.Scan(elastic.Scan{Indices: []string{name}, Sort: byTime})), 0)
		fill(t, c, name, 0, 3)
		wantOnce(t, readAll(t, c.Scan(elastic.Scan{Indices: []string{name, name + "-none"}, Sort: byTime, IgnoreUnavailable: true})), 3)
	})
}

func TestScanFreesWhatTheClusterHolds(t *testing.T) {
	onEach(t, func(t *testing.T, c *elastic.Client, name string) {
		create(t, c, name, 1)
		fill(t, c, name, 0, 10)
		open := func() int {
			var stats struct {
				Indices map[string]struct {
					Primaries struct {
						Search struct {
							Open   int `json:"open_contexts"`
							Scroll int `json:"scroll_current"`
							PIT    int `json:"point_in_time_current"`
						} `json:"search"`
					} `json:"primaries"`
				} `json:"indices"`
			}
			if err := c.Do(t.Context(), http.MethodGet, "/"+name+"/_stats/search", nil, nil, &stats); err != nil {
				t.Fatal(err)
			}
			s := stats.Indices[name].Primaries.Search
			return s.Open + s.Scroll + s.PIT
		}
		if open() != 0 {
			t.Fatal("open before")
		}
		wantOnce(t, readAll(t, c.Scan(elastic.Scan{Indices: []string{name}, Sort: byTime, Size: 3})), 10)
		if n := open(); n != 0 {
			t.Errorf("%d open after the end", n)
		}
		p := c.Scan(elastic.Scan{Indices: []string{name}, Sort: byTime, Size: 3})
		if _, err := p.Next(t.Context()); err != nil {
			t.Fatal(err)
		}
		if open() == 0 {
			t.Error("nothing open in the middle: the test does not see what is open")
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for range 2 {
			if err := p.Close(ctx); err != nil {
				t.Error(err)
			}
		}
		if n := open(); n != 0 {
			t.Errorf("%d open after Close", n)
		}
		if _, err := p.Next(t.Context()); err == nil || errors.Is(err, io.EOF) {
			t.Errorf("a closed scan goes on: %v", err)
		}
	})
}

func TestScanSaysWhenTheClusterGaveItUp(t *testing.T) {
	onEach(t, func(t *testing.T, c *elastic.Client, name string) {
		create(t, c, name, 2)
		fill(t, c, name, 0, 10)
		p := c.Scan(elastic.Scan{Indices: []string{name}, Sort: byTime, Size: 3})
		if _, err := p.Next(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := elastic.FreeButGoOn(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		_, err := p.Next(t.Context())
		if !errors.Is(err, elastic.ErrExpired) {
			t.Errorf("%v", err)
		}
		if _, again := p.Next(t.Context()); again == nil || errors.Is(again, io.EOF) {
			t.Errorf("a broken scan goes on: %v", again)
		}
	})
}

// standIn answers as a cluster of one document that can do what it is told to be able to.
type standIn struct {
	pit      string // "_pit", or "" for none
	noPIT    func(w http.ResponseWriter)
	shardDoc bool
	asked    []string
}

func (s *standIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	last := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
	s.asked = append(s.asked, r.Method+" "+last)
	var body map[string]json.RawMessage
	_ = json.NewDecoder(r.Body).Decode(&body)
	if last == "_pit" && r.Method == http.MethodPost {
		if last != s.pit {
			s.noPIT(w)
			return
		}
		fmt.Fprint(w, `{"id":"open"}`)
		return
	}
	const shards = `"_shards":{"total":1,"successful":1,"failed":0}`
	switch {
	case r.Method == http.MethodDelete:
		fmt.Fprint(w, `{}`)
	case last == "scroll":
		fmt.Fprint(w, `{"_scroll_id":"s",`+shards+`,"hits":{"hits":[]}}`)
	case last == "_search" && r.URL.Query().Get("scroll") != "":
		fmt.Fprint(w, `{"_scroll_id":"s",`+shards+`,"hits":{"hits":[{"_index":"i","_id":"1","sort":[1]}]}}`)
	case strings.Contains(string(body["sort"]), "_shard_doc") && !s.shardDoc:
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"error":{"type":"search_phase_execution_exception","reason":"all shards failed","failed_shards":[{"index":"i","reason":{"type":"query_shard_exception","reason":"No mapping found for [_shard_doc] in order to sort on"}}]},"status":400}`)
	default:
		fmt.Fprint(w, `{"pit_id":"open",`+shards+`,"hits":{"hits":[{"_index":"i","_id":"1","sort":[1,0]}]}}`)
	}
}

func TestScanFindsTheWayToPageAndRemembersIt(t *testing.T) {
	says := func(status int, body string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) { w.WriteHeader(status); fmt.Fprint(w, body) }
	}
	noHandler := says(400, `{"error":"no handler found for uri [/i/_pit] and method [POST]"}`)
	for _, tc := range []struct {
		name          string
		server        standIn
		first, second string
	}{
		{
			"Elasticsearch",
			standIn{pit: "_pit", shardDoc: true},
			"POST _pit, POST _search, DELETE _pit", "POST _pit, POST _search, DELETE _pit",
		},
		{
			"OpenSearch",
			standIn{noPIT: noHandler},
			"POST _pit, POST _search, POST scroll, DELETE scroll", "POST _search, POST scroll, DELETE scroll",
		},
		{
			"Elasticsearch 7.10",
			standIn{pit: "_pit"},
			"POST _pit, POST _search, DELETE _pit, POST _search, POST scroll, DELETE scroll", "POST _search, POST scroll, DELETE scroll",
		},
		{
			"Elasticsearch 7.6",
			standIn{noPIT: says(400, `{"error":{"root_cause":[{"type":"parse_exception","reason":"request body is required"}],"type":"parse_exception","reason":"request body is required"},"status":400}`)},
			"POST _pit, POST _search, POST scroll, DELETE scroll", "POST _search, POST scroll, DELETE scroll",
		},
		{
			"no right to points in time",
			standIn{noPIT: says(403, `{"error":{"type":"security_exception","reason":"no permissions"},"status":403}`)},
			"POST _pit, POST _search, POST scroll, DELETE scroll", "POST _search, POST scroll, DELETE scroll",
		},
		{
			"a proxy that knows searches only",
			standIn{noPIT: says(404, `not here`)},
			"POST _pit, POST _search, POST scroll, DELETE scroll", "POST _search, POST scroll, DELETE scroll",
		},
		{
			"another method",
			standIn{noPIT: says(405, `{"error":"Incorrect HTTP method","status":405}`)},
			"POST _pit, POST _search, POST scroll, DELETE scroll", "POST _search, POST scroll, DELETE scroll",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := client(t, elastic.Options{URLs: []string{serve(t, &tc.server)}})
			for _, want := range []string{tc.first, tc.second} {
				tc.server.asked = nil
				wantOnce(t, readAll(t, c.Scan(elastic.Scan{Indices: []string{"i"}, Sort: byTime})), 1)
				if got := strings.Join(tc.server.asked, ", "); got != want {
					t.Errorf("asked %s\nwant  %s", got, want)
				}
			}
		})
	}
}

func TestScanRefusesAnOrderThatIsNotUnique(t *testing.T) {
	c := client(t, elastic.Options{URLs: []string{serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "_pit") {
			fmt.Fprint(w, `{"id":"open"}`)
			return
		}
		fmt.Fprint(w, `{"_shards":{"total":1,"successful":1},"hits":{"hits":[{"_index":"i","_id":"1","sort":[1,0]},{"_index":"j","_id":"2","sort":[1,0]}]}}`)
	}))}})
	_, err := c.Scan(elastic.Scan{Indices: []string{"i"}, Sort: byTime}).Next(t.Context())
	if err == nil || !strings.Contains(err.Error(), "not unique at j/2") {
		t.Error(err)
	}
}

func TestScanFailsWithItsSearch(t *testing.T) {
	onEach(t, func(t *testing.T, c *elastic.Client, name string) {
		create(t, c, name, 1)
		fill(t, c, name, 0, 1)
		_, err := c.Scan(elastic.Scan{Indices: []string{name}, Query: map[string]any{"nonsense": map[string]any{}}}).Next(t.Context())
		var e *elastic.Error
		if !errors.As(err, &e) || e.Status != 400 || !strings.Contains(e.Reason, "nonsense") {
			t.Error(err)
		}
		_, err = c.Scan(elastic.Scan{Indices: []string{name}, Sort: []any{"unmapped"}}).Next(t.Context())
		if !errors.As(err, &e) || e.Status != 400 || !strings.Contains(e.Reason, "unmapped") {
			t.Error(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		cancel()
		if _, err := c.Scan(elastic.Scan{Indices: []string{name}}).Next(ctx); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}
