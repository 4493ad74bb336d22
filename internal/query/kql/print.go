package kql

import (
	"strings"
	"unicode/utf8"
)

// Print writes a tree as KQL, such that reading it gives the same tree again. Trees that Parse cannot
// give (an unquoted value with space at its ends, say) come out as the nearest that it can.
func Print(n Node) string {
	var b strings.Builder
	printNode(&b, n)
	return b.String()
}

func printNode(b *strings.Builder, n Node) {
	switch n := n.(type) {
	case *Is:
		if l, ok := n.Field.(*Literal); !ok || l.Kind != Null {
			printTerm(b, n.Field)
			b.WriteByte(':')
		}
		printTerm(b, n.Value)
	case *Range:
		printTerm(b, n.Field)
		b.WriteString(" " + n.Op.Symbol() + " ")
		printTerm(b, n.Value)
	case *Nested:
		printTerm(b, n.Path)
		b.WriteString(":{ ")
		printNode(b, n.Query)
		b.WriteString(" }")
	case *And:
		printNodes(b, n.Nodes, " and ", func(n Node) bool { return !joins(n) })
	case *Or:
		printNodes(b, n.Nodes, " or ", func(n Node) bool { _, or := n.(*Or); return !or })
	case *Not:
		b.WriteString("not ")
		_, not := n.Node.(*Not)
		if !not && !joins(n.Node) {
			printNode(b, n.Node)
			return
		}
		if field, ok := values(n.Node); ok {
			printTerm(b, field)
			b.WriteByte(':')
			printValues(b, n.Node)
			return
		}
		b.WriteByte('(')
		printNode(b, n.Node)
		b.WriteByte(')')
	}
}

func joins(n Node) bool {
	switch n.(type) {
	case *And, *Or:
		return true
	}
	return false
}

// printNodes writes nodes joined; those that cannot stand bare get parentheses. All of one field are
// written as field:(a or b).
func printNodes(b *strings.Builder, nodes []Node, joint string, bare func(Node) bool) {
	if field, ok := common(nodes); ok {
		printTerm(b, field)
		b.WriteString(":(")
		for i, n := range nodes {
			if i > 0 {
				b.WriteString(joint)
			}
			printTerm(b, n.(*Is).Value)
		}
		b.WriteByte(')')
		return
	}
	for i, n := range nodes {
		if i > 0 {
			b.WriteString(joint)
		}
		_, short := values(n)
		if bare(n) || short {
			printNode(b, n)
			continue
		}
		b.WriteByte('(')
		printNode(b, n)
		b.WriteByte(')')
	}
}

// values tells the field of an and or or that is written as field:(a or b).
func values(n Node) (Term, bool) {
	switch n := n.(type) {
	case *And:
		return common(n.Nodes)
	case *Or:
		return common(n.Nodes)
	}
	return nil, false
}

func printValues(b *strings.Builder, n Node) {
	nodes, joint := []Node(nil), " or "
	switch n := n.(type) {
	case *And:
		nodes, joint = n.Nodes, " and "
	case *Or:
		nodes = n.Nodes
	}
	for i, n := range nodes {
		if i == 0 {
			b.WriteByte('(')
		} else {
			b.WriteString(joint)
		}
		printTerm(b, n.(*Is).Value)
	}
	b.WriteByte(')')
}

// common is the field that all nodes compare with a value, if they do.
func common(nodes []Node) (Term, bool) {
	first, ok := nodes[0].(*Is)
	if !ok {
		return nil, false
	}
	if l, ok := first.Field.(*Literal); ok && l.Kind == Null {
		return nil, false
	}
	for _, n := range nodes[1:] {
		is, ok := n.(*Is)
		if !ok || !sameTerm(is.Field, first.Field) {
			return nil, false
		}
	}
	return first.Field, true
}

func sameTerm(a, b Term) bool {
	switch a := a.(type) {
	case *Literal:
		b, ok := b.(*Literal)
		return ok && a.Kind == b.Kind && a.Text == b.Text && a.Quoted == b.Quoted
	case *Wildcard:
		b, ok := b.(*Wildcard)
		return ok && a.Value == b.Value
	}
	return false
}

func printTerm(b *strings.Builder, t Term) {
	switch t := t.(type) {
	case *Wildcard:
		b.WriteString(escape(t.Value, true))
	case *Literal:
		switch {
		case t.Kind != String:
			b.WriteString(t.Name())
		case t.Quoted:
			b.WriteString(Quote(t.Text))
		default:
			b.WriteString(escape(t.Text, false))
		}
	}
}

// Quote writes s as a quoted string.
func Quote(s string) string {
	b := append(make([]byte, 0, len(s)+2), '"')
	for i := 0; i < len(s); {
		n := 1
		switch c := s[i]; c {
		case '"', '\\':
			b = append(b, '\\', c)
		default:
			b, n = appendCharacter(b, s[i:])
		}
		i += n
	}
	return string(append(b, '"'))
}

// Escape writes s as an unquoted literal that means s. Space at its ends is lost to KQL, and an empty
// one, null, true and false cannot be written without quotes: use Quote for those.
func Escape(s string) string { return escape(s, false) }

// escape writes an unquoted literal or, with marks, a wildcard.
func escape(s string, marks bool) string {
	if s == "" {
		return `\t` // unquoted literals are trimmed after their escapes are read
	}
	b := make([]byte, 0, len(s)+8)
	for i := 0; i < len(s); {
		if marks && strings.HasPrefix(s[i:], WildcardMark) {
			b = append(b, '*')
			i += len(WildcardMark)
			continue
		}
		c, n := s[i], 1
		switch {
		case special(c):
			b = append(b, '\\', c)
		case keywordAt(s, i):
			if c == 'n' || c == 'N' { // \n is a line feed
				b = appendUnit(b, rune(c))
			} else {
				b = append(b, '\\', c)
			}
		default:
			b, n = appendCharacter(b, s[i:])
		}
		i += n
	}
	return string(b)
}

// appendCharacter appends the character s begins with, as an escape if it is a control character or a
// lone surrogate, and tells its length in s.
func appendCharacter(b []byte, s string) ([]byte, int) {
	c := s[0]
	switch {
	case c == '\t':
		return append(b, `\t`...), 1
	case c == '\r':
		return append(b, `\r`...), 1
	case c == '\n':
		return append(b, `\n`...), 1
	case c < 0x20 || c == 0x7F:
		return appendUnit(b, rune(c)), 1
	case c < utf8.RuneSelf:
		return append(b, c), 1
	}
	if r, ok := surrogate(s); ok {
		return appendUnit(b, r), 3
	}
	r, n := utf8.DecodeRuneInString(s)
	if r == 0xA0 || trimmed(r) || r < 0xA0 {
		return appendUnit(b, r), n
	}
	return utf8.AppendRune(b, r), n
}

// keywordAt reports whether what begins at i could be read as or, and or not once it is printed: not
// may end any word, the others stand alone.
func keywordAt(s string, i int) bool {
	p := parser{text: s}
	ends := func(j int) bool { return j == len(s) || p.space(j) > 0 }
	switch {
	case p.word(i, "not"):
		return ends(i + 3)
	case p.word(i, "or"):
		return starts(s, i) && ends(i+2)
	case p.word(i, "and"):
		return starts(s, i) && ends(i+3)
	}
	return false
}

func starts(s string, i int) bool {
	return i == 0 || strings.IndexByte(" \t\r\n", s[i-1]) >= 0 || s[i-1] == 0xA0
}
