package web

import "net/http"

// searchPage is the home of those who search.
func (w *Web) searchPage(rw http.ResponseWriter, r *http.Request) {
	w.render(rw, r, http.StatusOK, "search", nil)
}
