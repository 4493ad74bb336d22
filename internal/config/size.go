package config

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// sizeUnits are the units of sizes, the greatest first.
var sizeUnits = []struct {
	name string
	unit int64
}{
	{"TiB", 1 << 40},
	{"TB", 1e12},
	{"GiB", 1 << 30},
	{"GB", 1e9},
	{"MiB", 1 << 20},
	{"MB", 1e6},
	{"KiB", 1 << 10},
	{"KB", 1e3},
	{"B", 1},
}

// ParseSize reads a number of bytes: a whole number and a unit (B, KB, MB, GB, TB, or KiB, MiB, GiB,
// TiB), with or without a space between. The error's text goes on after the quoted text.
func ParseSize(text string) (int64, error) {
	digits := text[:len(text)-len(strings.TrimLeft(text, "0123456789"))]
	name := strings.TrimPrefix(text[len(digits):], " ")
	for _, u := range sizeUnits {
		if digits == "" || !strings.EqualFold(name, u.name) {
			continue
		}
		n, err := strconv.ParseInt(digits, 10, 64)
		if err != nil || n > math.MaxInt64/u.unit {
			return 0, errors.New("is too large a size")
		}
		return n * u.unit, nil
	}
	return 0, errors.New("is not a size: write a whole number and a unit, such as 50GB or 512MiB")
}

// FormatSize writes a size as ParseSize reads it, exactly.
func FormatSize(n int64) string {
	for _, u := range sizeUnits {
		if n >= u.unit && n%u.unit == 0 {
			return fmt.Sprintf("%d%s", n/u.unit, u.name)
		}
	}
	return fmt.Sprintf("%dB", n)
}

// size reads a key that must be a size of at least least; off is zero, where off is a word for it.
func (m *mapping) size(name string, fallback, least int64, off bool) int64 {
	t, ok := m.word(name)
	if !ok {
		return fallback
	}
	if off && t.value == "off" {
		return 0
	}
	v, err := ParseSize(t.value)
	switch {
	case err != nil && off:
		m.d.wrong(t, err.Error()+", or off")
	case err != nil:
		m.d.wrong(t, err.Error())
	case v < least:
		m.d.wrong(t, "is too small: the least is "+FormatSize(least))
	default:
		return v
	}
	return fallback
}
