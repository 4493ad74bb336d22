package rule

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestHoursContainWhatTheySay(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	f := func(written, at string, want bool) {
		t.Helper()
		covers, err := parseHours(written)
		if err != nil {
			t.Errorf("%s: %v", written, err)
			return
		}
		moment, err := time.ParseInLocation("2006-01-02 15:04", at, berlin)
		if err != nil {
			t.Fatal(err)
		}
		h := &Hours{zone: berlin, texts: []string{written}, covers: []func(time.Time) bool{covers}}
		if got := h.Contains(moment.UTC()); got != want {
			t.Errorf("%s at %s (%s): %v", written, at, moment.Weekday(), got)
		}
	}
	// 2026-03-02 is a Monday, 2026-03-29 the day on which clocks go forward.
	f("mon-fri 08:00-18:00", "2026-03-02 08:00", true)
	f("mon-fri 08:00-18:00", "2026-03-02 07:59", false)
	f("mon-fri 08:00-18:00", "2026-03-02 18:00", false)
	f("mon-fri 08:00-18:00", "2026-03-07 12:00", false)
	f("Monday-Friday 8:00-18:00", "2026-03-06 17:59", true)
	f("sat,sun", "2026-03-08 23:59", true)
	f("sat,sun", "2026-03-09 00:00", false)
	f("22:00-06:00", "2026-03-02 23:00", true)
	f("22:00-06:00", "2026-03-02 05:59", true)
	f("22:00-06:00", "2026-03-02 06:00", false)
	f("fri 22:00-06:00", "2026-03-07 05:00", true)
	f("fri 22:00-06:00", "2026-03-06 05:00", false)
	f("sun 22:00-06:00", "2026-03-02 01:00", true)
	f("fri-mon", "2026-03-08 12:00", true)
	f("fri-mon", "2026-03-09 12:00", true)
	f("fri-mon", "2026-03-10 12:00", false)
	f("00:00-24:00", "2026-03-10 23:59", true)
	f("* 8-17 * * mon-fri", "2026-03-02 17:59", true)
	f("* 8-17 * * mon-fri", "2026-03-02 18:00", false)
	f("*/15 * * * *", "2026-03-02 18:30", true)
	f("*/15 * * * *", "2026-03-02 18:31", false)
	f("0-10/5 * 1 jan,mar *", "2026-03-01 10:10", true)
	f("* * 1 * mon", "2026-03-02 10:10", true)
	f("* * 1 * mon", "2026-03-01 10:10", true)
	f("* * 1 * mon", "2026-03-03 10:10", false)
	f("* * * * 7", "2026-03-01 10:10", true)
	f("* * * * fri-mon", "2026-03-01 10:10", true)
	f("30 2 * * *", "2026-03-29 03:30", false)
}

func TestHoursThatCannotBeAreRefused(t *testing.T) {
	for _, written := range []string{
		"", "always", "mon-fri 8-18", "08:00", "08:00-08:00", "25:00-26:00", "24:00-01:00", "08:60-09:00", "mon tue 08:00-09:00", "8:0-9:00",
		"* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8", "*/0 * * * *", "5-1 * * * *", "* * 30 feb *", "mo 08:00-09:00", "x-fri",
	} {
		if _, err := parseHours(written); err == nil {
			t.Errorf("%q was read", written)
		}
	}
}

func TestNightAndDayAreTheWholeDay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		clock := func(name string) string {
			return time.Date(2026, 1, 1, rapid.IntRange(0, 23).Draw(t, name+" hour"), rapid.IntRange(0, 59).Draw(t, name+" minute"), 0, 0, time.UTC).Format("15:04")
		}
		from, to := clock("from"), clock("to")
		if from == to {
			return
		}
		one, err := parseHours(from + "-" + to)
		if err != nil {
			t.Fatal(err)
		}
		other, err := parseHours(to + "-" + from)
		if err != nil {
			t.Fatal(err)
		}
		at := time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "at"), 0).UTC()
		if one(at) == other(at) {
			t.Fatalf("%s-%s and the rest of the day are both %v at %s", from, to, one(at), at)
		}
	})
}

func TestARuleMayBeLimitedInTime(t *testing.T) {
	r, err := Parse([]byte("name: a\nsearch: b:c\nschedule: {time_zone: America/New_York, runs: ['mon-fri 09:00-17:00', 'sat 10:00-12:00']}\n"), ParseOptions{})
	if err != nil {
		t.Fatal(err)
	}
	at := func(s string) time.Time {
		moment, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return moment
	}
	runs := r.Schedule.Runs
	if !runs.Contains(at("2026-03-02T14:00:00Z")) || runs.Contains(at("2026-03-02T13:59:00Z")) || !runs.Contains(at("2026-03-07T15:00:00Z")) {
		t.Error("the hours are not those of New York")
	}
	if r.Schedule.Speaks != nil || !r.Schedule.Speaks.Contains(at("2026-03-02T03:00:00Z")) {
		t.Error("without hours it does not speak always")
	}
	if runs.String() != "mon-fri 09:00-17:00, sat 10:00-12:00" || runs.Zone().String() != "America/New_York" {
		t.Errorf("%s in %s", runs, runs.Zone())
	}
}
