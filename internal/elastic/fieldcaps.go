package elastic

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// FieldCaps tells what the fields of some indices are.
type FieldCaps struct {
	// Indices are the indices looked at, by their own names.
	Indices []string
	// Fields maps a field's name to its types by type name: more than one where indices differ. Where
	// not all indices have the field, and it was asked for by name, one of them is "unmapped".
	Fields map[string]map[string]FieldCap
}

// FieldCap is what a field can do where it is of one type.
type FieldCap struct {
	Type         string   `json:"type"`
	Searchable   bool     `json:"searchable"`
	Aggregatable bool     `json:"aggregatable"`
	Metadata     bool     `json:"metadata_field"`
	Indices      []string `json:"indices"` // nil: all of them
	// NonSearchable and NonAggregatable name indices that are otherwise than Searchable and Aggregatable
	// say, which are true only if they are true in every index; nil where all indices agree.
	NonSearchable   []string `json:"non_searchable_indices"`
	NonAggregatable []string `json:"non_aggregatable_indices"`
}

// A request's first line may have 4 KiB, indices and parameters included.
const fieldsMost = 2048

// FieldCaps asks what fields (names or patterns) are in indices. No index is an answer without fields.
func (c *Client) FieldCaps(ctx context.Context, indices, fields []string) (*FieldCaps, error) {
	out := &FieldCaps{Fields: map[string]map[string]FieldCap{}}
	for len(fields) > 0 {
		n, length := 0, 0
		for n < len(fields) && (n == 0 || length+len(fields[n]) < fieldsMost) {
			length += len(url.QueryEscape(fields[n])) + len("%2C")
			n++
		}
		params := indicesParams(url.Values{"fields": {strings.Join(fields[:n], ",")}, "include_unmapped": {"true"}}, true, true)
		fields = fields[n:]
		var part FieldCaps
		if err := c.Do(ctx, http.MethodGet, IndexPath(indices, "_field_caps"), params, nil, &part); err != nil {
			return nil, err
		}
		for name, types := range part.Fields {
			out.Fields[name] = types
		}
		for _, index := range part.Indices {
			if !slices.Contains(out.Indices, index) {
				out.Indices = append(out.Indices, index)
			}
		}
	}
	slices.Sort(out.Indices)
	return out, nil
}
