package sleep_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"tocsin/internal/sleep"
)

func TestForLetsTimePassUntilTheContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for _, tc := range []struct {
			d, took time.Duration
			err     error
		}{
			{0, 0, nil},
			{-time.Second, 0, nil},
			{10 * time.Second, 10 * time.Second, nil},
			{time.Hour, 50 * time.Second, context.DeadlineExceeded},
			{0, 0, context.DeadlineExceeded},
		} {
			began := time.Now()
			if err := sleep.For(ctx, tc.d); !errors.Is(err, tc.err) || time.Since(began) != tc.took {
				t.Errorf("%v: %v after %v", tc.d, err, time.Since(began))
			}
		}
	})
}
