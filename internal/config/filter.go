package config

import (
	"errors"
	"fmt"

	"tocsin/internal/query"
)

// filter reads a key that must be KQL on the alert. What is wrong with it, or probably not meant,
// is reported where in the text it is.
func (m *mapping) filter(name string) string {
	t, ok := m.text(name)
	if !ok {
		return ""
	}
	filter, err := query.CompileFilter(t.value)
	var wrong *query.Error
	switch {
	case errors.As(err, &wrong):
		m.d.problem(m.d.placeOfByte(t, wrong.Start), fmt.Sprintf("%s is not a KQL filter: %s", t, wrong.Message))
		return ""
	case err != nil:
		m.d.wrong(t, "is not a KQL filter: "+err.Error())
		return ""
	}
	for _, w := range filter.Warnings() {
		said := fmt.Sprintf("%s: %s", t, w.Message)
		if w.Hint != "" {
			said += ": " + w.Hint
		}
		m.d.warn(m.d.placeOfByte(t, w.Start), said)
	}
	for _, w := range filter.Warnings(AlertFields...) {
		name := t.value[w.Start:w.End]
		if near := Misspelt(name); near != "" {
			m.d.warn(m.d.placeOfByte(t, w.Start), fmt.Sprintf("%s: %s is no field that alerts commonly have: did you mean %s?", t, name, near))
		}
	}
	return t.value
}

// placeOfByte is where the byte of a text's value stands in the file.
func (d *decoder) placeOfByte(t text, at int) Place {
	return d.placeIn(t, t.from[min(max(at, 0), len(t.value))])
}
