// Package yamltext owns texts in YAML, or JSON, that people wrote: the parser within limits, and where things
// stand in them, down to the characters of a scalar. What the values mean is their reader's.
package yamltext

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
)

// Place is a place in a text. Line and Column count from 1, Column in characters; both are zero for the
// text as a whole.
type Place struct {
	// File is the file the text came from; empty for one that came from none.
	File   string `json:"file,omitempty"`
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
}

// String is "file:line:column", without what is not known.
func (p Place) String() string {
	switch {
	case p.Line == 0:
		return p.File
	case p.File == "":
		return fmt.Sprintf("%d:%d", p.Line, p.Column)
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// Text is what a person wrote, to find places in.
type Text struct {
	file  string
	lines [][]rune
}

// NewText reads the content of a file; file is what places name, and may be empty.
func NewText(file, content string) Text {
	s := Text{file: file}
	for line := range strings.SplitSeq(content, "\n") {
		s.lines = append(s.lines, []rune(strings.TrimSuffix(line, "\r")))
	}
	return s
}

// Line is the text of a line, counted from 1; empty beyond the end.
func (s Text) Line(number int) string {
	if number < 1 || number > len(s.lines) {
		return ""
	}
	return string(s.lines[number-1])
}

// At is the place nearest to line and column that is in the text.
func (s Text) At(line, column int) Place {
	line = min(max(line, 1), max(len(s.lines), 1))
	column = max(column, 1)
	if len(s.lines) > 0 {
		column = min(column, len(s.lines[line-1])+1)
	}
	return Place{File: s.file, Line: line, Column: column}
}

// Quote is how a scalar is written.
type Quote int

// The ways to write one. JSON's is DoubleQuoted.
const (
	Plain Quote = iota
	SingleQuoted
	DoubleQuoted
	Block // | and >
)

// Scalar finds characters of a scalar whose value is known and whose first character, quote or block sign
// stands at line and column. Where the way the text is written cannot be followed, the place is whole.
func (s Text) Scalar(value string, line, column int, q Quote, whole Place) func(at int) Place {
	begin := cursor{text: s, line: line - 1, column: column - 1, quote: q}
	switch q {
	case SingleQuoted, DoubleQuoted:
		begin.column++
	case Block:
		begin.line, begin.column = begin.line+1, 0
	}
	return func(at int) Place { return begin.find([]rune(value), at, whole) }
}

// cursor is a position in the source inside a scalar.
type cursor struct {
	text         Text
	line, column int
	quote        Quote
}

// find goes along the value and the source together until the character wanted.
func (c cursor) find(value []rune, at int, whole Place) Place {
	for i := 0; ; i++ {
		if i >= len(value) || i == at && unicode.IsSpace(value[i]) {
			return c.text.At(c.line+1, c.column+1)
		}
		if unicode.IsSpace(value[i]) {
			// A fold makes one space of a line's end and the next one's indent.
			if r, after, _ := c.next(); unicode.IsSpace(r) {
				c = after
			}
			continue
		}
		c.skipSpace()
		if i == at {
			return c.text.At(c.line+1, c.column+1)
		}
		r, after, ok := c.next()
		if !ok || r != value[i] {
			return whole
		}
		c = after
	}
}

// skipSpace goes to the next character that is no space, over the ends of lines.
func (c *cursor) skipSpace() {
	for c.line < len(c.text.lines) {
		line := c.text.lines[c.line]
		switch {
		case c.column < len(line) && !unicode.IsSpace(line[c.column]) && !c.joins(line):
			return
		case c.column < len(line):
			c.column++
		case c.line == len(c.text.lines)-1:
			return
		default:
			c.line, c.column = c.line+1, 0
		}
	}
}

// joins reports whether the cursor is at the backslash that joins a line to the next one.
func (c *cursor) joins(line []rune) bool {
	return c.quote == DoubleQuoted && line[c.column] == '\\' && c.column == len(line)-1
}

// doubleEscapes are the one-letter escapes of YAML's double quotes; JSON's are among them.
var doubleEscapes = map[rune]rune{
	'0': 0, 'a': '\a', 'b': '\b', 't': '\t', '\t': '\t', 'n': '\n', 'v': '\v', 'f': '\f', 'r': '\r', 'e': 0x1b,
	' ': ' ', '"': '"', '/': '/', '\\': '\\', 'N': 0x85, '_': 0xa0, 'L': 0x2028, 'P': 0x2029,
}

// next reads one character as the quotes around it write it, and gives the cursor after it.
func (c cursor) next() (r rune, after cursor, ok bool) {
	if c.line < 0 || c.line >= len(c.text.lines) || c.column < 0 || c.column >= len(c.text.lines[c.line]) {
		return 0, c, false
	}
	rest := c.text.lines[c.line][c.column:]
	r, size := rest[0], 1
	switch {
	case c.quote == SingleQuoted && r == '\'':
		size = 2
		if len(rest) < 2 || rest[1] != '\'' {
			return 0, c, false
		}
	case c.quote == DoubleQuoted && r == '"':
		return 0, c, false
	case c.quote == DoubleQuoted && r == '\\':
		if r, size = escaped(rest); size == 0 {
			return 0, c, false
		}
	}
	c.column += size
	return r, c, true
}

// escaped reads the escape at the start of rest; size is 0 where there is none.
func escaped(rest []rune) (r rune, size int) {
	if len(rest) < 2 {
		return 0, 0
	}
	digits := map[rune]int{'x': 2, 'u': 4, 'U': 8}[rest[1]]
	if digits == 0 {
		r, ok := doubleEscapes[rest[1]]
		if !ok {
			return 0, 0
		}
		return r, 2
	}
	if len(rest) < 2+digits {
		return 0, 0
	}
	n, err := strconv.ParseUint(string(rest[2:2+digits]), 16, 32)
	if err != nil {
		return 0, 0
	}
	r, size = rune(n), 2+digits
	if utf16.IsSurrogate(r) && len(rest) > size && rest[size] == '\\' {
		if low, more := escaped(rest[size:]); more > 0 && utf16.DecodeRune(r, low) != unicode.ReplacementChar {
			return utf16.DecodeRune(r, low), size + more
		}
	}
	return r, size
}
