package policy

import (
	"strconv"
	"time"

	"tocsin/internal/notice"
	"tocsin/internal/query"
)

// Report is a summary that is said in a channel again and again.
type Report struct {
	Name     string // unique
	Channel  string
	Every    notice.Period
	At       int // minutes since midnight, of hourly ones since the hour
	Weekday  time.Weekday
	Location *time.Location // nil is UTC
	Match    *query.Filter  // which alerts it counts; nil is all
}

// Reported is how a report stands.
type Reported struct {
	Report
	Said time.Time // the end of what it last told of; zero before it began
	Due  time.Time // when it is said next
}

// Next is the first time after another at which the report is due.
func (r *Report) Next(after time.Time) time.Time {
	local := after.UTC()
	if r.Location != nil {
		local = after.In(r.Location)
	}
	if r.Every == notice.Hourly {
		at := time.Date(local.Year(), local.Month(), local.Day(), local.Hour(), 0, 0, 0, local.Location()).Add(time.Duration(r.At) * time.Minute)
		for !at.After(after) {
			at = at.Add(time.Hour)
		}
		return at.UTC()
	}
	for day := 0; ; day++ {
		at := time.Date(local.Year(), local.Month(), local.Day()+day, 0, r.At, 0, 0, local.Location())
		if at.After(after) && (r.Every != notice.Weekly || at.Weekday() == r.Weekday) {
			return at.UTC()
		}
	}
}

// last is the latest time after one and not after now at which the report is due; zero where there is none.
func (r *Report) last(after, now time.Time) (last time.Time) {
	for at := r.Next(after); !at.After(now); at = r.Next(at) {
		last = at
	}
	return last
}

// StepReport decides whether a report is said now. said is the end of what it last told of. It tells of the time from
// then to the end that is given, also where it was due several times meanwhile; zero says nothing. due is when to look
// again.
func (p *Policy) StepReport(now time.Time, r *Report, said time.Time, t Traffic) (end, due time.Time) {
	if said.After(now) { // the clock stepped back
		said = now
	}
	if end = r.last(said, now); end.IsZero() {
		return end, r.Next(now)
	}
	if rate := p.root.Rate; !t.room(now, rate, false) {
		return time.Time{}, t.free(now, rate)
	}
	return end, r.Next(now)
}

// ReportRate is the rate that reports keep to in their channel.
func (p *Policy) ReportRate() Rate { return p.root.Rate }

// ReportKey names the notice of a report up to a time. It is the same for ever.
func ReportKey(r *Report, end time.Time) notice.Key {
	return notice.Key(key("report", r.Name, strconv.FormatInt(end.UnixMicro(), 10)))
}
