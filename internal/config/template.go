package config

import (
	"errors"

	"tocsin/internal/wording"
)

// template reads a key that must be a template of a message. What is wrong with
// it is reported where in the text it is.
func (m *mapping) template(name string) (string, bool) {
	t, ok := m.text(name)
	if !ok {
		return "", false
	}
	var wrong *wording.Error
	if _, err := wording.Parse(t.value); errors.As(err, &wrong) {
		m.d.problem(m.d.placeOfByte(t, wrong.At), m.key+"."+name+" is not a template: "+wrong.Said)
		return "", false
	}
	return t.value, true
}
