package settings

import (
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"tocsin/internal/config"
)

// order is how keys are written that a form fills in; others come after them by name.
var order = []string{
	"name", "kind", "source", "space", "urls", "cloud_id", "api_key", "username", "password", "bot_token", "app_token", "webhook_url", "channel",
	"ca_file", "ca_fingerprint", "proxy_url", "api_url", "indices",
}

// Values are the keys of one item of a section, or of a section that has no items.
type Values map[string]any

// Text is a key's text; a list is its values with commas between them.
func (v Values) Text(key string) string {
	switch of := v[key].(type) {
	case nil:
		return ""
	case []any:
		parts := make([]string, 0, len(of))
		for _, one := range of {
			parts = append(parts, fmt.Sprint(one))
		}
		return strings.Join(parts, ", ")
	default:
		return fmt.Sprint(of)
	}
}

// Items are the items of a section's text, or the one thing it is. Where nothing is set they are what holds then.
func Items(section, text string) ([]Values, error) {
	if strings.TrimSpace(text) == "" {
		if section == "sources" {
			return []Values{{"name": config.DefaultSource, "kind": string(config.Embedded)}}, nil
		}
		return nil, nil
	}
	var root map[string]any
	if err := yaml.Unmarshal([]byte(text), &root); err != nil {
		return nil, fmt.Errorf("read %s as it is set: %w", section, err)
	}
	var out []Values
	switch v := root[section].(type) {
	case []any:
		for _, one := range v {
			if m, ok := one.(map[string]any); ok {
				out = append(out, m)
			}
		}
	case map[string]any:
		out = append(out, v)
	}
	return out, nil
}

// Write is the text of a section that is a list of the items.
func Write(section string, items []Values) (string, error) {
	list := make([]yaml.MapSlice, 0, len(items))
	for _, v := range items {
		list = append(list, v.ordered())
	}
	return encoded(section, list)
}

// WriteOne is the text of a section that is no list.
func WriteOne(section string, v Values) (string, error) { return encoded(section, v.ordered()) }

func encoded(section string, v any) (string, error) {
	b, err := yaml.MarshalWithOptions(yaml.MapSlice{{Key: section, Value: v}}, yaml.IndentSequence(false))
	if err != nil {
		return "", fmt.Errorf("write %s: %w", section, err)
	}
	return string(b), nil
}

func (v Values) ordered() yaml.MapSlice {
	keys := make([]string, 0, len(v))
	for key := range v {
		keys = append(keys, key)
	}
	place := func(key string) int {
		if i := slices.Index(order, key); i >= 0 {
			return i
		}
		return len(order)
	}
	slices.SortFunc(keys, func(a, b string) int {
		if d := place(a) - place(b); d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	var out yaml.MapSlice
	for _, key := range keys {
		out = append(out, yaml.MapItem{Key: key, Value: v[key]})
	}
	return out
}
