package web

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
)

// liveHeader is sent by a page that is open and asks for itself again: assets/src/live.js.
const liveHeader = "Tocsin-Live"

// isLive reports whether a request is one of a page that keeps itself up to date. It is answered with what the page
// has in <main> and the state in the bar alone.
func isLive(r *http.Request) bool {
	return r.Method == http.MethodGet && r.Header.Get(liveHeader) != ""
}

// unchanged answers 304 where the asker has the body already, and names the body otherwise.
func unchanged(rw http.ResponseWriter, r *http.Request, body []byte) bool {
	sum := sha256.Sum256(body)
	tag := `"` + hex.EncodeToString(sum[:12]) + `"`
	rw.Header().Set("ETag", tag)
	if r.Header.Get("If-None-Match") != tag {
		return false
	}
	rw.WriteHeader(http.StatusNotModified)
	return true
}
