package query

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"tocsin/internal/query/exec"
	"tocsin/internal/query/kql"
)

// Filter is a KQL filter over flat fields, such as an alert's in a route, silence or exception. It is
// safe for concurrent use. exec.Filter says what it matches.
type Filter struct {
	text string
	node kql.Node
	exec *exec.Filter
}

// CompileFilter reads a KQL filter; an empty one matches everything. The error of a text that is not
// KQL is an *Error.
func CompileFilter(text string) (*Filter, error) {
	n, err := kql.Parse(text)
	if err != nil {
		return nil, kqlError(err)
	}
	return &Filter{text, n, exec.NewFilter(n, nil)}, nil
}

// Match reports whether fields match: dotted names to values, which are strings, booleans,
// json.Numbers, numbers of any kind or times. Now is what "now" in a date means.
func (f *Filter) Match(fields map[string][]any, now time.Time) bool {
	return f.exec.Match(exec.Map(fields), now)
}

// Warnings are what the filter says that nobody means. Names are the fields there are; with none, no
// field is unknown.
func (f *Filter) Warnings(names ...string) []Warning {
	var out []Warning
	for _, w := range kql.Lint(f.text, f.node, names) {
		out = append(out, Warning{Text: f.text, Start: w.Place.Start, End: w.Place.End, Message: w.Message, Hint: w.Hint})
	}
	return out
}

// String is the filter as canonical KQL.
func (f *Filter) String() string { return kql.Print(f.node) }

// Everything reports whether the filter is empty or *:*.
func (f *Filter) Everything() bool { return kql.IsMatchAll(f.node) }

// Error is a mistake in a query and its place there.
type Error struct {
	// Text is the query.
	Text string
	// Start and End are the place in bytes; they are equal at the end of the text.
	Start, End int
	// Message says what is wrong, on one line.
	Message string

	whole string
}

// Error is the message, the query and a mark under the place. For KQL it is Kibana's text.
func (e *Error) Error() string { return e.whole }

// Position is the line and column of the place in the query, both from 1; columns are characters.
func (e *Error) Position() (line, column int) { return position(e.Text, e.Start) }

// Warning is something a query says that is probably not meant, and its place there.
type Warning struct {
	Text       string
	Start, End int
	Message    string
	Hint       string // what to write instead; may be empty
}

// Position is the line and column of the place in the query, both from 1; columns are characters.
func (w Warning) Position() (line, column int) { return position(w.Text, w.Start) }

// String is the warning with the query's line and a mark under the place.
func (w Warning) String() string {
	line, column := w.Position()
	start := strings.LastIndexByte(w.Text[:w.Start], '\n') + 1
	shown, _, _ := strings.Cut(w.Text[start:], "\n")
	length := max(1, len([]rune(w.Text[w.Start:min(w.End, start+len(shown))])))
	where := fmt.Sprintf("column %d", column)
	if line > 1 {
		where = fmt.Sprintf("line %d, column %d", line, column)
	}
	// A tab keeps its width, so that the mark stands where the reader sees the place.
	blank := strings.Map(func(r rune) rune {
		if r == '\t' {
			return r
		}
		return ' '
	}, w.Text[start:w.Start])
	s := where + ": " + w.Message + "\n  " + shown + "\n  " + blank + strings.Repeat("~", length)
	if w.Hint != "" {
		s += "\n  try: " + w.Hint
	}
	return s
}

func position(text string, at int) (line, column int) {
	before := text[:at]
	return strings.Count(before, "\n") + 1, len([]rune(before[strings.LastIndexByte(before, '\n')+1:])) + 1
}

// kqlError makes the door's error of kql's.
func kqlError(err error) error {
	var syntax *kql.SyntaxError
	if !errors.As(err, &syntax) {
		return err
	}
	return &Error{Text: syntax.Text, Start: syntax.Place.Start, End: syntax.Place.End, Message: syntax.Message(), whole: syntax.Error()}
}
