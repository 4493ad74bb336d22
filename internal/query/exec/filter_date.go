package exec

import (
	"strconv"
	"strings"
	"time"

	"tocsin/internal/query/kql"
)

// dateText is a date as a query names one: ISO 8601 down to any part, milliseconds since 1970, or
// Elasticsearch's date math (now-1h/d, 2024-01-01||+1M/d), always in UTC. It names a span of time: the
// day, hour, minute or second it leaves open. As in Elasticsearch a year or month alone is its first day.
type dateText struct {
	ok     bool
	now    bool // counted from now
	anchor dateSpan
	math   []dateStep
}

// dateSpan is a span in nanoseconds since 1970, its end not included. Instants have no end: how long
// they are is the resolution of what they are compared with.
type dateSpan struct {
	start, end int64
	instant    bool
}

// dateStep adds n units or, with n 0, rounds to the unit.
type dateStep struct {
	n    int
	unit byte
}

const (
	earliest = -9_223_372_036 // the seconds that nanoseconds can count
	latest   = 9_223_372_035
)

func newDateText(s string) dateText {
	if len(s) > 64 {
		return dateText{}
	}
	d := dateText{}
	rest := ""
	if r, ok := strings.CutPrefix(s, "now"); ok {
		d.now, rest = true, r
	} else {
		date, math, _ := strings.Cut(s, "||")
		if d.anchor, d.ok = parseDate(date); !d.ok {
			return dateText{}
		}
		rest = math
	}
	d.math, d.ok = parseMath(rest)
	return d
}

func parseMath(s string) ([]dateStep, bool) {
	var steps []dateStep
	for s != "" {
		op := s[0]
		s = s[1:]
		step := dateStep{n: 1}
		if op == '/' {
			step.n = 0
		} else {
			i := 0
			for i < len(s) && s[i] >= '0' && s[i] <= '9' {
				i++
			}
			if i > 0 {
				n, err := strconv.Atoi(s[:i])
				if err != nil || n > 1e9 {
					return nil, false
				}
				step.n = n
			}
			s = s[i:]
			switch {
			case op == '-':
				step.n = -step.n
			case op != '+':
				return nil, false
			}
			if step.n == 0 {
				return nil, false
			}
		}
		if s == "" || strings.IndexByte("yMwdhHms", s[0]) < 0 {
			return nil, false
		}
		step.unit, s = s[0], s[1:]
		steps = append(steps, step)
	}
	return steps, true
}

// span works out the span, with at the resolution in nanoseconds of the field it is compared with.
func (d *dateText) span(now time.Time, resolution int64) (start, end int64, ok bool) {
	if !d.ok {
		return 0, 0, false
	}
	a := d.anchor
	if d.now {
		if s := now.Unix(); s < earliest || s > latest {
			return 0, 0, false
		}
		a = dateSpan{start: now.UnixNano(), instant: true}
	}
	start = floorTo(a.start, resolution)
	end = a.end
	if a.instant {
		end = start + resolution
	}
	if len(d.math) == 0 {
		return start, end, true
	}
	lo, hi := time.Unix(0, start).UTC(), time.Unix(0, end-resolution).UTC()
	for _, step := range d.math {
		if step.n == 0 {
			lo = roundTo(lo, step.unit)
			hi = add(roundTo(hi, step.unit), 1, step.unit).Add(-time.Duration(resolution))
			continue
		}
		lo, hi = add(lo, step.n, step.unit), add(hi, step.n, step.unit)
		if lo.Unix() < earliest || hi.Unix() > latest || lo.Unix() > latest || hi.Unix() < earliest {
			return 0, 0, false
		}
	}
	return lo.UnixNano(), hi.UnixNano() + resolution, true
}

// start is the beginning of a date that does not depend on now.
func (d dateText) start() (int64, bool) {
	if !d.ok || d.now {
		return 0, false
	}
	start, _, ok := d.span(time.Time{}, 1)
	return start, ok
}

func resolution(ft FieldType) int64 {
	if ft == DateNanos {
		return 1
	}
	return int64(time.Millisecond)
}

// holds reports whether an instant is in the span.
func (d *dateText) holds(at int64, now time.Time, ft FieldType) bool {
	start, end, ok := d.span(now, resolution(ft))
	return ok && at >= start && at < end
}

// compares reports whether an instant is before or after the span, or for <= and >= in it.
func (d *dateText) compares(op kql.Op, at int64, now time.Time, ft FieldType) bool {
	start, end, ok := d.span(now, resolution(ft))
	if !ok {
		return false
	}
	switch op {
	case kql.LT:
		return at < start
	case kql.LTE:
		return at < end
	case kql.GT:
		return at >= end
	}
	return at >= start
}

func floorTo(at, unit int64) int64 {
	r := at % unit
	if r < 0 {
		r += unit
	}
	return at - r
}

func add(t time.Time, n int, unit byte) time.Time {
	switch unit {
	case 'y':
		return addMonths(t, 12*n)
	case 'M':
		return addMonths(t, n)
	case 'w':
		return addSeconds(t, n, 7*86400)
	case 'd':
		return addSeconds(t, n, 86400)
	case 'h', 'H':
		return addSeconds(t, n, 3600)
	case 'm':
		return addSeconds(t, n, 60)
	}
	return addSeconds(t, n, 1)
}

func addSeconds(t time.Time, n int, unit int64) time.Time {
	return time.Unix(t.Unix()+int64(n)*unit, int64(t.Nanosecond())).UTC()
}

// addMonths keeps within the month: a month after January 31 is the last of February.
func addMonths(t time.Time, n int) time.Time {
	n = min(max(n, -12_000), 12_000)
	first := time.Date(t.Year(), t.Month(), 1, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC).AddDate(0, n, 0)
	last := first.AddDate(0, 1, -1).Day()
	return first.AddDate(0, 0, min(t.Day(), last)-1)
}

// roundTo goes back to the start of the unit; weeks start on Monday.
func roundTo(t time.Time, unit byte) time.Time {
	y, m, d := t.Date()
	switch unit {
	case 'y':
		m, d = 1, 1
	case 'M':
		d = 1
	case 'w':
		d -= (int(t.Weekday()) + 6) % 7
	case 'h', 'H':
		return t.Truncate(time.Hour)
	case 'm':
		return t.Truncate(time.Minute)
	case 's':
		return t.Truncate(time.Second)
	}
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}

// parseDate reads what Elasticsearch's strict_date_optional_time||epoch_millis reads.
func parseDate(s string) (dateSpan, bool) {
	p := datePart{s: s}
	year, ok := p.digits(4)
	if !ok || p.s != "" && p.s[0] != '-' && p.s[0] != 'T' {
		return parseMillis(s)
	}
	month, day, hour, minute, second := 1, 1, 0, 0, 0
	unit := byte('y')
	if p.s != "" && p.s[0] == '-' {
		p.s = p.s[1:]
		if month, ok = p.digits(2); !ok || month < 1 || month > 12 {
			return dateSpan{}, false
		}
		unit = 'M'
		if p.s != "" && p.s[0] == '-' {
			p.s = p.s[1:]
			if day, ok = p.digits(2); !ok || day < 1 || day > time.Date(year, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day() {
				return dateSpan{}, false
			}
			unit = 'd'
		}
	}
	nanos, exact, zone := 0, false, 0
	if p.s != "" && (p.s[0] == 'T' || p.s[0] == ' ' && unit == 'd') {
		p.s = p.s[1:]
		if hour, ok = p.digits(2); ok {
			unit = 'h'
			if hour > 23 {
				return dateSpan{}, false
			}
			for _, part := range [...]struct {
				to   *int
				unit byte
			}{{&minute, 'm'}, {&second, 's'}} {
				if p.s == "" || p.s[0] != ':' {
					break
				}
				p.s = p.s[1:]
				if *part.to, ok = p.digits(2); !ok || *part.to > 59 {
					return dateSpan{}, false
				}
				unit = part.unit
			}
			if unit == 's' && p.s != "" && (p.s[0] == '.' || p.s[0] == ',') {
				p.s = p.s[1:]
				if nanos, ok = p.fraction(); !ok {
					return dateSpan{}, false
				}
				exact = true
			}
			if zone, ok = p.zone(); !ok {
				return dateSpan{}, false
			}
		} else if p.s != "" {
			return dateSpan{}, false
		}
	}
	if p.s != "" {
		return dateSpan{}, false
	}
	t := time.Date(year, time.Month(month), day, hour, minute, second, nanos, time.UTC)
	if unit == 'y' || unit == 'M' {
		unit = 'd'
	}
	end := add(t, 1, unit)
	if t.Unix()-int64(zone) < earliest || end.Unix()-int64(zone) > latest {
		return dateSpan{}, false
	}
	shift := int64(zone) * int64(time.Second)
	return dateSpan{start: t.UnixNano() - shift, end: end.UnixNano() - shift, instant: exact}, true
}

func parseMillis(s string) (dateSpan, bool) {
	digits := strings.TrimPrefix(s, "-")
	if digits == "" || digits[0] < '0' || digits[0] > '9' {
		return dateSpan{}, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < earliest*1000 || n > latest*1000 {
		return dateSpan{}, false
	}
	return dateSpan{start: n * 1e6, end: n*1e6 + 1e6}, true
}

// datePart is what is left of a date's text.
type datePart struct{ s string }

func (p *datePart) digits(n int) (int, bool) {
	if len(p.s) < n {
		return 0, false
	}
	v := 0
	for i := range n {
		c := p.s[i] - '0'
		if c > 9 {
			return 0, false
		}
		v = v*10 + int(c)
	}
	p.s = p.s[n:]
	return v, true
}

func (p *datePart) fraction() (int, bool) {
	n, scale, i := 0, 100_000_000, 0
	for i < len(p.s) && i < 9 && p.s[i] >= '0' && p.s[i] <= '9' {
		n += int(p.s[i]-'0') * scale
		scale /= 10
		i++
	}
	p.s = p.s[i:]
	return n, i > 0
}

// zone reads an offset from UTC in seconds; none is UTC.
func (p *datePart) zone() (int, bool) {
	if p.s == "" || p.s == "Z" {
		p.s = ""
		return 0, true
	}
	sign := 1
	switch p.s[0] {
	case '-':
		sign = -1
	case '+':
	default:
		return 0, false
	}
	p.s = p.s[1:]
	h, ok := p.digits(2)
	m := 0
	if ok && p.s != "" {
		p.s = strings.TrimPrefix(p.s, ":")
		m, ok = p.digits(2)
	}
	if !ok || h > 18 || m > 59 {
		return 0, false
	}
	return sign * (h*3600 + m*60), true
}
