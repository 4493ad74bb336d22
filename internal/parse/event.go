package parse

import (
	"strconv"
	"time"

	"tocsin/internal/row"
)

// event is a flat JSON document in the making.
type event struct {
	names []string
	buf   []byte
}

func (e *event) reset() { e.names, e.buf = e.names[:0], append(e.buf[:0], '{') }

func (e *event) has(name string) bool {
	for _, n := range e.names {
		if n == name {
			return true
		}
	}
	return false
}

func (e *event) name(name string) {
	if len(e.names) > 0 {
		e.buf = append(e.buf, ',')
	}
	e.names = append(e.names, name)
	e.buf = append(row.AppendQuoted(e.buf, name), ':')
}

// text adds a string; an empty one and a name already there are left out.
func (e *event) text(name, value string) {
	if value == "" || e.has(name) {
		return
	}
	e.name(name)
	e.buf = row.AppendQuoted(e.buf, value)
}

// number adds a decimal integer written as text; what is none is left out.
func (e *event) number(name, value string) {
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil || e.has(name) {
		return
	}
	e.name(name)
	e.buf = strconv.AppendInt(e.buf, n, 10)
}

func (e *event) time(name string, t time.Time) {
	e.name(name)
	e.buf = append(t.UTC().AppendFormat(append(e.buf, '"'), time.RFC3339Nano), '"')
}

func (e *event) json() string { return string(append(e.buf, '}')) }
