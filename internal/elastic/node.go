package elastic

import (
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"
)

// nodes hands out the cluster's nodes in turn and sets aside those that did not answer.
type nodes struct {
	mu   sync.Mutex
	all  []*node
	next int
	now  func() time.Time
}

// node is one address of the cluster. failures and until are guarded by nodes.mu.
type node struct {
	url       *url.URL
	transport http.RoundTripper
	failures  int
	until     time.Time // set aside until then
}

// A node that did not answer is left alone for a second, then twice as long each time it fails again.
const (
	shortestRest = time.Second
	longestRest  = time.Minute
)

// order gives every node once: those that answer in turn, then those set aside, soonest back first. So a
// request always has a node to try, and asks a dead one only when no other is left.
func (n *nodes) order() []*node {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := n.now()
	var live, resting []*node
	for i := range n.all {
		one := n.all[(n.next+i)%len(n.all)]
		if !now.Before(one.until) {
			live = append(live, one)
			continue
		}
		at := len(resting)
		for at > 0 && one.until.Before(resting[at-1].until) {
			at--
		}
		resting = append(resting[:at], append([]*node{one}, resting[at:]...)...)
	}
	order := append(live, resting...)
	n.next = (slices.Index(n.all, order[0]) + 1) % len(n.all)
	return order
}

// failed sets one aside and reports for how long, and whether it answered until now.
func (n *nodes) failed(one *node) (rest time.Duration, first bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	first = one.failures == 0
	rest = longestRest
	if one.failures < 6 {
		rest = min(shortestRest<<one.failures, longestRest)
	}
	one.failures++
	one.until = n.now().Add(rest)
	return rest, first
}

func (n *nodes) answered(one *node) {
	n.mu.Lock()
	defer n.mu.Unlock()
	one.failures, one.until = 0, time.Time{}
}
