// Command search owns the figures of searching a cluster: what a search takes beside the same requests
// sent bare, and beside ElastAlert2's frequency rule on the same documents. It changes nothing in the
// program and measures nothing inside of it.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"tocsin/bench/cluster"
	"tocsin/bench/process"
)

// bench is what all measurements share.
type bench struct {
	cluster  *node
	index    string
	binary   string
	elastic  string // the directory of ElastAlert2's scripts
	scratch  string
	runs     int
	from, to time.Time // of the documents, half open
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "search:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) (err error) {
	var (
		b         bench
		url       = flag.String("opensearch", os.Getenv("TOCSIN_TEST_OPENSEARCH"), "address of an OpenSearch or Elasticsearch to put documents into (TOCSIN_TEST_OPENSEARCH)")
		documents = flag.Int("documents", 1_000_000, "documents that are searched")
		peer      = flag.Bool("peer", true, "measure ElastAlert2 too")
		only      = flag.String("only", "bare,frequency", "which measurements to make, by name")
		seed      = flag.Uint64("seed", 1, "of the documents")
		keep      = flag.String("index", "", "an index that an earlier run kept; it is neither filled nor removed")
		kept      = flag.Bool("keep", false, "keep the index, for -index")
	)
	flag.IntVar(&b.runs, "runs", 5, "runs of each search; the median is shown")
	flag.StringVar(&b.binary, "tocsin", "", "the program; empty builds it")
	flag.StringVar(&b.elastic, "elastalert", "bench/elastalert", "the directory of ElastAlert2's scripts")
	flag.Parse()
	if *url == "" {
		return errors.New("no cluster: name one with -opensearch or TOCSIN_TEST_OPENSEARCH")
	}
	if b.scratch, err = os.MkdirTemp("", "tocsin-bench-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.scratch)) }()
	if b.binary == "" {
		b.binary = filepath.Join(b.scratch, "tocsin")
		if err := process.Build(ctx, b.binary); err != nil {
			return err
		}
	}
	b.cluster = &node{cluster.Cluster{URL: strings.TrimRight(*url, "/")}}
	b.from, b.to = first, first.Add(span)
	fmt.Printf("%s, %d cores, %s, seed %d, %d runs, %d documents\n\n", runtime.Version(), runtime.NumCPU(),
		time.Now().UTC().Format(time.DateOnly), *seed, b.runs, *documents)
	if b.index = *keep; b.index == "" {
		if b.index, err = b.cluster.fill(ctx, *seed, *documents); err != nil {
			return fmt.Errorf("fill the index: %w", err)
		}
		if *kept {
			fmt.Println("kept:", b.index)
		} else {
			defer func() { err = errors.Join(err, b.cluster.drop(b.index)) }()
		}
	}
	for name := range strings.SplitSeq(*only, ",") {
		switch name {
		case "bare":
			err = b.bare(ctx)
		case "frequency":
			err = b.frequency(ctx, *peer)
		default:
			err = fmt.Errorf("-only: there is no measurement %q", name)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// search runs the program once and tells how long it took, start and end included, and what it printed.
func (b *bench) search(ctx context.Context, url, query string, args ...string) (took time.Duration, u process.Usage, printed []string, err error) {
	dir, err := os.MkdirTemp(b.scratch, "search-")
	if err != nil {
		return 0, u, nil, err
	}
	args = append([]string{"search", "--url", url, "--index", b.index, "--format", "ndjson", "--from", b.from.Format(time.RFC3339), "--to", b.to.Format(time.RFC3339)}, args...)
	began := time.Now()
	p, err := process.Start(dir, nil, b.binary, append(args, query)...)
	if err != nil {
		return 0, u, nil, err
	}
	if u, err = p.Wait(ctx); err != nil {
		return 0, u, nil, err
	}
	took = time.Since(began)
	text, err := os.ReadFile(filepath.Join(dir, "output.log"))
	if err != nil {
		return 0, u, nil, err
	}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "{") {
			printed = append(printed, strings.TrimSpace(line))
		}
	}
	return took, u, printed, os.RemoveAll(dir)
}

func median[T cmp.Ordered](all []T) T {
	all = slices.Sorted(slices.Values(all))
	return all[len(all)/2]
}
