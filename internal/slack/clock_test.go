package slack

import (
	"testing"
	"testing/synctest"
	"time"

	"tocsin/internal/demo"
)

func TestTheClockIsSlacks(t *testing.T) {
	years := 10 * 365 * 24 * time.Hour
	_, s := standIn(t, demo.SlackOptions{Now: func() time.Time { return time.Now().Add(years) }})
	if !s.Clock().IsZero() {
		t.Error("it tells a time that nobody told it")
	}
	if _, err := s.Post(t.Context(), samples()[0]); err != nil {
		t.Fatal(err)
	}
	if ahead := s.Clock().Sub(time.Now().Add(years)); ahead > 0 || ahead < -time.Minute {
		t.Errorf("the clock is %s ahead of Slack's", ahead)
	}
}

func TestTheClockGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c clock
		noon := time.Date(2026, 3, 25, 12, 0, 0, 0, time.UTC)
		at := func(want time.Time) {
			t.Helper()
			if got := c.now(); !got.Equal(want) {
				t.Errorf("got %s, want %s", got, want)
			}
		}
		c.hear(noon.Add(400 * time.Millisecond)) // a ts
		time.Sleep(3 * time.Second)
		at(noon.Add(3400 * time.Millisecond))
		c.hear(noon.Add(3 * time.Second)) // a Date, cut to the second: no news
		at(noon.Add(3400 * time.Millisecond))
		c.hear(noon.Add(5 * time.Second)) // ours was slow
		at(noon.Add(5 * time.Second))
		c.hear(noon.Add(-time.Hour)) // Slack's clock was set
		at(noon.Add(-time.Hour))
		c.hear(time.Time{})
		at(noon.Add(-time.Hour))
	})
}

func TestTimesOfMessages(t *testing.T) {
	for ts, want := range map[string]time.Time{
		"1774425600.000100": time.Date(2026, 3, 25, 8, 0, 0, 100_000, time.UTC),
		"1774425600":        time.Date(2026, 3, 25, 8, 0, 0, 0, time.UTC),
		"1774425600.5":      time.Date(2026, 3, 25, 8, 0, 0, 500_000_000, time.UTC),
		"":                  {}, "x.1": {}, "1.x": {}, "1.1234567": {},
	} {
		if got := parseTS(ts); !got.Equal(want) {
			t.Errorf("%s is %s, want %s", ts, got, want)
		}
	}
	if got := formatTS(time.Date(2026, 3, 25, 8, 0, 0, 100_999, time.UTC)); got != "1774425600.000100" {
		t.Errorf("got %s", got)
	}
}
