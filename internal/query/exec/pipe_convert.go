package exec

import (
	"strconv"
	"strings"
	"time"

	"tocsin/internal/query/pipe"
	"tocsin/internal/row"
)

func (b *builder) convert(p *pipe.Convert) (op, *row.Schema, error) {
	type call struct {
		pipe.Conversion
		from, to int
		f        func(row.Value) row.Value
	}
	var calls []call
	exempt := map[string]bool{}
	for _, c := range p.Calls {
		k := call{Conversion: c, f: conversion(c.Func, p.TimeFormat)}
		if c.Func == "none" {
			exempt[c.Field.Name] = true
			continue
		}
		if !c.Field.Wild {
			k.from = b.slot(c.Field.Name)
			k.to = k.from
			if c.As != "" {
				k.to = b.in.Slot(c.As)
			}
		}
		calls = append(calls, k)
	}
	return &changeOp{change: func(r *row.Row) {
		for _, c := range calls {
			if !c.Field.Wild {
				r.Set(c.to, eachValue(r.Get(c.from), c.f))
				continue
			}
			for i, v := range r.Vals {
				if _, ok := c.Field.Match(b.in.Name(i)); ok && !exempt[b.in.Name(i)] {
					r.Vals[i] = eachValue(v, c.f)
				}
			}
		}
	}}, b.in, nil
}

// conversion is one function of convert. num makes what it cannot read null, the others leave it.
func conversion(name, format string) func(row.Value) row.Value {
	orSame := func(f func(row.Value) (row.Value, bool)) func(row.Value) row.Value {
		return func(v row.Value) row.Value {
			if out, ok := f(v); ok {
				return out
			}
			return v
		}
	}
	switch name {
	case "auto":
		return orSame(toNum)
	case "num":
		return func(v row.Value) row.Value { out, _ := toNum(v); return out }
	case "ctime":
		return orSame(func(v row.Value) (row.Value, bool) {
			t, ok := v.AsTime()
			return row.NewString(strftime(time.Unix(0, t).UTC(), format)), ok
		})
	case "mktime":
		return orSame(func(v row.Value) (row.Value, bool) {
			t, ok := strptime(v.Text(), format)
			return tidy(float64(t.UnixNano()) / 1e9), ok
		})
	case "dur2sec":
		return orSame(durationSeconds)
	case "memk":
		return orSame(kilobytes)
	case "rmcomma":
		return orSame(func(v row.Value) (row.Value, bool) {
			return row.NewString(strings.ReplaceAll(v.Text(), ",", "")).Number()
		})
	case "rmunit":
		return orSame(func(v row.Value) (row.Value, bool) { return row.NewString(leadingNumber(v.Text())).Number() })
	}
	return func(v row.Value) row.Value { return v }
}

// toNum reads a number, one with commas and a unit, or a time.
func toNum(v row.Value) (row.Value, bool) {
	if n, ok := v.Number(); ok {
		return n, true
	}
	if t, ok := asMoment(v); ok {
		return tidy(float64(t) / 1e9), true
	}
	if v.Kind() == row.String {
		return row.NewString(strings.ReplaceAll(leadingNumber(v.Str()), ",", "")).Number()
	}
	return row.Value{}, false
}

// leadingNumber is the number a text begins with.
func leadingNumber(s string) string {
	s = strings.TrimSpace(s)
	i := 0
	for i < len(s) && (s[i] >= '0' && s[i] <= '9' || s[i] == '.' || s[i] == ',' || i == 0 && (s[i] == '-' || s[i] == '+')) {
		i++
	}
	return s[:i]
}

// durationSeconds reads [D+]HH:MM:SS, or HH:MM, as seconds.
func durationSeconds(v row.Value) (row.Value, bool) {
	days, rest, hasDays := strings.Cut(v.Text(), "+")
	if !hasDays {
		days, rest = "0", v.Text()
	}
	total, err := strconv.ParseFloat(days, 64)
	parts := strings.Split(rest, ":")
	if err != nil || len(parts) < 2 || len(parts) > 3 {
		return row.Value{}, false
	}
	total *= 24
	for i := range 3 {
		n := 0.0
		if i < len(parts) {
			if n, err = strconv.ParseFloat(parts[i], 64); err != nil || n < 0 {
				return row.Value{}, false
			}
		}
		if i == 0 {
			total += n
		} else {
			total = total*60 + n
		}
	}
	return tidy(total), true
}

// kilobytes reads a number with k, m or g after it; without one it is kilobytes.
func kilobytes(v row.Value) (row.Value, bool) {
	s := strings.ToLower(strings.TrimSpace(v.Text()))
	factor := 1.0
	for unit, f := range map[string]float64{"k": 1, "m": 1024, "g": 1024 * 1024} {
		if rest, ok := strings.CutSuffix(s, unit); ok {
			s, factor = rest, f
		}
	}
	n, ok := row.NewString(s).Number()
	return tidy(n.Float() * factor), ok
}
