package config

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// compileFilter says whether a text is KQL on the alert. An error may tell the place in UTF-16
// code units (Offset) and a message of one line (Message), as those of the language do.
var compileFilter = func(string) error { return nil }

// filter reads a key that must be KQL on the alert. What is wrong with it is reported where in
// the text it is.
func (m *mapping) filter(name string) string {
	t, ok := m.text(name)
	if !ok {
		return ""
	}
	err := compileFilter(t.value)
	if err == nil {
		return t.value
	}
	place, said := t.place, err.Error()
	var located interface{ Offset() int }
	if errors.As(err, &located) {
		place = m.d.placeIn(t, t.from[byteOffset(t.value, located.Offset())])
	}
	var short interface{ Message() string }
	if errors.As(err, &short) {
		said = short.Message()
	}
	said, _, _ = strings.Cut(strings.TrimSpace(said), "\n")
	m.d.problem(place, fmt.Sprintf("%s is not a KQL filter: %s", t, said))
	return ""
}

// byteOffset turns an offset in UTF-16 code units into one in bytes, at most the end of the text.
func byteOffset(text string, units int) int {
	for i, r := range text {
		if units <= 0 {
			return i
		}
		units--
		if r > 0xFFFF && utf8.ValidRune(r) {
			units--
		}
	}
	return len(text)
}
