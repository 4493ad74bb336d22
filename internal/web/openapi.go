package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"tocsin/internal/account"
)

// routeDocument adds the document of the API, made of the table when everything is on it.
func (w *Web) routeDocument() {
	w.add(Route{
		Method: "GET", Path: "/openapi.json", Tag: "document", Role: account.Viewer, Summary: "This document",
		Content: "application/json", Handle: func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Type", "application/json")
			rw.Header().Set("Cache-Control", "no-store")
			rw.Write(w.document) //nolint:errcheck // a reader that went away needs no answer
		},
	})
}

var pathParameter = regexp.MustCompile(`\{([a-z_]+)(\.\.\.)?\}`)

// describe makes the OpenAPI 3.1 document of the table.
func (w *Web) describe() ([]byte, error) {
	s := &schemas{named: map[string]schema{}, types: map[string]reflect.Type{}}
	paths := map[string]map[string]any{}
	for i := range w.routes {
		r := &w.routes[i]
		path := apiRoot + pathParameter.ReplaceAllString(r.Path, "{$1}")
		if paths[path] == nil {
			paths[path] = map[string]any{}
		}
		paths[path][strings.ToLower(r.Method)] = s.operation(r)
	}
	b, err := json.Marshal(map[string]any{
		"openapi":           "3.1.0",
		"jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
		"info": map[string]any{
			"title": "Tocsin", "version": w.version,
			"description": "Everything the pages do is done over this API. Failures are JSON with a sentence in error.",
			"license":     map[string]string{"name": "See LICENSE"},
		},
		"servers": []any{map[string]string{"url": "/"}},
		"paths":   paths,
		"components": map[string]any{
			"schemas": s.named,
			"securitySchemes": map[string]any{
				"token":   map[string]string{"type": "http", "scheme": "bearer"},
				"session": map[string]string{"type": "apiKey", "in": "cookie", "name": account.CookieName(w.access.Secure)},
			},
		},
		"security": []any{map[string][]string{"token": {}}, map[string][]string{"session": {}}},
	})
	if err != nil {
		return nil, fmt.Errorf("write the document of the API: %w", err)
	}
	return b, nil
}

func (s *schemas) operation(r *Route) map[string]any {
	out := map[string]any{
		"operationId": operationID(r), "tags": []string{r.Tag}, "summary": r.Summary, "responses": s.responses(r),
		"description": strings.TrimSpace(r.Text + " Needs the role " + string(r.Role) + "."), "x-role": r.Role,
	}
	var params []any
	for _, m := range pathParameter.FindAllStringSubmatch(r.Path, -1) {
		params = append(params, map[string]any{"name": m[1], "in": "path", "required": true, "schema": schema{"type": "string", "minLength": 1}})
	}
	for _, q := range r.Query {
		one := map[string]any{"name": q.Name, "in": "query", "description": q.Text, "schema": q.schema()}
		if q.Needed {
			one["required"] = true
		}
		params = append(params, one)
	}
	if len(params) > 0 {
		out["parameters"] = params
	}
	if r.Body != nil {
		out["requestBody"] = map[string]any{
			"required": !r.Optional,
			"content":  map[string]any{"application/json": map[string]any{"schema": s.of(reflect.TypeOf(r.Body))}},
		}
	}
	return out
}

func (q *Query) schema() schema {
	one := schema{"type": "string"}
	switch q.Kind {
	case Integer:
		one = schema{"type": "integer", "minimum": q.Least}
		if q.Most > 0 {
			one["maximum"] = q.Most
		}
	case Number, Boolean:
		one = schema{"type": string(q.Kind)}
	case Time:
		one["format"] = "date-time"
	}
	if len(q.Values) > 0 {
		one["enum"] = q.Values
	}
	if q.Repeated {
		return schema{"type": "array", "items": one}
	}
	return one
}

func (s *schemas) responses(r *Route) map[string]any {
	success := map[string]any{"description": "Done."}
	media := r.Content
	if media == "" {
		media = "application/json"
	}
	body := map[string]any{}
	if r.Answer != nil {
		body["schema"] = s.of(reflect.TypeOf(r.Answer))
	}
	if r.status() != http.StatusNoContent {
		success["content"] = map[string]any{media: body}
	}
	failure := s.of(reflect.TypeFor[Failure]())
	own := failure
	if r.Failure != nil {
		own = schema{"anyOf": []schema{s.of(reflect.TypeOf(r.Failure)), failure}}
	}
	out := map[string]any{strconv.Itoa(r.status()): success}
	for _, status := range r.failures() {
		one := failure
		if status == http.StatusBadRequest || status == http.StatusConflict {
			one = own
		}
		out[strconv.Itoa(status)] = map[string]any{
			"description": http.StatusText(status) + ".",
			"content":     map[string]any{"application/json": map[string]any{"schema": one}},
		}
	}
	return out
}

// status is that of success.
func (r *Route) status() int {
	if r.Status == 0 {
		return http.StatusOK
	}
	return r.Status
}

// failures are all statuses but that of success.
func (r *Route) failures() []int {
	out := []int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusInternalServerError}
	if r.Body != nil {
		out = append(out, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
	}
	return append(out, r.Fails...)
}

// operationID is made of method and path: getRulesId.
func operationID(r *Route) string {
	out := strings.ToLower(r.Method)
	for _, word := range notInName.Split(r.Path, -1) {
		if word != "" {
			out += strings.ToUpper(word[:1]) + word[1:]
		}
	}
	return out
}
