// Command forward owns the figures of forwarding: it drives the program and ElastAlert2 with the same
// documents from the same cluster to the same stand-in for Slack, in one run, and prints what each of
// them took and the ratios. It changes nothing in the program and measures nothing inside of it.
package main

import (
	"context"
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
	cluster   *node
	binary    string // the program
	elastic   string // the directory of ElastAlert2's scripts
	scratch   string // a directory that is removed at the end
	documents int
	runs      int
	seed      uint64
	pprof     string // a directory for profiles; "" is none
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "forward:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) (err error) {
	var (
		b     bench
		url   = flag.String("opensearch", os.Getenv("TOCSIN_TEST_OPENSEARCH"), "address of an OpenSearch or Elasticsearch to put documents into (TOCSIN_TEST_OPENSEARCH)")
		only  = flag.String("only", "drain,heavy,burst,latency", "which measurements to make, by name")
		burst = flag.Int("burst", 100_000, "documents of the burst")
		posts = flag.Int("posts", 100, "documents of the latency, for each poll interval")
		polls = flag.String("polls", "1s,5s", "poll intervals to measure the latency at")
		peer  = flag.Bool("peer", true, "measure ElastAlert2 too")
	)
	flag.IntVar(&b.documents, "documents", 10_000, "documents that wait to be drained")
	flag.IntVar(&b.runs, "runs", 3, "runs of each measurement; the median is shown")
	flag.Uint64Var(&b.seed, "seed", 1, "of the documents")
	flag.StringVar(&b.binary, "tocsin", "", "the program; empty builds it")
	flag.StringVar(&b.elastic, "elastalert", "bench/elastalert", "the directory of ElastAlert2's scripts")
	flag.StringVar(&b.pprof, "pprof", "", "directory to write the burst's CPU and heap profiles to")
	flag.Parse()
	wanted := map[string]bool{}
	for name := range strings.SplitSeq(*only, ",") {
		wanted[name] = true
	}
	if b.scratch, err = os.MkdirTemp("", "tocsin-bench-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.scratch)) }()
	fmt.Printf("%s, %d cores, %s, seed %d, %d runs\n\n", runtime.Version(), runtime.NumCPU(), time.Now().UTC().Format(time.DateOnly), b.seed, b.runs)
	if wanted["burst"] {
		if err := b.burst(ctx, *burst); err != nil {
			return fmt.Errorf("burst: %w", err)
		}
	}
	if !wanted["drain"] && !wanted["heavy"] && !wanted["latency"] {
		return nil
	}
	if *url == "" {
		return errors.New("no cluster: name one with -opensearch or TOCSIN_TEST_OPENSEARCH, or choose -only burst")
	}
	b.cluster = &node{cluster.Cluster{URL: strings.TrimRight(*url, "/")}}
	if b.binary == "" {
		b.binary = filepath.Join(b.scratch, "tocsin")
		if err := process.Build(ctx, b.binary); err != nil {
			return err
		}
	}
	if wanted["drain"] {
		if err := b.drain(ctx, *peer); err != nil {
			return fmt.Errorf("drain: %w", err)
		}
	}
	if wanted["heavy"] {
		if err := b.heavy(ctx); err != nil {
			return fmt.Errorf("heavy: %w", err)
		}
	}
	if wanted["latency"] {
		for word := range strings.SplitSeq(*polls, ",") {
			poll, err := time.ParseDuration(word)
			if err != nil {
				return fmt.Errorf("-polls: %w", err)
			}
			if err := b.latency(ctx, poll, *posts); err != nil {
				return fmt.Errorf("latency: %w", err)
			}
		}
	}
	return nil
}
