// Command engine owns the figures of the embedded log store: how fast it takes events in over _bulk, what
// they take on the disk, how long searches take, and how much memory the process that does it has. The
// store runs in a process of its own; nothing is measured inside of it.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "engine:", err)
		os.Exit(1)
	}
}

// bench is one run.
type bench struct {
	address string
	process *os.Process
	dir     string
	last    time.Time // after the newest event
	runs    int
	out     io.Writer
}

func run(ctx context.Context) (err error) {
	var (
		own       = flag.String("serve", "", "used by the program itself: run the store in a directory")
		documents = flag.Int("documents", 1_000_000, "events")
		batch     = flag.Int("batch", 2_000, "events of a bulk request")
		clients   = flag.Int("clients", 2, "bulk requests at once")
		span      = flag.Duration("span", 6*time.Hour, "time the events are spread over; it ends a minute ago")
		runs      = flag.Int("runs", 21, "runs of each search")
		load      = flag.Duration("load", 10*time.Second, "how long 50 searches a second are sent")
		odd       = flag.Int("odd", 0, "one event in so many has two users instead of one; 0 is none")
		seed      = flag.Uint64("seed", 1, "of the events")
	)
	flag.Parse()
	if *own != "" {
		return serve(ctx, *own)
	}
	dir, err := os.MkdirTemp("", "tocsin-engine-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	b := &bench{dir: dir, runs: *runs, out: os.Stdout, last: time.Now().UTC().Add(-time.Minute).Truncate(time.Millisecond)}
	fmt.Fprintf(b.out, "%s, %d cores, %d events over %s\n", runtime.Version(), runtime.NumCPU(), *documents, *span)
	stop, err := b.start(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	e := newEvents(*seed, *documents, b.last.Add(-*span), *span)
	e.odd = *odd
	size, err := b.ingest(ctx, e, *batch, *clients)
	if err != nil {
		return err
	}
	if err := b.searches(ctx); err != nil {
		return err
	}
	if err := b.load(ctx, *load); err != nil {
		return err
	}
	if err := b.memory("resident memory at most"); err != nil {
		return err
	}
	return b.disk(ctx, size)
}

// start starts the store's process.
func (b *bench) start(ctx context.Context) (stop func() error, err error) {
	binary, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, binary, "-serve", filepath.Join(b.dir, "store"))
	cmd.Stderr = os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start the store: %w", err), cmd.Wait())
	}
	b.address, b.process = "http://"+strings.TrimSpace(address), cmd.Process
	return func() error {
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			return err
		}
		return cmd.Wait()
	}, nil
}

// ingest sends the events and waits until searches find them. It answers how many bytes of JSON they are.
func (b *bench) ingest(ctx context.Context, e *events, batch, clients int) (size int64, err error) {
	type request struct{ body *bytes.Buffer }
	requests := make(chan request, 2*clients)
	g, gctx := errgroup.WithContext(ctx)
	var making time.Duration
	g.Go(func() error {
		defer close(requests)
		for e.made < e.total {
			began := time.Now()
			body := &bytes.Buffer{}
			for n := 0; n < batch && e.made < e.total; n++ {
				size += int64(e.next(body))
			}
			making += time.Since(began)
			select {
			case requests <- request{body}:
			case <-gctx.Done():
				return gctx.Err()
			}
		}
		return nil
	})
	began := time.Now()
	for range clients {
		g.Go(func() error {
			for r := range requests {
				if err := b.bulk(gctx, r.body); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return 0, err
	}
	took := time.Since(began)
	fmt.Fprintf(b.out, "ingested %d MB of JSON in %.1f s: %.0f events/s (the making of the events took %.1f s of a core meanwhile)\n",
		size>>20, took.Seconds(), float64(e.total)/took.Seconds(), making.Seconds())
	for {
		f, err := b.search(ctx, "| count", time.Time{}, false)
		if err != nil {
			return 0, err
		}
		if f.Rows == 1 {
			break
		}
	}
	return size, b.memory("resident memory at most, after that")
}

func (b *bench) bulk(ctx context.Context, body *bytes.Buffer) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, b.address+"/logs-bench/_bulk", body)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-ndjson")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK || !bytes.Contains(text[:min(len(text), 60)], []byte(`"errors":false`)) {
		return fmt.Errorf("bulk request: %s: %.300s", res.Status, text)
	}
	return nil
}

func (b *bench) search(ctx context.Context, q string, from time.Time, explain bool) (*found, error) {
	form := url.Values{"q": {q}}
	if !from.IsZero() {
		form.Set("from", from.Format(time.RFC3339Nano))
		form.Set("to", b.last.Format(time.RFC3339Nano))
	}
	if explain {
		form.Set("explain", "1")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, b.address+"/search?"+form.Encode(), nil)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("search %s: %s: %s", q, res.Status, text)
	}
	out := &found{}
	return out, json.Unmarshal(text, out)
}

const brute = "event.action:ssh_login and event.outcome:failure | count by user.name | search count > 10"

// searches measures searches one after the other, each from the request to the answer.
func (b *bench) searches(ctx context.Context) error {
	recent := b.last.Add(-5 * time.Minute)
	for _, s := range []struct {
		name, query string
		from        time.Time
	}{
		{"brute force, last 5 minutes", brute, recent},
		{"brute force, all", brute, time.Time{}},
		{"count by user, all", "| count by user.name", time.Time{}},
		{"sum and dc by host, all", "| stats sum(event.duration), dc(user.name) by host.name", time.Time{}},
		{"failures a minute, all", "event.outcome:failure | count by span(_time, 1m)", time.Time{}},
		{"words of message, last 5 minutes", "message:failed | count by user.name", recent},
		{"words of message, all", "message:failed | count by user.name", time.Time{}},
		{"arrays, last 5 minutes", "event.category:authentication | count by event.category", recent},
		{"sliding 5 minutes, all", "event.action:sudo and event.outcome:failure | count by user.name over 5m | search count > 25", time.Time{}},
		{"newest 100 documents", "event.action:ssh_login | head 100", time.Time{}},
	} {
		runs := b.runs
		var all []time.Duration
		var f *found
		for range runs {
			began := time.Now()
			var err error
			if f, err = b.search(ctx, s.query, s.from, false); err != nil {
				return err
			}
			all = append(all, time.Since(began))
			if len(all) == 3 && all[0] > 2*time.Second {
				break
			}
		}
		explained, err := b.search(ctx, s.query, s.from, true)
		if err != nil {
			return err
		}
		how := "documents"
		switch {
		case strings.Contains(explained.Plan, "grouped column by column"):
			how = "groups"
		case strings.Contains(explained.Plan, ": columns, "):
			how = "columns"
		}
		fmt.Fprintf(b.out, "%-34s %8s median, %8s p95, %6d rows, reads %s\n", s.name, millis(quantile(all, 0.5)), millis(quantile(all, 0.95)), f.Rows, how)
	}
	return nil
}

// load sends 50 searches a second, whether or not those before were answered.
func (b *bench) load(ctx context.Context, length time.Duration) error {
	if length == 0 {
		return nil
	}
	const rate = 50
	g, ctx := errgroup.WithContext(ctx)
	var mu sync.Mutex
	var all []time.Duration
	began := time.Now()
	cpu, err := b.cpu()
	if err != nil {
		return err
	}
	for i := range int(length.Seconds() * rate) {
		due := began.Add(time.Duration(i) * time.Second / rate)
		select {
		case <-time.After(time.Until(due)):
		case <-ctx.Done():
			return g.Wait()
		}
		g.Go(func() error {
			if _, err := b.search(ctx, brute, b.last.Add(-5*time.Minute), false); err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			all = append(all, time.Since(due))
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	took := time.Since(began)
	after, err := b.cpu()
	if err != nil {
		return err
	}
	fmt.Fprintf(b.out, "50 of the first a second: %.1f/s held over %.0f s, %s median, %s p95, %.0f %% of a core\n",
		float64(len(all))/took.Seconds(), took.Seconds(), millis(quantile(all, 0.5)), millis(quantile(all, 0.95)), 100*(after-cpu).Seconds()/took.Seconds())
	return nil
}

// cpu is the processor time the store's process took.
func (b *bench) cpu() (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", b.process.Pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	ticks := 0
	for _, i := range []int{11, 12} { // utime and stime of proc(5), in hundredths of a second
		n, err := strconv.Atoi(fields[i])
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond, nil
}

// memory tells the most memory the store's process had.
func (b *bench) memory(what string) error {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", b.process.Pid))
	if err != nil {
		return err
	}
	values := map[string]int{}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(line, ":")
		if n, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(value), " kB")); err == nil {
			values[name] = n
		}
	}
	fmt.Fprintf(b.out, "%s: %d MB (%d MB now)\n", what, values["VmHWM"]>>10, values["VmRSS"]>>10)
	return nil
}

// disk tells what the events take, once the log of the last minute has gone.
func (b *bench) disk(ctx context.Context, size int64) error {
	var engine int64
	for deadline := time.Now().Add(2 * time.Minute); ; {
		var log int64
		engine = 0
		err := filepath.WalkDir(filepath.Join(b.dir, "store"), func(path string, d fs.DirEntry, err error) error {
			var info fs.FileInfo
			if err == nil {
				info, err = d.Info()
			}
			switch {
			case errors.Is(err, fs.ErrNotExist): // merged meanwhile
				return nil
			case err != nil:
				return err
			case d.IsDir():
			case strings.HasPrefix(path, filepath.Join(b.dir, "store", "log")+string(filepath.Separator)):
				log += info.Size()
			default:
				engine += info.Size()
			}
			return nil
		})
		if err != nil {
			return err
		}
		if log < engine/50 || time.Now().After(deadline) {
			fmt.Fprintf(b.out, "disk: %d MB, %.1f %% of the JSON (and %d MB of log)\n", engine>>20, 100*float64(engine)/float64(size), log>>20)
			return nil
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func quantile(all []time.Duration, q float64) time.Duration {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

func millis(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000) }
