// Command rules owns the figures of rules that run on a cluster: it drives the program with many of them, and
// ElastAlert2 with some, over one stream of documents, and prints when runs began, how long it took from a document
// to its message, and what each of them took. It changes nothing in the program and measures nothing inside of it
// beyond what the program tells at /metrics.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"tocsin/bench/cluster"
	"tocsin/bench/process"
)

// bench is what all measurements share.
type bench struct {
	cluster cluster.Cluster
	binary  string // the program
	peer    string // the directory of ElastAlert2's scripts
	scratch string // a directory that is removed at the end
	seed    uint64
	during  time.Duration
	warm    time.Duration
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "rules:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) (err error) {
	var (
		b         bench
		url       = flag.String("opensearch", os.Getenv("TOCSIN_TEST_OPENSEARCH"), "address of an OpenSearch or Elasticsearch to put documents into (TOCSIN_TEST_OPENSEARCH)")
		only      = flag.String("only", "many,peer,delay", "which measurements to make, by name")
		count     = flag.Int("rules", 2000, "rules of the program, every minute")
		peers     = flag.Int("peer-rules", 200, "rules of ElastAlert2, every minute")
		threads   = flag.Int("peer-threads", 200, "threads of ElastAlert2; it has 10 unless told otherwise")
		documents = flag.Int("documents", 100_000, "documents, of which those of the measured time come while it runs")
		posts     = flag.Int("posts", 40, "documents of the delay")
	)
	flag.DurationVar(&b.during, "during", 3*time.Minute, "how long to measure")
	flag.DurationVar(&b.warm, "warm", 70*time.Second, "how long to wait before: every rule has run then")
	flag.Uint64Var(&b.seed, "seed", 1, "of the documents")
	flag.StringVar(&b.binary, "tocsin", "", "the program; empty builds it")
	flag.StringVar(&b.peer, "elastalert", "bench/elastalert", "the directory of ElastAlert2's scripts")
	flag.Parse()
	if *url == "" {
		return errors.New("no cluster: name one with -opensearch or TOCSIN_TEST_OPENSEARCH")
	}
	b.cluster = cluster.Cluster{URL: strings.TrimRight(*url, "/")}
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
	fmt.Printf("%s, %d cores, %s, seed %d\n", runtime.Version(), runtime.NumCPU(), time.Now().UTC().Format(time.DateOnly), b.seed)
	for name := range strings.SplitSeq(*only, ",") {
		index := "bench-rules-" + strings.ToLower(rand.Text()[:10])
		s, err := b.open(ctx, index)
		if err != nil {
			return err
		}
		fmt.Printf("load average before: %s\n", process.Load())
		switch name {
		case "many":
			err = b.many(ctx, s, *count, *documents)
		case "peer":
			err = b.elastAlert(ctx, s, *peers, *threads, *documents)
		case "delay":
			err = b.delay(ctx, s, *posts)
		default:
			err = fmt.Errorf("-only: there is no %q", name)
		}
		fmt.Printf("load average after: %s\n\n", process.Load())
		if err = errors.Join(err, s.close()); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}
