package elastic_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"tocsin/internal/elastic"
	"tocsin/internal/query/backendtest"
	"tocsin/internal/query/plan"
	"tocsin/internal/row"
)

// usersIndex answers as a cluster of one index does that has one document for each user asked for. A search for the
// user "slow" is not done in the time it is given, one for "stall" holds up its request until it is called off, and
// one for "broken" is refused.
type usersIndex struct {
	t      *testing.T
	refuse int   // status of many searches in one request
	most   int64 // bytes of an answer that are read; 0 is enough
	hangs  bool  // no search is answered

	mu       sync.Mutex
	many     int // requests of many searches
	searches int // of one
	mappings int
}

func (s *usersIndex) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			s.t.Error(err)
		}
		body = z
	}
	text, err := io.ReadAll(body)
	if err != nil {
		s.t.Error(err)
	}
	w.Header().Set("Content-Type", "application/json")
	count := func(n *int) {
		s.mu.Lock()
		defer s.mu.Unlock()
		*n++
	}
	switch {
	case r.Method == http.MethodGet:
		count(&s.mappings)
		fmt.Fprint(w, `{"logs":{"mappings":{"properties":{"@timestamp":{"type":"date"},"user":{"type":"keyword"}}},"settings":{"index":{}}}}`)
	case r.URL.Path == "/_msearch":
		count(&s.many)
		if s.refuse != 0 {
			w.WriteHeader(s.refuse)
			fmt.Fprint(w, `{"error":{"type":"security_exception","reason":"no permissions for [indices:data/read/msearch]"}}`)
			return
		}
		var answers []string
		lines := bufio.NewScanner(bytes.NewReader(text))
		for n := 0; lines.Scan(); n++ {
			if n%2 == 1 {
				_, a := s.search(r, lines.Text())
				answers = append(answers, a)
			}
		}
		fmt.Fprintf(w, `{"took":1,"responses":[%s]}`, strings.Join(answers, ","))
	case strings.HasSuffix(r.URL.Path, "/_search"):
		count(&s.searches)
		status, a := s.search(r, string(text))
		w.WriteHeader(status)
		fmt.Fprint(w, a)
	default:
		s.t.Errorf("%s %s", r.Method, r.URL.Path)
	}
}

func (s *usersIndex) search(r *http.Request, body string) (int, string) {
	_, user, _ := strings.Cut(body, `"user":{"value":"`)
	if user == "" {
		_, user, _ = strings.Cut(body, `"user":"`)
	}
	user, _, _ = strings.Cut(user, `"`)
	switch {
	case s.hangs:
		<-r.Context().Done()
	case user == "broken":
		return 400, `{"status":400,"error":{"root_cause":[{"type":"query_shard_exception","reason":"no such thing"}]}}`
	case user == "slow" && strings.Contains(body, `"timeout"`):
		return 200, `{"status":200,"took":2000,"timed_out":true,"_shards":{"total":1,"successful":1,"skipped":0,"failed":0},"hits":{"hits":[]}}`
	case user == "stall" && r.URL.Path == "/_msearch":
		<-r.Context().Done()
	}
	hit, err := json.Marshal(map[string]any{"_index": "logs", "_id": "of-" + user, "_source": map[string]any{"@timestamp": "2024-01-01T00:00:00Z", "user": user}, "sort": []int{1}})
	if err != nil {
		s.t.Error(err)
	}
	return 200, `{"status":200,"took":1,"timed_out":false,"_shards":{"total":1,"successful":1,"skipped":0,"failed":0},"hits":{"hits":[` + string(hit) + `]}}`
}

// together asks for the document of each user in a run of its own, all at the same time, and gives the ids or errors.
func together(t *testing.T, s *usersIndex, users ...string) (got []string, slow []bool) {
	t.Helper()
	return within(t.Context(), t, s, users...)
}

// within is together with less time.
func within(ctx context.Context, t *testing.T, s *usersIndex, users ...string) (got []string, slow []bool) {
	t.Helper()
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	c := client(t, elastic.Options{URLs: []string{server.URL}})
	if s.most > 0 {
		elastic.LimitAnswers(c, s.most)
	}
	runs, leave := elastic.NewBackend(c, []string{"logs"}).Together(t.Context(), len(users))
	got, slow = make([]string, len(users)), make([]bool, len(users))
	var wg sync.WaitGroup
	for i, user := range users {
		wg.Go(func() {
			defer func() { slow[i] = leave(i) }()
			q, err := plan.New("user:"+user, plan.Options{Now: backendtest.Now})
			if err != nil {
				t.Error(err)
				return
			}
			read, _ := q.Read(q.Filter.Tree)
			read.Documents = true
			pushed, err := runs[i].Plan(ctx, read)
			if err != nil {
				t.Error(err)
				return
			}
			_, err = runs[i].Rows(ctx, read, pushed, row.NewSchema(), func(r *row.Row) error {
				got[i] += r.Doc.ID
				return nil
			})
			if err != nil {
				got[i] = err.Error()
			}
		})
	}
	wg.Wait()
	return got, slow
}

// TestRunsTogetherShareRequests gives a busy machine several tries to ask three times within a few milliseconds.
func TestRunsTogetherShareRequests(t *testing.T) {
	var s *usersIndex
	for range 50 {
		s = &usersIndex{t: t}
		got, slow := together(t, s, "ann", "bob", "eve")
		if strings.Join(got, " ") != "of-ann of-bob of-eve" || slow[0] || slow[1] || slow[2] {
			t.Fatalf("%q, slow %v", got, slow)
		}
		if s.mappings == 1 && s.many == 1 && s.searches == 0 {
			return
		}
	}
	t.Errorf("%d requests for mappings, %d of many searches, %d of one", s.mappings, s.many, s.searches)
}

func TestARefusedSearchFailsAlone(t *testing.T) {
	got, _ := together(t, &usersIndex{t: t}, "ann", "broken", "eve")
	if got[0] != "of-ann" || got[2] != "of-eve" || !strings.Contains(got[1], "no such thing") || !strings.Contains(got[1], "/logs/_search") {
		t.Errorf("%q", got)
	}
}

func TestASlowSearchIsAskedForAlone(t *testing.T) {
	s := &usersIndex{t: t}
	got, _ := together(t, s, "ann", "slow", "eve")
	if strings.Join(got, " ") != "of-ann of-slow of-eve" || s.searches == 0 {
		t.Errorf("%q, %d searches alone", got, s.searches)
	}
}

func TestASearchThatHoldsUpOthersDoesNotForLong(t *testing.T) {
	began := time.Now()
	got, _ := together(t, &usersIndex{t: t}, "ann", "stall", "eve")
	if strings.Join(got, " ") != "of-ann of-stall of-eve" {
		t.Errorf("%q after %s", got, time.Since(began))
	}
}

func TestRunsTogetherEndWhenTheirTimeIsUp(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	got, _ := within(ctx, t, &usersIndex{t: t, hangs: true}, "ann", "bob", "eve")
	for _, text := range got {
		if !strings.Contains(text, "deadline exceeded") {
			t.Errorf("%q", text)
		}
	}
}

func TestAClusterThatAllowsNoManySearchesIsAskedOneByOne(t *testing.T) {
	for _, status := range []int{http.StatusForbidden, http.StatusBadRequest, http.StatusRequestEntityTooLarge} {
		s := &usersIndex{t: t, refuse: status}
		got, _ := together(t, s, "ann", "bob", "eve", "kim")
		if strings.Join(got, " ") != "of-ann of-bob of-eve of-kim" || s.searches != 4 {
			t.Errorf("%d: %q, %d searches alone", status, got, s.searches)
		}
	}
	s := &usersIndex{t: t, most: 400} // enough for the answer to one
	if got, _ := together(t, s, "ann", "bob", "eve"); strings.Join(got, " ") != "of-ann of-bob of-eve" {
		t.Errorf("an answer that is too large as one: %q", got)
	}
	s = &usersIndex{t: t, refuse: http.StatusTooManyRequests}
	if got, _ := together(t, s, "ann", "bob"); s.many > 0 && !strings.Contains(got[0], "429") {
		t.Errorf("a cluster with too much to do is asked again at once: %q", got)
	}
}
