package elastic

import "context"

// FreeButGoOn loses the open search on the cluster while the scan still believes in it, as when it has
// expired.
func FreeButGoOn(ctx context.Context, p *Pages) error {
	id := p.id
	err := p.free(ctx)
	p.id = id
	return err
}

// PagingWay names the way to page a client has learned.
func PagingWay(c *Client) string {
	return [...]string{"unknown", "pit", "scroll"}[c.paging.Load()]
}

// LimitAnswers changes how large an answer may be.
func LimitAnswers(c *Client, most int64) { c.most = most }

// OnlyScroll makes a client page as it does on clusters that have nothing better.
func OnlyScroll(c *Client) { c.paging.Store(pagingScroll) }
