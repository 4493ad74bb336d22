package policy_test

import (
	"testing"
	"time"
	_ "time/tzdata" // the tests ask for zones that a machine may lack

	"pgregory.net/rapid"

	"tocsin/internal/alert"
	"tocsin/internal/policy"
)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	l, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestACalendarHolds(t *testing.T) {
	berlin := zone(t, "Europe/Berlin")
	for _, tc := range []struct {
		name string
		span policy.Span
		at   string
		want bool
	}{
		{"always", policy.Span{}, "2026-11-24T03:00:00Z", true},
		{"the first minute", policy.Span{Times: [][2]int{{360, 420}}}, "2026-11-24T06:00:00Z", true},
		{"the last is not in it", policy.Span{Times: [][2]int{{360, 420}}}, "2026-11-24T07:00:00Z", false},
		{"to the end of the day", policy.Span{Times: [][2]int{{1320, 1440}}}, "2026-11-24T23:59:59Z", true},
		{"in its zone", policy.Span{Times: [][2]int{{360, 420}}, Location: berlin}, "2026-11-24T05:30:00Z", true},
		{"in its zone's summer", policy.Span{Times: [][2]int{{360, 420}}, Location: berlin}, "2026-07-24T04:30:00Z", true},
		{"the zone's weekday", policy.Span{Weekdays: [][2]int{{3, 3}}, Location: berlin}, "2026-11-24T23:30:00Z", true},
		{"weekdays", policy.Span{Weekdays: [][2]int{{1, 5}}}, "2026-11-22T12:00:00Z", false},
		{"a month's last day", policy.Span{DaysOfMonth: [][2]int{{-1, -1}}}, "2028-02-29T12:00:00Z", true},
		{"not its last day", policy.Span{DaysOfMonth: [][2]int{{-1, -1}}}, "2028-02-28T12:00:00Z", false},
		{"from the 25th to the end", policy.Span{DaysOfMonth: [][2]int{{25, -1}}}, "2026-11-30T12:00:00Z", true},
		{"months", policy.Span{Months: [][2]int{{12, 12}}}, "2026-11-30T12:00:00Z", false},
		{"years", policy.Span{Years: [][2]int{{2025, 2026}}}, "2026-11-30T12:00:00Z", true},
		{"all kinds together", policy.Span{Years: [][2]int{{2026, 2026}}, Weekdays: [][2]int{{0, 0}}}, "2026-11-30T12:00:00Z", false},
	} {
		at, err := time.Parse(time.RFC3339, tc.at)
		if err != nil {
			t.Fatal(err)
		}
		c := policy.Calendar{Name: "c", Spans: []policy.Span{tc.span}}
		if got := c.Contains(at); got != tc.want {
			t.Errorf("%s: %v at %s", tc.name, got, tc.at)
		}
	}
}

// Through any quiet hours, a group that waits is due at the first minute in which its route speaks, also over
// a change to summer time.
func TestWhatWaitsInQuietHoursIsDueAtTheirEnd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		location := rapid.SampledFrom([]*time.Location{
			time.UTC, zone2(t, "Europe/Berlin"), zone2(t, "America/New_York"), zone2(t, "Asia/Kathmandu"),
			zone2(t, "Australia/Lord_Howe"), zone2(t, "Pacific/Chatham"), zone2(t, "Africa/Casablanca"), zone2(t, "America/Sao_Paulo"),
		}).Draw(t, "zone")
		spans := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) policy.Span {
			s := policy.Span{Location: location}
			a, b := rapid.IntRange(0, 1440).Draw(t, "start"), rapid.IntRange(0, 1440).Draw(t, "end")
			if a != b {
				s.Times = [][2]int{{min(a, b), max(a, b)}}
			}
			if rapid.Bool().Draw(t, "weekdays") {
				s.Weekdays = [][2]int{{rapid.IntRange(0, 3).Draw(t, "first"), rapid.IntRange(3, 6).Draw(t, "last")}}
			}
			return s
		}), 1, 3).Draw(t, "spans")
		quiet := &policy.Calendar{Name: "night", Spans: spans}
		root := policy.Route{Path: "route", Channel: "#a", Interval: time.Minute, Mute: []*policy.Calendar{quiet}}
		p, err := policy.New(policy.Options{Root: root, Edits: everywhere})
		if err != nil {
			t.Fatal(err)
		}
		now := rapid.SampledFrom([]time.Time{
			time.Date(2026, 3, 28, 12, 0, 0, 0, time.UTC), time.Date(2026, 10, 24, 12, 0, 0, 0, time.UTC), time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC),
			time.Date(2026, 4, 4, 6, 0, 0, 0, time.UTC), time.Date(2026, 10, 3, 6, 0, 0, 0, time.UTC), time.Date(2026, 12, 31, 6, 0, 0, 0, time.UTC), time.Date(2028, 2, 28, 6, 0, 0, 0, time.UTC),
		}).Draw(t, "now").Add(time.Duration(rapid.IntRange(0, 48*60).Draw(t, "minutes")) * time.Minute)
		v, err := p.Judge(now, &alert.Alert{ID: "1"})
		if err != nil {
			t.Fatal(err)
		}
		g := p.Enter(now, nil, v, alert.SeverityLow)
		for minute := now; minute.Before(now.Add(50 * time.Hour)); minute = minute.Add(time.Minute) {
			if g.Due.After(minute) {
				if !quiet.Contains(minute) {
					t.Fatalf("at %s it could speak, and is due at %s", minute, g.Due)
				}
				continue
			}
			act := p.Step(minute, g, policy.Traffic{}, 0)
			switch {
			case quiet.Contains(minute) && act != policy.ActWait:
				t.Fatalf("it does %s at %s, in quiet hours", act, minute)
			case !quiet.Contains(minute) && act == policy.ActWait:
				t.Fatalf("it waits at %s, after quiet hours", minute)
			case act != policy.ActWait:
				return
			}
		}
	})
}

func zone2(t *rapid.T, name string) *time.Location {
	l, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return l
}
