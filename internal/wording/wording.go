// Package wording owns the templates of what is said about alerts: Go's text/template, in which .user.name is
// the value of that field, with functions that can neither call out nor run on, and errors at their places. It
// knows no alerts, and escapes nothing: whoever shows a text does.
package wording

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"text/template"
	"text/template/parse"
	"time"
	"unicode/utf8"
)

// Source is what a template tells of.
type Source interface {
	// Value is what a dotted name means: a text, a number, a bool, a time, a Row, or a []any of these; nil for
	// nothing.
	Value(name string) any
}

// Row is a Source within another, such as a row of a search.
type Row map[string][]any

// Value implements Source.
func (r Row) Value(name string) any { return Values(r[name]) }

// Template is a template that was read. It is safe for concurrent use.
type Template struct {
	text     string
	template *template.Template
	reads    []Reading
}

// Reading is a name that a template tells, and where in its text.
type Reading struct {
	Name string
	At   int // an offset in bytes
	// Inner is set where the name is one of a row, inside a range or with.
	Inner bool
}

// Error is what is wrong with a template, and where.
type Error struct {
	Text         string // the template
	At           int    // an offset in it, in bytes
	Said         string // what is wrong
	Line, Column int    // the same place, from 1, the column in characters
}

func (e *Error) Error() string { return fmt.Sprintf("%d:%d: %s", e.Line, e.Column, e.Said) }

func errorAt(text string, at int, said string) *Error {
	at = max(0, min(at, len(text)))
	before := text[:at]
	return &Error{
		Text: text, At: at, Said: said, Line: strings.Count(before, "\n") + 1,
		Column: utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1,
	}
}

const (
	// textMost is the longest template, in bytes, and outMost the longest text made of one.
	textMost = 16 << 10
	outMost  = 16 << 10
	// stepsMost is how many steps one rendering takes before it is given up.
	stepsMost = 20_000
)

// What stands between Open and Close is a value and not the template's own text; neither occurs in a value.
const (
	Open  = "\x01"
	Close = "\x02"
)

var (
	unmark = strings.NewReplacer(Open, "", Close, "")

	errTooLong = errors.New("the text is too long")
	errTooMany = fmt.Errorf("it takes more than %d steps", stepsMost)
)

// Parse reads a template. Its error is an *Error.
func Parse(text string) (*Template, error) {
	if len(text) > textMost {
		return nil, errorAt(text, textMost, fmt.Sprintf("a template has at most %d bytes", textMost))
	}
	if i := strings.IndexAny(text, Open+Close); i >= 0 {
		return nil, errorAt(text, i, "a control character: take it out")
	}
	tree := parse.New("message")
	trees := map[string]*parse.Tree{}
	if _, err := tree.Parse(text, "", "", trees, funcs, builtins); err != nil {
		return nil, placed(text, err)
	}
	if len(trees) > 1 {
		return nil, errorAt(text, max(strings.Index(text, "define"), strings.Index(text, "block"), 0), "a message is one template: write what define and block hold at its place")
	}
	t := &Template{text: text}
	w := &rewriter{template: t}
	w.list(tree.Root)
	if w.err != nil {
		return nil, w.err
	}
	var err error
	if t.template, err = template.New("message").Funcs(funcs).AddParseTree("message", tree); err != nil {
		return nil, errorAt(text, 0, err.Error())
	}
	return t, nil
}

// String is the template as it was written.
func (t *Template) String() string { return t.text }

// Reads are the names that the template tells, in its order.
func (t *Template) Reads() []Reading { return t.reads }

// Render makes the text. Its error is an *Error, for the template's author. A text that is too long ends in an
// ellipsis.
func (t *Template) Render(s Source) (string, error) {
	out, err := t.Marked(s)
	return unmark.Replace(out), err
}

// Marked is Render with every value between Open and Close.
func (t *Template) Marked(s Source) (string, error) {
	var out limited
	if err := t.template.Execute(&out, s); err != nil && !errors.Is(err, errTooLong) {
		return "", placed(t.text, err)
	}
	return strings.TrimSpace(strings.ToValidUTF8(out.String(), "")), nil
}

// limited keeps the first outMost bytes, and counts steps: there is a write before each.
type limited struct {
	strings.Builder
	steps int
}

func (l *limited) Write(b []byte) (int, error) {
	if l.steps++; l.steps > 2*stepsMost {
		return 0, errTooMany
	}
	if l.Len()+len(b) > outMost {
		cut := b[:outMost-l.Len()]
		l.Builder.Write(cut)
		l.WriteString("…")
		if strings.LastIndex(l.String(), Open) > strings.LastIndex(l.String(), Close) {
			l.WriteString(Close)
		}
		return 0, errTooLong
	}
	return l.Builder.Write(b)
}

var (
	templateError = regexp.MustCompile(`(?s)^template: message:(\d+)(?::(\d+))?: (.*)$`)
	quotedWord    = regexp.MustCompile(`"((?:[^"\\]|\\.)+)"|<([^>]+)>`)
)

// placed puts an error of the package template where it is meant. Its parser tells the line only: then it is
// at the word that the error quotes, else where the last action of the line begins.
func placed(text string, err error) *Error {
	if errors.Is(err, errTooMany) {
		return errorAt(text, 0, errTooMany.Error())
	}
	parts := templateError.FindStringSubmatch(err.Error())
	if parts == nil {
		return errorAt(text, 0, err.Error())
	}
	said := parts[3]
	if _, cause, ok := strings.Cut(said, ">: "); ok {
		said = cause
	}
	if function, cause, ok := strings.Cut(strings.TrimPrefix(said, "error calling "), ": "); ok && strings.HasPrefix(said, "error calling ") {
		said = strings.TrimPrefix(cause, function+": ")
	}
	if said == "unexpected EOF" {
		said = "it ends before the {{end}} of an if, range or with"
	}
	at := 0
	number, _ := strconv.Atoi(parts[1]) // digits
	lines := strings.SplitAfter(text, "\n")
	for _, line := range lines[:min(max(number-1, 0), len(lines)-1)] {
		at += len(line)
	}
	line := text[at:]
	if end := strings.IndexByte(line, '\n'); end >= 0 {
		line = line[:end]
	}
	if parts[2] != "" {
		column, _ := strconv.Atoi(parts[2]) // digits
		return errorAt(text, at+min(column, len(line)), said)
	}
	for _, q := range quotedWord.FindAllStringSubmatch(said, -1) {
		if i := strings.LastIndex(line, q[1]+q[2]); i >= 0 {
			return errorAt(text, at+i, said)
		}
	}
	return errorAt(text, at+max(strings.LastIndex(line, "{{"), 0), said)
}

// rewriter turns .user.name into the value of that name, wherever the template is.
type rewriter struct {
	template *Template
	inner    int
	err      *Error
}

func (w *rewriter) list(l *parse.ListNode) {
	if l == nil {
		return
	}
	// A write of nothing is a step that the writer counts.
	step := &parse.TextNode{NodeType: parse.NodeText, Pos: l.Pos}
	nodes := append(make([]parse.Node, 0, 2*len(l.Nodes)+1), step)
	for _, n := range l.Nodes {
		switch n := n.(type) {
		case *parse.ActionNode:
			w.pipe(n.Pipe)
			if len(n.Pipe.Decl) == 0 {
				w.then(n.Pipe, "show")
			}
		case *parse.IfNode:
			w.branch(&n.BranchNode, false)
		case *parse.WithNode:
			w.branch(&n.BranchNode, true)
		case *parse.RangeNode:
			w.then(n.Pipe, "each")
			w.branch(&n.BranchNode, true)
		case *parse.TemplateNode:
			w.fail(n.Pos, "a message is one template: write out what this one holds")
		}
		nodes = append(nodes, n, step)
	}
	l.Nodes = nodes
}

func (w *rewriter) fail(at parse.Pos, said string) {
	if w.err == nil {
		w.err = errorAt(w.template.text, int(at), said)
	}
}

// branch rewrites what is chosen or repeated; moves is set where dot is another thing inside.
func (w *rewriter) branch(b *parse.BranchNode, moves bool) {
	w.pipe(b.Pipe)
	if moves {
		w.inner++
	}
	w.list(b.List)
	if moves {
		w.inner--
	}
	w.list(b.ElseList)
}

func (w *rewriter) pipe(p *parse.PipeNode) {
	if p == nil {
		return
	}
	for k, c := range p.Cmds {
		if f, ok := c.Args[0].(*parse.IdentifierNode); ok {
			w.call(f, c.Args[1:], k > 0)
		}
		for i, arg := range c.Args {
			c.Args[i] = w.arg(arg)
		}
	}
}

// call checks what a function is given, as far as it shows before anything is known of the values.
func (w *rewriter) call(f *parse.IdentifierNode, args []parse.Node, piped bool) {
	function, ours := funcs[f.Ident]
	n := len(args)
	if piped {
		n++
	}
	switch {
	case ours:
		kind := reflect.TypeOf(function)
		least := kind.NumIn()
		if kind.IsVariadic() {
			least--
		}
		if n < least || n > least && !kind.IsVariadic() {
			w.fail(f.Pos, fmt.Sprintf("wrong number of args for %s: want %d got %d", f.Ident, least, n))
			return
		}
	case n == 0 || f.Ident == "not" && n != 1:
		w.fail(f.Pos, fmt.Sprintf("wrong number of args for %s: want at least 1 got %d", f.Ident, n))
		return
	}
	if f.Ident == "date" && len(args) > 1 {
		if zone, ok := args[1].(*parse.StringNode); ok {
			if _, err := time.LoadLocation(zone.Text); err != nil {
				w.fail(zone.Pos, fmt.Sprintf("%q is not a time zone", zone.Text))
			}
		}
	}
	if f.Ident == "printf" && len(args) > 0 {
		if layout, ok := args[0].(*parse.StringNode); ok && wide.MatchString(layout.Text) {
			w.fail(layout.Pos, "printf: a width has at most two digits, and no *")
		}
	}
}

func (w *rewriter) arg(n parse.Node) parse.Node {
	switch n := n.(type) {
	case *parse.FieldNode:
		name := strings.Join(n.Ident, ".")
		w.template.reads = append(w.template.reads, Reading{name, int(n.Pos), w.inner > 0})
		return call(n.Pos, "get", &parse.DotNode{NodeType: parse.NodeDot, Pos: n.Pos}, text(n.Pos, name))
	case *parse.VariableNode:
		if len(n.Ident) == 1 {
			return n
		}
		name := strings.Join(n.Ident[1:], ".")
		if n.Ident[0] == "$" {
			w.template.reads = append(w.template.reads, Reading{name, int(n.Pos) + 1, false})
		}
		return call(n.Pos, "get", &parse.VariableNode{NodeType: parse.NodeVariable, Pos: n.Pos, Ident: n.Ident[:1]}, text(n.Pos, name))
	case *parse.ChainNode:
		return call(n.Pos, "get", w.arg(n.Node), text(n.Pos, strings.Join(n.Field, ".")))
	case *parse.PipeNode:
		w.pipe(n)
	}
	return n
}

func text(at parse.Pos, s string) *parse.StringNode {
	return &parse.StringNode{NodeType: parse.NodeString, Pos: at, Quoted: strconv.Quote(s), Text: s}
}

// call is a call in brackets.
func call(at parse.Pos, name string, args ...parse.Node) *parse.PipeNode {
	identifier := parse.NewIdentifier(name).SetPos(at)
	return &parse.PipeNode{NodeType: parse.NodePipe, Pos: at, Cmds: []*parse.CommandNode{
		{NodeType: parse.NodeCommand, Pos: at, Args: append([]parse.Node{identifier}, args...)},
	}}
}

// then hands what a pipe gives to a function.
func (w *rewriter) then(p *parse.PipeNode, name string) {
	p.Cmds = append(p.Cmds, &parse.CommandNode{NodeType: parse.NodeCommand, Pos: p.Pos, Args: []parse.Node{parse.NewIdentifier(name).SetPos(p.Pos)}})
}

// Parts calls each for the pieces of a marked text in their order: own for the template's, else a value.
func Parts(marked string, each func(piece string, own bool)) {
	for marked != "" {
		before, rest, found := strings.Cut(marked, Open)
		if before = unmark.Replace(before); before != "" {
			each(before, true)
		}
		if !found {
			return
		}
		value, after, _ := strings.Cut(rest, Close)
		each(unmark.Replace(value), false)
		marked = after
	}
}

// Place is the part of an error's text where it is, for a message to quote; "" at its end.
func (e *Error) Place() string {
	line, _, _ := strings.Cut(e.Text[e.At:], "\n")
	return cmp.Or(line, "")
}
