package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"tocsin/internal/alert"
	"tocsin/internal/query"
)

// plainRows is how many rows the page of searches has that was asked for without script.
const plainRows = 200

// plainSearch is a search that the server runs for a browser without script: the form in <noscript> says plain=1.
type plainSearch struct {
	Query, Source, From string
	Wrong               string
	Columns             []string
	Rows                [][]string
	More                bool
}

// plain runs the search of an address that asks for it; nil for one that does not.
func (s *searches) plain(r *http.Request) *plainSearch {
	q := r.URL.Query()
	if q.Get("plain") == "" {
		return nil
	}
	v := &plainSearch{Query: q.Get("q"), Source: q.Get("source"), From: q.Get("from")}
	sc, err := s.scope(Range{Source: v.Source, From: v.From, To: q.Get("to")})
	var found *SearchAnswer
	if err == nil {
		found, err = s.rows(r, sc, v.Query, plainRows, false)
	}
	if err == nil {
		err = v.take(found, sc.source.timeField())
	}
	var wrong *query.Error
	switch {
	case errors.As(err, &wrong):
		line, column := wrong.Position()
		v.Wrong = fmt.Sprintf("line %d, column %d: %s", line, column, wrong.Message)
	case err != nil:
		v.Wrong = err.Error()
	}
	return v
}

// take makes cells of rows: the columns of pipes as they are, a document as its time and its other fields in a line.
func (v *plainSearch) take(found *SearchAnswer, timeField string) error {
	v.More, v.Columns = found.More, []string{timeField, "event"}
	if !found.Raw {
		v.Columns = nil
		for _, c := range found.Columns {
			v.Columns = append(v.Columns, c.Name)
		}
	}
	for _, row := range found.Rows {
		if !found.Raw {
			var cells map[string]json.RawMessage
			if err := json.Unmarshal(row, &cells); err != nil {
				return fmt.Errorf("read a row: %w", err)
			}
			line := make([]string, len(v.Columns))
			for i, name := range v.Columns {
				line[i] = plainCell(cells[name])
			}
			v.Rows = append(v.Rows, line)
			continue
		}
		fields, err := alert.Flatten(row)
		if err != nil {
			return fmt.Errorf("read a document: %w", err)
		}
		line, parts := make([]string, 2), []string{}
		for _, name := range slices.Sorted(maps.Keys(fields)) {
			var values []string
			for _, value := range fields[name] {
				values = append(values, alert.Text(value))
			}
			if name == timeField {
				line[0] = strings.Join(values, ", ")
				continue
			}
			parts = append(parts, name+": "+strings.Join(values, ", "))
		}
		line[1] = strings.Join(parts, "  ")
		v.Rows = append(v.Rows, line)
	}
	return nil
}

// plainCell is a JSON value as text.
func plainCell(value json.RawMessage) string {
	var text string
	switch {
	case len(value) == 0 || string(value) == "null":
		return "–"
	case json.Unmarshal(value, &text) == nil:
		return text
	}
	return string(value)
}
