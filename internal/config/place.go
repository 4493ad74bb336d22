package config

import (
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"

	"tocsin/internal/yamltext"
)

// placeIn is where the given rune of a text as written stands in the file. Where the way YAML
// writes the text cannot be followed, it is the place of the whole text.
func (d *decoder) placeIn(t text, at int) Place {
	var begin *token.Token
	switch v := t.node.(type) {
	case *ast.StringNode:
		begin = v.Token
	case *ast.LiteralNode:
		begin = v.Start
	default:
		begin = t.node.GetToken()
	}
	if begin == nil || begin.Position == nil || at < 0 || at > utf8.RuneCountInString(t.written) {
		return t.place
	}
	quote := yamltext.Plain
	switch begin.Type {
	case token.SingleQuoteType:
		quote = yamltext.SingleQuoted
	case token.DoubleQuoteType:
		quote = yamltext.DoubleQuoted
	case token.LiteralType, token.FoldedType:
		quote = yamltext.Block
	}
	return d.source.Scalar(t.written, begin.Position.Line, begin.Position.Column, quote, t.place)(at)
}
