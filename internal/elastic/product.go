package elastic

import (
	"context"
	"errors"
	"net/http"
	"strings"
)

// Product says whose cluster this is. Empty means not known.
type Product struct {
	Name    string // "elasticsearch" or "opensearch"
	Version string // such as 8.19.2
}

// Product asks the cluster what it is. Asking needs a privilege on the cluster that nothing else of ours
// needs, so a refusal is no error: the name then comes from what other answers have shown, and may be
// empty. It says nothing about whether searches are allowed.
func (c *Client) Product(ctx context.Context) (Product, error) {
	var root struct {
		Tagline string `json:"tagline"`
		Version struct {
			Number       string `json:"number"`
			Distribution string `json:"distribution"`
		} `json:"version"`
	}
	err := c.Do(ctx, http.MethodGet, "/", nil, nil, &root)
	var refused *Error
	switch {
	case err == nil:
	case errors.As(err, &refused) && refused.Status >= 400 && refused.Status < 500 && refused.Status != http.StatusTooManyRequests:
		return Product{Name: c.shownProduct()}, nil
	default:
		return Product{}, err
	}
	p := Product{Version: root.Version.Number}
	switch {
	case root.Version.Distribution == "opensearch" || strings.Contains(root.Tagline, "OpenSearch"):
		p.Name = "opensearch"
	case c.elastic.Load() || root.Tagline == "You Know, for Search" && root.Version.Number != "":
		p.Name = "elasticsearch" // versions before 7.14 send no product header
	}
	return p, nil
}

// shownProduct is what answers have shown so far without being asked.
func (c *Client) shownProduct() string {
	switch {
	case c.elastic.Load() || c.paging.Load() == pagingPIT:
		return "elasticsearch"
	case c.opensearch.Load():
		return "opensearch"
	}
	return ""
}
