package main

import "testing"

func TestTheHeapIsCollectedAtItsLeastOrAtTwiceOfWhatIsAlive(t *testing.T) {
	for live, want := range map[uint64]int{0: 700, 1: 700, heapLeast / 8: 700, heapLeast / 4: 300, heapLeast / 2: 100, heapLeast: 100, 100 * heapLeast: 100} {
		if got := percentFor(live); got != want {
			t.Errorf("of %d alive: %d, want %d", live, got, want)
		}
	}
}
