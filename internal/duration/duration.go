// Package duration owns how durations are written in configurations, rules and flags: 90s, 1h30m, 2w. Those
// of the query language, of one unit that may be a month, are its own.
package duration

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// written are the units, longest first: a duration names them in this order.
var written = []struct {
	name string
	unit time.Duration
}{
	{"w", 7 * 24 * time.Hour},
	{"d", 24 * time.Hour},
	{"h", time.Hour},
	{"m", time.Minute},
	{"s", time.Second},
	{"ms", time.Millisecond},
}

var errTooLong = errors.New("is too long a duration: the most is 15250w")

// Parse reads a duration as Tocsin writes it everywhere: whole numbers with the units
// ms s m h d w, longest first, such as 90s, 1h30m or 2w. A lone 0 needs no unit. The error's
// text goes on after the quoted text.
func Parse(text string) (time.Duration, error) {
	if text == "0" {
		return 0, nil
	}
	var sum time.Duration
	units := written
	for rest := text; rest != "" || text == ""; {
		digits := rest[:len(rest)-len(strings.TrimLeft(rest, "0123456789"))]
		rest = rest[len(digits):]
		name := rest[:len(rest)-len(strings.TrimLeft(rest, "abcdefghijklmnopqrstuvwxyz"))]
		rest = rest[len(name):]
		if digits == "" || name == "" {
			return 0, errors.New("is not a duration: write a whole number and a unit (ms, s, m, h, d or w), such as 90s or 1h30m")
		}
		at := 0
		for at < len(units) && units[at].name != name {
			at++
		}
		if at == len(units) {
			for _, u := range written {
				if u.name == name {
					return 0, fmt.Errorf("is not a duration: %s stands after a shorter unit or twice; write the longest unit first, such as 1h30m", name)
				}
			}
			return 0, fmt.Errorf("is not a duration: %q is no unit; the units are ms, s, m, h, d and w", name)
		}
		n, err := strconv.ParseInt(digits, 10, 64)
		if err != nil || n > math.MaxInt64/int64(units[at].unit) || time.Duration(n)*units[at].unit > math.MaxInt64-sum {
			return 0, errTooLong
		}
		sum += time.Duration(n) * units[at].unit
		units = units[at+1:]
	}
	return sum, nil
}

// Format writes a duration as Parse reads it, to whole milliseconds, the rest cut
// off. Negative durations are zero.
func Format(d time.Duration) string {
	var out strings.Builder
	for _, u := range written {
		if n := d / u.unit; n > 0 {
			fmt.Fprintf(&out, "%d%s", n, u.name)
			d %= u.unit
		}
	}
	if out.Len() == 0 {
		return "0s"
	}
	return out.String()
}
