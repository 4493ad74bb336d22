package pipe

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"tocsin/internal/nearest"
)

// Error is a mistake in the text of a query.
type Error struct {
	Query string
	At    Span
	Msg   string
	// Try is what to write instead, "" when there is nothing near.
	Try string
}

// Error shows the mistake: what it is, the line it stands in with the place marked, and what to try.
func (e *Error) Error() string {
	pos := min(max(e.At.Pos, 0), len(e.Query))
	end := min(max(e.At.End, pos), len(e.Query))
	start := strings.LastIndexByte(e.Query[:pos], '\n') + 1
	stop := len(e.Query)
	if i := strings.IndexByte(e.Query[pos:], '\n'); i >= 0 {
		stop = pos + i
	}
	end = min(end, stop)
	var b strings.Builder
	if line := strings.Count(e.Query[:pos], "\n") + 1; line > 1 {
		fmt.Fprintf(&b, "line %d, ", line)
	}
	fmt.Fprintf(&b, "column %d: %s\n", utf8.RuneCountInString(e.Query[start:pos])+1, e.Msg)
	from, to := window(e.Query, start, pos, end, stop)
	lead, trail := "", ""
	if from > start {
		lead = "..."
	}
	if to < stop {
		trail = "..."
	}
	fmt.Fprintf(&b, "  %s%s%s\n  %s", lead, visible(e.Query[from:to]), trail, strings.Repeat(" ", len(lead)))
	b.WriteString(strings.Repeat(" ", utf8.RuneCountInString(e.Query[from:pos])))
	if n := utf8.RuneCountInString(e.Query[pos:min(end, to)]); n > 1 {
		b.WriteString(strings.Repeat("~", n))
	} else {
		b.WriteString("^")
	}
	if e.Try != "" {
		b.WriteString("\n  try: " + e.Try)
	}
	return b.String()
}

// window cuts a long line to what is around the place.
func window(s string, start, pos, end, stop int) (int, int) {
	const around = 120
	if pos-start > around {
		start = pos - around
		for start < pos && !utf8.RuneStart(s[start]) {
			start++
		}
	}
	if stop-end > around {
		stop = end + around
		for stop > end && !utf8.RuneStart(s[stop]) {
			stop--
		}
	}
	return start, stop
}

// visible shows control characters as one blank each, so that the mark stands right.
func visible(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}

// Errors are all mistakes found in one query, in order.
type Errors []*Error

func (e Errors) Error() string {
	parts := make([]string, len(e))
	for i, err := range e {
		parts[i] = err.Error()
	}
	return strings.Join(parts, "\n")
}

// Unwrap lets errors.As find the first mistake.
func (e Errors) Unwrap() []error {
	out := make([]error, len(e))
	for i, err := range e {
		out[i] = err
	}
	return out
}

// Nearest is the candidate a person who wrote word most likely meant, "" when none is near.
func Nearest(word string, candidates []string) string {
	best, at := "", max(1, len(word)/3)+1
	lower := strings.ToLower(word)
	for _, c := range candidates {
		meant := strings.ToLower(c)
		if d := len(meant) - len(lower); d >= at || -d >= at {
			continue
		}
		if d := nearest.Distance([]byte(lower), []byte(meant)); d < at {
			best, at = c, d
		}
	}
	return best
}
