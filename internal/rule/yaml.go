package rule

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"

	"tocsin/internal/yamltext"
)

// What a rule may be at most: aliases can blow a small text up.
const (
	mostBytes = 1 << 20
	mostNodes = 100_000
)

// yaml turns a text into the one YAML document it must be; nil after a problem.
func (r *reader) yaml(content string) *node {
	file, err := yamltext.Parse(content)
	if err != nil {
		r.syntax(err)
		return nil
	}
	documents := yamltext.Documents(file)
	if len(documents) == 0 {
		return &node{place: r.source.At(1, 1)}
	}
	y := yamlReader{reader: r}
	if len(documents) > 1 {
		r.problem(y.placeOf(documents[1]), "starts a second YAML document: a file holds one rule; put the other in a file of its own")
	}
	for _, n := range ast.Filter(ast.AnchorType, documents[0]) {
		if a, ok := n.(*ast.AnchorNode); ok && a.Name != nil && a.Value != nil {
			y.anchors = append(y.anchors, anchor{name: a.Name.GetToken().Value, offset: a.GetToken().Position.Offset, node: a.Value})
		}
	}
	return y.read(documents[0])
}

// syntax reports what the parser refuses.
func (r *reader) syntax(err error) {
	place, said := r.source.At(1, 1), err.Error()
	var syntax yaml.Error
	if errors.As(err, &syntax) {
		said = syntax.GetMessage()
		if at := syntax.GetToken(); at != nil && at.Position != nil {
			place = r.source.At(at.Position.Line, at.Position.Column)
		}
	}
	said = "is not valid YAML: " + said
	if strings.Contains(said, "mapping value is not allowed") {
		said += `; text with a colon and a space in it must be in quotes or in a block after |: 'severity: critical'`
	} else {
		said += "; look at the indentation, quotes and brackets here and in the line before"
	}
	r.problem(place, said)
}

// yamlReader turns the parser's tree into nodes, aliases followed.
type yamlReader struct {
	*reader
	anchors []anchor
	nodes   int
	depth   int
}

// anchor is a named node; an alias means the last anchor of its name before it.
type anchor struct {
	name   string
	offset int
	node   ast.Node
}

// placeOf is where a node begins.
func (y *yamlReader) placeOf(n ast.Node) Place {
	switch v := n.(type) {
	case *ast.MappingNode:
		if !v.IsFlowStyle && len(v.Values) > 0 {
			return y.placeOf(v.Values[0])
		}
	case *ast.MappingValueNode:
		return y.placeOf(v.Key)
	case *ast.LiteralNode:
		if v.Start != nil {
			return y.placeOfToken(v.Start)
		}
	}
	return y.placeOfToken(n.GetToken())
}

func (y *yamlReader) placeOfToken(t *token.Token) Place {
	if t == nil || t.Position == nil {
		return y.source.At(1, 1)
	}
	return y.source.At(t.Position.Line, t.Position.Column)
}

// read gives a node with all below it. What cannot be read is reported and wrong.
func (y *yamlReader) read(n ast.Node) *node {
	y.depth++
	defer func() { y.depth-- }()
	y.nodes++
	if n == nil {
		return &node{}
	}
	out := &node{place: y.placeOf(n)}
	if y.nodes > mostNodes || y.depth > 2*yamltext.MostDepth {
		if y.nodes == mostNodes+1 || y.depth == 2*yamltext.MostDepth+1 {
			y.problem(out.place, fmt.Sprintf("the rule is too large once its aliases are followed: write fewer than %d values, or without aliases", mostNodes))
		}
		out.wrong = true
		return out
	}
	switch v := n.(type) {
	case *ast.AnchorNode:
		if v.Value != nil {
			return y.read(v.Value)
		}
		y.problem(out.place, "this anchor names nothing: put a value after it")
		out.wrong = true
	case *ast.AliasNode:
		if target := y.aliased(v); target != nil {
			out := y.read(target)
			out.place, out.inside = y.placeOf(n), nil
			return out
		}
		y.problem(out.place, "no anchor of this name stands before the alias: write the value out")
		out.wrong = true
	case *ast.TagNode:
		if v.Start != nil && v.Start.Value == "!!str" && v.Value != nil {
			return y.tagged(v.Value)
		}
		y.problem(out.place, "tags are not read here: delete the tag, and put text in quotes")
		out.wrong = true
	case *ast.NullNode:
	case *ast.StringNode:
		y.text(out, v)
	case *ast.LiteralNode:
		out.kind = isText
		if v.Value != nil {
			out.text = strings.TrimRight(v.Value.Value, "\n")
		}
		if v.Start != nil && v.Start.Position != nil {
			out.inside = y.source.Scalar(out.text, v.Start.Position.Line, v.Start.Position.Column, yamltext.Block, out.place)
		}
	case *ast.BoolNode:
		out.kind, out.text = isBool, "false"
		if v.Value {
			out.text = "true"
		}
	case *ast.IntegerNode:
		out.kind, out.text = isNumber, fmt.Sprint(v.Value) // in YAML it may be octal, or have underscores
	case *ast.FloatNode:
		out.kind, out.text = isNumber, strconv.FormatFloat(v.Value, 'g', -1, 64)
	case *ast.InfinityNode, *ast.NanNode:
		y.problem(out.place, n.GetToken().Value+" is no number here: put it in quotes where text is meant")
		out.wrong = true
	case *ast.SequenceNode:
		out.kind = isList
		for _, value := range v.Values {
			out.items = append(out.items, y.read(value))
		}
	case *ast.MappingNode:
		out.kind = isMapping
		y.pairs(out, v.Values)
	case *ast.MappingValueNode:
		out.kind = isMapping
		y.pairs(out, []*ast.MappingValueNode{v})
	default:
		y.problem(out.place, "this cannot be read here: write text, a number, true or false, a list or a mapping")
		out.wrong = true
	}
	return out
}

func (y *yamlReader) text(out *node, v *ast.StringNode) {
	out.kind, out.text = isText, v.Value
	if v.Token == nil || v.Token.Position == nil {
		return
	}
	q := yamltext.Plain
	switch v.Token.Type {
	case token.SingleQuoteType:
		q = yamltext.SingleQuoted
	case token.DoubleQuoteType:
		q = yamltext.DoubleQuoted
	}
	out.inside = y.source.Scalar(out.text, v.Token.Position.Line, v.Token.Position.Column, q, out.place)
}

// tagged reads what !!str makes text.
func (y *yamlReader) tagged(n ast.Node) *node {
	out := y.read(n)
	switch out.kind {
	case isNumber, isBool:
		out.kind, out.text = isText, n.GetToken().Value
	}
	return out
}

func (y *yamlReader) aliased(a *ast.AliasNode) ast.Node {
	if a.Value == nil || a.Value.GetToken() == nil {
		return nil
	}
	name, offset := a.Value.GetToken().Value, a.GetToken().Position.Offset
	var found ast.Node
	for _, candidate := range y.anchors {
		if candidate.name == name && candidate.offset < offset {
			found = candidate.node
		}
	}
	return found
}

// pairs reads the entries of a mapping; those it merges (<<) come after its own.
func (y *yamlReader) pairs(out *node, pairs []*ast.MappingValueNode) {
	var merged []entry
	for _, pair := range pairs {
		if pair == nil || pair.Key == nil {
			continue
		}
		if pair.Key.IsMergeKey() {
			merged = append(merged, y.merge(pair.Value)...)
			continue
		}
		e := entry{place: y.placeOf(pair.Key)}
		name, ok := yamltext.KeyName(pair.Key)
		if !ok {
			y.problem(e.place, "a key must be plain text")
			continue
		}
		e.name = name
		if i := slices.IndexFunc(out.entries, func(have entry) bool { return have.name == name }); i >= 0 {
			y.twice(e.place, name, out.entries[i].place)
			continue
		}
		if e.value = y.read(pair.Value); e.value.kind == isNull && !e.value.wrong {
			e.value.place = e.place
		}
		out.entries = append(out.entries, e)
	}
	for _, e := range merged {
		if out.get(e.name) == nil {
			out.entries = append(out.entries, e)
		}
	}
}

// merge are the entries of a << key: those of a mapping or of several, earlier ones first.
func (y *yamlReader) merge(n ast.Node) []entry {
	from := y.read(n)
	switch {
	case from.kind == isMapping:
		return from.entries
	case from.kind == isList:
		var out []entry
		for _, one := range from.items {
			out = append(out, one.entries...)
		}
		return out
	case !from.wrong:
		y.problem(from.place, "<< takes a mapping or a list of mappings, not "+from.called())
	}
	return nil
}

// wellFormed reports the first character that is not UTF-8.
func (r *reader) wellFormed(content string) bool {
	line, column, broken := yamltext.NotUTF8(content)
	if broken {
		at := r.source.At(1, 1)
		at.Line, at.Column = line, column
		r.problem(at, "this character is not UTF-8: save the file as UTF-8")
	}
	return !broken
}
