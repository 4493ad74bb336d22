package rule

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"text/template"
	"text/template/parse"
	"time"

	"tocsin/internal/alert"
)

// Message is a template for the sentence of an alert: Go's text/template, in which .user.name is the value
// of that field of the alert. It is safe for concurrent use.
type Message struct {
	text     string
	template *template.Template
	reads    []reading
}

// reading is a field that a message tells, and where.
type reading struct {
	name string
	at   int
	// row is set where the field is one of a row, inside a range.
	row bool
}

// MessageData is what a message can tell.
type MessageData struct {
	Rule     *Rule
	Severity alert.Severity
	Risk     float64
	// Count is how many events or rows the alert stands for.
	Count int
	// Time is the alert's; First and Last are those of its events. Zero is unknown.
	Time, First, Last time.Time
	// Fields are the alert's: columns of its row and fields of its document, by dotted name. Nil values are
	// left out.
	Fields map[string][]any
	// Rows are the rows of the run where an alert is made of all of them.
	Rows []map[string][]any
}

// String is the template as it was written.
func (m *Message) String() string { return m.text }

// mostMessage is the longest sentence made, in bytes.
const mostMessage = 16 << 10

// Render makes the sentence. Text from the alert stands in it as it is: whoever shows it escapes it. The
// error is for the rule's author.
func (m *Message) Render(d MessageData) (string, error) {
	var out limited
	if err := m.template.Execute(&out, &d); err != nil && !errors.Is(err, errTooLong) {
		return "", fmt.Errorf("message of rule %s: %w", d.Rule.ID, err)
	}
	return strings.TrimSpace(strings.ToValidUTF8(out.String(), "")), nil
}

var errTooLong = errors.New("the message is too long")

// limited keeps the first mostMessage bytes.
type limited struct{ strings.Builder }

func (l *limited) Write(b []byte) (int, error) {
	if l.Len()+len(b) > mostMessage {
		l.Builder.Write(b[:mostMessage-l.Len()])
		l.Builder.WriteString("…")
		return 0, errTooLong
	}
	return l.Builder.Write(b)
}

func (d *decoder) message(n *node, r *Rule) {
	v := n.get("message")
	if v == nil || v.wrong {
		return
	}
	m, at, err := newMessage(v.text)
	if err != nil {
		d.problem(v.at(at), "message: "+err.Error())
		return
	}
	r.Message = m
}

// newMessage reads a template; the place of an error is an offset in its text.
func newMessage(written string) (*Message, int, error) {
	tree := parse.New("message")
	trees := map[string]*parse.Tree{}
	if _, err := tree.Parse(written, "", "", trees, messageFuncs, builtinFuncs); err != nil {
		at, said := placeOfTemplateError(written, err)
		return nil, at, errors.New(said)
	}
	if len(trees) > 1 {
		return nil, max(strings.Index(written, "define"), strings.Index(written, "block"), 0), errors.New("a message is one template: write what define and block hold at its place")
	}
	m := &Message{text: written}
	w := &rewriter{message: m}
	w.list(tree.Root)
	if w.err != nil {
		return nil, w.at, w.err
	}
	var err error
	if m.template, err = template.New("message").Funcs(messageFuncs).AddParseTree("message", tree); err != nil {
		return nil, 0, err
	}
	// Calls with the wrong number of values show as soon as they are made.
	err = m.template.Execute(&limited{}, &MessageData{Rule: &Rule{}})
	if err != nil && strings.Contains(err.Error(), "wrong number of args") {
		at, said := placeOfTemplateError(written, err)
		return nil, at, errors.New(said)
	}
	return m, 0, nil
}

var (
	templateError = regexp.MustCompile(`(?s)^template: message:(\d+)(?::(\d+))?: (.*)$`)
	quotedWord    = regexp.MustCompile(`"((?:[^"\\]|\\.)+)"|<([^>]+)>`)
)

// placeOfTemplateError is where an error of the template's parser is meant, which tells the line only: at
// the word it quotes, else where the last action of the line begins.
func placeOfTemplateError(written string, err error) (at int, said string) {
	parts := templateError.FindStringSubmatch(err.Error())
	if parts == nil {
		return 0, err.Error()
	}
	said = parts[3]
	if _, cause, ok := strings.Cut(said, ">: "); ok {
		said = cause
	}
	if said == "unexpected EOF" {
		said = "it ends before the {{end}} of an if, range or with"
	}
	number, _ := strconv.Atoi(parts[1])
	lines := strings.SplitAfter(written, "\n")
	for _, line := range lines[:min(max(number-1, 0), len(lines)-1)] {
		at += len(line)
	}
	line := written[at:]
	if end := strings.IndexByte(line, '\n'); end >= 0 {
		line = line[:end]
	}
	if parts[2] != "" {
		column, _ := strconv.Atoi(parts[2])
		return at + min(column, len(line)), said
	}
	for _, q := range quotedWord.FindAllStringSubmatch(said, -1) {
		if i := strings.LastIndex(line, q[1]+q[2]); i >= 0 {
			return at + i, said
		}
	}
	return at + max(strings.LastIndex(line, "{{"), 0), said
}

// rewriter turns .user.name into the field of that name, wherever the template is.
type rewriter struct {
	message *Message
	inRange int
	err     error
	at      int
}

func (w *rewriter) list(l *parse.ListNode) {
	if l == nil {
		return
	}
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
			w.fail(int(n.Pos), "a message is one template: write out what this one holds")
		}
	}
}

func (w *rewriter) fail(at int, said string) {
	if w.err == nil {
		w.err, w.at = errors.New(said), at
	}
}

// branch rewrites what is chosen or repeated; moves is set where dot is another thing inside.
func (w *rewriter) branch(b *parse.BranchNode, moves bool) {
	w.pipe(b.Pipe)
	if moves {
		w.inRange++
	}
	w.list(b.List)
	if moves {
		w.inRange--
	}
	w.list(b.ElseList)
}

func (w *rewriter) pipe(p *parse.PipeNode) {
	if p == nil {
		return
	}
	for _, c := range p.Cmds {
		for i, arg := range c.Args {
			c.Args[i] = w.arg(arg)
		}
	}
}

func (w *rewriter) arg(n parse.Node) parse.Node {
	switch n := n.(type) {
	case *parse.FieldNode:
		name := strings.Join(n.Ident, ".")
		w.message.reads = append(w.message.reads, reading{name, int(n.Pos), w.inRange > 0})
		return call(n.Pos, "get", &parse.DotNode{NodeType: parse.NodeDot, Pos: n.Pos}, text(n.Pos, name))
	case *parse.VariableNode:
		if len(n.Ident) == 1 {
			return n
		}
		name := strings.Join(n.Ident[1:], ".")
		if n.Ident[0] == "$" {
			w.message.reads = append(w.message.reads, reading{name, int(n.Pos) + 1, false})
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
