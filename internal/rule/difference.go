package rule

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
)

// Difference is a key whose value is not the same in two versions. Old or New is null where the key is in
// one only.
type Difference struct {
	Key string          `json:"key"`
	Old json.RawMessage `json:"old"`
	New json.RawMessage `json:"new"`
}

var nothing = json.RawMessage("null")

// Differences compares two rules written as YAML key by key, in the order rules are written. What is only
// written otherwise, as a comment, is one difference without a key.
func Differences(before, after []byte) ([]Difference, error) {
	a, err := treeOf(before)
	if err != nil {
		return nil, err
	}
	b, err := treeOf(after)
	if err != nil {
		return nil, err
	}
	out := []Difference{}
	for _, k := range described.keys {
		old, now := nothing, nothing
		if v := a.get(k.name); v != nil {
			if old, err = v.appendJSON(nil); err != nil {
				return nil, err
			}
		}
		if v := b.get(k.name); v != nil {
			if now, err = v.appendJSON(nil); err != nil {
				return nil, err
			}
		}
		if !bytes.Equal(old, now) {
			out = append(out, Difference{Key: k.name, Old: old, New: now})
		}
	}
	if len(out) == 0 && !bytes.Equal(before, after) {
		out = append(out, Difference{Old: nothing, New: nothing})
	}
	return out, nil
}

// fileDifferences names the files of tests that are not the same, by their digests.
func fileDifferences(before, after map[string][]byte) []Difference {
	names := maps.Clone(after)
	if names == nil {
		names = map[string][]byte{}
	}
	maps.Copy(names, before)
	var out []Difference
	for _, name := range slices.Sorted(maps.Keys(names)) {
		old, now := fileDigest(before, name), fileDigest(after, name)
		if !bytes.Equal(old, now) {
			out = append(out, Difference{Key: "tests: " + name, Old: old, New: now})
		}
	}
	return out
}

func fileDigest(files map[string][]byte, name string) json.RawMessage {
	content, ok := files[name]
	if !ok {
		return nothing
	}
	return json.RawMessage(`"` + digest(content)[:12] + `"`)
}
