package elastic

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"sync"
	"time"
)

// The bounds of sharing requests.
const (
	// gatherFor is how long a search waits for those of other runs.
	gatherFor = 5 * time.Millisecond
	// gatherMost is how many searches are sent as one request.
	gatherMost = 100
	// companyFor is how long a search may take in company: the cluster is told so, and one that takes longer is
	// asked for again alone, so that it holds up no others.
	companyFor = 2 * time.Second
	// patience is how long is waited for an answer to many searches before each is asked for alone.
	patience = 2 * companyFor
	// apartMost is how many such searches are asked for alone at a time.
	apartMost = 8
	// scansMost is how many of runs that go on together read many documents at a time, for what is read is held.
	scansMost = 8
)

// Together gives n backends that read what b does, one for each of runs that go on at the same time: searches that
// they ask for within a few milliseconds are sent as one request. Each run's answers and errors are those that it
// would get alone. leave must be called once for each run when it has ended; it reports whether what the run asked
// for was too slow to be answered in company. The last one to leave waits until no request is under way.
func (b *Backend) Together(ctx context.Context, n int) (runs []*Backend, leave func(i int) (slow bool)) {
	p := &pool{ctx: ctx, client: b.client, seats: n}
	for range n {
		runs = append(runs, &Backend{client: b.client, indices: b.indices, known: b.known, seat: &seat{pool: p}})
	}
	return runs, func(i int) bool {
		p.left()
		return runs[i].seat.wasSlow()
	}
}

// search runs one search, together with those of other runs where there are any.
func (b *Backend) search(ctx context.Context, s Search) (*Response, error) {
	if b.seat == nil || len(s.Params) > 0 {
		return b.client.Search(ctx, s)
	}
	return b.seat.search(ctx, s)
}

// seat is one run's part in a pool.
type seat struct {
	pool *pool

	mu       sync.Mutex
	slow     bool
	scanning int // reads of many documents under way: a subsearch is within another
}

// scan waits until the run may read many documents. done must be called then.
func (s *seat) scan(ctx context.Context) (done func(), err error) {
	s.mu.Lock()
	s.scanning++
	first := s.scanning == 1
	s.mu.Unlock()
	if first {
		select {
		case s.pool.client.scans <- struct{}{}:
		case <-ctx.Done():
			s.mu.Lock()
			defer s.mu.Unlock()
			s.scanning--
			return nil, context.Cause(ctx)
		}
	}
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.scanning--; s.scanning == 0 {
			<-s.pool.client.scans
		}
	}, nil
}

func (s *seat) wasSlow() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.slow
}

func (s *seat) search(ctx context.Context, one Search) (*Response, error) {
	client := s.pool.client
	if s.wasSlow() || client.single.Load() {
		return client.apart(ctx, one)
	}
	a := &asked{ctx: ctx, search: one, sent: make(chan struct{}), done: make(chan struct{})}
	s.pool.join(a)
	select {
	case <-a.sent:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case <-a.done:
		if !a.alone && !a.slow {
			return a.response, a.err
		}
	case <-late.C:
		a.leave()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	began := time.Now()
	response, err := client.apart(ctx, one)
	if time.Since(began) >= companyFor {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.slow = true
	}
	return response, err
}

// apart runs a search alone. Few do at a time: those that a cluster in trouble could not answer in company.
func (c *Client) apart(ctx context.Context, s Search) (*Response, error) {
	select {
	case c.alone <- struct{}{}:
		defer func() { <-c.alone }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	return c.Search(ctx, s)
}

// asked is a search in a pool.
type asked struct {
	ctx    context.Context
	search Search
	// sent is closed when the request is under way, done when it was answered. What follows is there then.
	sent, done chan struct{}
	item
	// alone says that company was the trouble, slow that the search's slowness was.
	alone, slow bool
	leave       func() // for who waits no longer
}

// pool gathers the searches of runs.
type pool struct {
	ctx     context.Context
	client  *Client
	sending sync.WaitGroup

	mu      sync.Mutex
	seats   int // runs that have not ended
	waiting []*asked
	timer   *time.Timer
}

// join adds a search to those that wait, and sends them when no other run can be about to ask for one.
func (p *pool) join(a *asked) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting = append(p.waiting, a)
	switch {
	case len(p.waiting) >= min(p.seats, gatherMost):
		p.send()
	case p.timer == nil:
		p.timer = time.AfterFunc(gatherFor, func() {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.send()
		})
	}
}

// left takes a run out.
func (p *pool) left() {
	p.mu.Lock()
	p.seats--
	last := p.seats == 0
	if last || len(p.waiting) >= p.seats {
		p.send()
	}
	p.mu.Unlock()
	if last {
		p.sending.Wait()
	}
}

// send sends what waits. The caller holds p.mu.
func (p *pool) send() {
	if p.timer != nil {
		p.timer.Stop()
		p.timer = nil
	}
	all := p.waiting
	p.waiting = nil
	if len(all) == 0 {
		return
	}
	ctx, cancel := context.WithCancel(p.ctx)
	var mu sync.Mutex
	here := len(all)
	for _, a := range all {
		gone := sync.OnceFunc(func() {
			mu.Lock()
			defer mu.Unlock()
			if here--; here == 0 {
				cancel()
			}
		})
		a.leave = gone
		context.AfterFunc(a.ctx, gone)
		close(a.sent)
	}
	p.sending.Go(func() {
		defer cancel()
		p.ask(ctx, all)
	})
}

// ask runs searches as one request.
func (p *pool) ask(ctx context.Context, all []*asked) {
	defer func() {
		for _, a := range all {
			close(a.done)
		}
	}()
	if len(all) == 1 {
		all[0].response, all[0].err = p.client.Search(ctx, all[0].search)
		return
	}
	searches := make([]Search, len(all))
	for i, a := range all {
		searches[i] = inCompany(a.search)
	}
	items, err := p.client.multi(ctx, searches)
	if err != nil {
		alone := p.client.company(err)
		for _, a := range all {
			a.err, a.alone = err, alone
		}
		return
	}
	for i, a := range all {
		a.item = items[i]
		var partial *PartialError
		a.slow = errors.As(a.err, &partial) && partial.TimedOut
	}
}

// inCompany is a search that ends when it takes too long for others to wait for.
func inCompany(s Search) Search {
	body, ok := s.Body.(map[string]any)
	if !ok || body["timeout"] != nil {
		return s
	}
	body = maps.Clone(body)
	body["timeout"] = duration(companyFor)
	s.Body = body
	return s
}

// company reports whether an error is about many searches in one request, and no cluster in trouble: then each is
// asked for alone. A cluster that knows no such requests, or allows none, is not asked again for any.
func (c *Client) company(err error) bool {
	if errors.Is(err, errLarge) {
		return true
	}
	var refused *Error
	if !errors.As(err, &refused) {
		return false
	}
	switch refused.Status {
	case http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed:
		c.single.Store(true)
		return true
	case http.StatusTooManyRequests, http.StatusUnauthorized, http.StatusServiceUnavailable, http.StatusBadGateway, http.StatusGatewayTimeout:
		return false
	}
	return true
}
