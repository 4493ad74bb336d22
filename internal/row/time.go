package row

import (
	"time"
)

// AsTime reads the value as a time in nanoseconds since 1970: a time, a number of seconds, or an ISO
// 8601 string (without a zone: UTC).
func (v Value) AsTime() (int64, bool) {
	switch v.kind {
	case Time:
		return v.Nanos(), true
	case Int:
		if n := v.Int(); n > -9e9 && n < 9e9 {
			return n * 1e9, true
		}
	case Float:
		if f := v.Float(); f > -9e9 && f < 9e9 {
			return int64(f * 1e9), true
		}
	case String:
		return ParseTime(v.str)
	case List:
		if len(*v.list) == 1 {
			return (*v.list)[0].AsTime()
		}
	}
	return 0, false
}

// StampTime reads a value of a document's time field: an ISO 8601 string, or a number of
// milliseconds since 1970 (of seconds if it is below 1e11). What is neither stays as it is.
func StampTime(v Value) Value {
	switch v.kind {
	case String:
		if ns, ok := ParseTime(v.str); ok {
			return NewTimeNano(ns)
		}
		if n, ok := parseNumber(v.str); ok {
			return StampTime(n)
		}
	case Int:
		switch n := v.Int(); {
		case n > -1e11 && n < 1e11:
			if n > -9e9 && n < 9e9 {
				return NewTimeNano(n * 1e9)
			}
			return NewTimeNano(n * 1e6)
		case n > -9e15 && n < 9e15:
			if n > -9e12 && n < 9e12 {
				return NewTimeNano(n * 1e6)
			}
		}
	case Float:
		if f := v.Float(); f > -9e9 && f < 9e9 {
			return NewTimeNano(int64(f * 1e9))
		} else if f > -9e12 && f < 9e12 {
			return NewTimeNano(int64(f * 1e6))
		}
	}
	return v
}

// ParseTime reads an ISO 8601 date or date and time: 2024-07-01, 2024-07-01T10:00, with seconds, with
// a fraction after a point or a comma, with Z or an offset; a space may stand for the T. Without a zone it is UTC.
func ParseTime(s string) (int64, bool) {
	if len(s) < 10 || s[4] != '-' || s[7] != '-' {
		return 0, false
	}
	year, ok1 := digits(s[0:4])
	month, ok2 := digits(s[5:7])
	day, ok3 := digits(s[8:10])
	if !ok1 || !ok2 || !ok3 || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) || year < 1678 || year > 2261 {
		return 0, false
	}
	rest := s[10:]
	var hour, minute, second, nanos int
	if rest != "" {
		if (rest[0] != 'T' && rest[0] != ' ' && rest[0] != 't') || len(rest) < 6 || rest[3] != ':' {
			return 0, false
		}
		var ok bool
		if hour, ok = digits(rest[1:3]); !ok || hour > 23 {
			return 0, false
		}
		if minute, ok = digits(rest[4:6]); !ok || minute > 59 {
			return 0, false
		}
		rest = rest[6:]
		if rest != "" && rest[0] == ':' {
			if len(rest) < 3 {
				return 0, false
			}
			if second, ok = digits(rest[1:3]); !ok || second > 60 {
				return 0, false
			}
			rest = rest[3:]
			if rest != "" && (rest[0] == '.' || rest[0] == ',') {
				i, scale := 1, int(1e8)
				for i < len(rest) && rest[i] >= '0' && rest[i] <= '9' {
					nanos += int(rest[i]-'0') * scale
					scale /= 10
					i++
				}
				if i == 1 {
					return 0, false
				}
				rest = rest[i:]
			}
		}
	}
	offset, ok := parseZone(rest)
	if !ok {
		return 0, false
	}
	seconds := daysSince1970(year, month, day)*86400 + int64(hour*3600+minute*60+second) - int64(offset)
	return seconds*1e9 + int64(nanos), true
}

// parseZone reads nothing, Z, +hh:mm, +hhmm or +hh as seconds east.
func parseZone(s string) (int, bool) {
	if s == "" || s == "Z" || s == "z" {
		return 0, true
	}
	if s[0] != '+' && s[0] != '-' {
		return 0, false
	}
	sign := 1
	if s[0] == '-' {
		sign = -1
	}
	s = s[1:]
	var h, m int
	var ok bool
	switch {
	case len(s) == 2:
		h, ok = digits(s)
	case len(s) == 4:
		h, ok = digits(s[:2])
		if ok {
			m, ok = digits(s[2:])
		}
	case len(s) == 5 && s[2] == ':':
		h, ok = digits(s[:2])
		if ok {
			m, ok = digits(s[3:])
		}
	default:
		return 0, false
	}
	if !ok || h > 23 || m > 59 {
		return 0, false
	}
	return sign * (h*3600 + m*60), true
}

func digits(s string) (int, bool) {
	n := 0
	for i := 0; i < len(s); i++ {
		c := s[i] - '0'
		if c > 9 {
			return 0, false
		}
		n = n*10 + int(c)
	}
	return n, true
}

func daysIn(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// daysSince1970 counts days of the proleptic Gregorian calendar (the days-from-civil algorithm of
// Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
func daysSince1970(y, m, d int) int64 {
	if m <= 2 {
		y--
	}
	era := y / 400
	yoe := y - era*400
	mp := (m + 9) % 12
	doy := (153*mp+2)/5 + d - 1
	doe := yoe*365 + yoe/4 - yoe/100 + doy
	return int64(era)*146097 + int64(doe) - 719468
}

// appendTime writes RFC 3339 in UTC with as many digits of a second as there are.
func appendTime(b []byte, ns int64) []byte {
	return time.Unix(0, ns).UTC().AppendFormat(b, time.RFC3339Nano)
}
