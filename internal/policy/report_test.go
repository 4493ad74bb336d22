package policy_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"tocsin/internal/notice"
	"tocsin/internal/policy"
)

func TestAReportIsDue(t *testing.T) {
	berlin := zone(t, "Europe/Berlin")
	for _, tc := range []struct {
		name        string
		report      policy.Report
		after, want string
	}{
		{"hourly", policy.Report{Every: notice.Hourly, At: 15}, "2026-11-24T06:14:59Z", "2026-11-24T06:15:00Z"},
		{"hourly, at the minute", policy.Report{Every: notice.Hourly, At: 15}, "2026-11-24T06:15:00Z", "2026-11-24T07:15:00Z"},
		{"daily", policy.Report{Every: notice.Daily, At: 480}, "2026-11-24T08:00:00Z", "2026-11-25T08:00:00Z"},
		{"daily in a zone", policy.Report{Every: notice.Daily, At: 480, Location: berlin}, "2026-11-24T06:00:00Z", "2026-11-24T07:00:00Z"},
		{"over the change to summer time", policy.Report{Every: notice.Daily, At: 480, Location: berlin}, "2026-03-28T08:00:00Z", "2026-03-29T06:00:00Z"},
		{"at a time that a day has not", policy.Report{Every: notice.Daily, At: 150, Location: berlin}, "2026-03-28T08:00:00Z", "2026-03-29T01:30:00Z"},
		{"at a time that a day has twice", policy.Report{Every: notice.Daily, At: 150, Location: berlin}, "2026-10-24T08:00:00Z", "2026-10-25T01:30:00Z"},
		{"and after it the next day", policy.Report{Every: notice.Daily, At: 150, Location: berlin}, "2026-10-25T01:30:00Z", "2026-10-26T01:30:00Z"},
		{"weekly over the year's end", policy.Report{Every: notice.Weekly, At: 480, Weekday: time.Monday, Location: berlin}, "2026-12-28T07:00:00Z", "2027-01-04T07:00:00Z"},
		{"weekly, a week of 53", policy.Report{Every: notice.Weekly, At: 480, Weekday: time.Friday, Location: zone(t, "Pacific/Apia")}, "2026-12-31T19:00:00Z", "2027-01-07T19:00:00Z"},
		{"daily over the year's end, west of Greenwich", policy.Report{Every: notice.Daily, At: 1435, Location: zone(t, "America/New_York")}, "2026-12-31T12:00:00Z", "2027-01-01T04:55:00Z"},
		{"hourly, in a zone off by half an hour", policy.Report{Every: notice.Hourly, At: 15, Location: zone(t, "Asia/Kolkata")}, "2026-12-31T18:00:00Z", "2026-12-31T18:45:00Z"},
		{"weekly", policy.Report{Every: notice.Weekly, At: 480, Weekday: time.Monday}, "2026-11-24T08:00:00Z", "2026-11-30T08:00:00Z"},
	} {
		after, err := time.Parse(time.RFC3339, tc.after)
		if err != nil {
			t.Fatal(err)
		}
		if got := tc.report.Next(after).Format(time.RFC3339); got != tc.want {
			t.Errorf("%s: due at %s, want %s", tc.name, got, tc.want)
		}
	}
}

// However often and late it is looked at, also over restarts, the ends of reports are those of the calendar, each once
// and in order, and none later than the first look after it is due.
func TestEveryReportIsSaidOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := policy.Report{
			Name: "r", At: rapid.IntRange(0, 59).Draw(t, "at"), Every: rapid.SampledFrom([]notice.Period{notice.Hourly, notice.Daily, notice.Weekly}).Draw(t, "every"),
			Weekday:  time.Tuesday,
			Location: zone2(t, rapid.SampledFrom([]string{"Europe/Berlin", "Australia/Lord_Howe", "America/New_York", "Asia/Kathmandu"}).Draw(t, "zone")),
		}
		p, err := policy.New(policy.Options{Root: route("route", "#a")})
		if err != nil {
			t.Fatal(err)
		}
		now := rapid.SampledFrom([]time.Time{
			start, time.Date(2026, 12, 30, 6, 0, 0, 0, time.UTC), time.Date(2026, 4, 4, 6, 0, 0, 0, time.UTC), time.Date(2026, 10, 24, 6, 0, 0, 0, time.UTC),
		}).Draw(t, "begin")
		said := now
		for range 60 {
			now = now.Add(time.Duration(rapid.IntRange(1, 60*30).Draw(t, "minutes")) * time.Minute)
			end, due := p.StepReport(now, &r, said, policy.Traffic{})
			if !due.After(now) {
				t.Fatalf("due at %s, which is not after %s", due, now)
			}
			if end.IsZero() {
				if !r.Next(said).After(now) {
					t.Fatalf("nothing is said at %s, and it was due at %s", now, r.Next(said))
				}
				continue
			}
			if !end.After(said) || end.After(now) || !r.Next(end).After(now) {
				t.Fatalf("said up to %s at %s, before up to %s", end, now, said)
			}
			said = end
		}
	})
}
