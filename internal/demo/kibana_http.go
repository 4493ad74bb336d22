package demo

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// searchError is an answer that is an error, with the cluster's words for it.
type searchError struct {
	status       int
	kind, reason string
}

func (r *searchError) Error() string { return r.reason }

func notUnderstood(format string, args ...any) error {
	return &searchError{http.StatusBadRequest, "parsing_exception", "the detections stand-in does not understand " + fmt.Sprintf(format, args...)}
}

func noIndex(name string) error {
	return &searchError{http.StatusNotFound, "index_not_found_exception", "no such index [" + name + "]"}
}

// ServeHTTP answers one request.
func (c *Cluster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Elastic-Product", "Elasticsearch")
	w.Header().Set("Content-Type", "application/json")
	answer, err := c.answer(r)
	if err != nil {
		e, ok := err.(*searchError) //nolint:errorlint // made here, never wrapped
		if !ok {
			e = &searchError{http.StatusBadRequest, "parse_exception", err.Error()}
		}
		cause := map[string]any{"type": e.kind, "reason": e.reason}
		answer = map[string]any{"status": e.status, "error": map[string]any{"type": e.kind, "reason": e.reason, "root_cause": []any{cause}}}
		w.WriteHeader(e.status)
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(answer) // the reader is gone: nobody is left to be told
}

func (c *Cluster) answer(r *http.Request) (any, error) {
	body, err := readBody(r)
	if err != nil {
		return nil, err
	}
	for name := range r.URL.Query() {
		if !slices.Contains([]string{"ignore_unavailable", "allow_no_indices", "keep_alive", "fields", "include_unmapped"}, name) {
			return nil, notUnderstood("the parameter %q", name)
		}
	}
	path := strings.TrimPrefix(r.URL.Path, "/")
	names, api, found := strings.Cut(path, "/")
	if !found {
		names, api = "", path
	}
	switch r.Method + " " + api {
	case "GET ":
		return map[string]any{
			"name": "stand-in", "cluster_name": "demo", "tagline": "You Know, for Search",
			"version": map[string]any{"number": "8.19.0", "build_flavor": "default"},
		}, nil
	case "POST _search", "GET _search":
		return c.search(names, body)
	case "POST _pit":
		return c.open(names, r.URL.Query().Get("keep_alive"))
	case "DELETE _pit":
		return c.close(body)
	case "GET _field_caps", "POST _field_caps":
		return c.fieldCaps(names, r.URL.Query().Get("fields"))
	}
	return nil, notUnderstood("%s %s", r.Method, r.URL.Path)
}

func readBody(r *http.Request) (map[string]any, error) {
	var reader io.Reader = http.MaxBytesReader(nil, r.Body, 16<<20)
	switch encoding := r.Header.Get("Content-Encoding"); encoding {
	case "":
	case "gzip":
		unpacked, err := gzip.NewReader(reader)
		if err != nil {
			return nil, notUnderstood("the packed body: %v", err)
		}
		reader = unpacked
	default:
		return nil, notUnderstood("the encoding %q", encoding)
	}
	text, err := io.ReadAll(reader)
	if err != nil {
		return nil, notUnderstood("the body: %v", err)
	}
	if len(text) == 0 {
		return nil, nil
	}
	var body map[string]any
	if err := json.Unmarshal(text, &body); err != nil {
		return nil, notUnderstood("the body: %v", err)
	}
	return body, nil
}

// of are the documents of indices, in order of insertion.
func (c *Cluster) of(names string) ([]*document, []string, error) {
	if names == "" {
		return nil, nil, notUnderstood("a search of all indices")
	}
	indices, unknown := c.resolve(strings.Split(names, ","))
	if unknown != "" {
		return nil, nil, noIndex(unknown)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	docs := make([]*document, 0, len(c.docs))
	for _, d := range c.docs {
		if slices.Contains(indices, d.index) {
			docs = append(docs, d)
		}
	}
	return docs, indices, nil
}

func (c *Cluster) open(names, keepAlive string) (any, error) {
	docs, _, err := c.of(names)
	if err != nil {
		return nil, err
	}
	d, err := time.ParseDuration(keepAlive)
	if err != nil || d <= 0 {
		return nil, notUnderstood("keep_alive %q", keepAlive)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	for id, old := range c.pits {
		if now.After(old.expires) {
			delete(c.pits, id)
		}
	}
	c.opens++
	id := fmt.Sprintf("pit-%d", c.opens)
	c.pits[id] = &snapshot{docs: docs, expires: now.Add(d)}
	return map[string]any{"id": id}, nil
}

func (c *Cluster) close(body map[string]any) (any, error) {
	id, _ := body["id"].(string)
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.pits[id]; !ok {
		return nil, &searchError{http.StatusNotFound, "search_context_missing_exception", "No search context found for id [" + id + "]"}
	}
	delete(c.pits, id)
	return map[string]any{"succeeded": true, "num_freed": 1}, nil
}

// snapshot gives the documents of a point in time and prolongs it.
func (c *Cluster) snapshot(pit map[string]any) ([]*document, error) {
	id, _ := pit["id"].(string)
	keepAlive, _ := pit["keep_alive"].(string)
	d, err := time.ParseDuration(keepAlive)
	if err != nil {
		return nil, notUnderstood("keep_alive %q", keepAlive)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s, ok := c.pits[id]
	if !ok || c.now().After(s.expires) {
		return nil, &searchError{http.StatusNotFound, "search_context_missing_exception", "No search context found for id [" + id + "]"}
	}
	s.expires = c.now().Add(d)
	return s.docs, nil
}

func (c *Cluster) fieldCaps(names, fields string) (any, error) {
	docs, indices, err := c.of(names)
	if err != nil {
		return nil, err
	}
	out := map[string]any{}
	for _, name := range strings.Split(fields, ",") {
		if name == "" || strings.Contains(name, "*") {
			return nil, notUnderstood("the fields %q", fields)
		}
		kind := "keyword"
		if slices.Contains(dateFields, name) {
			kind = "date"
		}
		for _, d := range docs {
			if d.fields[name] != nil {
				out[name] = map[string]any{kind: map[string]any{"type": kind, "searchable": true, "aggregatable": true, "metadata_field": false}}
				break
			}
		}
	}
	return map[string]any{"indices": indices, "fields": out}, nil
}

// dateFields are those searches may compare as times.
var dateFields = []string{"@timestamp", "kibana.alert.last_detected", "kibana.alert.workflow_status_updated_at", "kibana.alert.updated_at"}
