package config

import (
	"errors"
	"fmt"
	"strings"

	"tocsin/internal/query"
)

// filter reads a key that must be KQL on the alert. What is wrong with it is reported where in
// the text it is, and what nobody means is warned of there.
func (m *mapping) filter(name string) string {
	t, ok := m.text(name)
	if !ok {
		return ""
	}
	f, err := query.CompileFilter(t.value)
	if err == nil {
		for _, w := range f.Warnings() {
			said := w.Message
			if w.Hint != "" {
				said += ": " + w.Hint
			}
			m.d.warn(m.d.placeIn(t, t.from[min(w.Start, len(t.from)-1)]), fmt.Sprintf("%s: %s", t, said))
		}
		return t.value
	}
	place, said := t.place, err.Error()
	var wrong *query.Error
	if errors.As(err, &wrong) {
		place, said = m.d.placeIn(t, t.from[min(wrong.Start, len(t.from)-1)]), wrong.Message
	}
	said, _, _ = strings.Cut(strings.TrimSpace(said), "\n")
	m.d.problem(place, fmt.Sprintf("%s is not a KQL filter: %s", t, said))
	return ""
}
