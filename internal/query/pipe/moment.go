package pipe

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Moment is a point in time as people write it: now, -15m, -1d@d, @w, an ISO 8601 time, or seconds
// since 1970.
type Moment struct {
	fixed time.Time
	steps []step
	snap  string // unit to round down to before the steps after the @, "" for none
	after []step
}

type step struct {
	n    int64
	unit string
}

// ParseMoment reads a Moment.
func ParseMoment(s string) (Moment, error) {
	text := strings.TrimSpace(s)
	lower := strings.ToLower(text)
	if lower == "now" || lower == "now()" {
		return Moment{}, nil
	}
	if t, ok := parseISO(text); ok {
		return Moment{fixed: t}, nil
	}
	if f, err := strconv.ParseFloat(text, 64); err == nil && text[0] != '+' && text[0] != '-' && f >= 0 && f < 9e9 {
		return Moment{fixed: time.Unix(0, int64(f*1e9)).UTC()}, nil
	}
	m := Moment{}
	rest := strings.TrimPrefix(lower, "now")
	if text == "" {
		return m, fmt.Errorf("a time is missing")
	}
	var ok bool
	if m.steps, rest, ok = steps(rest); !ok {
		return m, fmt.Errorf("%q is no time", s)
	}
	if strings.HasPrefix(rest, "@") {
		unit, end := unitAt(rest, 1)
		if unit == "" || unit == "ms" {
			return m, fmt.Errorf("%q is no time: after @ comes one of s m h d w mon q y", s)
		}
		m.snap = unit
		if m.after, rest, ok = steps(rest[end:]); !ok {
			return m, fmt.Errorf("%q is no time", s)
		}
	}
	if rest != "" || m.steps == nil && m.snap == "" {
		return m, fmt.Errorf("%q is no time", s)
	}
	return m, nil
}

func steps(s string) (out []step, rest string, ok bool) {
	for s != "" && (s[0] == '-' || s[0] == '+') {
		i := 1
		for i < len(s) && s[i] >= '0' && s[i] <= '9' {
			i++
		}
		n := int64(1)
		if i > 1 {
			var err error
			if n, err = strconv.ParseInt(s[1:i], 10, 64); err != nil || n > 1e9 {
				return nil, s, false
			}
		}
		unit, end := unitAt(s, i)
		if unit == "" {
			return nil, s, false
		}
		if s[0] == '-' {
			n = -n
		}
		out = append(out, step{n, unit})
		s = s[end:]
	}
	return out, s, true
}

// unitAt reads the unit of time that begins at i.
func unitAt(s string, i int) (unit string, end int) {
	end = i
	for end < len(s) && s[end] >= 'a' && s[end] <= 'z' {
		end++
	}
	return units[s[i:end]], end
}

// At is the moment for someone to whom it is now.
func (m Moment) At(now time.Time) time.Time {
	if !m.fixed.IsZero() {
		return m.fixed
	}
	t := now.UTC()
	for _, s := range m.steps {
		t = s.add(t)
	}
	if m.snap != "" {
		t = Floor(t, m.snap)
	}
	for _, s := range m.after {
		t = s.add(t)
	}
	return t
}

func (s step) add(t time.Time) time.Time {
	switch s.unit {
	case "mon":
		return addMonths(t, int(s.n))
	case "q":
		return addMonths(t, int(s.n)*3)
	case "y":
		return addMonths(t, int(s.n)*12)
	}
	return t.Add(time.Duration(min(max(s.n, -maxSteps(s.unit)), maxSteps(s.unit))) * fixedUnits[s.unit])
}

func maxSteps(unit string) int64 { return int64(1<<62) / int64(fixedUnits[unit]) }

// addMonths keeps the day where the month has it, else takes the month's last day.
func addMonths(t time.Time, n int) time.Time {
	y, m, d := t.Date()
	n = min(max(n, -12000), 12000)
	first := time.Date(y, m+time.Month(n), 1, 0, 0, 0, 0, t.Location())
	last := first.AddDate(0, 1, -1).Day()
	return time.Date(first.Year(), first.Month(), min(d, last), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), t.Location())
}

// Floor rounds a time down to the start of its unit, in its own location. Weeks begin on Monday.
func Floor(t time.Time, unit string) time.Time {
	y, m, d := t.Date()
	switch unit {
	case "ms":
		return t.Truncate(time.Millisecond)
	case "s":
		return t.Truncate(time.Second)
	case "m":
		return t.Truncate(time.Minute)
	case "h":
		return time.Date(y, m, d, t.Hour(), 0, 0, 0, t.Location())
	case "d":
		return time.Date(y, m, d, 0, 0, 0, 0, t.Location())
	case "w":
		return time.Date(y, m, d-(int(t.Weekday())+6)%7, 0, 0, 0, 0, t.Location())
	case "mon":
		return time.Date(y, m, 1, 0, 0, 0, 0, t.Location())
	case "q":
		return time.Date(y, (m-1)/3*3+1, 1, 0, 0, 0, 0, t.Location())
	case "y":
		return time.Date(y, 1, 1, 0, 0, 0, 0, t.Location())
	}
	return t
}

// parseISO reads the ISO 8601 forms a query may hold.
func parseISO(s string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02T15:04", "2006-01-02 15:04:05.999999999", "2006-01-02"} {
		if t, err := time.Parse(layout, s); err == nil && t.Year() >= 1678 && t.Year() < 2262 {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}
