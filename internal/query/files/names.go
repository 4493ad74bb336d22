package files

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"

	"tocsin/internal/query/plan"
	"tocsin/internal/row"
)

// mostNamed is how many documents are looked at for the names of their fields.
const mostNamed = 10_000

// errSeen ends reading: what was looked for was seen, or enough documents were.
var errSeen = errors.New("enough was seen")

// Names are the fields that the files have, and those of asked of which it cannot tell: in a file of more documents
// than are looked at, the rest may have them.
func (b *Backend) Names(ctx context.Context, from, asked []string) ([]string, error) {
	schema := row.NewSchema(asked...)
	left := make(map[int]bool, len(asked))
	for _, name := range asked {
		left[schema.Slot(name)] = true
	}
	read, whole := plan.Read{From: from, Fields: asked, Documents: true}, true
	names, n := map[string]bool{}, 0
	_, err := b.Rows(ctx, read, plan.Pushed{}, schema, func(r *row.Row) error {
		if n++; n > mostNamed {
			whole = false
			return errSeen
		}
		for slot := range left {
			if !r.Get(slot).IsNull() {
				delete(left, slot)
			}
		}
		if len(left) == 0 {
			whole = false
			return errSeen
		}
		var fields map[string]any
		if err := json.Unmarshal([]byte(r.Doc.JSON), &fields); err == nil {
			collect(names, "", fields)
		}
		return nil
	})
	switch {
	case err != nil && !errors.Is(err, errSeen):
		return nil, err
	case !whole:
		return asked, nil
	}
	return slices.Sorted(maps.Keys(names)), nil
}

// collect adds the dotted names of all values of an object.
func collect(names map[string]bool, path string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for name, child := range v {
			if path != "" {
				name = path + "." + name
			}
			collect(names, name, child)
		}
	case []any:
		for _, child := range v {
			collect(names, path, child)
		}
	default:
		names[path] = true
	}
}
