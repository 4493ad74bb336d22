package obs

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Healthz answers 200 for as long as the process can answer at all.
func Healthz() http.Handler {
	return readOnly(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write([]byte("ok\n")) // a caller that hung up is nobody's problem
	})
}

// Readyz answers with the report: 200 while the required parts work, else 503; with ?strict, 503
// also when any part is degraded. It is JSON, or plain text for who prefers it.
func (h *Health) Readyz() http.Handler {
	return readOnly(func(w http.ResponseWriter, r *http.Request) {
		report := h.Report()
		status := http.StatusOK
		if report.Status == Down || report.Status == Degraded && strict(r) {
			status = http.StatusServiceUnavailable
		}
		var body []byte
		if prefersText(r.Header.Values("Accept")) {
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			body = []byte(report.text())
		} else {
			w.Header().Set("Content-Type", "application/json")
			var err error
			if body, err = json.Marshal(report); err != nil {
				http.Error(w, "the report cannot be written", http.StatusInternalServerError)
				return
			}
			body = append(body, '\n')
		}
		w.WriteHeader(status)
		_, _ = w.Write(body) // a caller that hung up is nobody's problem
	})
}

// readOnly lets GET and HEAD through and keeps answers out of caches.
func readOnly(serve http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "only GET and HEAD", http.StatusMethodNotAllowed)
			return
		}
		serve(w, r)
	})
}

// strict says whether the query asks for it: ?strict, ?strict=1, ?strict=true.
func strict(r *http.Request) bool {
	values, ok := r.URL.Query()["strict"]
	if !ok {
		return false
	}
	on, err := strconv.ParseBool(values[0])
	return on || err != nil
}

// prefersText says whether plain text, or the HTML we do not have, is wanted more than JSON.
func prefersText(accept []string) bool {
	var text, js float64
	for _, header := range accept {
		for wanted := range strings.SplitSeq(header, ",") {
			kind, parameters, _ := strings.Cut(wanted, ";")
			quality := 1.0
			for parameter := range strings.SplitSeq(parameters, ";") {
				if q, ok := strings.CutPrefix(strings.ToLower(strings.TrimSpace(parameter)), "q="); ok {
					if n, err := strconv.ParseFloat(q, 64); err == nil {
						quality = n
					}
				}
			}
			switch strings.ToLower(strings.TrimSpace(kind)) {
			case "text/plain", "text/html", "text/*":
				text = max(text, quality)
			case "application/json", "application/*":
				js = max(js, quality)
			}
		}
	}
	return text > js
}

// text is the report for people: a line for the whole, then one for each part.
func (r Report) text() string {
	var out strings.Builder
	fmt.Fprintf(&out, "%s\n", r.Status)
	for _, p := range r.Parts {
		fmt.Fprintf(&out, "%s: %s since %s", oneLine(p.Name), p.State, p.Since.Format(time.RFC3339))
		if p.Error != "" {
			fmt.Fprintf(&out, ": %s", oneLine(p.Error))
		}
		if p.Hint != "" {
			fmt.Fprintf(&out, " (%s)", oneLine(p.Hint))
		}
		out.WriteByte('\n')
	}
	return out.String()
}

// oneLine keeps an error, which others may have written, from looking like several parts or
// steering a terminal.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, s)
}
