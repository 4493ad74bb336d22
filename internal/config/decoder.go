package config

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"

	"tocsin/internal/yamltext"
)

// mostNodes bounds what aliases can blow up: no real configuration comes near it.
const mostNodes = 20_000

// decoder reads one file. It goes on after a problem, so that all are found.
type decoder struct {
	file, dir string
	env       func(string) (string, bool)
	source    yamltext.Text

	problems []Problem
	warnings []Problem
	places   map[string]Place
	below    []above // the sections below the file
	anchors  []anchor
	nodes    int
	// noSources is set when sources could not be read at all: then nothing can be said of names of
	// sources.
	noSources bool
	// known are the keys that were asked for, by the general key of their section
	// ("sources[].urls" is "urls" under "sources[]"): all the keys there are.
	known map[string][]string
}

// anchor is a named node; an alias means the last anchor of its name before it.
type anchor struct {
	name   string
	offset int
	node   ast.Node
}

func (d *decoder) start() Place { return Place{File: d.file, Line: 1, Column: 1} }

func (d *decoder) problem(at Place, said string) {
	d.problems = append(d.problems, Problem{Place: at, Text: said})
}

func (d *decoder) warn(at Place, said string) {
	d.warnings = append(d.warnings, Problem{Place: at, Text: said})
}

// wrong reports a value; said goes on after it.
func (d *decoder) wrong(t text, said string) {
	d.problem(t.place, t.String()+" "+said)
}

// placeOf is where a node begins.
func (d *decoder) placeOf(n ast.Node) Place {
	switch v := n.(type) {
	case *ast.MappingNode:
		if !v.IsFlowStyle && len(v.Values) > 0 {
			return d.placeOf(v.Values[0])
		}
	case *ast.MappingValueNode:
		return d.placeOf(v.Key)
	case *ast.LiteralNode:
		if v.Start != nil {
			return d.placeOfToken(v.Start)
		}
	}
	return d.placeOfToken(n.GetToken())
}

func (d *decoder) placeOfToken(t *token.Token) Place {
	if t == nil || t.Position == nil {
		return d.start()
	}
	return d.source.At(t.Position.Line, t.Position.Column)
}

// findAnchors collects the anchors of the document.
func (d *decoder) findAnchors(root ast.Node) {
	for _, n := range ast.Filter(ast.AnchorType, root) {
		if a, ok := n.(*ast.AnchorNode); ok && a.Name != nil && a.Value != nil {
			d.anchors = append(d.anchors, anchor{name: a.Name.GetToken().Value, offset: a.GetToken().Position.Offset, node: a.Value})
		}
	}
}

// resolve gives the node meant: the one an anchor names, the one an alias points to, the text
// of a !!str. After a problem it is nil.
func (d *decoder) resolve(n ast.Node) ast.Node {
	for {
		d.nodes++
		if d.nodes > mostNodes {
			if d.nodes == mostNodes+1 {
				d.problem(d.placeOf(n), fmt.Sprintf("the file has more than %d values once its aliases are followed: write fewer, or without aliases", mostNodes))
			}
			return nil
		}
		switch v := n.(type) {
		case *ast.AnchorNode:
			if v.Value == nil {
				d.problem(d.placeOf(n), "this anchor names nothing: put a value after it")
				return nil
			}
			n = v.Value
		case *ast.AliasNode:
			target := d.aliased(v)
			if target == nil {
				d.problem(d.placeOf(n), fmt.Sprintf("no anchor %q stands before this alias: write &%s at the value it means, or write the value out", aliasName(v), aliasName(v)))
				return nil
			}
			n = target
		case *ast.TagNode:
			if v.Start == nil || v.Start.Value != "!!str" || v.Value == nil {
				d.problem(d.placeOf(n), "tags are not read here: delete the tag, and put text in quotes")
				return nil
			}
			n = v.Value
			switch n.(type) {
			case *ast.BoolNode, *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
				n = ast.String(n.GetToken())
			}
		default:
			return n
		}
	}
}

func aliasName(a *ast.AliasNode) string {
	if a.Value == nil || a.Value.GetToken() == nil {
		return ""
	}
	return a.Value.GetToken().Value
}

func (d *decoder) aliased(a *ast.AliasNode) ast.Node {
	name, offset := aliasName(a), a.GetToken().Position.Offset
	var found ast.Node
	for _, candidate := range d.anchors {
		if candidate.name == name && candidate.offset < offset {
			found = candidate.node
		}
	}
	return found
}

// kindOf is how a sentence calls a node.
func kindOf(n ast.Node) string {
	switch v := n.(type) {
	case nil, *ast.NullNode:
		return "nothing"
	case *ast.MappingNode, *ast.MappingValueNode:
		return "a mapping"
	case *ast.SequenceNode:
		return "a list"
	case *ast.StringNode, *ast.LiteralNode:
		return "text"
	case *ast.BoolNode:
		return v.GetToken().Value
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return "the number " + v.GetToken().Value
	default:
		return "something else"
	}
}

// item is one value of a list with its key, such as "sources[0]".
type item struct {
	key  string
	node ast.Node
	// place is where the value stands, an alias where it is used.
	place Place
}

// list reads a list. Nothing at all is an empty list.
func (d *decoder) list(n ast.Node, key string, at Place) ([]item, bool) {
	resolved := d.resolve(n)
	switch v := resolved.(type) {
	case nil:
		return nil, false
	case *ast.NullNode:
		return nil, false
	case *ast.SequenceNode:
		items := make([]item, 0, len(v.Values))
		for i, value := range v.Values {
			it := item{key: key + "[" + strconv.Itoa(i) + "]", node: value, place: d.placeOf(value)}
			d.places[it.key] = it.place
			items = append(items, it)
		}
		return items, true
	default:
		d.problem(at, fmt.Sprintf("%s must be a list, not %s: write each value on a line of its own after a dash, or all in [ ]", key, kindOf(resolved)))
		return nil, false
	}
}

// text is a scalar as the file gives it.
type text struct {
	key   string
	place Place
	// value has its variables filled in; written has not.
	value, written string
	// secret values are never quoted.
	secret bool
	node   ast.Node
	// from is, for each byte of value and its end, the rune of written it came from.
	from []int
}

// String names the value in a sentence: the key and what the file says, never what a variable
// held, and nothing of a secret.
func (t text) String() string {
	if t.secret || t.written == "" {
		return t.key
	}
	written := t.written
	if len(written) > 100 {
		written = strings.ToValidUTF8(written[:100], "") + "..."
	}
	return t.key + " " + strconv.Quote(written)
}

// expanded says whether a variable was filled in.
func (t text) expanded() bool { return t.value != t.written }

// scalar reads text. With loose, numbers and booleans are taken as they are written, for values
// such as durations whose own reader knows better what to say about "5".
func (d *decoder) scalar(n ast.Node, key string, at Place, loose, secret bool) (text, bool) {
	resolved := d.resolve(n)
	t := text{key: key, place: at, secret: secret, node: resolved}
	switch v := resolved.(type) {
	case nil:
		return text{}, false
	case *ast.NullNode:
		said := key + " has no value: write one, or delete the key"
		if strings.Contains(d.source.Line(at.Line), ": #") {
			said += ` (a # after a space begins a comment; text with a # must be in quotes: "#alerts")`
		}
		d.problem(at, said)
		return text{}, false
	case *ast.StringNode:
		t.written = v.Value
	case *ast.LiteralNode:
		if v.Value != nil {
			t.written = strings.TrimRight(v.Value.Value, "\n")
		}
	case *ast.BoolNode, *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		t.written = resolved.GetToken().Value
		if !loose {
			if secret {
				d.problem(at, key+" must be text: put it in quotes")
			} else {
				d.problem(at, fmt.Sprintf("%s must be text, not %s: put it in quotes, %q", key, kindOf(resolved), t.written))
			}
			return text{}, false
		}
	default:
		d.problem(at, fmt.Sprintf("%s must be text, not %s", key, kindOf(resolved)))
		return text{}, false
	}
	return d.expand(t)
}

// expand fills the variables in and refuses what is empty.
func (d *decoder) expand(t text) (text, bool) {
	if s := d.sectionAt(t.place); s != nil {
		return d.stored(s, t)
	}
	value, from, wrong := expand(t.written, d.env)
	for _, w := range wrong {
		d.problem(d.placeIn(t, w.at), t.key+": "+w.said)
	}
	if len(wrong) > 0 {
		return text{}, false
	}
	t.value, t.from = value, from
	if strings.TrimSpace(t.value) == "" {
		if t.expanded() {
			d.problem(t.place, fmt.Sprintf("%s %q is empty: the variable is set to nothing; give it a value, or delete the key", t.key, t.written))
		} else {
			d.problem(t.place, t.key+" is empty: write a value, or delete the key")
		}
		return text{}, false
	}
	return t, true
}

// relative makes a path of the file absolute or relative to the working directory.
func (d *decoder) relative(path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(d.dir, path)
}
