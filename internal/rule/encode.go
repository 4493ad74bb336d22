package rule

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"

	"tocsin/internal/yamltext"
)

// JSON is a rule's YAML as JSON, keys in the order they are written, nothing added.
func JSON(content []byte) (json.RawMessage, error) {
	n, err := treeOf(content)
	if err != nil {
		return nil, err
	}
	return n.appendJSON(nil)
}

// YAML is a rule's JSON as YAML, keys in the order they are written.
func YAML(content []byte) ([]byte, error) {
	r := reader{source: yamltext.NewText("", string(content))}
	n := r.json(string(content))
	if len(r.problems) > 0 {
		return nil, &Problems{List: yamltext.Sorted(r.problems)}
	}
	meant, err := n.appendJSON(nil)
	if err != nil {
		return nil, err
	}
	out, err := yaml.MarshalWithOptions(n.ordered(), yaml.UseLiteralStyleIfMultiline(true), yaml.IndentSequence(true))
	if err != nil {
		return nil, fmt.Errorf("write the rule as YAML: %w", err)
	}
	// What is written must be read as it was meant, whatever stands in its texts.
	if again, err := treeOf(out); err == nil {
		if read, err := again.appendJSON(nil); err == nil && bytes.Equal(meant, read) {
			return out, nil
		}
	}
	return meant, nil // JSON is YAML too
}

func treeOf(content []byte) (*node, error) {
	r := reader{source: yamltext.NewText("", string(content))}
	n := r.yaml(string(content))
	if len(r.problems) > 0 {
		return nil, &Problems{List: yamltext.Sorted(r.problems)}
	}
	return n, nil
}

// appendJSON writes a node as JSON, keys in their order.
func (n *node) appendJSON(out []byte) ([]byte, error) {
	var err error
	switch n.kind {
	case isList:
		out = append(out, '[')
		for i, item := range n.items {
			if i > 0 {
				out = append(out, ',')
			}
			if out, err = item.appendJSON(out); err != nil {
				return nil, err
			}
		}
		return append(out, ']'), nil
	case isMapping:
		out = append(out, '{')
		for i, e := range n.entries {
			if i > 0 {
				out = append(out, ',')
			}
			name, err := marshal(e.name)
			if err != nil {
				return nil, err
			}
			out = append(append(out, name...), ':')
			if out, err = e.value.appendJSON(out); err != nil {
				return nil, err
			}
		}
		return append(out, '}'), nil
	}
	value, err := marshal(n.plain())
	return append(out, value...), err
}

// ordered is a node as the YAML library writes it with its keys in order.
func (n *node) ordered() any {
	switch n.kind {
	case isMapping:
		out := make(yaml.MapSlice, 0, len(n.entries))
		for _, e := range n.entries {
			out = append(out, yaml.MapItem{Key: e.name, Value: e.value.ordered()})
		}
		return out
	case isList:
		out := make([]any, 0, len(n.items))
		for _, item := range n.items {
			out = append(out, item.ordered())
		}
		return out
	case isNumber:
		var value any
		if err := yaml.Unmarshal([]byte(n.text), &value); err != nil {
			return n.text
		}
		return value
	}
	return n.plain()
}

// withKey is a rule's YAML with another value of a key of its top, given as JSON; all else is as it was
// written. It is checked by whoever parses it.
func withKey(content []byte, name, value string) ([]byte, error) {
	whole := string(content)
	n, err := treeOf(content)
	if err != nil {
		return nil, err
	}
	old := n.get(name)
	if old == nil && strings.HasPrefix(strings.TrimSpace(whole), "{") {
		if i := strings.LastIndexByte(whole, '}'); i >= 0 {
			return []byte(strings.TrimRight(whole[:i], " \t\r\n,") + ", " + strconv.Quote(name) + ": " + value + whole[i:]), nil
		}
	}
	if old == nil {
		return []byte(strings.TrimRight(whole, "\n") + "\n" + name + ": " + value + "\n"), nil
	}
	lines := strings.SplitAfter(whole, "\n")
	line := []rune(lines[old.place.Line-1])
	from := min(old.place.Column-1, len(line))
	to := from
	for to < len(line) && !strings.ContainsRune(" \t\r\n,}#", line[to]) {
		to++
	}
	lines[old.place.Line-1] = string(line[:from]) + value + string(line[to:])
	return []byte(strings.Join(lines, "")), nil
}

// withState is a rule's YAML with another value of enabled.
func withState(content []byte, state State) ([]byte, error) {
	value := string(state)
	if state == Shadow {
		value = `"shadow"`
	}
	return withKey(content, "enabled", value)
}
