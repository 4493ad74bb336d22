package elastic_test

import (
	"compress/gzip"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"tocsin/internal/elastic"
)

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func respond(r *http.Request, status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r, ContentLength: int64(len(body))}
}

func textLog(w io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// serve runs a server for the test and gives its URL.
func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

var (
	errDial  = &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	errReset = &net.OpError{Op: "read", Net: "tcp", Err: errors.New("connection reset by peer")}
)

func TestRequestsAreTriedOnAnotherNodeOnlyWhereThatIsSafe(t *testing.T) {
	for _, tc := range []struct {
		name, method, path string
		first              any // status or error of the first node
		want               string
	}{
		{"search, refused", "POST", "/i/_search", errDial, "a b"},
		{"search, reset", "POST", "/i/_search", errReset, "a b"},
		{"search, cut off", "POST", "/i/_search", io.ErrUnexpectedEOF, "a b"},
		{"search, 502", "POST", "/i/_search", 502, "a b"},
		{"search, 503", "POST", "/i/_search", 503, "a b"},
		{"search, 504", "POST", "/i/_search", 504, "a b"},
		{"get, 503", "GET", "/i/_field_caps", 503, "a b"},
		{"point in time, 503", "POST", "/i/_search/point_in_time", 503, "a b"},
		{"many searches, 503", "POST", "/_msearch", 503, "a b"},
		{"search, 429", "POST", "/i/_search", 429, "a"},
		{"search, 400", "POST", "/i/_search", 400, "a"},
		{"search, 401", "POST", "/i/_search", 401, "a"},
		{"search, 500", "POST", "/i/_search", 500, "a"},
		{"scroll on, reset", "POST", "/_search/scroll", errReset, "a"},
		{"scroll on, 503", "POST", "/_search/scroll", 503, "a"},
		{"scroll on, refused", "POST", "/_search/scroll", errDial, "a b"},
		{"write, refused", "POST", "/_bulk", errDial, "a b"},
		{"write, reset", "POST", "/_bulk", errReset, "a"},
		{"write, 503", "POST", "/_bulk", 503, "a"},
		{"put, 503", "PUT", "/i/_create/1", 503, "a"},
		{"delete, reset", "DELETE", "/i", errReset, "a"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var asked []string
			c := client(t, elastic.Options{URLs: []string{"http://a", "http://b"}, Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
				asked = append(asked, r.URL.Host)
				body, err := io.ReadAll(r.Body)
				if err != nil || string(body) != `{"q":1}` {
					t.Errorf("body %q, %v", body, err)
				}
				if len(asked) > 1 {
					return respond(r, 200, `{}`), nil
				}
				if err, ok := tc.first.(error); ok {
					return nil, err
				}
				return respond(r, tc.first.(int), `{}`), nil
			})})
			err := c.Do(t.Context(), tc.method, tc.path, nil, map[string]int{"q": 1}, nil)
			if got := strings.Join(asked, " "); got != tc.want {
				t.Errorf("asked %s, want %s", got, tc.want)
			}
			if (err == nil) != (tc.want == "a b") {
				t.Error(err)
			}
		})
	}
}

func TestDeadNodesAreSetAside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked []string
		dead := map[string]bool{"b": true}
		var log strings.Builder
		c := client(t, elastic.Options{Name: "siem", URLs: []string{"http://a", "http://b", "http://c"}, Log: textLog(&log), Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			asked = append(asked, r.URL.Host)
			if dead[r.URL.Host] {
				return nil, errDial
			}
			return respond(r, 200, `{}`), nil
		})})
		ask := func(times int, want string) {
			t.Helper()
			asked = nil
			for range times {
				_ = c.Do(t.Context(), "GET", "/", nil, nil, nil)
			}
			if got := strings.Join(asked, ""); got != want {
				t.Errorf("asked %s, want %s", got, want)
			}
		}
		ask(6, "abccaca") // in turn; b once, then its place goes to who is next
		time.Sleep(time.Second)
		ask(3, "bcca") // b's rest is over: it is tried, fails, and rests for two
		time.Sleep(time.Second)
		ask(3, "cac")
		time.Sleep(time.Second)
		dead["b"] = false
		ask(3, "abc")
		dead["a"], dead["b"], dead["c"] = true, true, true
		ask(1, "abc") // nobody answers: each is asked once
		ask(1, "bca") // all rest: still asked, so that work resumes at once
		dead["c"] = false
		ask(2, "cc")
		if n := strings.Count(log.String(), "cluster node set aside"); n != 4 {
			t.Errorf("%d warnings, want one each time a node goes:\n%s", n, log.String())
		}
	})
}

func TestOneNodeIsAlwaysAsked(t *testing.T) {
	asked := 0
	c := client(t, elastic.Options{URLs: []string{"http://a", "http://a/"}, Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		asked++
		return respond(r, 503, `{}`), nil
	})})
	for range 3 {
		if err := c.Do(t.Context(), "GET", "/", nil, nil, nil); !elastic.IsBusy(err) {
			t.Error(err)
		}
	}
	if asked != 3 {
		t.Errorf("asked %d times for 3 requests", asked)
	}
}

func TestRetryAfterIsToldAndNothingHammers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, tc := range []struct {
			header string
			want   time.Duration
		}{
			{"", 0},
			{"7", 7 * time.Second},
			{"-3", 0},
			{"99999999", 24 * time.Hour},
			{"soon", 0},
			{time.Now().Add(90 * time.Second).UTC().Format(http.TimeFormat), 90 * time.Second},
			{time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat), 0},
		} {
			asked := 0
			c := client(t, elastic.Options{URLs: []string{"http://a", "http://b"}, Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
				asked++
				resp := respond(r, 429, `{"error":{"type":"circuit_breaking_exception","reason":"too much"},"status":429}`)
				resp.Header.Set("Retry-After", tc.header)
				return resp, nil
			})})
			_, err := c.Search(t.Context(), elastic.Search{})
			var e *elastic.Error
			if !errors.As(err, &e) || e.RetryAfter != tc.want || !elastic.IsBusy(err) || asked != 1 {
				t.Errorf("%q: %v after %v, asked %d times", tc.header, err, e.RetryAfter, asked)
			}
		}
	})
}

func TestTimeoutIsOfEachRequestAndNotTriedOnAllNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked []string
		c := client(t, elastic.Options{Name: "siem", URLs: []string{"http://a", "http://b"}, Timeout: 7 * time.Second, Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			asked = append(asked, r.URL.Host)
			if r.URL.Host == "b" {
				return respond(r, 200, `{}`), nil
			}
			<-r.Context().Done()
			return nil, r.Context().Err()
		})})
		err := c.Do(t.Context(), "GET", "/i/_count", nil, nil, nil)
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "siem: GET /i/_count at http://a: no answer within 7s") {
			t.Error(err)
		}
		if err := c.Do(t.Context(), "GET", "/i/_count", nil, nil, nil); err != nil {
			t.Error(err)
		}
		if got := strings.Join(asked, " "); got != "a b" {
			t.Errorf("asked %s", got)
		}

		why := errors.New("the house is going down")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(why) })
		c = client(t, elastic.Options{URLs: []string{"http://a"}, Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})})
		if err := c.Do(ctx, "GET", "/", nil, nil, nil); !errors.Is(err, context.Canceled) || !errors.Is(err, why) {
			t.Error(err)
		}
	})
}

func TestBodiesAreCompressedBothWays(t *testing.T) {
	var encoding, accepts string
	var got []byte
	long := strings.Repeat("0123456789", 2000)
	node := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		encoding, accepts = r.Header.Get("Content-Encoding"), r.Header.Get("Accept-Encoding")
		body := io.Reader(r.Body)
		if encoding == "gzip" {
			var err error
			if body, err = gzip.NewReader(body); err != nil {
				t.Error(err)
			}
		}
		got, _ = io.ReadAll(body)
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		fmt.Fprintf(z, `{"text":%q}`, long)
		z.Close()
	}))
	// Through a proxy, for a node of this machine is not asked to compress.
	c := client(t, elastic.Options{URLs: []string{"http://es.example:9200"}, ProxyURL: node})
	for _, tc := range []struct {
		body     any
		want     string
		encoding string
	}{
		{nil, "", ""},
		{[]byte(`{"a":"<b>"}`), `{"a":"<b>"}`, ""},
		{strings.NewReader(`{"a":1}`), `{"a":1}`, ""},
		{map[string]string{"a": "<b>&"}, `{"a":"<b>&"}`, ""},
		{map[string]string{"a": long}, `{"a":"` + long + `"}`, "gzip"},
	} {
		var answer struct{ Text string }
		if err := c.Do(t.Context(), "POST", "/i/_search", nil, tc.body, &answer); err != nil {
			t.Fatal(err)
		}
		if string(got) != tc.want || encoding != tc.encoding || accepts != "gzip" || answer.Text != long {
			t.Errorf("%.40s (%s, accepts %s), answered %.40s", got, encoding, accepts, answer.Text)
		}
	}
}

func TestRealNodesReadCompressedBodies(t *testing.T) {
	onEach(t, func(t *testing.T, c *elastic.Client, name string) {
		create(t, c, name, 1)
		fill(t, c, name, 0, 2000) // far over the limit for compression
		values := make([]string, 3000)
		for i := range values {
			values[i] = hex.EncodeToString([]byte(rand.Text()))
		}
		r, err := c.Search(t.Context(), elastic.Search{Indices: []string{name}, Body: map[string]any{
			"size": 1000, "track_total_hits": true,
			"query": map[string]any{"bool": map[string]any{"must_not": map[string]any{"terms": map[string]any{"user": values}}}},
		}})
		if err != nil || r.Total != 2000 || len(r.Hits) != 1000 {
			t.Errorf("%+v, %v", r, err)
		}
	})
}

func TestRequestsTellWhatTheyAre(t *testing.T) {
	var h http.Header
	c := client(t, elastic.Options{URLs: []string{serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h = r.Header; fmt.Fprint(w, `{}`) }))}})
	if err := c.Do(t.Context(), "POST", "/i/_search", nil, map[string]any{}, nil); err != nil {
		t.Fatal(err)
	}
	if h.Get("User-Agent") != "tocsin" || h.Get("Content-Type") != "application/json" {
		t.Error(h)
	}
	if _, there := h["X-Idempotency-Key"]; there {
		t.Error("our word to net/http is on the wire")
	}
}

func TestConnectionsAreUsedAgain(t *testing.T) {
	var opened atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/error":
			w.WriteHeader(400)
		case "/html":
			w.Header().Set("Content-Type", "text/html")
		}
		fmt.Fprint(w, strings.Repeat(" ", 5000)+`{}`)
	}))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			opened.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	c := client(t, elastic.Options{URLs: []string{server.URL}})
	for range 5 {
		for _, path := range []string{"/", "/error", "/html"} {
			var raw []byte
			_ = c.Do(t.Context(), "GET", path, nil, nil, &raw)
			_ = c.Do(t.Context(), "GET", path, nil, nil, nil)
		}
	}
	if n := opened.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

func TestAnAnswerTooLargeIsAnError(t *testing.T) {
	c := client(t, elastic.Options{URLs: []string{"http://a"}, Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		resp := respond(r, 200, "")
		resp.Body, resp.ContentLength = io.NopCloser(endless{}), -1
		return resp, nil
	})})
	elastic.LimitAnswers(c, 1<<20)
	var raw []byte
	err := c.Do(t.Context(), "GET", "/i/_search", nil, nil, &raw)
	if err == nil || !strings.Contains(err.Error(), "larger than 1 MiB") {
		t.Error(err)
	}
	if err := c.Do(t.Context(), "GET", "/i/_search", nil, nil, nil); err == nil {
		t.Error("an endless answer nobody wants was read to its end")
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestAnswersThatAreNotOfACluster(t *testing.T) {
	for _, tc := range []struct {
		name   string
		answer http.HandlerFunc
		want   string
	}{
		{"a web page", func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, "<html>\n<title>Sign in\x1b[31m</title>")
		}, "the answer is not JSON, is this the address of a cluster? It begins: <html> <title>Sign in [31m</title>"},
		{"nothing", func(http.ResponseWriter, *http.Request) {}, "the answer is not JSON"},
		{"JSON of another shape", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, `["a"]`) }, "read the answer"},
		{"an empty object", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, `{}`) }, "no _shards"},
		{"Kibana", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("kbn-name", "k1")
			w.WriteHeader(404)
			fmt.Fprint(w, `{"statusCode":404,"error":"Not Found","message":"Not Found"}`)
		}, "404 this is Kibana"},
		{"a redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://sso.example/login?next=x", http.StatusFound)
		}, "answered with a redirect to https://sso.example/login: use"},
		{"a proxy's page", func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(400)
			fmt.Fprint(w, "400 The plain HTTP request was sent to HTTPS port")
		}, "400 400 The plain HTTP request was sent to HTTPS port"},
		{"an empty refusal", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(401) }, "401 Unauthorized (try: check api_key"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := client(t, elastic.Options{Name: "siem", URLs: []string{serve(t, tc.answer)}})
			_, err := c.Search(t.Context(), elastic.Search{Indices: []string{"logs-*"}})
			if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.HasPrefix(err.Error(), "siem: POST /logs-*/_search: ") {
				t.Errorf("%v\nwant %s", err, tc.want)
			}
		})
	}
}

func TestIndexPathIsEscaped(t *testing.T) {
	for _, tc := range []struct {
		indices []string
		want    string
	}{
		{nil, "/_search"},
		{[]string{"a", "b-*", "-b-c", "far:logs-*"}, "/a,b-*,-b-c,far:logs-*/_search"},
		{[]string{"<logs-{now/d}>"}, "/%3Clogs-%7Bnow%2Fd%7D%3E/_search"},
		{[]string{"../_bulk?x#y"}, "/..%2F_bulk%3Fx%23y/_search"},
	} {
		if got := elastic.IndexPath(tc.indices, "_search"); got != tc.want {
			t.Errorf("%s, want %s", got, tc.want)
		}
		var asked string
		c := client(t, elastic.Options{URLs: []string{"http://a/base"}, Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			asked = r.URL.RequestURI()
			return respond(r, 200, `{}`), nil
		})})
		if err := c.Do(t.Context(), "GET", elastic.IndexPath(tc.indices, "_search"), url.Values{"a": {"b c"}}, nil, nil); err != nil || asked != "/base"+tc.want+"?a=b+c" {
			t.Errorf("%s, %v", asked, err)
		}
	}
}

func TestProxyIsUsed(t *testing.T) {
	var asked, auth string
	proxy := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked, auth = r.URL.String(), r.Header.Get("Proxy-Authorization")
		fmt.Fprint(w, `{}`)
	}))
	c := client(t, elastic.Options{URLs: []string{"http://es1.invalid:9200"}, ProxyURL: strings.Replace(proxy, "://", "://u:pw@", 1)})
	if err := c.Do(t.Context(), "GET", "/x", nil, nil, nil); err != nil || asked != "http://es1.invalid:9200/x" || auth != "Basic dTpwdw==" {
		t.Errorf("%s %s %v", asked, auth, err)
	}
}

// A search that is no longer wanted must not go on in the cluster. OpenSearch has scripts, so that a
// search can be made to take long.
func TestCancelledSearchEndsInTheCluster(t *testing.T) {
	onEach(t, func(t *testing.T, c *elastic.Client, name string) {
		p, err := c.Product(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if p.Name != "opensearch" {
			t.Log("this node may have no scripts to make a search slow with; OpenSearch stands for both")
			return
		}
		create(t, c, name, 1)
		fill(t, c, name, 0, 3000)
		running := func() int {
			var tasks struct {
				Tasks map[string]struct{ Description string } `json:"tasks"`
			}
			if err := c.Do(t.Context(), "GET", "/_tasks", url.Values{"actions": {"*search*"}, "detailed": {"true"}, "group_by": {"parents"}}, nil, &tasks); err != nil {
				t.Fatal(err)
			}
			n := 0
			for _, task := range tasks.Tasks {
				if strings.Contains(task.Description, name) {
					n++
				}
			}
			return n
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() {
			_, err := c.Search(ctx, elastic.Search{Indices: []string{name}, Body: json.RawMessage(`{"query":{"bool":{"filter":{"script":{"script":{
				"source":"long x=0; for (int i=0;i<900000;i++) { x+=i%7 } return x==doc['n'].value"}}}}}}`)})
			ended <- err
		}()
		for running() == 0 {
			select {
			case err := <-ended:
				t.Fatal("the search was too fast to be seen: ", err)
			case <-time.After(20 * time.Millisecond):
			}
		}
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		for deadline := time.Now().Add(time.Minute); running() > 0; time.Sleep(50 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("the cluster goes on searching")
			}
		}
	})
}
