package app

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"tocsin/internal/config"
	"tocsin/internal/elastic"
	"tocsin/internal/query"
)

// Cluster says which cluster a search from the command line reads: one by its address, or a source of
// the configuration by its name.
type Cluster struct {
	URL    string   // of a node, user and password in it or not
	CAFile string   // of URL; "" for the system's
	APIKey string   // of URL; "" for none
	Index  []string // patterns; with Source its own unless given
	Source string   // a name in the configuration
	// Timeout bounds each request; 0 is the source's own, or five minutes.
	Timeout time.Duration
}

// IsZero reports whether no cluster is named.
func (c Cluster) IsZero() bool { return c.URL == "" && c.Source == "" && len(c.Index) == 0 }

// OpenCluster makes a cluster what a search reads, without asking it anything. What it returns frees the
// connections. Load reads the configuration and is called only for a source.
func OpenCluster(c Cluster, o *SearchOptions, load func() (*config.Config, error)) (func(), error) {
	if o.Input != "" || o.Parse != "" || len(o.Datasets) > 0 {
		return nil, wrong("--input, --parse and --dataset read files, --url, --source and --index a cluster: leave one out")
	}
	indices := patterns(c.Index)
	if c.Timeout < 0 {
		return nil, wrong("--timeout %s: write a time longer than zero", c.Timeout)
	}
	client, own, err := c.client(len(indices) > 0, load)
	if err != nil {
		return nil, err
	}
	if len(indices) == 0 {
		indices = own
	}
	if c.URL != "" && client.Insecure() && (c.APIKey != "" || strings.Contains(c.URL, "@")) {
		fmt.Fprintln(o.Stderr, "warning: --url is plain http: what is read and the credentials go over the network unencrypted; use https://")
	}
	o.Backend = elastic.NewBackend(client, indices)
	// Dates are indexed in milliseconds: with a bound that is one, the cluster can do all of a filter.
	o.Now = o.Now.Truncate(time.Millisecond)
	return client.Close, nil
}

// client is the client of the cluster, and the indices of a source.
func (c Cluster) client(indexed bool, load func() (*config.Config, error)) (*elastic.Client, []string, error) {
	timeout := c.Timeout
	switch {
	case c.URL != "" && c.Source != "":
		return nil, nil, wrong("--url and --source exclude each other")
	case c.URL == "" && c.Source == "":
		return nil, nil, wrong("--index needs a cluster: name it with --url URL or --source NAME")
	case c.URL != "" && !indexed:
		return nil, nil, wrong("--url needs --index PATTERN too, such as --index 'logs-*'")
	case c.URL != "":
		if timeout == 0 {
			timeout = searchTimeout
		}
		client, err := elastic.New(elastic.Options{Name: nameOf(c.URL), URLs: []string{c.URL}, CAFile: c.CAFile, APIKey: c.APIKey, Timeout: timeout})
		if err != nil {
			return nil, nil, wrong("--url: %w", err)
		}
		return client, nil, nil
	}
	cfg, err := load()
	if err != nil {
		return nil, nil, err
	}
	s := cfg.Source(c.Source)
	if s == nil {
		there := "there are none"
		if len(cfg.Sources) > 0 {
			names := make([]string, len(cfg.Sources))
			for i, s := range cfg.Sources {
				names[i] = s.Name
			}
			there = "there are " + strings.Join(names, ", ")
		}
		return nil, nil, wrong("--source %s: the configuration has no such source (%s)", c.Source, there)
	}
	if s.Kind == config.Embedded {
		return nil, nil, wrong("--source %s: it is the embedded engine, not a cluster", c.Source)
	}
	if timeout == 0 {
		timeout = s.SearchTimeout
	}
	client, err := searchClient(s, timeout)
	return client, s.Indices, err
}

// searchTimeout is for how long one request of a search may take where nothing says otherwise.
const searchTimeout = 5 * time.Minute

// typesOf is the field caps answer of a cluster, nil for a backend that is none.
func typesOf(ctx context.Context, b query.Backend) ([]byte, error) {
	cluster, ok := b.(*elastic.Backend)
	if !ok {
		return nil, nil
	}
	return cluster.FieldTypes(ctx)
}

// nameOf is how a cluster is called in messages: its host, never its password.
func nameOf(address string) string {
	if u, err := url.Parse(address); err == nil && u.Host != "" {
		return u.Host
	}
	return "the cluster"
}
