// Package sleep owns letting time pass until somebody says stop. It knows nothing of what is waited for.
package sleep

import (
	"context"
	"time"
)

// For returns nil when the time has passed, or as soon as ctx ends its error. A time that is not positive has passed.
func For(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
