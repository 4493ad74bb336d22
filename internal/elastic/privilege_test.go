package elastic_test

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"testing"

	"tocsin/internal/elastic"
	"tocsin/internal/testkit"
)

// refusing runs a proxy before a real node that refuses what is asked of the cluster as a whole.
func refusing(t *testing.T, o elastic.Options) string {
	t.Helper()
	to, err := url.Parse(o.URLs[0])
	if err != nil {
		t.Fatal(err)
	}
	to.User = nil
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }}
	if o.CAFile != "" {
		text, err := os.ReadFile(o.CAFile)
		if err != nil {
			t.Fatal(err)
		}
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(text)
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
		t.Cleanup(transport.CloseIdleConnections)
		proxy.Transport = transport
	}
	return serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		first, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		switch first {
		case "", "_cluster", "_license", "_xpack", "_nodes", "_cat", "_security", "_plugins", "_stats":
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write([]byte(`{"error":{"type":"security_exception","reason":"not for you"},"status":403}`))
		default:
			proxy.ServeHTTP(w, r)
		}
	}))
}

// readsAll does with c what reading detections and logs needs, on an index with an alias.
func readsAll(t *testing.T, c *elastic.Client, index, alias string, documents int) {
	t.Helper()
	// A new client that knows nothing asks for its product first: that must not spoil the rest.
	if _, err := c.Product(t.Context()); err != nil {
		t.Error(err)
	}
	for _, name := range []string{index, alias} {
		r, err := c.Search(t.Context(), elastic.Search{Indices: []string{name}, Body: map[string]any{"track_total_hits": true}})
		if err != nil || int(r.Total) != documents {
			t.Errorf("search %s: %+v %v", name, r, err)
		}
		wantOnce(t, readAll(t, c.Scan(elastic.Scan{Indices: []string{name}, Sort: byTime, Size: 7})), documents)
		caps, err := c.FieldCaps(t.Context(), []string{name}, []string{"*"})
		if err != nil || caps.Fields["user"]["keyword"].Type != "keyword" {
			t.Errorf("field caps %s: %+v %v", name, caps, err)
		}
		var mapping map[string]any
		if err := c.Do(t.Context(), http.MethodGet, "/"+name+"/_mapping", nil, nil, &mapping); err != nil || len(mapping) != 1 {
			t.Errorf("mapping %s: %v %v", name, mapping, err)
		}
		var indices map[string]struct{ Aliases map[string]any }
		if err := c.Do(t.Context(), http.MethodGet, "/"+name+"/_alias", nil, nil, &indices); err != nil || indices[index].Aliases[alias] == nil {
			t.Errorf("aliases %s: %v %v", name, indices, err)
		}
	}
	// The product is known now from the answers, where it can be.
	if p, err := c.Product(t.Context()); err != nil || elastic.PagingWay(c) == "pit" && p.Name != "elasticsearch" {
		t.Errorf("%+v %v", p, err)
	}
}

func addAlias(t *testing.T, c *elastic.Client, index, alias string) {
	t.Helper()
	if err := c.Do(t.Context(), http.MethodPut, "/"+index+"/_alias/"+alias, nil, nil, nil); err != nil {
		t.Fatal(err)
	}
}

func TestNothingNeedsTheClusterAsAWhole(t *testing.T) {
	onCluster(t, testkit.Kinds, func(t *testing.T, one cluster) {
		admin := client(t, one.Options)
		name := one.Index(t, "tocsin-elastic")
		create(t, admin, name+"-1", 2)
		addAlias(t, admin, name+"-1", name+"-alias")
		fill(t, admin, name+"-1", 0, 50)
		o := one.Options
		o.URLs, o.CAFile = []string{refusing(t, o)}, ""
		o.Username, o.Password = one.Node.Username, one.Node.Password
		c := client(t, o)
		if err := c.Do(t.Context(), http.MethodGet, "/_cluster/health", nil, nil, nil); !elastic.IsForbidden(err) {
			t.Fatal("the proxy refuses nothing: ", err)
		}
		readsAll(t, c, name+"-1", name+"-alias", 50)
	})
}

// role is what docs/least-privilege.md says of Elasticsearch.
func role(patterns ...string) map[string]any {
	return map[string]any{"cluster": []string{}, "indices": []any{map[string]any{"names": patterns, "privileges": []string{"read", "view_index_metadata"}}}}
}

func TestAnAPIKeyOfLeastPrivilegeSuffices(t *testing.T) {
	onCluster(t, []testkit.Kind{testkit.Elastic8}, func(t *testing.T, one cluster) {
		admin := client(t, one.Options)
		for _, tc := range []struct {
			name     string
			patterns func(name string) []string
			way      string
		}{
			{"on the indices", func(name string) []string { return []string{name + "*"} }, "pit"},
			// Elasticsearch judges a search in a point in time by the indices themselves.
			{"on the alias alone", func(name string) []string { return []string{name + "-alias"} }, "scroll"},
		} {
			t.Run(tc.name, func(t *testing.T) {
				name := one.Index(t, "tocsin-elastic")
				create(t, admin, name+"-1", 2)
				addAlias(t, admin, name+"-1", name+"-alias")
				fill(t, admin, name+"-1", 0, 50)
				plain, encoded := one.Node.APIKey(t, role(tc.patterns(name)...))
				id, key, _ := strings.Cut(plain, ":")
				index := name + "-1"
				if tc.name == "on the alias alone" {
					index = name + "-alias"
				}
				for _, o := range []elastic.Options{
					{Name: "siem", URLs: []string{one.URL}, CAFile: one.Options.CAFile, APIKey: plain},
					{Name: "siem", URLs: []string{one.URL}, CAFile: one.Options.CAFile, APIKey: encoded},
					{Name: "siem", URLs: []string{refusing(t, one.Options)}, APIKey: plain},
				} {
					var log strings.Builder
					o.Log = textLog(&log)
					c := client(t, o)
					if index == name+"-1" {
						readsAll(t, c, index, name+"-alias", 50)
					} else {
						readsAlias(t, c, index, 50)
					}
					if way := elastic.PagingWay(c); way != tc.way {
						t.Errorf("pages by %s", way)
					}
					if strings.Contains(log.String(), "not freed") {
						t.Error(log.String())
					}
					err := c.Do(t.Context(), http.MethodGet, "/_cluster/health", nil, nil, nil)
					if !elastic.IsForbidden(err) {
						t.Errorf("the key can do too much: %v", err)
					}
					written, err := c.Bulk(t.Context(), []elastic.Write{{Op: "index", Index: index, Doc: map[string]any{}}}, "")
					if !elastic.IsForbidden(err) && (err != nil || written[0].Status != 403) {
						t.Errorf("the key can write: %+v %v", written, err)
					}
					_, err = c.Search(t.Context(), elastic.Search{Indices: []string{"tocsin-other"}})
					if !elastic.IsForbidden(err) || !strings.Contains(err.Error(), "read and view_index_metadata") || strings.Contains(err.Error(), key) {
						t.Errorf("an index that is not ours: %v", err)
					}
				}
				o := elastic.Options{Name: "siem", URLs: []string{one.URL}, CAFile: one.Options.CAFile, APIKey: id + ":not-the-key"}
				if _, err := client(t, o).Search(t.Context(), elastic.Search{Indices: []string{index}}); !elastic.IsUnauthorized(err) || !strings.Contains(err.Error(), "check api_key") {
					t.Error(err)
				}
			})
		}
	})
}

// readsAlias is readsAll for a key that may see the alias and not the index behind it.
func readsAlias(t *testing.T, c *elastic.Client, alias string, documents int) {
	t.Helper()
	r, err := c.Search(t.Context(), elastic.Search{Indices: []string{alias}, Body: map[string]any{"track_total_hits": true}})
	if err != nil || int(r.Total) != documents {
		t.Errorf("search: %+v %v", r, err)
	}
	wantOnce(t, readAll(t, c.Scan(elastic.Scan{Indices: []string{alias}, Sort: byTime, Size: 7})), documents)
	caps, err := c.FieldCaps(t.Context(), []string{alias}, []string{"*"})
	if err != nil || caps.Fields["user"]["keyword"].Type != "keyword" {
		t.Errorf("field caps: %+v %v", caps, err)
	}
}

func TestAnOpenSearchUserOfLeastPrivilegeSuffices(t *testing.T) {
	node := testkit.Server(t, testkit.OpenSearchTLS)
	o := elastic.Options{Name: "siem", URLs: []string{node.URL}, CAFile: node.CAFile, Username: node.Username, Password: node.Password}
	admin := client(t, o)
	name := testkit.Unique("tocsin-elastic")
	create(t, admin, name+"-1", 2)
	defer func() {
		if err := admin.Do(t.Context(), http.MethodDelete, "/"+name+"-1", nil, nil, nil); err != nil {
			t.Error(err)
		}
	}()
	addAlias(t, admin, name+"-1", name+"-alias")
	fill(t, admin, name+"-1", 0, 50)
	const password = "Not-so-secret-4711"
	for _, made := range []struct {
		path string
		body any
	}{ // the user's role has to be there first
		{"/_plugins/_security/api/roles/" + name, map[string]any{
			"cluster_permissions": []string{"indices:data/read/scroll", "indices:data/read/scroll/clear", "indices:data/read/msearch"},
			"index_permissions": []any{map[string]any{
				"index_patterns":  []string{name + "*"},
				"allowed_actions": []string{"read", "indices:admin/mappings/get", "indices:admin/aliases/get"},
			}},
		}},
		{"/_plugins/_security/api/internalusers/" + name, map[string]any{"password": password, "opendistro_security_roles": []string{name}}},
	} {
		if err := admin.Do(t.Context(), http.MethodPut, made.path, nil, made.body, nil); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := admin.Do(t.Context(), http.MethodDelete, made.path, nil, nil, nil); err != nil {
				t.Error(err)
			}
		}()
	}
	var log strings.Builder
	c := client(t, elastic.Options{Name: "siem", URLs: []string{node.URL}, CAFile: o.CAFile, Username: name, Password: password, Log: textLog(&log)})
	readsAll(t, c, name+"-1", name+"-alias", 50)
	if p, err := c.Product(t.Context()); err != nil || p.Name != "opensearch" {
		t.Errorf("%+v %v", p, err)
	}
	if strings.Contains(log.String(), "not freed") {
		t.Error(log.String())
	}
	if err := c.Do(t.Context(), http.MethodGet, "/_cluster/health", nil, nil, nil); !elastic.IsForbidden(err) {
		t.Errorf("the user can do too much: %v", err)
	}
}
