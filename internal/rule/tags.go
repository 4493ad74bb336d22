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
	n, tags, err := tagsOf(content)
	if err != nil {
		return nil, err
	}
	for _, t := range more {
		if !slices.Contains(tags, t) {
			tags = append(tags, t)
		}
	}
	return replaced(content, n, "tags", tags)
}

// WithoutTags is a rule's YAML with fewer tags; all else is as it was written.
func WithoutTags(content []byte, fewer []string) ([]byte, error) {
	n, tags, err := tagsOf(content)
	if err != nil {
		return nil, err
	}
	left := slices.DeleteFunc(slices.Clone(tags), func(t string) bool { return slices.Contains(fewer, t) })
	if len(left) == len(tags) {
		return content, nil
	}
	if len(left) == 0 {
		return replaced(content, n, "tags", nil)
	}
	return replaced(content, n, "tags", left)
}

// WithChannel is a rule's YAML with another channel, or without one where it is empty; all else is as it was written.
// It is checked by whoever parses it.
func WithChannel(content []byte, channel string) ([]byte, error) {
	n, err := treeOf(content)
	if err != nil {
		return nil, err
	}
	if channel == "" {
		return replaced(content, n, "channel", nil)
	}
	return replaced(content, n, "channel", channel)
}

// WithMessage is a rule's YAML with another template of its message, or without one where it is empty; all else is as it
// was written. It is checked by whoever parses it.
func WithMessage(content []byte, text string) ([]byte, error) {
	n, err := treeOf(content)
	if err != nil {
		return nil, err
	}
	if text == "" {
		return replaced(content, n, "message", nil)
	}
	return replaced(content, n, "message", text)
}

func tagsOf(content []byte) (*node, []string, error) {
	n, err := treeOf(content)
	if err != nil {
		return nil, nil, err
	}
	tags := []string{}
	if v := n.get("tags"); v != nil {
		text, err := v.appendJSON(nil)
		if err != nil {
			return nil, nil, err
		}
		if err := json.Unmarshal(text, &tags); err != nil {
			return nil, nil, fmt.Errorf("read the tags of the rule: %w", err)
		}
	}
	return n, tags, nil
}

// replaced is a rule with another value of a key of its top, or without the key where the value is nil. n is the rule's
// tree.
func replaced(content []byte, n *node, name string, value any) ([]byte, error) {
	if value == nil {
		if n.get(name) == nil {
			return content, nil
		}
		if out := withoutKey(content, name); !bytes.Equal(out, content) && onlyDiffers(content, out, name) {
			return out, nil
		}
		return rewritten(n, name, nil)
	}
	text, err := marshal(value)
	if err != nil {
		return nil, fmt.Errorf("write the %s of the rule: %w", name, err)
	}
	out, err := withKey(withoutKey(content, name), name, string(text))
	if err == nil && onlyDiffers(content, out, name) {
		return out, nil
	}
	return rewritten(n, name, text)
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

// rewritten is a rule with another value of a key, or without it, written anew: what was not read, such as a comment, is gone.
func rewritten(n *node, name string, value []byte) ([]byte, error) {
	text, err := n.appendJSON(nil)
	if err != nil {
		return nil, err
	}
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(text, &keys); err != nil {
		return nil, fmt.Errorf("read the rule: %w", err)
	}
	if keys[name] = value; value == nil {
		delete(keys, name)
	}
	if text, err = json.Marshal(keys); err != nil {
		return nil, fmt.Errorf("write the rule: %w", err)
	}
	return YAML(text)
}
