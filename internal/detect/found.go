package detect

import (
	"encoding/json"
	"sort"
	"strings"

	"tocsin/internal/alert"
)

// document is a document that a rule found, with the number of its row where the search makes several.
type document struct {
	Sample
	// At is its time, in nanoseconds since 1970.
	At  int64
	Row int
	// Columns are what the search made of it; nil for the document as it is.
	Columns []Column
}

// found is what a search found in a span: documents, each judged alone, or windows.
type found struct {
	documents []document
	windows   []Window
	// newest is the time of the newest event read, in microseconds; 0 where none was.
	newest int64
	// read is how many rows the search read.
	read int64
	// warnings are what the engine says of its answer.
	warnings []string
}

// body is the document as its alert has it: what the search made of it over what it was.
func (d *document) body() json.RawMessage {
	if len(d.Columns) == 0 && d.JSON != "" {
		return json.RawMessage(d.JSON)
	}
	all := map[string]json.RawMessage{}
	if d.JSON != "" {
		if err := json.Unmarshal([]byte(d.JSON), &all); err != nil {
			all = map[string]json.RawMessage{}
		}
	}
	flat, err := alert.Flatten(json.RawMessage(d.JSON))
	if err != nil {
		flat = alert.Fields{}
	}
	for _, c := range d.Columns {
		if _, there := flat[c.Name]; !there && c.Value != "null" {
			all[c.Name] = json.RawMessage(c.Value)
		}
	}
	out, err := json.Marshal(all)
	if err != nil {
		return json.RawMessage(`{}`)
	}
	return out
}

// sampled is a document that an alert was made of, as it is kept with the alert.
type sampled struct {
	Index  string          `json:"_index,omitempty"`
	ID     string          `json:"_id,omitempty"`
	Source json.RawMessage `json:"_source,omitempty"`
}

// rowBody is a row as its alert has it: its columns, and beside them, under a name of our own, the samples and how
// what it measures went.
func rowBody(rows [][]Column, samples []Sample, series *Series) json.RawMessage {
	all := map[string]any{}
	own := map[string]any{}
	if len(rows) == 1 {
		for _, c := range rows[0] {
			if c.Value != "null" {
				all[c.Name] = json.RawMessage(c.Value)
			}
		}
	} else {
		list := make([]map[string]json.RawMessage, len(rows))
		for i, columns := range rows {
			list[i] = map[string]json.RawMessage{}
			for _, c := range columns {
				list[i][c.Name] = json.RawMessage(c.Value)
			}
		}
		own["rows"] = list
	}
	var docs []sampled
	for _, s := range samples {
		one := sampled{Index: s.Index, ID: s.ID}
		if json.Valid([]byte(s.JSON)) {
			one.Source = json.RawMessage(s.JSON)
		}
		docs = append(docs, one)
	}
	if docs != nil {
		own["samples"] = docs
	}
	if series != nil {
		own["series"] = series
	}
	if len(own) > 0 {
		all["tocsin"] = own
	}
	out, err := json.Marshal(all)
	if err != nil {
		return json.RawMessage(`{}`)
	}
	return out
}

// column is the value of a column as text; empty where there is none.
func column(columns []Column, name string) string {
	for _, c := range columns {
		if c.Name == name {
			return plain(c.Value)
		}
	}
	return ""
}

// plain is a JSON value as people read it.
func plain(value string) string {
	if strings.HasPrefix(value, `"`) {
		var s string
		if json.Unmarshal([]byte(value), &s) == nil {
			return s
		}
	}
	if strings.HasPrefix(value, "[") {
		var list []json.RawMessage
		if json.Unmarshal([]byte(value), &list) == nil {
			texts := make([]string, len(list))
			for i, v := range list {
				texts[i] = plain(string(v))
			}
			return strings.Join(texts, ", ")
		}
	}
	if value == "null" {
		return ""
	}
	return value
}

// keyOf names what columns say, in a form that equal values share.
func keyOf(columns []Column) string {
	sorted := append([]Column(nil), columns...)
	sort.SliceStable(sorted, func(i, j int) bool { return sorted[i].Name < sorted[j].Name })
	pairs := make([][2]string, len(sorted))
	for i, c := range sorted {
		pairs[i] = [2]string{c.Name, c.Value}
	}
	out, err := json.Marshal(pairs)
	if err != nil {
		return ""
	}
	return string(out)
}
