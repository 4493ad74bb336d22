package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tocsin/internal/store"
)

// takenWait is for how long a command may have the data directory between two Apps.
const takenWait = 30 * time.Second

// Serve makes an App and runs it until ctx ends, and makes and runs the next whenever something was set in the
// browser. begun is called with the first before it runs. Where the next cannot be made, that of the configuration
// before is made again, and says so.
func Serve(ctx context.Context, o Options, begun func(*App) error) (err error) {
	door := &Door{}
	o.Door, o.Samples = door, newSamples()
	defer func() { err = errors.Join(err, door.Close()) }()
	a, err := New(ctx, o)
	if err != nil {
		return err
	}
	if err := begun(a); err != nil {
		return errors.Join(err, a.Close())
	}
	for {
		err := a.Run(ctx)
		held := a.Config()
		if closing := a.Close(); !errors.Is(err, ErrReconfigured) || closing != nil {
			return errors.Join(err, closing)
		}
		if ctx.Err() != nil {
			return nil //nolint:nilerr // told to stop while it was being made anew
		}
		if a, err = next(ctx, o); err != nil {
			o.Log.Error("what was set in the browser cannot be put in place: what held before goes on", "error", err)
			before := o
			before.Instead, before.Why = held, err
			if a, err = next(ctx, before); err != nil {
				return fmt.Errorf("go on with the configuration before: %w", err)
			}
		}
		o.Log.Info("the configuration was changed", "sources", len(a.config.Sources), "detections", len(a.config.Detections), "slack", a.config.Slack != nil)
	}
}

// next is New, waiting for a command that took the data directory in between.
func next(ctx context.Context, o Options) (*App, error) {
	began := time.Now()
	for {
		a, err := New(ctx, o)
		var served *store.ServedError
		if !errors.As(err, &served) || time.Since(began) > takenWait {
			return a, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(50 * time.Millisecond):
		}
	}
}
