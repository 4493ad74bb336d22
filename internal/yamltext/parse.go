package yamltext

import (
	"errors"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// What Parse takes at most: the library's time and memory grow with the square of the depth.
const (
	MostTokens = 50_000
	MostDepth  = 100
)

// Parse is the library's parser. Its panics on broken input are errors like others: the text is the
// user's, and a half-written file must not end the program with a stack trace.
func Parse(content string) (file *ast.File, err error) {
	defer func() {
		if recover() != nil {
			file, err = nil, errors.New("the text cannot be understood")
		}
	}()
	tokens := lexer.Tokenize(content)
	if len(tokens) > MostTokens {
		return nil, &yaml.SyntaxError{Message: "the file is too long", Token: tokens[MostTokens]}
	}
	brackets, dashes, line := 0, 0, 0
	for _, t := range tokens {
		if t.Position != nil && t.Position.Line != line {
			dashes, line = 0, t.Position.Line
		}
		switch t.Type {
		case token.SequenceStartType, token.MappingStartType:
			brackets++
		case token.SequenceEndType, token.MappingEndType:
			brackets--
		case token.SequenceEntryType, token.MappingKeyType:
			dashes++
		}
		if brackets > MostDepth || dashes > MostDepth {
			return nil, &yaml.SyntaxError{Message: "the values are nested too deep", Token: t}
		}
	}
	return parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
}

// Documents are the YAML documents of a file, without directives and empty ones.
func Documents(file *ast.File) []ast.Node {
	var out []ast.Node
	for _, document := range file.Docs {
		if document != nil && document.Body != nil && document.Body.Type() != ast.DirectiveType {
			out = append(out, document.Body)
		}
	}
	return out
}

// NotUTF8 is the line and column of the first character that is not UTF-8; ok is false where all are.
func NotUTF8(content string) (line, column int, ok bool) {
	line, column = 1, 1
	for rest := content; rest != ""; {
		c, size := utf8.DecodeRuneInString(rest)
		if c == utf8.RuneError && size <= 1 {
			return line, column, true
		}
		rest = rest[size:]
		if column++; c == '\n' {
			line, column = line+1, 1
		}
	}
	return 0, 0, false
}

// KeyName is a mapping's key as text; ok is false where it is none.
func KeyName(key ast.MapKeyNode) (name string, ok bool) {
	switch v := key.(type) {
	case *ast.StringNode:
		return v.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.NullNode:
		return v.GetToken().Value, true
	case *ast.MappingKeyNode:
		if inner, ok := v.Value.(ast.MapKeyNode); ok && inner != key {
			return KeyName(inner)
		}
	}
	return "", false
}
