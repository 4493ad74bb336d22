package config

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// durationUnits are the units of durations, longest first: a duration names them in this order.
var durationUnits = []struct {
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

var errDurationTooLong = errors.New("is too long a duration: the most is 15250w")

// ParseDuration reads a duration as Tocsin writes it everywhere: whole numbers with the units
// ms s m h d w, longest first, such as 90s, 1h30m or 2w. A lone 0 needs no unit. The error's
// text goes on after the quoted text.
func ParseDuration(text string) (time.Duration, error) {
	if text == "0" {
		return 0, nil
	}
	var sum time.Duration
	units := durationUnits
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
			for _, u := range durationUnits {
				if u.name == name {
					return 0, fmt.Errorf("is not a duration: %s stands after a shorter unit or twice; write the longest unit first, such as 1h30m", name)
				}
			}
			return 0, fmt.Errorf("is not a duration: %q is no unit; the units are ms, s, m, h, d and w", name)
		}
		n, err := strconv.ParseInt(digits, 10, 64)
		if err != nil || n > math.MaxInt64/int64(units[at].unit) || time.Duration(n)*units[at].unit > math.MaxInt64-sum {
			return 0, errDurationTooLong
		}
		sum += time.Duration(n) * units[at].unit
		units = units[at+1:]
	}
	return sum, nil
}

// FormatDuration writes a duration as ParseDuration reads it, to whole milliseconds, the rest cut
// off. Negative durations are zero.
func FormatDuration(d time.Duration) string {
	var out strings.Builder
	for _, u := range durationUnits {
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

// Rate is at most Count of something in Per. The zero Rate is off: no limit.
type Rate struct {
	Count int
	Per   time.Duration
}

// Off says whether there is no limit.
func (r Rate) Off() bool { return r.Count == 0 }

// String is the rate as the file writes it.
func (r Rate) String() string {
	if r.Off() {
		return "off"
	}
	per := FormatDuration(r.Per)
	if one, ok := strings.CutPrefix(per, "1"); ok && strings.Trim(one, "abcdefghijklmnopqrstuvwxyz") == "" {
		per = one
	}
	return fmt.Sprintf("%d/%s", r.Count, per)
}

// ParseRate reads a rate: off, or a whole number of at least 1, a slash, and a time: 6/m, 1/s,
// 10/5m. The error's text goes on after the quoted text.
func ParseRate(text string) (Rate, error) {
	if text == "off" {
		return Rate{}, nil
	}
	wrong := errors.New("is not a rate: write a number and a time, such as 6/m or 1/s, or off")
	number, per, ok := strings.Cut(text, "/")
	count, err := strconv.ParseInt(number, 10, 32)
	if !ok || err != nil || number[0] == '+' || number[0] == '-' {
		return Rate{}, wrong
	}
	if count == 0 {
		return Rate{}, errors.New("lets nothing through: write at least 1, or off for no limit")
	}
	for _, u := range durationUnits {
		if u.name == per {
			return Rate{Count: int(count), Per: u.unit}, nil
		}
	}
	d, err := ParseDuration(per)
	if err != nil || d <= 0 {
		return Rate{}, wrong
	}
	return Rate{Count: int(count), Per: d}, nil
}
