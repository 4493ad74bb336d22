package kql

import (
	"strings"
	"unicode/utf8"
)

// SyntaxError says where a text stops being KQL, in Kibana's words.
type SyntaxError struct {
	Text string
	// Place is what was found there; it is empty at the end of the text.
	Place Span
	// Expected are the things that could have stood there, sorted.
	Expected []string
	// Problem is set instead of Expected where Kibana has no text for it.
	Problem string
}

// Error is Kibana's message: what was expected, the text, and a mark under the place.
func (e *SyntaxError) Error() string {
	return e.Message() + "\n" + e.Text + "\n" + strings.Repeat("-", e.Offset()) + "^"
}

// Message is the first line of Error.
func (e *SyntaxError) Message() string {
	if e.Problem != "" {
		return e.Problem
	}
	found := "end of input"
	if e.Place.End > e.Place.Start {
		found = `"` + e.Text[e.Place.Start:e.Place.End] + `"`
	}
	return "Expected " + strings.Join(e.Expected, ", ") + " but " + found + " found."
}

// Offset is the place in UTF-16 code units from the start of the text, as Kibana counts.
func (e *SyntaxError) Offset() int { return UTF16Len(e.Text[:e.Place.Start]) }

// UTF16Len counts the UTF-16 code units of s.
func UTF16Len(s string) int {
	n := 0
	for _, r := range s {
		n++
		if r > 0xFFFF {
			n++
		}
	}
	return n
}

// expectation is a set of the things a text may go on with.
type expectation uint32

const (
	expectOpen expectation = 1 << iota
	expectClose
	expectColon
	expectLess
	expectLessEqual
	expectGreater
	expectGreaterEqual
	expectOpenBrace
	expectCloseBrace
	expectAnd
	expectNot
	expectOr
	expectEnd
	expectField
	expectLiteral
	expectValue
	expectSpace
)

// expectations are their names, in the order of the constants, which is the order Kibana sorts them in.
var expectations = [...]string{
	`"("`, `")"`, `":"`, `"<"`, `"<="`, `">"`, `">="`, `"{"`, `"}"`,
	"AND", "NOT", "OR", "end of input", "field name", "literal", "value", "whitespace",
}

func (p *parser) failure() error {
	e := &SyntaxError{Text: p.text, Place: Span{p.furthest, p.furthest}}
	if p.furthest < len(p.text) {
		_, n := utf8.DecodeRuneInString(p.text[p.furthest:])
		e.Place.End += n
	}
	if p.tooDeep {
		e.Problem = "Parentheses and braces are nested deeper than 1,000 levels; write a flatter query."
		return e
	}
	for i, name := range expectations {
		if p.expected&(1<<i) != 0 {
			e.Expected = append(e.Expected, name)
		}
	}
	return e
}
