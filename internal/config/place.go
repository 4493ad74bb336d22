package config

import (
	"strconv"
	"strings"
	"unicode"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// source is the text of the file, to find places in.
type source struct {
	file  string
	lines [][]rune
}

func newSource(file, text string) source {
	s := source{file: file}
	for line := range strings.SplitSeq(text, "\n") {
		s.lines = append(s.lines, []rune(strings.TrimSuffix(line, "\r")))
	}
	return s
}

// line is the text of a line, counted from 1; empty beyond the end.
func (s source) line(number int) string {
	if number < 1 || number > len(s.lines) {
		return ""
	}
	return string(s.lines[number-1])
}

// place is the place nearest to line and column that is in the file.
func (s source) place(line, column int) Place {
	line = min(max(line, 1), max(len(s.lines), 1))
	column = max(column, 1)
	if len(s.lines) > 0 {
		column = min(column, len(s.lines[line-1])+1)
	}
	return Place{File: s.file, Line: line, Column: column}
}

// placeIn is where the given rune of a text as written stands in the file. Where the way YAML
// writes the text cannot be followed, it is the place of the whole text.
func (d *decoder) placeIn(t text, at int) Place {
	var begin *token.Token
	value := []rune(t.written)
	switch v := t.node.(type) {
	case *ast.StringNode:
		begin = v.Token
	case *ast.LiteralNode:
		begin = v.Start
	default:
		begin = t.node.GetToken()
	}
	if begin == nil || begin.Position == nil || at < 0 || at > len(value) {
		return t.place
	}
	c := cursor{source: d.source, line: begin.Position.Line - 1, column: begin.Position.Column - 1, quote: begin.Type}
	switch begin.Type {
	case token.SingleQuoteType, token.DoubleQuoteType:
		c.column++
	case token.LiteralType, token.FoldedType:
		c.line, c.column = c.line+1, 0
	}
	for i := 0; ; i++ {
		if i == len(value) {
			return d.source.place(c.line+1, c.column+1)
		}
		if unicode.IsSpace(value[i]) {
			// A fold turns a line's end and the next one's indent into one space.
			if i == at {
				return d.source.place(c.line+1, c.column+1)
			}
			if r, end, _ := c.escaped(); unicode.IsSpace(r) {
				c = end
			}
			continue
		}
		c.skipSpace()
		if i == at {
			return d.source.place(c.line+1, c.column+1)
		}
		r, end, ok := c.escaped()
		if !ok || r != value[i] {
			return t.place
		}
		c = end
	}
}

// cursor is a position in the source inside a scalar.
type cursor struct {
	source       source
	line, column int
	quote        token.Type
}

// skipSpace goes to the next character that is no space, over the ends of lines.
func (c *cursor) skipSpace() {
	for c.line < len(c.source.lines) {
		line := c.source.lines[c.line]
		if c.column < len(line) {
			if !unicode.IsSpace(line[c.column]) {
				return
			}
			c.column++
			continue
		}
		if c.line == len(c.source.lines)-1 {
			return
		}
		c.line, c.column = c.line+1, 0
	}
}

// doubleEscapes are the one-letter escapes of YAML's double quotes.
var doubleEscapes = map[rune]rune{
	'0': 0, 'a': '\a', 'b': '\b', 't': '\t', '\t': '\t', 'n': '\n', 'v': '\v', 'f': '\f', 'r': '\r', 'e': 0x1b,
	' ': ' ', '"': '"', '/': '/', '\\': '\\', 'N': 0x85, '_': 0xa0, 'L': 0x2028, 'P': 0x2029,
}

// escaped reads one character as the quotes around it write it, and gives the cursor after it.
func (c cursor) escaped() (r rune, after cursor, ok bool) {
	if c.line < 0 || c.line >= len(c.source.lines) || c.column >= len(c.source.lines[c.line]) || c.column < 0 {
		return 0, c, false
	}
	rest := c.source.lines[c.line][c.column:]
	size := 1
	r = rest[0]
	switch {
	case c.quote == token.SingleQuoteType && r == '\'':
		if len(rest) < 2 || rest[1] != '\'' {
			return 0, c, false
		}
		size = 2
	case c.quote == token.DoubleQuoteType && r == '"':
		return 0, c, false
	case c.quote == token.DoubleQuoteType && r == '\\':
		if len(rest) < 2 {
			return 0, c, false
		}
		digits := map[rune]int{'x': 2, 'u': 4, 'U': 8}[rest[1]]
		if digits == 0 {
			r, ok = doubleEscapes[rest[1]]
			if !ok {
				return 0, c, false
			}
			size = 2
			break
		}
		size = 2 + digits
		if len(rest) < size {
			return 0, c, false
		}
		n, err := strconv.ParseUint(string(rest[2:size]), 16, 32)
		if err != nil {
			return 0, c, false
		}
		r = rune(n)
	}
	c.column += size
	return r, c, true
}
