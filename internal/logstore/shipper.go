package logstore

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// version is the Elasticsearch whose bulk API and answers are spoken. Shippers refuse older ones than
// themselves only where their user says so.
const version = "8.19.0"

// Handler answers what log shippers ask of Elasticsearch: _bulk, and what they look at before it. Templates,
// pipelines, policies and data streams can be put, and are acknowledged and not kept: the store has no
// mappings and changes no document. Who may ask is not its business.
func (s *Store) Handler() http.Handler { return http.HandlerFunc(s.serve) }

func (s *Store) serve(w http.ResponseWriter, r *http.Request) {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	first, last := parts[0], parts[len(parts)-1]
	writes := r.Method == http.MethodPost || r.Method == http.MethodPut
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	switch {
	case last == "_bulk" && len(parts) <= 3:
		if !writes {
			notAllowed(w, r, "POST, PUT")
			return
		}
		index := ""
		if len(parts) > 1 {
			index = first // the 7.x form /{index}/{type}/_bulk has a type, which means nothing
		}
		s.serveBulk(w, r, index)
	case last == "_refresh" && len(parts) <= 2 && (writes || r.Method == http.MethodGet):
		s.serveRefresh(w, r)
	case reads && r.URL.Path == "/":
		answer(w, r, http.StatusOK, s.banner())
	case reads && r.URL.Path == "/_license":
		answer(w, r, http.StatusOK, object{"license": object{
			"status": "active", "uid": s.uuid(), "type": "basic", "issue_date": "2024-01-01T00:00:00.000Z", "issue_date_in_millis": 1704067200000,
			"max_nodes": 1000, "max_resource_units": nil, "issued_to": "tocsin", "issuer": "tocsin", "start_date_in_millis": -1,
		}})
	case reads && r.URL.Path == "/_xpack":
		off := object{"available": false, "enabled": false}
		answer(w, r, http.StatusOK, object{
			"build":    object{"hash": "unknown", "date": "2024-01-01T00:00:00.000Z"},
			"license":  object{"uid": s.uuid(), "type": "basic", "mode": "basic", "status": "active"},
			"features": object{"ilm": off, "security": off, "monitoring": off, "data_streams": object{"available": true, "enabled": true}},
			"tagline":  "You know, for X",
		})
	case reads && (r.URL.Path == "/_cluster/health" || first == "_cluster" && len(parts) == 3 && parts[1] == "health"):
		answer(w, r, http.StatusOK, s.health())
	case reads && r.URL.Path == "/_cat/health":
		s.serveCatHealth(w, r)
	case declared(parts):
		s.serveDeclared(w, r, parts)
	case len(parts) == 1 && first != "" && !strings.HasPrefix(first, "_"):
		s.serveIndex(w, r, first)
	default:
		answerError(w, r, &Failure{
			http.StatusNotFound, "illegal_argument_exception",
			fmt.Sprintf("no handler found for uri [%s] and method [%s]: the log store speaks _bulk only", clip(r.URL.Path, 200), r.Method),
		})
	}
}

type object = map[string]any

func (s *Store) banner() object {
	return object{
		"name": "tocsin", "cluster_name": "tocsin", "cluster_uuid": s.uuid(),
		"version": object{
			"number": version, "build_flavor": "default", "build_type": "tar", "build_hash": "unknown", "build_date": "2024-01-01T00:00:00.000Z",
			"build_snapshot": false, "lucene_version": "9.12.0", "minimum_wire_compatibility_version": "7.17.0", "minimum_index_compatibility_version": "7.0.0",
		},
		"tagline": "You Know, for Search",
	}
}

// uuid names this store to those that ask for the cluster's.
func (s *Store) uuid() string { return s.ids.generated(0) }

func (s *Store) health() object {
	status := "green"
	if s.Ready() != nil {
		status = "red"
	}
	return object{
		"cluster_name": "tocsin", "status": status, "timed_out": false, "number_of_nodes": 1, "number_of_data_nodes": 1,
		"active_primary_shards": 1, "active_shards": 1, "relocating_shards": 0, "initializing_shards": 0, "unassigned_shards": 0,
		"delayed_unassigned_shards": 0, "number_of_pending_tasks": 0, "number_of_in_flight_fetch": 0,
		"task_max_waiting_in_queue_millis": 0, "active_shards_percent_as_number": 100.0,
	}
}

// serveCatHealth answers the line that rsyslog's omelasticsearch looks for.
func (s *Store) serveCatHealth(w http.ResponseWriter, r *http.Request) {
	now := s.now().UTC()
	header(w, r)
	w.Header().Set("Content-Type", "text/plain; charset=UTF-8")
	fmt.Fprintf(w, "%d %s tocsin %s 1 1 1 1 0 0 0 0 - 100.0%%\n", now.Unix(), now.Format(time.TimeOnly), s.health()["status"])
}

// declared reports whether a path names something that shippers set up before they send.
func declared(parts []string) bool {
	switch parts[0] {
	case "_template", "_index_template", "_component_template", "_data_stream", "_alias":
		return len(parts) == 2
	case "_ilm":
		return len(parts) == 3 && parts[1] == "policy"
	case "_ingest":
		return len(parts) == 3 && parts[1] == "pipeline"
	}
	return false
}

// serveDeclared answers that nothing is set up yet, and that all is well when it is.
func (s *Store) serveDeclared(w http.ResponseWriter, r *http.Request, parts []string) {
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		answerError(w, r, &Failure{http.StatusNotFound, "resource_not_found_exception", fmt.Sprintf("[%s] is not there", clip(parts[len(parts)-1], 200))})
	case http.MethodPut, http.MethodPost:
		s.log.Info("acknowledged and not kept: the log store has no templates, pipelines and policies", "path", clip(r.URL.Path, 200))
		answer(w, r, http.StatusOK, object{"acknowledged": true})
	default:
		notAllowed(w, r, "GET, HEAD, PUT, POST")
	}
}

// serveIndex answers whether an index has documents, and lets one be made: it is there when it has some.
func (s *Store) serveIndex(w http.ResponseWriter, r *http.Request, index string) {
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		found := errors.New("found")
		err := s.Scan(r.Context(), Search{Indices: []string{index}, Limit: 1, Newest: true}, func(Document) error { return found })
		switch {
		case errors.Is(err, found):
			answer(w, r, http.StatusOK, object{index: object{"aliases": object{}, "mappings": object{}, "settings": object{}}})
		case err != nil:
			s.log.Error("index not looked up", "error", err)
			answerError(w, r, &Failure{http.StatusServiceUnavailable, "exception", "the log store cannot be read: its own log says why"})
		default:
			answerError(w, r, &Failure{http.StatusNotFound, "index_not_found_exception", "no such index [" + clip(index, 200) + "]"})
		}
	case http.MethodPut:
		if f := checkIndex(index); f != nil {
			answerError(w, r, f)
			return
		}
		answer(w, r, http.StatusOK, object{"acknowledged": true, "shards_acknowledged": true, "index": index})
	default:
		notAllowed(w, r, "GET, HEAD, PUT")
	}
}

func (s *Store) serveRefresh(w http.ResponseWriter, r *http.Request) {
	done, err := s.use()
	if err != nil {
		answerError(w, r, &Failure{http.StatusServiceUnavailable, "exception", err.Error()})
		return
	}
	defer done()
	s.engine.DebugFlush()
	answer(w, r, http.StatusOK, object{"_shards": shards{1, 1, 0}})
}

func notAllowed(w http.ResponseWriter, r *http.Request, allowed string) {
	w.Header().Set("Allow", allowed)
	answerError(w, r, &Failure{
		http.StatusMethodNotAllowed, "illegal_argument_exception",
		fmt.Sprintf("Incorrect HTTP method for uri [%s] and method [%s], allowed: [%s]", clip(r.URL.Path, 200), r.Method, allowed),
	})
}

// Unavailable answers that there is no store to take the request yet, in Elasticsearch's shape, so that
// shippers try again.
func Unavailable(w http.ResponseWriter, r *http.Request, err error) {
	w.Header().Set("Retry-After", "5")
	answerError(w, r, &Failure{http.StatusServiceUnavailable, "cluster_block_exception", err.Error()})
}

// answerError writes an error of the whole request in Elasticsearch's shape.
func answerError(w http.ResponseWriter, r *http.Request, f *Failure) {
	c := cause{f.Type, f.Reason}
	answer(w, r, f.Status, object{"error": object{"root_cause": []cause{c}, "type": c.Type, "reason": c.Reason}, "status": f.Status})
}

func answer(w http.ResponseWriter, r *http.Request, status int, body any) {
	header(w, r)
	w.WriteHeader(status)
	// A client that went away does not hear it.
	_ = json.NewEncoder(w).Encode(body)
}

// header sets what the official clients check: the product, and the media type they asked for.
func header(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Elastic-Product", "Elasticsearch")
	h.Set("Content-Type", "application/json")
	h.Set("X-Content-Type-Options", "nosniff")
	accept, _, _ := strings.Cut(r.Header.Get("Accept"), ",")
	switch strings.ReplaceAll(accept, " ", "") {
	case "application/vnd.elasticsearch+json;compatible-with=7", "application/vnd.elasticsearch+json;compatible-with=8", "application/vnd.elasticsearch+json;compatible-with=9":
		h.Set("Content-Type", strings.ReplaceAll(accept, " ", ""))
	}
}
