package exec

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"tocsin/internal/query/pipe"
	"tocsin/internal/row"
)

var timeFunctions = map[string]plainFunction{
	"strftime": func(a []row.Value) row.Value {
		t, ok := a[0].AsTime()
		if !ok || a[1].IsNull() {
			return row.Value{}
		}
		return row.NewString(strftime(time.Unix(0, t).UTC(), a[1].Text()))
	},
	"strptime": func(a []row.Value) row.Value {
		if a[0].IsNull() || a[1].IsNull() {
			return row.Value{}
		}
		t, ok := strptime(a[0].Text(), a[1].Text())
		if !ok {
			return row.Value{}
		}
		return row.NewTime(t)
	},
}

// nowFunction is when the search began: the same for all rows.
func nowFunction(c *exprCompiler, _ []pipe.Expr) evalFunc {
	v := row.NewTime(c.now())
	return func(*row.Row) row.Value { return v }
}

func (c *exprCompiler) now() time.Time {
	if q, ok := c.query.(interface{ Now() time.Time }); ok {
		return q.Now()
	}
	return time.Time{}
}

func relativeTimeFunction(c *exprCompiler, args []pipe.Expr) evalFunc {
	x, m := c.compile(args[0]), c.compile(args[1])
	return func(r *row.Row) row.Value {
		t, ok := x(r).AsTime()
		v := m(r)
		if !ok || v.IsNull() {
			return row.Value{}
		}
		moment, err := pipe.ParseMoment(v.Text())
		if err != nil {
			c.env.warn(fmt.Sprintf("relative_time: %v: the result is null", err))
			return row.Value{}
		}
		return row.NewTime(moment.At(time.Unix(0, t).UTC()))
	}
}

// strftime writes a time as C's strftime does.
func strftime(t time.Time, format string) string {
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			b.WriteByte(format[i])
			continue
		}
		i++
		switch c := format[i]; c {
		case '1', '2', '3', '4', '5', '6', '7', '8', '9':
			if i+1 < len(format) && (format[i+1] == 'N' || format[i+1] == 'Q') {
				i++
				b.WriteString(fmt.Sprintf("%09d", t.Nanosecond())[:c-'0'])
			} else {
				b.WriteString("%" + string(c))
			}
		case 'N', 'f':
			n := 9
			if c == 'f' {
				n = 6
			}
			b.WriteString(fmt.Sprintf("%09d", t.Nanosecond())[:n])
		case 'Q':
			fmt.Fprintf(&b, "%03d", t.Nanosecond()/1e6)
		case 's':
			b.WriteString(strconv.FormatInt(t.Unix(), 10))
		case 'j':
			fmt.Fprintf(&b, "%03d", t.YearDay())
		case 'e':
			fmt.Fprintf(&b, "%2d", t.Day())
		case 'k':
			fmt.Fprintf(&b, "%2d", t.Hour())
		case 'l':
			fmt.Fprintf(&b, "%2d", (t.Hour()+11)%12+1)
		case 'u':
			b.WriteString(strconv.Itoa((int(t.Weekday())+6)%7 + 1))
		case 'w':
			b.WriteString(strconv.Itoa(int(t.Weekday())))
		case 'C':
			fmt.Fprintf(&b, "%02d", t.Year()/100)
		case 'G', 'V':
			y, w := t.ISOWeek()
			if c == 'V' {
				fmt.Fprintf(&b, "%02d", w)
			} else {
				fmt.Fprintf(&b, "%04d", y)
			}
		case 'U':
			fmt.Fprintf(&b, "%02d", (t.YearDay()+6-int(t.Weekday()))/7)
		case 'W':
			fmt.Fprintf(&b, "%02d", (t.YearDay()+6-(int(t.Weekday())+6)%7)/7)
		case 'n':
			b.WriteByte('\n')
		case 't':
			b.WriteByte('\t')
		case '%':
			b.WriteByte('%')
		case ':':
			if i+1 < len(format) && format[i+1] == 'z' {
				i++
				b.WriteString(t.Format("-07:00"))
			} else {
				b.WriteString("%:")
			}
		default:
			if layout, ok := timeLayouts[c]; ok {
				b.WriteString(t.Format(layout))
			} else {
				b.WriteString("%" + string(c))
			}
		}
	}
	return b.String()
}

var timeLayouts = map[byte]string{
	'Y': "2006", 'y': "06", 'm': "01", 'd': "02", 'H': "15", 'I': "03", 'M': "04", 'S': "05", 'p': "PM",
	'z': "-0700", 'Z': "MST", 'a': "Mon", 'A': "Monday", 'b': "Jan", 'h': "Jan", 'B': "January", 'F': "2006-01-02", 'T': "15:04:05",
	'R': "15:04", 'D': "01/02/06", 'c': "Mon Jan _2 15:04:05 2006", 'x': "01/02/06", 'X': "15:04:05", 'r': "03:04:05 PM",
}

// strptime reads a time as C's strptime does; without a zone it is UTC, what is not read is that of
// the start of 1970.
func strptime(s, format string) (time.Time, bool) {
	p := timeReader{s: s, year: 1970, month: 1, day: 1, zone: time.UTC}
	if !p.read(format) || strings.TrimSpace(p.s) != "" {
		return time.Time{}, false
	}
	return p.time()
}

type timeReader struct {
	s                                             string
	year, month, day, hour, minute, second, nanos int
	yearDay                                       int
	pm, twelve, unix                              bool
	seconds                                       int64
	zone                                          *time.Location
}

func (p *timeReader) number(most int, to *int) bool {
	p.s = strings.TrimLeft(p.s, " ")
	i := 0
	for i < len(p.s) && i < most && p.s[i] >= '0' && p.s[i] <= '9' {
		i++
	}
	n, err := strconv.Atoi(p.s[:i])
	*to = n
	p.s = p.s[i:]
	return err == nil
}

// name reads one of the names, or the first three letters of one, and gives its number.
func (p *timeReader) name(names []string) (int, bool) {
	for i, n := range names {
		for _, form := range []string{n, n[:3]} {
			if len(p.s) >= len(form) && strings.EqualFold(p.s[:len(form)], form) {
				p.s = p.s[len(form):]
				return i, true
			}
		}
	}
	return 0, false
}

var (
	monthNames = []string{"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"}
	dayNames   = []string{"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"}
)

func (p *timeReader) read(format string) bool {
	for i := 0; i < len(format); i++ {
		c := format[i]
		if c != '%' || i+1 == len(format) {
			if c == ' ' {
				p.s = strings.TrimLeft(p.s, " ")
				continue
			}
			if p.s == "" || p.s[0] != c {
				return false
			}
			p.s = p.s[1:]
			continue
		}
		i++
		if c = format[i]; c >= '1' && c <= '9' && i+1 < len(format) && (format[i+1] == 'N' || format[i+1] == 'Q') {
			i++
			c = 'N'
		}
		if c == ':' && i+1 < len(format) && format[i+1] == 'z' {
			i++
			c = 'z'
		}
		if !p.field(c) {
			return false
		}
	}
	return true
}

func (p *timeReader) field(c byte) bool {
	switch c {
	case 'Y':
		return p.number(4, &p.year)
	case 'y':
		ok := p.number(2, &p.year)
		if p.year < 69 {
			p.year += 2000
		} else {
			p.year += 1900
		}
		return ok
	case 'm':
		return p.number(2, &p.month)
	case 'd', 'e':
		return p.number(2, &p.day)
	case 'j':
		return p.number(3, &p.yearDay)
	case 'H', 'k':
		return p.number(2, &p.hour)
	case 'I', 'l':
		p.twelve = true
		return p.number(2, &p.hour)
	case 'M':
		return p.number(2, &p.minute)
	case 'S':
		return p.number(2, &p.second)
	case 'p':
		if len(p.s) < 2 || !strings.EqualFold(p.s[1:2], "m") {
			return false
		}
		p.pm, p.twelve = strings.EqualFold(p.s[:1], "p"), true
		p.s = p.s[2:]
		return true
	case 'N', 'Q', 'f':
		i, scale := 0, int(1e8)
		for i < len(p.s) && p.s[i] >= '0' && p.s[i] <= '9' {
			p.nanos += int(p.s[i]-'0') * scale
			scale /= 10
			i++
		}
		p.s = p.s[i:]
		return i > 0
	case 's':
		i := 0
		for i < len(p.s) && (p.s[i] >= '0' && p.s[i] <= '9' || i == 0 && p.s[i] == '-') {
			i++
		}
		n, err := strconv.ParseInt(p.s[:i], 10, 64)
		p.seconds, p.unix = n, true
		p.s = p.s[i:]
		return err == nil
	case 'b', 'B', 'h':
		m, ok := p.name(monthNames)
		p.month = m + 1
		return ok
	case 'a', 'A':
		_, ok := p.name(dayNames)
		return ok
	case 'z':
		return p.readZone()
	case 'Z':
		i := 0
		for i < len(p.s) && (p.s[i] >= 'A' && p.s[i] <= 'Z' || p.s[i] >= 'a' && p.s[i] <= 'z') {
			i++
		}
		name := strings.ToUpper(p.s[:i])
		p.s = p.s[i:]
		return name == "UTC" || name == "GMT" || name == "Z"
	case 'F':
		return p.read("%Y-%m-%d")
	case 'T', 'X':
		return p.read("%H:%M:%S")
	case 'R':
		return p.read("%H:%M")
	case 'D', 'x':
		return p.read("%m/%d/%y")
	case 'c':
		return p.read("%a %b %e %H:%M:%S %Y")
	case 'n', 't':
		p.s = strings.TrimLeft(p.s, " \t\n")
		return true
	case '%':
		ok := strings.HasPrefix(p.s, "%")
		p.s = strings.TrimPrefix(p.s, "%")
		return ok
	}
	return false
}

func (p *timeReader) readZone() bool {
	if p.s != "" && (p.s[0] == 'Z' || p.s[0] == 'z') {
		p.s = p.s[1:]
		return true
	}
	for _, layout := range []string{"-07:00", "-0700", "-07"} {
		if len(p.s) >= len(layout) {
			if t, err := time.Parse(layout, p.s[:len(layout)]); err == nil {
				_, offset := t.Zone()
				p.zone = time.FixedZone("", offset)
				p.s = p.s[len(layout):]
				return true
			}
		}
	}
	return false
}

func (p *timeReader) time() (time.Time, bool) {
	if p.unix {
		if p.seconds > 9e9 || p.seconds < -9e9 {
			return time.Time{}, false
		}
		return time.Unix(p.seconds, int64(p.nanos)).UTC(), true
	}
	if p.twelve {
		if p.hour < 1 || p.hour > 12 {
			return time.Time{}, false
		}
		p.hour %= 12
		if p.pm {
			p.hour += 12
		}
	}
	if p.yearDay > 0 {
		p.month, p.day = 1, p.yearDay
	}
	t := time.Date(p.year, time.Month(p.month), p.day, p.hour, p.minute, p.second, p.nanos, p.zone)
	ok := p.month >= 1 && p.month <= 12 && p.hour < 24 && p.minute < 60 && p.second <= 60 &&
		(p.yearDay > 0 && t.Year() == p.year || p.yearDay == 0 && p.day >= 1 && int(t.Month()) == p.month || p.second == 60)
	return t.UTC(), ok
}
