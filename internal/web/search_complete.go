package web

import (
	"net/http"
	"slices"
	"strings"

	"tocsin/internal/query"
)

// CompleteRequest is a search that is being written, and where.
type CompleteRequest struct {
	Query    string `json:"query"`
	Position int    `json:"position" doc:"In UTF-16 code units, as JavaScript counts."`
	Range
}

// Completion is what may be written at the place.
type Completion struct {
	Start   int      `json:"start" doc:"What is written instead of, in UTF-16 code units."`
	End     int      `json:"end"`
	Options []Option `json:"options"`
	Note    string   `json:"note,omitempty" doc:"What the counts are of, where they are not of everything."`
}

// Option is one thing that may be written.
type Option struct {
	Label string `json:"label" doc:"What is shown."`
	Apply string `json:"apply" doc:"What is written."`
	Kind  string `json:"kind" enum:"saved,field,column,value,command,aggregate,function,word"`
	Type  string `json:"type,omitempty" doc:"The type of a field."`
	Info  string `json:"info,omitempty"`
	Count int64  `json:"count,omitempty" doc:"How many documents have it."`
}

// mostOptions is how many options of a kind are offered.
const mostOptions = 50

func (s *searches) complete(rw http.ResponseWriter, r *http.Request) {
	in, ok := body[CompleteRequest](rw, r, mostSearch)
	if !ok {
		return
	}
	sc, err := s.scope(in.Range)
	if err != nil {
		s.refuse(rw, r, err)
		return
	}
	spot := query.Complete(in.Query, bytesOf(in.Query, in.Position), sc.opts)
	out := Completion{Start: units(in.Query[:spot.Start]), End: units(in.Query[:spot.End]), Options: []Option{}}
	key := rangeKey(in.Range)
	if spot.Field != "" {
		found, err := s.valuesOf(r.Context(), sc, key, spot.Field, spot.Word)
		if err != nil {
			s.refuse(rw, r, err)
			return
		}
		for _, v := range found.Values {
			out.Options = append(out.Options, Option{Label: v.Value, Apply: valueText(v.Value), Kind: "value", Count: v.Count})
		}
		if !found.Exact {
			out.Note = "counts are of the newest documents"
		}
	}
	if spot.Fields && strings.TrimSpace(in.Query[:spot.End]) == spot.Word {
		if err := s.completeSaved(r, spot.Word, &out); err != nil {
			s.broken(rw, r, err)
			return
		}
	}
	if spot.Fields {
		if err := s.completeFields(r, sc, key, spot, &out); err != nil {
			s.refuse(rw, r, err)
			return
		}
	}
	word := strings.ToLower(spot.Word)
	add := func(names []string, kind string, describe func(string) Option) {
		for _, name := range names {
			if strings.HasPrefix(strings.ToLower(name), word) {
				o := describe(name)
				o.Label, o.Kind = name, kind
				if o.Apply == "" {
					o.Apply = name
				}
				out.Options = append(out.Options, o)
			}
		}
	}
	if spot.Aggregates {
		add(query.Aggregates(), "aggregate", func(name string) Option {
			o := Option{Info: aggregateInfo[name]}
			if name != "count" {
				o.Apply = name + "("
			}
			return o
		})
	}
	if spot.Commands {
		add(query.Commands(), "command", func(name string) Option { return Option{Info: commandInfo[name], Apply: name + " "} })
	}
	if spot.Functions {
		add(query.Functions(), "function", func(name string) Option {
			return Option{Info: query.FunctionExample(name), Apply: name + "("}
		})
	}
	add(spot.Words, "word", func(string) Option { return Option{} })
	answerLong(rw, r, out)
}

// mostSaved is how many saved searches are offered.
const mostSaved = 6

// completeSaved offers the saved searches whose names begin with what is written, at the start of a search.
func (s *searches) completeSaved(r *http.Request, word string, out *Completion) error {
	if s.o.Saved == nil {
		return nil
	}
	all, err := s.o.Saved.All(r.Context())
	if err != nil {
		return err
	}
	for _, one := range all {
		if len(out.Options) < mostSaved && strings.HasPrefix(strings.ToLower(one.Name), strings.ToLower(word)) {
			out.Options = append(out.Options, Option{Label: one.Name, Apply: one.Query, Kind: "saved", Info: one.Query})
		}
	}
	return nil
}

// completeFields offers columns and fields, first those that begin with what is written, then those in which it
// stands, as do the parts of their names.
func (s *searches) completeFields(r *http.Request, sc scope, key string, spot query.Spot, out *Completion) error {
	var rows []FieldRow
	for _, name := range spot.Columns {
		rows = append(rows, FieldRow{Name: name, Groups: true})
	}
	columns := len(rows)
	if !spot.Closed {
		all, err := s.fieldsOf(r.Context(), sc, key)
		if err != nil {
			return err
		}
		for _, f := range all.Fields {
			if !slices.Contains(spot.Columns, f.Name) {
				rows = append(rows, f)
			}
		}
	}
	word := strings.ToLower(spot.Word)
	fits := [4][]Option{}
	for i, f := range rows {
		if spot.Groups && !f.Groups {
			continue // its .keyword stands beside it
		}
		name, rank := strings.ToLower(f.Name), 3
		switch {
		case strings.HasPrefix(name, word) && (!spot.Groups || f.Type != "date"): // rarely is anything grouped by the very time
			rank = 0
		case strings.HasPrefix(name, word):
			rank = 1
		case strings.Contains(name, "."+word):
			rank = 2
		case !strings.Contains(name, word):
			continue
		}
		o := Option{Label: f.Name, Apply: query.FieldName(f.Name), Kind: "field", Type: f.Type, Count: int64(f.Uses), Info: fieldInfo[f.Name]}
		filter := slices.Contains(spot.Words, "not") && !spot.Functions
		if filter {
			o.Apply = query.FilterName(f.Name)
		}
		switch {
		case filter && (i < columns || slices.Contains([]string{"long", "integer", "double", "float", "date"}, f.Type)):
			o.Apply += " " // more is compared with these than equality
		case filter:
			o.Apply += ":"
		}
		if i < columns {
			o.Kind = "column"
		}
		fits[rank] = append(fits[rank], o)
	}
	all := slices.Concat(fits[0], fits[1], fits[2], fits[3])
	out.Options = append(out.Options, all[:min(len(all), mostOptions)]...)
	return nil
}

// valueText is a value as a filter takes it: quoted unless it is a plain word.
func valueText(value string) string {
	plain := value != ""
	for _, r := range value {
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-' || r == '.' || r == '/' || r == '@') {
			plain = false
		}
	}
	switch strings.ToLower(value) {
	case "and", "or", "not", "true", "false", "null":
		plain = false
	}
	if plain {
		return value
	}
	return query.QuoteValue(value)
}

// commandInfo says what commands do, in a few words.
var commandInfo = map[string]string{
	"search": "keep rows that a filter matches", "where": "keep rows for which an expression is true", "stats": "aggregate, grouped by fields",
	"eval": "compute fields", "fields": "keep or drop columns", "keep": "keep columns", "drop": "drop columns", "table": "these columns, in this order",
	"rename": "other names for columns", "sort": "in an order; - for the greatest first", "head": "the first rows", "limit": "the first rows", "tail": "the last rows",
	"dedup": "one row of each combination of values", "top": "the most common values", "rare": "the least common values", "bin": "round values to bins",
	"bucket": "round values to bins", "timechart": "aggregate over time", "chart": "aggregate into a grid", "eventstats": "add aggregates to each row",
	"streamstats": "add running aggregates", "fillnull": "a value where there is none", "rex": "take fields out of a text", "regex": "keep rows that a pattern matches",
	"replace": "replace values", "spath": "take fields out of JSON", "mvexpand": "a row of each of several values", "makemv": "split a text into values",
	"lookup": "add columns of a table", "inputlookup": "the rows of a table", "join": "add columns of another search", "append": "add rows of another search",
	"union": "rows of several searches", "transaction": "events that belong together", "convert": "rewrite values", "iplocation": "the place of an address",
	"newterms": "values not seen before", "missing": "keys that fell silent", "spike": "keys with far more than usual", "changed": "a field that differs from before",
	"sequence": "events that follow each other",
}

// aggregateInfo says what aggregates compute.
var aggregateInfo = map[string]string{
	"count": "how many", "sum": "the sum", "avg": "the mean", "mean": "the mean", "min": "the least", "max": "the greatest", "range": "greatest less least",
	"dc": "how many different values", "distinct_count": "how many different values", "estdc": "how many different values", "values": "the different values",
	"list": "all values as they came", "first": "of the first row", "last": "of the last row", "earliest": "of the earliest event", "latest": "of the latest event",
	"median": "the middle value", "mode": "the most common value", "stdev": "standard deviation of a sample", "stdevp": "standard deviation of all",
	"var": "variance of a sample", "varp": "variance of all", "perc95": "a percentile: perc95(f)",
}
