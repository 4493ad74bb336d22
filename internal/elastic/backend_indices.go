package elastic

import (
	"context"
	"fmt"
)

// Indices is how many indices a read of from, or with nil of the backend's own, reaches. One that is named and not
// there makes it none.
func (b *Backend) Indices(ctx context.Context, from []string) (int, error) {
	s, err := b.mappings(ctx, b.targets(from))
	if IsNotFound(err) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read the indices: %w", err)
	}
	return len(s.indices), nil
}
