package elastic

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Scan says which documents to read, however many, in which order.
type Scan struct {
	Indices []string
	Query   any   // query DSL; nil matches all
	Sort    []any // such as {"@timestamp": {"order": "asc", "unmapped_type": "date"}}; need not be unique
	Source  any   // the _source filter: false, or includes and excludes; nil is all of it
	// Fields and DocvalueFields are asked for besides; see [Hit].
	Fields, DocvalueFields []any
	Size                   int // documents a page; 0 is 1,000, the most is 10,000
	// IgnoreUnavailable and AllowNoIndices are those of [Search].
	IgnoreUnavailable, AllowNoIndices bool
	// Body is added to each search's body: runtime_mappings, version, seq_no_primary_term and the like.
	Body map[string]any
	// KeepAlive is how long the cluster holds the search open between two pages. 0 is 2 minutes.
	KeepAlive time.Duration
}

// Scan begins to read documents page by page; nothing is asked before the first Next. All pages are of
// one state of the indices: what is written meanwhile is not seen, and each document comes exactly once,
// whatever Sort is.
func (c *Client) Scan(s Scan) *Pages {
	if s.Size <= 0 {
		s.Size = 1000
	}
	s.Size = min(s.Size, 10_000)
	if s.KeepAlive <= 0 {
		s.KeepAlive = 2 * time.Minute
	}
	return &Pages{client: c, scan: s}
}

// The ways to page. A client learns its cluster's by trying.
//
// OpenSearch is read by scroll, though it has points in time, and _shard_doc since 3.3: it counts shards
// anew in each index, so that _shard_doc is not unique over several, and its search_after loses documents
// that lack the sort field (opensearch-project/OpenSearch#14824).
const (
	pagingUnknown int32 = iota
	pagingPIT           // a point in time and _shard_doc: Elasticsearch from 7.12
	pagingScroll        // the rest
)

// Pages reads a [Scan]. It is for one goroutine. Whoever does not read to the end has to Close it.
type Pages struct {
	client *Client
	scan   Scan

	way    int32  // pagingUnknown until opened
	id     string // of the point in time or scroll; "" when there is none
	after  []byte // sort values of the last document, a JSON array
	opened bool
	done   bool
	err    error
}

// Next gives the next page, never an empty one, and [io.EOF] after the last. Any other error ends the
// scan, and what was read so far is a part. [ErrExpired] says that the cluster gave up the open search.
func (p *Pages) Next(ctx context.Context) ([]Hit, error) {
	if p.err != nil {
		return nil, p.err
	}
	if p.done {
		return nil, io.EOF
	}
	hits, err := p.page(ctx)
	if err != nil {
		if expired(err) && p.opened {
			err = fmt.Errorf("%w: %w", ErrExpired, err)
		}
		p.err = fmt.Errorf("read page: %w", err)
		return nil, p.err
	}
	p.opened = true
	if len(hits) == 0 || p.way != pagingScroll && len(hits) < p.scan.Size {
		p.done = true
		// What is not freed expires, so this is no reason to fail a scan that is complete.
		if err := p.free(ctx); err != nil {
			p.client.log.Debug("open search not freed", "source", p.client.name, "error", err.Error())
		}
	}
	if len(hits) == 0 {
		return nil, io.EOF
	}
	return hits, nil
}

// Close frees what the cluster holds open for the scan. It also works when ctx is already cancelled, for
// at most 5 seconds then. Closing again, or after the end, does nothing.
func (p *Pages) Close(ctx context.Context) error {
	if p.err == nil && !p.done {
		p.err = errors.New("read page: the scan is closed")
	}
	if ctx.Err() != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
	}
	return p.free(ctx)
}

func (p *Pages) page(ctx context.Context) ([]Hit, error) {
	if !p.opened {
		return p.first(ctx)
	}
	if p.way == pagingScroll {
		return p.scrollOn(ctx)
	}
	return p.searchAfter(ctx)
}

// first finds the way to page and reads the first page by it. What was learned is remembered only once it
// has worked.
func (p *Pages) first(ctx context.Context) ([]Hit, error) {
	c := p.client
	if c.paging.Load() == pagingScroll {
		return p.scrollFirst(ctx)
	}
	hits, err := p.firstAtPIT(ctx)
	switch {
	case err == nil:
		// An empty page proves nothing: no shard may have looked at the sort.
		if len(hits) > 0 {
			c.paging.Store(pagingPIT)
		}
		return hits, nil
	case !hasNoAPI(err) && !hasNoTieBreaker(err) && !refusesPIT(err):
		return nil, err
	case isOpenSearch(err) && !c.elastic.Load():
		c.opensearch.Store(true)
	}
	if err := p.free(ctx); err != nil {
		c.log.Debug("point in time not freed", "source", c.name, "error", err.Error())
	}
	hits, err = p.scrollFirst(ctx)
	if err == nil {
		c.paging.Store(pagingScroll)
	}
	return hits, err
}

// firstAtPIT opens a point in time and reads its first page.
func (p *Pages) firstAtPIT(ctx context.Context) ([]Hit, error) {
	s := p.scan
	p.way = pagingPIT
	params := indicesParams(url.Values{"keep_alive": {duration(s.KeepAlive)}}, s.IgnoreUnavailable, s.AllowNoIndices)
	indices := s.Indices
	if len(indices) == 0 {
		indices = []string{"_all"}
	}
	var pit struct {
		ID string `json:"id"`
	}
	// Without a body on purpose: clusters of before 8.0 without this API take the path for that of a
	// document to store, and refuse it only for want of one.
	if err := p.client.Do(ctx, http.MethodPost, IndexPath(indices, "_pit"), params, nil, &pit); err != nil {
		return nil, err
	}
	if pit.ID == "" {
		return nil, errors.New("the cluster opened a point in time without naming it")
	}
	p.id = pit.ID
	return p.searchAfter(ctx)
}

func (p *Pages) searchAfter(ctx context.Context) ([]Hit, error) {
	body := p.body()
	sort := append([]any{}, p.scan.Sort...)
	sort = append(sort, map[string]any{"_shard_doc": map[string]any{"order": "asc"}})
	body["sort"] = sort
	body["pit"] = map[string]any{"id": p.id, "keep_alive": duration(p.scan.KeepAlive)}
	if p.after != nil {
		body["search_after"] = rawJSON(p.after)
	}
	a, err := p.client.search(ctx, "/_search", nil, body)
	if err != nil {
		return nil, err
	}
	if a.PIT != "" {
		p.id = a.PIT
	}
	hits := a.Hits.Hits
	if len(hits) == 0 {
		return nil, nil
	}
	last := p.after
	for _, hit := range hits {
		values := joinRaw(hit.Sort)
		if len(hit.Sort) != len(sort) || bytes.Equal(values, last) {
			return nil, fmt.Errorf("the order of the documents is not unique at %s/%s: pages would lose some", hit.Index, hit.ID)
		}
		last = values
	}
	p.after = last
	return hits, nil
}

// scrollFirst opens a scroll and reads its first page.
func (p *Pages) scrollFirst(ctx context.Context) ([]Hit, error) {
	s := p.scan
	p.way = pagingScroll
	params := indicesParams(url.Values{"scroll": {duration(s.KeepAlive)}}, s.IgnoreUnavailable, s.AllowNoIndices)
	body := p.body()
	delete(body, "terminate_after")  // see search
	delete(body, "track_total_hits") // a scroll always counts, and refuses to be told not to
	// With one sort field alone, OpenSearch 3.5 takes documents equal to the last one for documents already
	// given, and ends the scroll before all were read.
	body["sort"] = append(append([]any{}, s.Sort...), "_doc")
	a, err := p.client.search(ctx, IndexPath(s.Indices, "_search"), params, body)
	if err != nil {
		return nil, err
	}
	p.id = a.Scroll
	return a.Hits.Hits, nil
}

func (p *Pages) scrollOn(ctx context.Context) ([]Hit, error) {
	a, err := p.client.search(ctx, "/_search/scroll", nil, map[string]any{"scroll": duration(p.scan.KeepAlive), "scroll_id": p.id})
	if err != nil {
		return nil, err
	}
	if a.Scroll != "" {
		p.id = a.Scroll
	}
	return a.Hits.Hits, nil
}

func (p *Pages) body() map[string]any {
	s := p.scan
	body := map[string]any{"size": s.Size, "track_total_hits": false}
	for key, value := range s.Body {
		body[key] = value
	}
	if s.Query != nil {
		body["query"] = s.Query
	}
	if s.Source != nil {
		body["_source"] = s.Source
	}
	if len(s.Fields) > 0 {
		body["fields"] = s.Fields
	}
	if len(s.DocvalueFields) > 0 {
		body["docvalue_fields"] = s.DocvalueFields
	}
	return body
}

func (p *Pages) free(ctx context.Context) error {
	id := p.id
	if id == "" {
		return nil
	}
	p.id = ""
	path, body := "/_pit", map[string]any{"id": id}
	if p.way == pagingScroll {
		path, body = "/_search/scroll", map[string]any{"scroll_id": []string{id}}
	}
	err := p.client.Do(ctx, http.MethodDelete, path, nil, body, nil)
	if err != nil && !IsNotFound(err) {
		return fmt.Errorf("free the open search: %w", err)
	}
	return nil
}

// expired recognises a point in time or scroll that is gone, also when only some shards lost it.
func expired(err error) bool {
	var e *Error
	var partial *PartialError
	return errors.As(err, &e) && e.Type == "search_context_missing_exception" ||
		errors.As(err, &partial) && partial.Type == "search_context_missing_exception"
}

// hasNoAPI recognises a cluster without Elasticsearch's point-in-time API: it knows no such path, or
// takes it for that of a document.
func hasNoAPI(err error) bool {
	var e *Error
	if !errors.As(err, &e) {
		return false
	}
	return e.Status == http.StatusMethodNotAllowed ||
		e.Status == http.StatusBadRequest && (strings.Contains(e.Reason, "no handler found") || strings.Contains(e.Reason, "request body is required"))
}

// hasNoTieBreaker recognises a cluster that has points in time but cannot sort by _shard_doc.
func hasNoTieBreaker(err error) bool {
	var e *Error
	var partial *PartialError
	return errors.As(err, &e) && e.Status == http.StatusBadRequest && strings.Contains(e.Reason, "_shard_doc") ||
		errors.As(err, &partial) && strings.Contains(partial.Reason, "_shard_doc")
}

// refusesPIT recognises a role without the right to points in time, or a proxy that knows no such path.
// Where it is the documents that are refused, the scroll tried next says so.
func refusesPIT(err error) bool {
	var e *Error
	return errors.As(err, &e) && (e.Status == http.StatusForbidden || e.Status == http.StatusNotFound && e.Type == "")
}

// isOpenSearch recognises that a path of Elasticsearch's is not there at all. Elasticsearch knows it or
// takes it for a document's, up to 7.x, and sends its product header from then on.
func isOpenSearch(err error) bool {
	var e *Error
	return errors.As(err, &e) && strings.Contains(e.Reason, "no handler found for uri")
}

// duration writes d as the cluster reads it.
func duration(d time.Duration) string { return fmt.Sprintf("%dms", d.Milliseconds()) }

type rawJSON []byte

// MarshalJSON gives the bytes as they are.
func (r rawJSON) MarshalJSON() ([]byte, error) { return r, nil }

func joinRaw[T ~[]byte](values []T) []byte {
	out := []byte{'['}
	for i, v := range values {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, v...)
	}
	return append(out, ']')
}
