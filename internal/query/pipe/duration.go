package pipe

import (
	"strconv"
	"strings"
	"time"
)

// Duration is a number of units of time: ms s m h d w, and on the calendar mon q y.
type Duration struct {
	N    int64
	Unit string
}

// units maps every way to write a unit to its name.
var units = map[string]string{
	"ms": "ms", "s": "s", "sec": "s", "secs": "s", "second": "s", "seconds": "s", "m": "m", "min": "m", "mins": "m", "minute": "m",
	"minutes": "m", "h": "h", "hr": "h", "hrs": "h", "hour": "h", "hours": "h", "d": "d", "day": "d", "days": "d", "w": "w", "week": "w",
	"weeks": "w", "mon": "mon", "month": "mon", "months": "mon", "q": "q", "qtr": "q", "quarter": "q", "quarters": "q", "y": "y", "yr": "y",
	"yrs": "y", "year": "y", "years": "y",
}

var fixedUnits = map[string]time.Duration{
	"ms": time.Millisecond, "s": time.Second, "m": time.Minute, "h": time.Hour,
	"d": 24 * time.Hour, "w": 7 * 24 * time.Hour,
}

func (d Duration) String() string { return strconv.FormatInt(d.N, 10) + d.Unit }

// Fixed is the length of the duration; ok is false for a calendar unit.
func (d Duration) Fixed() (length time.Duration, ok bool) {
	u, ok := fixedUnits[d.Unit]
	return time.Duration(d.N) * u, ok
}

// IsZero reports whether the duration was not given.
func (d Duration) IsZero() bool { return d.Unit == "" }

// ParseDuration reads 5m and the like. ok is false for anything else, for 0 and for more than 1000 years.
func ParseDuration(s string) (d Duration, ok bool) {
	i := 0
	for i < len(s) && s[i] >= '0' && s[i] <= '9' {
		i++
	}
	unit, known := units[strings.ToLower(s[i:])]
	n, err := strconv.ParseInt(s[:i], 10, 64)
	if !known || err != nil || n <= 0 || n > 1e15 {
		return Duration{}, false
	}
	if u, fixed := fixedUnits[unit]; fixed && n > int64(200*365*24*time.Hour)/int64(u) || !fixed && n > 10000 {
		return Duration{}, false
	}
	return Duration{N: n, Unit: unit}, true
}

// duration reads a duration of fixed length.
func (p *parser) duration(what string) Duration {
	p.space()
	w := p.word()
	d, ok := ParseDuration(w)
	if !ok {
		p.failHere("5m, 2h, 14d", "%s must be a duration (ms s m h d w); found %s", what, p.found())
	}
	if _, fixed := d.Fixed(); !fixed {
		p.failHere("30d, 365d", "%s must be of fixed length: %s is not", what, d)
	}
	p.pos += len(w)
	return d
}

// Size is the width of a bin: a duration or a number. The zero Size was not given.
type Size struct {
	Duration Duration
	Number   string // the number as written
}

// IsZero reports whether the size was not given.
func (s Size) IsZero() bool { return s == Size{} }

func (s Size) String() string {
	if s.Number != "" {
		return s.Number
	}
	return s.Duration.String()
}

// size reads a duration of any unit, or a positive number.
func (p *parser) size(what string) Size {
	p.space()
	w := p.word()
	if d, ok := ParseDuration(w); ok {
		p.pos += len(w)
		return Size{Duration: d}
	}
	if d, ok := ParseDuration("1" + w); ok && (w[0] < '0' || w[0] > '9') { // span=mon, as SPL takes it
		p.pos += len(w)
		return Size{Duration: d}
	}
	if f, err := strconv.ParseFloat(w, 64); err == nil && f > 0 && f < 1e300 && plainNumber(w) {
		p.pos += len(w)
		return Size{Number: w}
	}
	p.failHere("5m, 1h, 1d, 1mon, 10", "%s must be a duration or a number above 0; found %s", what, p.found())
	return Size{}
}

// plainNumber reports whether w is written with digits and at most one point only.
func plainNumber(w string) bool {
	for i := 0; i < len(w); i++ {
		if w[i] != '.' && (w[i] < '0' || w[i] > '9') {
			return false
		}
	}
	return w != ""
}
