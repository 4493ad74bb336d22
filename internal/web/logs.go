package web

import (
	"net/http"
	"strings"
)

// shippers gives logs what log shippers ask of Elasticsearch, and what browsers ask to pages. Logs is nil
// where no events are taken, and pages where there is no other page than those with a pattern of their own.
func shippers(logs, pages http.Handler) http.Handler {
	if pages == nil {
		pages = http.NotFoundHandler()
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case logs != nil && forElasticsearch(r):
			logs.ServeHTTP(w, r)
		case logs == nil && strings.HasSuffix(r.URL.Path, "/_bulk"):
			fail(w, http.StatusNotFound, "events are not taken here: the configuration has no embedded source; add one under sources, with kind: embedded")
		default:
			pages.ServeHTTP(w, r)
		}
	})
}

// forElasticsearch tells a program's request of Elasticsearch from a browser's of a page. Elasticsearch's
// own names begin with an underscore, and no page's does; GET / is both, and Accept tells.
func forElasticsearch(r *http.Request) bool {
	if r.Method != http.MethodGet || strings.Contains(r.URL.Path, "/_") {
		return true
	}
	return r.URL.Path == "/" && !wantsPage(r)
}

func wantsPage(r *http.Request) bool {
	return strings.Contains(strings.Join(r.Header.Values("Accept"), ","), "text/html")
}
