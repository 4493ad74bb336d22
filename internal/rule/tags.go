package rule

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
)

// WithTags is a rule's YAML with more tags; those it has stay, and all else is as it was written. It is checked by
// whoever parses it.
func WithTags(content []byte, more []string) ([]byte, error) {
	n, err := treeOf(content)
	if err != nil {
		return nil, err
	}
	tags := []string{}
	if v := n.get("tags"); v != nil {
		text, err := v.appendJSON(nil)
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(text, &tags); err != nil {
			return nil, fmt.Errorf("read the tags of the rule: %w", err)
		}
	}
	for _, t := range more {
		if !slices.Contains(tags, t) {
			tags = append(tags, t)
		}
	}
	value, err := json.Marshal(tags)
	if err != nil {
		return nil, fmt.Errorf("write the tags of the rule: %w", err)
	}
	out, err := withKey(withoutKey(content, "tags"), "tags", string(value))
	if err == nil && onlyDiffers(content, out, "tags") {
		return out, nil
	}
	return rewritten(n, "tags", value)
}

// withoutKey is YAML without a key of its top and the lines below it that belong to it.
func withoutKey(content []byte, name string) []byte {
	var out []byte
	within := false
	for line := range bytes.Lines(content) {
		switch {
		case bytes.HasPrefix(line, []byte(name+":")):
			within = true
		case within && len(bytes.TrimSpace(line)) > 0 && !bytes.ContainsAny(line[:1], " \t-#"):
			within = false
		}
		if !within {
			out = append(out, line...)
		}
	}
	return out
}

// onlyDiffers reports whether two rules are the same but for a key.
func onlyDiffers(before, after []byte, name string) bool {
	all, err := Differences(before, after)
	return err == nil && !slices.ContainsFunc(all, func(d Difference) bool { return d.Key != name && d.Key != "" })
}

// rewritten is a rule with another value of a key, written anew: what was not read, such as a comment, is gone.
func rewritten(n *node, name string, value []byte) ([]byte, error) {
	text, err := n.appendJSON(nil)
	if err != nil {
		return nil, err
	}
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(text, &keys); err != nil {
		return nil, fmt.Errorf("read the rule: %w", err)
	}
	keys[name] = value
	if text, err = json.Marshal(keys); err != nil {
		return nil, fmt.Errorf("write the rule: %w", err)
	}
	return YAML(text)
}
