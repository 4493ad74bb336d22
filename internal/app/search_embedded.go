package app

import (
	"context"
	"strings"

	"tocsin/internal/logstore"
	"tocsin/internal/query"
)

// backend is the embedded engine as what a search reads: the indices named, else the source's.
func (e *engine) backend(ctx context.Context, index []string) (query.Backend, error) {
	store, err := e.get(ctx)
	if err != nil {
		return nil, err
	}
	if index = patterns(index); len(index) == 0 {
		index = e.indices
	}
	return logstore.NewBackend(store, index), nil
}

// patterns are the index patterns of a flag: several values, each with commas.
func patterns(flags []string) []string {
	var out []string
	for _, list := range flags {
		for one := range strings.SplitSeq(list, ",") {
			if one = strings.TrimSpace(one); one != "" {
				out = append(out, one)
			}
		}
	}
	return out
}
