package web

import (
	"sync"
	"time"
)

// cacheLife is for how long what completion knows of a source is used again.
const cacheLife = time.Minute

// mostCached bounds how many answers a cache keeps.
const mostCached = 500

// cache keeps answers for a while. Of those who ask for one at once, one gets it and the others wait.
type cache[T any] struct {
	life time.Duration

	mu   sync.Mutex
	kept map[string]*cached[T]
}

type cached[T any] struct {
	ready chan struct{} // closed once value or err is there
	value T
	err   error
	until time.Time
}

func newCache[T any](life time.Duration) *cache[T] {
	return &cache[T]{life: life, kept: map[string]*cached[T]{}}
}

// get is what is kept under a key, else what get makes. An error is not kept.
func (c *cache[T]) get(key string, get func() (T, error)) (T, error) {
	now := time.Now()
	c.mu.Lock()
	one := c.kept[key]
	if one != nil {
		select {
		case <-one.ready:
			if one.err != nil || now.After(one.until) {
				one = nil
			}
		default:
		}
	}
	if one != nil {
		c.mu.Unlock()
		<-one.ready
		return one.value, one.err
	}
	if len(c.kept) >= mostCached {
		for k, old := range c.kept {
			select {
			case <-old.ready:
				delete(c.kept, k)
			default:
			}
		}
	}
	one = &cached[T]{ready: make(chan struct{}), until: now.Add(c.life)}
	c.kept[key] = one
	c.mu.Unlock()
	defer close(one.ready)
	one.value, one.err = get()
	return one.value, one.err
}
