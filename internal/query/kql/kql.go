// Package kql owns the Kibana Query Language as text: reading it into a tree, Kibana's error texts,
// the tree as Kibana's JSON, printing it back and warning of what nobody means. It knows no fields, no
// documents and no Elasticsearch; what a tree means is told by dsl and by exec.
//
// The grammar is Kibana's kuery grammar, which is a parsing expression grammar: alternatives are
// ordered and greedy, and an error names what was expected at the rightmost place that was reached.
// Leading wildcards are always allowed.
package kql

// WildcardMark stands for an unquoted * in the value of a Wildcard, as in Kibana's trees. A star that
// was escaped is a plain character.
const WildcardMark = "@kuery-wildcard@"

// MaxDepth is how deep parentheses and braces may be nested.
const MaxDepth = 1000

// Parse reads a query. An empty one is the tree of *:*, which matches everything. The error of a query
// that is not KQL is a *SyntaxError. Bytes that are not UTF-8 count as U+FFFD.
func Parse(text string) (Node, error) {
	p := parser{text: text}
	return p.query()
}
