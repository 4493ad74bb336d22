package demo

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// ClusterOptions configure a Cluster. The zero value is the default space, by the machine's clock.
type ClusterOptions struct {
	Space string
	Now   func() time.Time
	Seed  uint64 // of what Replay makes
}

// Cluster stands in for the Elasticsearch that Kibana writes detections to, after an upgrade from 7.x:
// both generations' indices are behind both aliases. It is an http.Handler which speaks what a reader of
// detections needs: searches with a subset of the query language, points in time, field capabilities. It
// answers 400 to all it does not understand, rather than something that is not so. All its documents are
// visible to the next search.
//
// It is safe for concurrent use.
type Cluster struct {
	space string
	now   func() time.Time
	seed  uint64

	mu    sync.Mutex
	docs  []*document // by insertion; what is replaced keeps its place
	at    map[string]int
	seq   int64
	pits  map[string]*snapshot
	opens int
}

// document never changes once it is stored; a change stores another one.
type document struct {
	index, id string
	place     int64 // unique and in order of insertion: what _shard_doc sorts by
	seq       int64
	source    map[string]any
	fields    map[string][]any
	time      int64 // @timestamp in milliseconds
	timed     bool
}

// snapshot is the state a point in time was opened on.
type snapshot struct {
	docs    []*document
	expires time.Time
}

// NewCluster makes an empty cluster.
func NewCluster(o ClusterOptions) *Cluster {
	if o.Space == "" {
		o.Space = "default"
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Cluster{space: o.Space, now: o.Now, seed: o.Seed, at: map[string]int{}, pits: map[string]*snapshot{}}
}

// indices are the backing indices, and aliases the names they are read by.
func (c *Cluster) indices() []string {
	return []string{".internal.alerts-security.alerts-" + c.space + "-000001", ".siem-signals-" + c.space + "-000001"}
}

func (c *Cluster) aliases() []string {
	return []string{".alerts-security.alerts-" + c.space, ".siem-signals-" + c.space}
}

// resolve tells which indices names mean; ok is false for a name there is not.
func (c *Cluster) resolve(names []string) (indices []string, unknown string) {
	for _, name := range names {
		switch {
		case slices.Contains(c.aliases(), name):
			indices = c.indices()
		case slices.Contains(c.indices(), name):
			if !slices.Contains(indices, name) {
				indices = append(indices, name)
			}
		default:
			return nil, name
		}
	}
	return indices, ""
}

// Put stores a detection, or replaces the one with its id. Its index must be one of the cluster's.
func (c *Cluster) Put(of ...Detection) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, d := range of {
		if !slices.Contains(c.indices(), d.Index) {
			return fmt.Errorf("put detection %s: the cluster has no index %s", d.ID, d.Index)
		}
		var source map[string]any
		if err := json.Unmarshal(d.Source, &source); err != nil {
			return fmt.Errorf("put detection %s: %w", d.ID, err)
		}
		c.store(d.Index, d.ID, source)
	}
	return nil
}

var errNoDocument = errors.New("there is no such document")

// Change lays fields over a document, by their keys in it, as an update in place does.
func (c *Cluster) Change(index, id string, fields map[string]any) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	i, ok := c.at[index+"\x00"+id]
	if !ok {
		return fmt.Errorf("change %s/%s: %w", index, id, errNoDocument)
	}
	text, err := json.Marshal(fields)
	if err != nil {
		return fmt.Errorf("change %s/%s: %w", index, id, err)
	}
	var change map[string]any
	if err := json.Unmarshal(text, &change); err != nil {
		return fmt.Errorf("change %s/%s: %w", index, id, err)
	}
	c.store(index, id, merge(c.docs[i].source, change))
	return nil
}

// merge lays b over a without writing to either.
func merge(a, b map[string]any) map[string]any {
	out := make(map[string]any, len(a)+len(b))
	for key, value := range a {
		out[key] = value
	}
	for key, value := range b {
		below, ok := value.(map[string]any)
		above, both := out[key].(map[string]any)
		if ok && both {
			value = merge(above, below)
		}
		out[key] = value
	}
	return out
}

// store is called with the lock held.
func (c *Cluster) store(index, id string, source map[string]any) {
	c.seq++
	d := &document{index: index, id: id, place: c.seq, seq: c.seq, source: source, fields: map[string][]any{}}
	flatten(d.fields, "", source)
	if times := d.fields["@timestamp"]; len(times) > 0 {
		d.time, d.timed = millis(times[0])
	}
	key := index + "\x00" + id
	if i, ok := c.at[key]; ok {
		d.place = c.docs[i].place
		c.docs[i] = d
		return
	}
	c.at[key] = len(c.docs)
	c.docs = append(c.docs, d)
}

// keep forgets the oldest documents beyond a number, a tenth of it at once.
func (c *Cluster) keep(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.docs) <= n+n/10 {
		return
	}
	c.docs = slices.Clone(c.docs[len(c.docs)-n:])
	clear(c.at)
	for i, d := range c.docs {
		c.at[d.index+"\x00"+d.id] = i
	}
}

func flatten(out map[string][]any, path string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for key, child := range v {
			flatten(out, strings.TrimPrefix(path+"."+key, "."), child)
		}
	case []any:
		for _, child := range v {
			flatten(out, path, child)
		}
	case nil:
	default:
		out[path] = append(out[path], v)
	}
}

// millis reads a date of a document.
func millis(v any) (int64, bool) {
	switch v := v.(type) {
	case float64:
		return int64(v), true
	case string:
		for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02"} {
			if t, err := time.Parse(layout, v); err == nil {
				return t.UnixMilli(), true
			}
		}
	}
	return 0, false
}
