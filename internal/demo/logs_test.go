package demo

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var logsBegan = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

func TestLogsAreTheSameHoweverTheyAreAskedFor(t *testing.T) {
	at := func(step time.Duration) (out []LogLine) {
		l := NewLogs(7, logsBegan)
		for now := logsBegan; now.Before(logsBegan.Add(30 * time.Minute)); {
			now = now.Add(step)
			out = append(out, l.Until(now)...)
		}
		return out
	}
	whole, fine := at(30*time.Minute), at(500*time.Millisecond)
	if diff := cmp.Diff(whole, fine); diff != "" {
		t.Error(diff)
	}
	other := NewLogs(8, logsBegan).Until(logsBegan.Add(30 * time.Minute))
	if cmp.Equal(whole, other) {
		t.Error("another seed makes the same lines")
	}
	for i := 1; i < len(whole); i++ {
		if whole[i].At.Before(whole[i-1].At) {
			t.Fatalf("line %d is before the one before it", i)
		}
	}
}

func TestLogsGoOnForDaysAtTheSamePace(t *testing.T) {
	l := NewLogs(3, logsBegan)
	lines, tales := 0, map[string]int{}
	for hour := 1; hour <= 48; hour++ {
		last := ""
		for _, line := range l.Until(logsBegan.Add(time.Duration(hour) * time.Hour)) {
			lines++
			if line.Tale != "" && line.Tale != last {
				tales[line.Tale]++
			}
			if last = line.Tale; last == "" {
				last = "everyday"
			}
		}
		if n := len(l.waiting); n > 100 {
			t.Fatalf("after %d hours %d lines wait", hour, n)
		}
	}
	if perHour := lines / 48; perHour < 1500 || perHour > 6000 {
		t.Errorf("%d lines an hour", perHour)
	}
	for _, one := range allTales {
		if tales[one.name] == 0 {
			t.Errorf("nobody told of %s", one.name)
		}
	}
}
