package elastic

import "context"

// ahead is one call under way while the caller does something else. Its end must be called.
type ahead[T any] struct {
	done   chan struct{}
	cancel context.CancelFunc
	value  T
	err    error
}

// begin starts a call.
func begin[T any](ctx context.Context, call func(context.Context) (T, error)) *ahead[T] {
	ctx, cancel := context.WithCancel(ctx)
	a := &ahead[T]{done: make(chan struct{}), cancel: cancel}
	go func() {
		defer close(a.done)
		a.value, a.err = call(ctx)
	}()
	return a
}

// wait gives what the call gave.
func (a *ahead[T]) wait() (T, error) {
	<-a.done
	a.cancel()
	return a.value, a.err
}

// end breaks the call off and waits until it has ended.
func (a *ahead[T]) end() {
	a.cancel()
	<-a.done
}
