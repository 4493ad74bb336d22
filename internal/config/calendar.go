package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // a machine may have no zones of its own

	"tocsin/internal/nearest"
)

// TimeInterval is a named calendar, as Alertmanager's: it holds when one of its spans does.
type TimeInterval struct {
	Name  string
	Spans []Span
}

// Span holds at the times that are in one range of each kind it has; a kind without ranges holds always. Ranges
// include their second number, but those of Times.
type Span struct {
	Times       [][2]int // minutes since midnight, 0 to 1440
	Weekdays    [][2]int // 0 is Sunday
	DaysOfMonth [][2]int // 1 to 31, and -1 to -31 from the month's end
	Months      [][2]int // 1 to 12
	Years       [][2]int
	Location    *time.Location
}

// MaintenanceWindow silences the alerts that match while one of its time intervals holds.
type MaintenanceWindow struct {
	Name          string
	Match         string // KQL on the alert, known to compile; empty matches all
	TimeIntervals []string
}

var (
	weekdayNames = []string{"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"}
	monthNames   = []string{"january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december"}
)

// timeIntervals reads the named calendars.
func (d *decoder) timeIntervals(root *mapping) []TimeInterval {
	items, _ := root.list("time_intervals")
	var out []TimeInterval
	for _, it := range items {
		m := d.mapping(it.node, it.key, it.place)
		v := TimeInterval{Name: d.uniqueName(m, func(name string) bool {
			return slices.ContainsFunc(out, func(o TimeInterval) bool { return o.Name == name })
		})}
		spans, ok := m.list("time_intervals")
		if ok && len(spans) == 0 || !m.has("time_intervals") {
			m.missing("time_intervals: write a list of times, such as [{times: [{start_time: 22:00, end_time: 24:00}]}]")
		}
		for _, s := range spans {
			v.Spans = append(v.Spans, d.span(d.mapping(s.node, s.key, s.place)))
		}
		m.close()
		if v.Name != "" {
			out = append(out, v)
		}
	}
	return out
}

// uniqueName reads the name of a section of a list.
func (d *decoder) uniqueName(m *mapping, taken func(string) bool) string {
	t, ok := m.text("name")
	switch {
	case !ok && !m.has("name"):
		m.missing("name")
	case ok && taken(t.value):
		d.wrong(t, "is the name of another one: names are unique")
	case ok:
		return t.value
	}
	return ""
}

func (d *decoder) span(m *mapping) Span {
	s := Span{Location: time.UTC}
	if t, ok := m.text("location"); ok {
		s.Location = d.location(t)
	}
	items, _ := m.list("times")
	for _, it := range items {
		one := d.mapping(it.node, it.key, it.place)
		from, fromOK := d.clock(one, "start_time")
		to, toOK := d.clock(one, "end_time")
		one.close()
		switch {
		case !fromOK || !toOK:
		case from == to:
			d.problem(one.place, one.key+" begins and ends at the same time: leave times out for the whole day")
		case from > to: // over midnight
			s.Times = append(s.Times, [2]int{from, 24 * 60})
			if to > 0 {
				s.Times = append(s.Times, [2]int{0, to})
			}
		default:
			s.Times = append(s.Times, [2]int{from, to})
		}
	}
	s.Weekdays = d.ranges(m, "weekdays", rangeKind{what: "a weekday, such as monday, or monday:friday", names: weekdayNames, most: 6, wraps: true})
	s.DaysOfMonth = d.ranges(m, "days_of_month", rangeKind{what: "a day of a month from 1 to 31, or from -1 for its last, such as 1:7", least: 1, most: 31, fromEnd: true})
	s.Months = d.ranges(m, "months", rangeKind{what: "a month, such as 12 or january:march", names: monthNames, least: 1, most: 12, wraps: true})
	s.Years = d.ranges(m, "years", rangeKind{what: "a year, such as 2026 or 2026:2028", least: 1970, most: 9999})
	m.close()
	return s
}

// location reads a time zone.
func (d *decoder) location(t text) *time.Location {
	l, err := time.LoadLocation(t.value)
	if err != nil || t.value == "Local" {
		d.wrong(t, "is not a time zone: write its name, such as Europe/Berlin, or UTC")
		return time.UTC
	}
	return l
}

// clock reads a time of day as minutes since midnight; 24:00 is the end of the day.
func (d *decoder) clock(m *mapping, name string) (int, bool) {
	t, ok := m.word(name)
	if !ok {
		if !m.has(name) {
			m.missing(name + ": write a time such as 06:30")
		}
		return 0, false
	}
	hours, minutes, ok := strings.Cut(t.value, ":")
	h, err := strconv.Atoi(hours)
	m60, err2 := strconv.Atoi(minutes)
	if !ok || err != nil || err2 != nil || len(minutes) != 2 || h < 0 || m60 < 0 || m60 > 59 || h*60+m60 > 24*60 || strings.ContainsAny(t.value, "+-") {
		d.wrong(t, "is not a time of day: write hours and minutes from 00:00 to 24:00, in quotes, such as \"06:30\"")
		return 0, false
	}
	return h*60 + m60, true
}

// rangeKind is what the values of a list of ranges may be.
type rangeKind struct {
	what        string
	names       []string // of the values from least on
	least, most int
	fromEnd     bool // -1 to -most count from the end
	wraps       bool // a range may go over the end
}

func (d *decoder) ranges(m *mapping, name string, k rangeKind) [][2]int {
	items, _ := m.list(name)
	var out [][2]int
	for _, it := range items {
		t, ok := d.scalar(it.node, it.key, it.place, true, false)
		if !ok {
			continue
		}
		first, last, isRange := strings.Cut(t.value, ":")
		from, ok := k.value(first)
		to, ok2 := from, true
		if isRange {
			to, ok2 = k.value(last)
		}
		switch {
		case !ok || !ok2:
			said := "is not " + k.what
			if near := nearest.Key(first, k.names); !ok && near != "" {
				said += ": did you mean " + near + "?"
			}
			d.wrong(t, said)
		case from > to && k.wraps:
			out = append(out, [2]int{from, k.least + len(k.names) - 1}, [2]int{k.least, to})
		case from > to && (from > 0) == (to > 0):
			d.wrong(t, "ends before it begins: write the smaller one first")
		case from < 0 && to > 0:
			d.wrong(t, "begins at the month's end: write it as two, one from the end and one from the beginning")
		default:
			out = append(out, [2]int{from, to})
		}
	}
	return out
}

func (k rangeKind) value(text string) (int, bool) {
	if i := slices.Index(k.names, strings.ToLower(text)); i >= 0 {
		return i + k.least, true
	}
	n, err := strconv.Atoi(text)
	if err != nil || strings.HasPrefix(text, "+") || len(k.names) == 7 { // weekdays have names only
		return 0, false
	}
	if k.fromEnd && n < 0 {
		return n, -n <= k.most
	}
	return n, k.least <= n && n <= k.most
}

// intervalNames reads a list of names of time intervals.
func (d *decoder) intervalNames(m *mapping, name string, known []TimeInterval) ([]string, bool) {
	texts, ok := m.texts(name)
	var out []string
	for _, t := range texts {
		if !slices.ContainsFunc(known, func(v TimeInterval) bool { return v.Name == t.value }) {
			var names []string
			for _, v := range known {
				names = append(names, v.Name)
			}
			said := "is not one of time_intervals"
			switch near := nearest.Key(t.value, names); {
			case near != "":
				said += fmt.Sprintf(": did you mean %s?", near)
			case names == nil:
				said += ": there are none; write it at the top of the file"
			default:
				said += ": they are " + strings.Join(names, ", ")
			}
			d.wrong(t, said)
			continue
		}
		out = append(out, t.value)
	}
	return out, ok
}

// maintenance reads the maintenance windows.
func (d *decoder) maintenance(root *mapping, known []TimeInterval) []MaintenanceWindow {
	items, _ := root.list("maintenance_windows")
	var out []MaintenanceWindow
	for _, it := range items {
		m := d.mapping(it.node, it.key, it.place)
		v := MaintenanceWindow{Match: m.filter("match"), Name: d.uniqueName(m, func(name string) bool {
			return slices.ContainsFunc(out, func(o MaintenanceWindow) bool { return o.Name == name })
		})}
		var ok bool
		if v.TimeIntervals, ok = d.intervalNames(m, "time_intervals", known); !ok && !m.has("time_intervals") || ok && len(v.TimeIntervals) == 0 {
			m.missing("time_intervals: name those of the top of the file in which alerts are silenced")
		}
		m.close()
		out = append(out, v)
	}
	return out
}

// TimeInterval returns the calendar of that name, or nil.
func (c *Config) TimeInterval(name string) *TimeInterval {
	for i := range c.TimeIntervals {
		if c.TimeIntervals[i].Name == name {
			return &c.TimeIntervals[i]
		}
	}
	return nil
}
