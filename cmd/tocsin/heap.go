package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// heapLeast is how large the heap may always become before it is collected. What is alive in it is a few
// MiB, and Go's usual twice of that would be collected thirty times a second while messages are sent.
const heapLeast = 16 << 20

// collections sets, after each collection, when the next one is: at heapLeast, or at twice of what is alive where
// that is more. Whoever sets GOGC decides instead.
type collections struct {
	live    []metrics.Sample
	percent int
}

func rarelyCollect() {
	if os.Getenv("GOGC") != "" {
		return
	}
	c := &collections{live: []metrics.Sample{{Name: "/gc/heap/live:bytes"}}, percent: 100}
	c.adapt()
	runtime.SetFinalizer(c, (*collections).again)
}

// again runs after each collection: nothing refers to c, so each finds it anew.
func (c *collections) again() {
	c.adapt()
	runtime.SetFinalizer(c, (*collections).again)
}

func (c *collections) adapt() {
	metrics.Read(c.live)
	if c.live[0].Value.Kind() != metrics.KindUint64 {
		return
	}
	percent := percentFor(c.live[0].Value.Uint64())
	if d := percent - c.percent; d > c.percent/8 || d < -c.percent/8 { // a change stops the program for a moment
		c.percent = percent
		debug.SetGCPercent(percent)
	}
}

// percentFor is the GOGC with which a heap of which so much is alive is collected when it should be.
func percentFor(live uint64) int {
	live = max(live, heapLeast/8)
	if 2*live >= heapLeast {
		return 100
	}
	return int((heapLeast - live) * 100 / live)
}
