package rule

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

// durationPattern is what a duration looks like; it is in the schema.
const durationPattern = `^([0-9]+w)?([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$`

var errDurationTooLong = errors.New("is too long a duration: the most is 15250w")

// parseDuration reads what durationPattern matches: whole numbers with units, longest first.
func parseDuration(written string) (time.Duration, error) {
	var sum time.Duration
	for rest := written; rest != ""; {
		digits := rest[:len(rest)-len(strings.TrimLeft(rest, "0123456789"))]
		rest = rest[len(digits):]
		name := rest[:len(rest)-len(strings.TrimLeft(rest, "dhmsw"))]
		rest = rest[len(name):]
		n, err := strconv.ParseInt(digits, 10, 64)
		for _, u := range durationUnits {
			if u.name != name {
				continue
			}
			if err != nil || n > math.MaxInt64/int64(u.unit) || time.Duration(n)*u.unit > math.MaxInt64-sum {
				return 0, errDurationTooLong
			}
			sum += time.Duration(n) * u.unit
		}
	}
	return sum, nil
}

// FormatDuration writes a duration as rules do, to whole milliseconds, the rest cut off.
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
