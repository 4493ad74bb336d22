package policy

import (
	"fmt"
	"slices"
	"time"
)

// Calendar is a named time interval, as Alertmanager's: it holds when one of its spans does.
type Calendar struct {
	Name  string
	Spans []Span
}

// Span holds at the times that are in one range of each kind it has; a kind without ranges holds always.
// Ranges are inclusive, but Times, which end before their second number.
type Span struct {
	Times       [][2]int // minutes since midnight, 0 to 1440
	Weekdays    [][2]int // 0 is Sunday
	DaysOfMonth [][2]int // 1 to 31, and -1 to -31 from the month's end
	Months      [][2]int // 1 to 12
	Years       [][2]int
	Location    *time.Location // nil is UTC
}

// Contains reports whether the calendar holds at now.
func (c *Calendar) Contains(now time.Time) bool {
	return slices.ContainsFunc(c.Spans, func(s Span) bool { return s.contains(now) })
}

func (s *Span) contains(now time.Time) bool {
	if s.Location == nil {
		now = now.UTC()
	} else {
		now = now.In(s.Location)
	}
	minute := now.Hour()*60 + now.Minute()
	if len(s.Times) > 0 && !slices.ContainsFunc(s.Times, func(r [2]int) bool { return r[0] <= minute && minute < r[1] }) {
		return false
	}
	if len(s.DaysOfMonth) > 0 {
		length := time.Date(now.Year(), now.Month()+1, 0, 0, 0, 0, 0, time.UTC).Day()
		if !slices.ContainsFunc(s.DaysOfMonth, func(r [2]int) bool {
			return fromEnd(r[0], length) <= now.Day() && now.Day() <= fromEnd(r[1], length)
		}) {
			return false
		}
	}
	return within(s.Weekdays, int(now.Weekday())) && within(s.Months, int(now.Month())) && within(s.Years, now.Year())
}

func within(ranges [][2]int, v int) bool {
	return len(ranges) == 0 || slices.ContainsFunc(ranges, func(r [2]int) bool { return r[0] <= v && v <= r[1] })
}

// fromEnd is a day of a month that may be counted from its end.
func fromEnd(day, length int) int {
	if day < 0 {
		return length + 1 + day
	}
	return day
}

// lookAhead is how far a change of a calendar is looked for: what changes later is found by looking again.
const lookAhead = 24 * time.Hour

// change is the next time at which still no longer holds, looked for up to a day ahead.
func change(now time.Time, calendars []*Calendar, still func(time.Time) bool) time.Time {
	const grid = 15 * time.Minute
	at := []time.Time{}
	for t := now.Truncate(grid).Add(grid); t.Before(now.Add(lookAhead)); t = t.Add(grid) {
		at = append(at, t)
	}
	for _, c := range calendars {
		for _, s := range c.Spans {
			local := now.UTC()
			if s.Location != nil {
				local = now.In(s.Location)
			}
			for day := range 2 {
				for _, r := range s.Times {
					for _, minute := range r {
						at = append(at, time.Date(local.Year(), local.Month(), local.Day()+day, 0, minute, 0, 0, local.Location()))
					}
				}
			}
		}
	}
	slices.SortFunc(at, time.Time.Compare)
	for _, t := range at {
		if t.After(now) && !still(t) {
			return t.Round(0)
		}
	}
	return now.Add(lookAhead)
}

// quiet says whether a route is quiet at now, by which calendar, and when to look again: its quiet hours are
// where one of mute holds, and where none of active does if it has some.
func (r *Route) quiet(now time.Time) (reason string, until time.Time, quiet bool) {
	reason, quiet = r.quietBy(now)
	if !quiet {
		return "", time.Time{}, false
	}
	return reason, change(now, slices.Concat(r.Mute, r.Active), func(t time.Time) bool {
		_, quiet := r.quietBy(t)
		return quiet
	}), true
}

func (r *Route) quietBy(now time.Time) (string, bool) {
	for _, c := range r.Mute {
		if c.Contains(now) {
			return "quiet hours " + c.Name, true
		}
	}
	if len(r.Active) == 0 || slices.ContainsFunc(r.Active, func(c *Calendar) bool { return c.Contains(now) }) {
		return "", false
	}
	if len(r.Active) == 1 {
		return "outside the active hours " + r.Active[0].Name, true
	}
	return fmt.Sprintf("outside its %d active hours", len(r.Active)), true
}
