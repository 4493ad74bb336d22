// Command forecast owns the figures of backtests: what one takes over fourteen days, beside the bare
// aggregation of the same documents, on a cluster and on the embedded engine. It changes nothing in the
// program.
package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	mrand "math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/signal"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"syscall"
	"time"

	"tocsin/bench/cluster"
	"tocsin/internal/detect"
	"tocsin/internal/elastic"
	"tocsin/internal/forecast"
	"tocsin/internal/logstore"
	"tocsin/internal/policy"
	"tocsin/internal/query"
	"tocsin/internal/query/files"
	"tocsin/internal/rule"
)

// rules are what is asked, by name. The first is the one that the bar is for.
var rules = []struct{ name, text string }{
	{"count over 5m", "name: SSH brute force\nsource: logs\nevery: 5m\nwindow: 5m\nsame_again_after: 1h\nsearch: 'event.action:ssh_login and event.outcome:failure | count by user.name | search count > 10'\n"},
	{"count over 5m, every 1m", "name: SSH brute force\nsource: logs\nevery: 1m\nwindow: 5m\nsearch: 'event.action:ssh_login and event.outcome:failure | count by user.name | search count > 10'\n"},
	{"each document", "name: One host\nsource: logs\nevery: 5m\nsearch: 'event.action:ssh_login and host.name:web-07 and source.port < 3000'\n"},
}

// bare is the aggregation that a search for such a rule makes at least: the rows of each key.
const bare = "event.action:ssh_login and event.outcome:failure | count by user.name"

type bench struct {
	runs    int
	people  int
	profile string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "forecast:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	var (
		b         bench
		url       = flag.String("opensearch", os.Getenv("TOCSIN_TEST_OPENSEARCH"), "address of an OpenSearch or Elasticsearch to put documents into (TOCSIN_TEST_OPENSEARCH)")
		documents = flag.Int("documents", 1_000_000, "documents that are judged")
		only      = flag.String("only", "cluster,embedded", "which sources to measure")
		seed      = flag.Uint64("seed", 1, "of the documents")
	)
	flag.IntVar(&b.people, "people", 5_000, "people in the documents, each with as many failed logins as the others, bursts aside")
	flag.IntVar(&b.runs, "runs", 5, "runs of each; the median is shown")
	flag.StringVar(&b.profile, "pprof", "", "write a CPU profile of the backtests into this file")
	flag.Parse()
	fmt.Printf("%s, %d cores, %s, seed %d, %d runs, %d documents of %d people over %s\n", runtime.Version(), runtime.NumCPU(),
		time.Now().UTC().Format(time.DateOnly), *seed, b.runs, *documents, b.people, span)
	for name := range strings.SplitSeq(*only, ",") {
		var err error
		switch name {
		case "cluster":
			if *url == "" {
				return errors.New("no cluster: name one with -opensearch or TOCSIN_TEST_OPENSEARCH")
			}
			err = b.cluster(ctx, &cluster.Cluster{URL: strings.TrimRight(*url, "/")}, *seed, *documents)
		case "embedded":
			err = b.embedded(ctx, *seed, *documents)
		default:
			err = fmt.Errorf("-only: there is no source %q", name)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// fill sends all documents, bulk by bulk.
func fill(seed uint64, documents, people int, index string, send func(lines []byte) error) error {
	e := &events{dice: mrand.New(mrand.NewPCG(seed, 9)), total: documents, people: people}
	var lines bytes.Buffer
	for more := true; more; {
		lines.Reset()
		for lines.Len() < 8<<20 {
			if more = e.next(&lines, index); !more {
				break
			}
		}
		if lines.Len() == 0 {
			break
		}
		if err := send(lines.Bytes()); err != nil {
			return fmt.Errorf("send documents: %w", err)
		}
	}
	return nil
}

func (b *bench) cluster(ctx context.Context, c *cluster.Cluster, seed uint64, documents int) (err error) {
	index := "bench-forecast-" + strings.ToLower(rand.Text()[:10])
	err = c.MakeLogs(ctx, index)
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		err = errors.Join(err, c.Ask(ctx, http.MethodDelete, "/"+index, nil, nil))
	}()
	err = fill(seed, documents, b.people, index, func(lines []byte) error {
		var answer struct {
			Errors bool `json:"errors"`
		}
		if err := c.Send(ctx, http.MethodPost, "/_bulk", lines, &answer); err != nil {
			return err
		}
		if answer.Errors {
			return errors.New("documents were refused")
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, path := range []string{"/_refresh", "/_forcemerge?max_num_segments=5"} {
		if err := c.Ask(ctx, http.MethodPost, "/"+index+path, nil, nil); err != nil {
			return err
		}
	}
	client, err := elastic.New(elastic.Options{Name: "logs", URLs: []string{c.URL}, Timeout: 5 * time.Minute})
	if err != nil {
		return err
	}
	defer client.Close()
	backend := elastic.NewBackend(client, []string{index})
	return b.measure(ctx, "cluster", backend, 0, func() error { return c.Ask(ctx, http.MethodPost, "/"+index+"/_cache/clear", nil, nil) })
}

func (b *bench) embedded(ctx context.Context, seed uint64, documents int) (err error) {
	dir, err := os.MkdirTemp("", "tocsin-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	s, err := logstore.New(ctx, logstore.Options{Dir: dir})
	if err != nil {
		return err
	}
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- s.Run(running) }()
	defer func() {
		stop()
		err = errors.Join(err, <-ended, s.Close())
	}()
	handler := s.Handler()
	err = fill(seed, documents, b.people, "logs", func(lines []byte) error {
		r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/_bulk?refresh=true", bytes.NewReader(lines))
		r.Header.Set("Content-Type", "application/x-ndjson")
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code != http.StatusOK || strings.Contains(w.Body.String()[:min(w.Body.Len(), 200)], `"errors":true`) {
			return fmt.Errorf("HTTP %d: %.300s", w.Code, w.Body)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return b.measure(ctx, "embedded", logstore.NewBackend(s, nil), time.Nanosecond, func() error { return nil })
}

// measure runs the bare aggregation and the backtests in turn.
func (b *bench) measure(ctx context.Context, name string, backend query.Backend, precision time.Duration, forget func() error) error {
	decide, err := policy.New(policy.Options{
		Root:  policy.Route{Path: "route", Channel: "#alerts", GroupBy: []string{"rule.name"}, Wait: 10 * time.Second, Interval: 5 * time.Minute, Rate: policy.Rate{Count: 6, Per: time.Minute}},
		Edits: func(string) bool { return true },
	})
	if err != nil {
		return err
	}
	f, err := forecast.New(forecast.Options{
		Sources: []detect.Source{{Name: "logs", Precision: precision, Open: func(context.Context, []string) (query.Backend, error) { return backend, nil }}},
		Policy:  func(context.Context) (*policy.Policy, error) { return decide, nil },
		Replay: func(documents []string) query.Backend {
			return &files.Backend{Main: files.Input{Path: "-", Reader: strings.NewReader(strings.Join(documents, "\n"))}}
		},
	})
	if err != nil {
		return err
	}
	if b.profile != "" {
		out, err := os.Create(b.profile + "." + name)
		if err != nil {
			return err
		}
		defer out.Close() //nolint:errcheck // a profile that is not whole says so
		if err := pprof.StartCPUProfile(out); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	took := map[string][]time.Duration{}
	said := map[string]*forecast.Backtest{}
	for range b.runs {
		if err := forget(); err != nil {
			return err
		}
		began := time.Now()
		q, err := query.Compile(bare, query.Options{Now: first.Add(span), Earliest: first, Latest: first.Add(span)})
		if err != nil {
			return err
		}
		keys := 0
		_, err = q.Stream(ctx, query.RunOptions{Backend: backend}, query.Sink{Columns: func([]string) error { return nil }, Row: func(*query.Row) error {
			keys++
			return nil
		}})
		if err != nil {
			return err
		}
		took["bare"] = append(took["bare"], time.Since(began))
		for _, r := range rules {
			if err := forget(); err != nil {
				return err
			}
			parsed, err := rule.Parse([]byte(r.text), rule.ParseOptions{ID: "bench"})
			if err != nil {
				return err
			}
			one, err := f.Backtest(ctx, forecast.Ask{Rule: parsed, From: first, To: first.Add(span)})
			if err != nil {
				return err
			}
			took[r.name] = append(took[r.name], one.Took)
			said[r.name] = one
		}
	}
	fmt.Printf("\n%s\n  %-28s %8s\n", name, "bare aggregation", median(took["bare"]).Round(time.Millisecond))
	for _, r := range rules {
		one := said[r.name]
		fmt.Printf("  %-28s %8s, %s beyond the bare aggregation; %d searches; %s\n", r.name, median(took[r.name]).Round(time.Millisecond),
			(median(took[r.name]) - median(took["bare"])).Round(time.Millisecond), one.Searches, one.Sentence)
	}
	return nil
}

func median[T cmp.Ordered](all []T) T {
	all = slices.Sorted(slices.Values(all))
	return all[len(all)/2]
}
