package rule

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // a rule reads the same on a machine without time zones
)

var weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

var months = []string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}

func (d *decoder) schedule(n *node, r *Rule) {
	v := n.get("schedule")
	if v == nil || v.wrong {
		return
	}
	zone := time.UTC
	if name := d.text(v, "time_zone"); name != "" {
		var err error
		if zone, err = time.LoadLocation(name); err != nil || name == "Local" {
			d.problem(v.get("time_zone").place, "schedule.time_zone "+quoted(name)+" is not a time zone: write a name such as UTC or Europe/Berlin")
			zone = time.UTC
		}
	}
	r.Schedule.Runs = d.hours(v.get("runs"), "schedule.runs", zone)
	r.Schedule.Speaks = d.hours(v.get("speaks"), "schedule.speaks", zone)
}

// hours reads one text or several, of which any may contain a moment.
func (d *decoder) hours(v *node, path string, zone *time.Location) *Hours {
	if v == nil || v.wrong {
		return nil
	}
	items := []*node{v}
	if v.kind == isList {
		if items = v.items; len(items) == 0 {
			d.problem(v.place, path+" is empty, which is never: write hours, or enabled: false")
			return nil
		}
	}
	h := &Hours{zone: zone}
	for _, item := range items {
		if item.wrong {
			continue
		}
		covers, err := parseHours(item.text)
		if err != nil {
			d.problem(item.place, path+" "+quoted(item.text)+" "+err.Error())
			continue
		}
		h.texts, h.covers = append(h.texts, item.text), append(h.covers, covers)
	}
	return h
}

// parseHours reads "mon-fri 08:00-18:00", days or hours alone, or a cron expression. The error's text goes
// on after the quoted text.
func parseHours(written string) (func(time.Time) bool, error) {
	words := strings.Fields(strings.ToLower(written))
	if len(words) == 5 {
		return parseCron(words)
	}
	wrong := errors.New(`is neither hours nor a cron expression: write days and hours such as "mon-fri 08:00-18:00", or five fields such as "* 8-17 * * mon-fri"`)
	if len(words) == 0 || len(words) > 2 {
		return nil, wrong
	}
	days, from, to := uint64(1<<7-1), 0, 24*60
	var err error
	clock := words[len(words)-1]
	if strings.Contains(clock, ":") {
		if from, to, err = parseClock(clock); err != nil {
			return nil, err
		}
		words = words[:len(words)-1]
	}
	switch len(words) {
	case 2:
		return nil, wrong
	case 1:
		if days, err = parseSet(words[0], 0, 7, weekdays); err != nil {
			return nil, fmt.Errorf("%w; days are mon to sun", err)
		}
		days |= days >> 7 // 7 is Sunday too
	}
	return func(t time.Time) bool {
		minute, day := t.Hour()*60+t.Minute(), int(t.Weekday())
		if from < to {
			return minute >= from && minute < to && days&(1<<day) != 0
		}
		// Over midnight: the hours belong to the day they begin on.
		return minute >= from && days&(1<<day) != 0 || minute < to && days&(1<<((day+6)%7)) != 0
	}, nil
}

func parseClock(written string) (from, to int, err error) {
	first, second, ok := strings.Cut(written, "-")
	from, okFrom := parseMinute(first)
	to, okTo := parseMinute(second)
	if !ok || !okFrom || !okTo || from == 24*60 {
		return 0, 0, errors.New("has no hours such as 08:00-18:00")
	}
	if from == to {
		return 0, 0, errors.New("begins and ends at the same minute: write 00:00-24:00 for the whole day")
	}
	return from, to, nil
}

func parseMinute(written string) (int, bool) {
	hour, minute, ok := strings.Cut(written, ":")
	h, err1 := strconv.ParseUint(hour, 10, 8)
	m, err2 := strconv.ParseUint(minute, 10, 8)
	if !ok || err1 != nil || err2 != nil || len(hour) > 2 || len(minute) != 2 || m > 59 || h*60+m > 24*60 {
		return 0, false
	}
	return int(h*60 + m), true
}

// parseCron reads minute, hour, day of the month, month and day of the week. As in cron, where both days
// are limited either is enough.
func parseCron(fields []string) (func(time.Time) bool, error) {
	var (
		sets  [5]uint64
		named = [5]string{"minutes", "hours", "days of the month", "months", "days of the week"}
		least = [5]int{0, 0, 1, 1, 0}
		most  = [5]int{59, 23, 31, 12, 7}
		names = [5][]string{3: months, 4: weekdays}
	)
	for i, field := range fields {
		var err error
		if sets[i], err = parseSet(field, least[i], most[i], names[i]); err != nil {
			return nil, fmt.Errorf("%w; %s are from %d to %d", err, named[i], least[i], most[i])
		}
	}
	sets[4] |= sets[4] >> 7 // 7 is Sunday too
	anyDay := strings.HasPrefix(fields[2], "*") || strings.HasPrefix(fields[4], "*")
	day := func(t time.Time) bool {
		inMonth, inWeek := sets[2]&(1<<t.Day()) != 0, sets[4]&(1<<int(t.Weekday())) != 0
		return sets[3]&(1<<int(t.Month())) != 0 && (anyDay && inMonth && inWeek || !anyDay && (inMonth || inWeek))
	}
	const longest = 40 * 366 // days: after those a day of the month falls on a day of the week again
	found := false
	for t, i := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), 0; i < longest && !found; t, i = t.AddDate(0, 0, 1), i+1 {
		found = day(t)
	}
	if !found {
		return nil, errors.New("is never: no such day exists")
	}
	return func(t time.Time) bool {
		return sets[0]&(1<<t.Minute()) != 0 && sets[1]&(1<<t.Hour()) != 0 && day(t)
	}, nil
}

// parseSet reads numbers or names, ranges and steps: *, 5, 8-17, */15, mon-fri, 1,3.
func parseSet(written string, least, most int, names []string) (uint64, error) {
	var set uint64
	for part := range strings.SplitSeq(written, ",") {
		span, every, stepped := strings.Cut(part, "/")
		step := 1
		if stepped {
			n, err := strconv.ParseUint(every, 10, 8)
			if err != nil || n == 0 {
				return 0, fmt.Errorf("has the step %q, which is no number from 1", every)
			}
			step = int(n)
		}
		from, to := least, most
		if span != "*" {
			first, second, ranged := strings.Cut(span, "-")
			var ok1, ok2 bool
			from, ok1 = parseOne(first, least, most, names)
			to, ok2 = from, true
			if ranged {
				to, ok2 = parseOne(second, least, most, names)
			} else if stepped {
				to = most
			}
			if !ok1 || !ok2 {
				return 0, fmt.Errorf("has %q, which cannot be read", part)
			}
			if to < from && names == nil {
				return 0, fmt.Errorf("has the range %q, which ends before it begins", span)
			}
		}
		if to < from { // fri-mon
			for i := from; i <= most; i += step {
				set |= 1 << i
			}
			from = least
		}
		for i := from; i <= to; i += step {
			set |= 1 << i
		}
	}
	return set, nil
}

func parseOne(written string, least, most int, names []string) (int, bool) {
	if i := slices.IndexFunc(names, func(name string) bool { return strings.HasPrefix(written, name) }); i >= 0 && slices.Contains(longNames[names[i]], written) {
		return i + least, true
	}
	n, err := strconv.ParseUint(written, 10, 8)
	return int(n), err == nil && int(n) >= least && int(n) <= most
}

// longNames are the ways to write a day or month, by its short name.
var longNames = func() map[string][]string {
	out := map[string][]string{}
	for _, name := range weekdays {
		out[name] = []string{name}
	}
	for _, name := range months {
		out[name] = []string{name}
	}
	for day := time.Sunday; day <= time.Saturday; day++ {
		out[weekdays[day]] = append(out[weekdays[day]], strings.ToLower(day.String()))
	}
	for month := time.January; month <= time.December; month++ {
		out[months[month-1]] = append(out[months[month-1]], strings.ToLower(month.String()))
	}
	return out
}()
