package settings

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"

	"tocsin/internal/config"
)

// secretKeys are the secrets of what a section holds. Those before the bar are also where the others are sent to, so
// they are looked at first.
var secretKeys = map[string]string{
	"sources": "proxy_url | api_key password",
	"slack":   "proxy_url | bot_token app_token webhook_url",
	"notify":  "url | secret routing_key password",
}

// targetKeys say where secrets are sent, and whom we believe to be there: a change of any forgets the secrets.
var targetKeys = map[string][]string{
	"sources": {"urls", "cloud_id", "proxy_url", "ca_file", "ca_fingerprint"},
	"slack":   {"api_url", "proxy_url"},
	"notify":  {"kind", "host", "port", "plain", "url"},
}

// tree is a section's YAML as values.
type tree struct {
	root    yaml.MapSlice
	holders []holder
}

// holder is a mapping in which secrets are: slack, or one of the sources.
type holder struct {
	key   string // "sources[0]", as config names it
	name  string // what it is called; "" for the one there is
	pairs yaml.MapSlice
	// secrets are what was found or opened, by key.
	secrets map[string]string
}

// text is the value of a key; ok says that it is text.
func (h *holder) text(key string) (text string, ok bool) {
	for _, p := range h.pairs {
		if p.Key == key {
			text, ok = p.Value.(string)
			return text, ok
		}
	}
	return "", false
}

// owner is what a secret is sealed for: where it stands, and for those after the bar where it is sent.
func (h *holder) owner(section, key string, first bool) string {
	target := map[string]any{}
	for _, k := range targetKeys[section] {
		for _, p := range h.pairs {
			if p.Key == k && (!first || k == "kind") {
				target[k] = fmt.Sprint(p.Value)
			}
		}
		if v, known := h.secrets[k]; known && !first {
			target[k] = v
		}
	}
	b, err := json.Marshal([]any{section, h.name, key, target})
	if err != nil {
		panic(err) // text is JSON
	}
	return string(b)
}

// keys calls visit for each secret that the holder has. first says that it is one that others are sent to.
func (h *holder) keys(section string, visit func(key, value string, first bool) error) error {
	before, after, _ := strings.Cut(secretKeys[section], "|")
	for i, part := range []string{before, after} {
		for _, key := range strings.Fields(part) {
			value, ok := h.text(key)
			if !ok || key == "proxy_url" && value != config.Kept && !strings.Contains(value, "@") {
				continue
			}
			if err := visit(key, value, i == 0); err != nil {
				return err
			}
		}
	}
	return nil
}

// readTree finds the holders. Text that is no such YAML has none: config says what is wrong with it.
func readTree(section, text string) tree {
	var t tree
	if yaml.UnmarshalWithOptions([]byte(text), &t.root, yaml.UseOrderedMap()) != nil {
		return tree{}
	}
	add := func(key string, v any) {
		pairs, ok := v.(yaml.MapSlice)
		if !ok || secretKeys[section] == "" {
			return
		}
		h := holder{key: key, pairs: pairs, secrets: map[string]string{}}
		if section != "slack" {
			h.name, _ = h.text("name")
		}
		t.holders = append(t.holders, h)
	}
	for _, p := range t.root {
		switch v := p.Value.(type) {
		case []any:
			for i, one := range v {
				add(fmt.Sprintf("%v[%d]", p.Key, i), one)
			}
		default:
			add(fmt.Sprint(p.Key), v)
		}
	}
	return t
}

// resolve reads a section and opens the secrets that it keeps, by config's key of each. One that was sealed for
// another target is not among them.
func (s *Settings) resolve(section, text string, sealed map[string]string) (map[string]string, tree, error) {
	t := readTree(section, text)
	out := map[string]string{}
	for i := range t.holders {
		h := &t.holders[i]
		err := h.keys(section, func(key, value string, first bool) error {
			if value != config.Kept {
				h.secrets[key] = strings.TrimRight(value, "\n") // as config reads a block
				return nil
			}
			secret, err := s.key.open(sealed[h.name+"."+key], h.owner(section, key, first))
			switch {
			case errors.Is(err, errSealed):
				return nil
			case err != nil:
				return err
			}
			h.secrets[key] = secret
			out[h.key+"."+key] = secret
			return nil
		})
		if err != nil {
			return nil, tree{}, err
		}
	}
	return out, t, nil
}

// close takes the secrets out of a tree that config took, and writes it.
func (s *Settings) close(section string, t tree) (text string, sealed map[string]string, err error) {
	sealed = map[string]string{}
	for i := range t.holders {
		h := &t.holders[i]
		owners := map[string]string{}
		err := h.keys(section, func(key, _ string, first bool) error {
			owners[key] = h.owner(section, key, first)
			return nil
		})
		if err != nil {
			return "", nil, err
		}
		for key, owner := range owners {
			if sealed[h.name+"."+key], err = s.key.seal(h.secrets[key], owner); err != nil {
				return "", nil, err
			}
		}
		for j := range h.pairs {
			if key, ok := h.pairs[j].Key.(string); ok && owners[key] != "" {
				h.pairs[j].Value = config.Kept
			}
		}
	}
	b, err := yaml.MarshalWithOptions(t.root, yaml.IndentSequence(false))
	if err != nil {
		return "", nil, fmt.Errorf("write %s: %w", section, err)
	}
	return string(b), sealed, nil
}
