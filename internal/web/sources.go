package web

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"tocsin/internal/account"
	"tocsin/internal/obs"
)

// SourceState is a source of the configuration as an admin or a page asks for it: no secret is among this.
type SourceState struct {
	Name string `json:"name"`
	Kind string `json:"kind" enum:"elasticsearch,opensearch,embedded"`
	// Hosts are the nodes without user, password and path; empty for the embedded engine.
	Hosts   []string `json:"hosts"`
	Indices []string `json:"indices" doc:"What is read unless a search names others; none is all."`
	// Answers tells whether it answered just now; Error says why not.
	Answers bool   `json:"answers"`
	Error   string `json:"error,omitempty"`
	Product string `json:"product,omitempty"`
	Version string `json:"version,omitempty"`
	// Took is how long the answer took, in milliseconds.
	Took int64 `json:"took_ms"`
}

// StateSource is a source whose state can be asked for.
type StateSource struct {
	Name, Kind     string
	Hosts, Indices []string
	// Ask asks what it is; its error holds no secret. It may be called concurrently.
	Ask func(context.Context) (product, version string, err error)
}

// askWait bounds how long a source may take to say what it is.
const askWait = 5 * time.Second

// SourceStates adds the state of each source to the API.
func SourceStates(sources []StateSource) Part {
	return func(w *Web) {
		w.add(Route{
			Method: "GET", Path: "/sources/{name}", Tag: "sources", Role: account.Viewer, Summary: "Ask one source how it is",
			Text: "It is asked now, for at most 5 seconds.", Answer: SourceState{}, Fails: []int{http.StatusNotFound},
			Handle: func(rw http.ResponseWriter, r *http.Request) {
				for i := range sources {
					if s := &sources[i]; s.Name == r.PathValue("name") {
						answer(rw, http.StatusOK, s.state(r.Context()))
						return
					}
				}
				fail(rw, http.StatusNotFound, fmt.Sprintf("no source is called %q: %s/sources lists what there is", r.PathValue("name"), apiRoot))
			},
		})
	}
}

func (s *StateSource) state(ctx context.Context) SourceState {
	ctx, cancel := context.WithTimeout(ctx, askWait)
	defer cancel()
	out := SourceState{Name: s.Name, Kind: s.Kind, Hosts: append([]string{}, s.Hosts...), Indices: append([]string{}, s.Indices...)}
	began := time.Now()
	var err error
	out.Product, out.Version, err = s.Ask(ctx)
	out.Took = time.Since(began).Milliseconds()
	out.Answers = err == nil
	if err != nil {
		out.Error = err.Error()
	}
	return out
}

// routeHealth adds how the parts of the process are.
func (w *Web) routeHealth() {
	w.add(Route{
		Method: "GET", Path: "/health", Tag: "sources", Role: account.Viewer, Summary: "Tell how each part of Tocsin is",
		Text: "It is 200 whatever the state: /readyz is for machines that decide by the status.", Answer: obs.Report{},
		Handle: func(rw http.ResponseWriter, _ *http.Request) { answer(rw, http.StatusOK, w.health.Report()) },
	})
}
