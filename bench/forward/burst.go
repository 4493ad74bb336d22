package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strconv"
	"strings"
	"syscall"
	"time"

	"tocsin/internal/alert"
	"tocsin/internal/app"
	"tocsin/internal/config"
	"tocsin/internal/demo"
	"tocsin/internal/intake"
	"tocsin/internal/kibana"
	"tocsin/internal/ledger"
	"tocsin/internal/outbox"
	"tocsin/internal/store"
)

// page is how many documents the program reads and commits at once.
const page = 200

// hand holds documents in memory that Go's collector does not see, so that it works as hard as it would
// in a process that reads them from a cluster.
type hand struct {
	bytes []byte
	hits  []hit
}

type hit struct {
	index, id string
	from, to  int
}

func hold(dir string, documents []demo.Detection) (h *hand, err error) {
	file, err := os.Create(filepath.Join(dir, "documents"))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	h = &hand{}
	at := 0
	for _, d := range documents {
		if _, err := file.Write(d.Source); err != nil {
			return nil, err
		}
		h.hits = append(h.hits, hit{index: d.Index, id: d.ID, from: at, to: at + len(d.Source)})
		at += len(d.Source)
	}
	h.bytes, err = syscall.Mmap(int(file.Fd()), 0, at, syscall.PROT_READ, syscall.MAP_PRIVATE|syscall.MAP_POPULATE)
	return h, err
}

// bursted is what one run took.
type bursted struct {
	took  time.Duration // from the first document to the last commit
	cpu   time.Duration
	bytes int64         // handed to the disk
	flush time.Duration // of the one commit that then makes messages of the groups
}

// burst measures how fast documents in hand get into the ledger and the groups of the default route.
func (b *bench) burst(ctx context.Context, n int) error {
	var all []bursted
	for k := range b.runs {
		dir, err := os.MkdirTemp(b.scratch, "burst-")
		if err != nil {
			return err
		}
		documents := waiting(b.seed+uint64(k), n, time.Now())
		if k == 0 {
			fmt.Printf("burst: %s, parsed, judged and committed %d at a time with the default route\n", size(documents), page)
		}
		h, err := hold(dir, documents)
		if err != nil {
			return err
		}
		documents = nil
		runtime.GC()
		took, err := b.storm(ctx, dir, h)
		if err := errors.Join(err, syscall.Munmap(h.bytes)); err != nil {
			return err
		}
		all = append(all, took)
	}
	took := median(all, func(d bursted) time.Duration { return d.took })
	fmt.Printf("  %s (%.0f alerts/s, CPU %s, %d MB written); then all groups made into messages in %s\n\n", took.Round(time.Millisecond), float64(n)/took.Seconds(),
		median(all, func(d bursted) time.Duration { return d.cpu }).Round(time.Millisecond), median(all, func(d bursted) int64 { return d.bytes })/1e6,
		median(all, func(d bursted) time.Duration { return d.flush }).Round(time.Millisecond))
	return nil
}

const defaults = `
data_dir: ./data
sources: [{name: siem, kind: opensearch, urls: ["http://127.0.0.1:9"]}]
detections: [{source: siem}]
slack: {bot_token: xoxb-demo, channel: "#alerts"}
`

// storm takes the documents in through the rooms of the program, put together as it puts them together.
func (b *bench) storm(ctx context.Context, dir string, h *hand) (out bursted, err error) {
	cfg, err := config.Parse(filepath.Join(dir, "tocsin.yaml"), []byte(defaults), os.LookupEnv)
	if err != nil {
		return out, err
	}
	var steps []store.Migration
	for _, room := range [][]store.Migration{outbox.Migrations, ledger.Migrations, intake.Migrations} {
		steps = append(steps, room...)
	}
	db, err := store.Open(ctx, store.Options{Dir: filepath.Join(dir, "data"), Migrations: steps})
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	rules, err := app.Policy(cfg, func(string) bool { return true })
	if err != nil {
		return out, err
	}
	in, err := intake.New(intake.Options{DB: db, Policy: rules, Edits: func(string) bool { return true }, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return out, err
	}
	parser, err := kibana.NewParser(kibana.ParserOptions{Source: "siem/default"})
	if err != nil {
		return out, err
	}
	stop, err := b.profile()
	if err != nil {
		return out, err
	}
	cpu, bytes, began := spent(), written(), time.Now()
	var due time.Time
	for rest := h.hits; len(rest) > 0; {
		batch := alert.Batch{Source: "siem/default", State: []byte(`{}`)}
		part := rest[:min(page, len(rest))]
		rest = rest[len(part):]
		for _, d := range part {
			a, err := parser.Parse(d.index, d.id, h.bytes[d.from:d.to])
			if err != nil {
				return out, err
			}
			batch.Alerts = append(batch.Alerts, a)
		}
		if due, err = in.Commit(ctx, batch); err != nil {
			return out, err
		}
	}
	out.took, out.cpu, out.bytes = time.Since(began), spent()-cpu, written()-bytes
	if err := stop(); err != nil {
		return out, err
	}
	if err := counted(ctx, db, len(h.hits)); err != nil {
		return out, err
	}
	wait := time.Until(due)
	if wait > cfg.Route.GroupWait { // so slow that the groups fell due meanwhile
		return out, nil
	}
	time.Sleep(wait + time.Second) // the groups were opened within one second, by the first batches
	began = time.Now()
	_, err = in.Commit(ctx, alert.Batch{})
	out.flush = time.Since(began)
	return out, err
}

// counted proves that the ledger holds all.
func counted(ctx context.Context, db *store.DB, n int) error {
	return db.View(ctx, func(tx *store.Tx) error {
		counts, err := ledger.Count(tx)
		if err == nil && counts.Seen != n {
			err = fmt.Errorf("%d of %d alerts are in the ledger", counts.Seen, n)
		}
		return errors.Join(err, counts.Check())
	})
}

// spent is the CPU time of this process.
func spent() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		panic(err) // its arguments are constants
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// written is how many bytes this process has made the system write to a disk.
func written() (n int64) {
	text, _ := os.ReadFile("/proc/self/io") // a system without it tells 0
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "write_bytes: "); ok {
			n, _ = strconv.ParseInt(strings.TrimSpace(rest), 10, 64)
		}
	}
	return n
}

// profile begins a CPU profile, where one is asked for, and gives what ends it.
func (b *bench) profile() (stop func() error, err error) {
	if b.pprof == "" {
		return func() error { return nil }, nil
	}
	cpu, err := os.Create(filepath.Join(b.pprof, "cpu.pprof"))
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(cpu); err != nil {
		return nil, errors.Join(err, cpu.Close())
	}
	return func() error {
		pprof.StopCPUProfile()
		heap, err := os.Create(filepath.Join(b.pprof, "heap.pprof"))
		if err != nil {
			return errors.Join(err, cpu.Close())
		}
		return errors.Join(pprof.WriteHeapProfile(heap), heap.Close(), cpu.Close())
	}, nil
}
