package dsl

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/query/kql"
)

var testFields = NewFields([]Field{
	{Name: "@timestamp", Type: "date", ESTypes: []string{"date"}},
	{Name: "bytes", Type: "number", ESTypes: []string{"long"}},
	{Name: "ip", Type: "ip", ESTypes: []string{"ip"}},
	{Name: "machine.os", Type: "string", ESTypes: []string{"text"}},
	{Name: "machine.os.raw", Type: "string", ESTypes: []string{"keyword"}},
	{Name: "mixed", Type: "string", ESTypes: []string{"keyword", "text"}},
	{Name: "items.name", Type: "string", ESTypes: []string{"keyword"}, Nested: "items"},
	{Name: "items.parts.size", Type: "number", ESTypes: []string{"long"}, Nested: "items.parts"},
	{Name: "items.at", Type: "date", ESTypes: []string{"date"}, Nested: "items"},
	{Name: "machine.seen", Type: "date", ESTypes: []string{"date"}},
})

func parse(t *testing.T, text string) kql.Node {
	t.Helper()
	n, err := kql.Parse(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return n
}

// one is what Kibana puts around a single clause.
func one(clause string) string {
	return `{"bool":{"should":[` + clause + `],"minimum_should_match":1}}`
}

func TestQueryWithoutFields(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		got, err := Query(parse(t, text), nil)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			return
		}
		if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Errorf("%s: -want +got %s", text, diff)
		}
	}
	f("", `{"match_all":{}}`)
	f("*:*", `{"match_all":{}}`)
	f("*", `{"query_string":{"query":"*"}}`)
	f("foo bar", `{"multi_match":{"type":"best_fields","query":"foo bar","lenient":true}}`)
	f(`"foo bar"`, `{"multi_match":{"type":"phrase","query":"foo bar","lenient":true}}`)
	f("foo*", `{"query_string":{"query":"foo*"}}`)
	f("true", `{"multi_match":{"type":"best_fields","query":true,"lenient":true}}`)

	f("a:b", one(`{"match":{"a":"b"}}`))
	f(`a:"b c"`, one(`{"match_phrase":{"a":"b c"}}`))
	f("a:5", one(`{"match":{"a":"5"}}`))
	f("a:true", one(`{"match":{"a":true}}`))
	f("a:null", one(`{"match":{"a":null}}`))
	f("a:*", one(`{"exists":{"field":"a"}}`))
	f("a:b*", one(`{"query_string":{"fields":["a"],"query":"b*"}}`))
	f("a:foo bar*", one(`{"query_string":{"fields":["a"],"query":"foo bar*"}}`))
	f(`a:*\\\(\)\{\}\"\:\<\>\**+-=&|![]^~?/`, one(`{"query_string":{"fields":["a"],"query":"*\\\\\\(\\)\\{\\}\\\"\\:\\<\\>\\**\\+\\-\\=\\&\\|\\!\\[\\]\\^\\~\\?\\/"}}`))
	f("a*:b", one(`{"match":{"a*":"b"}}`))
	f("*:b", one(`{"match":{"*":"b"}}`))
	f("a > 5", one(`{"range":{"a":{"gt":"5"}}}`))
	f("a<=5", one(`{"range":{"a":{"lte":"5"}}}`))
	f("a>*", one(`{"range":{"a":{"gt":"*"}}}`))
	f("@timestamp:now", one(`{"match":{"@timestamp":"now"}}`))

	f("a:b and c:d", `{"bool":{"filter":[`+one(`{"match":{"a":"b"}}`)+`,`+one(`{"match":{"c":"d"}}`)+`]}}`)
	f("a:(b or c)", `{"bool":{"should":[`+one(`{"match":{"a":"b"}}`)+`,`+one(`{"match":{"a":"c"}}`)+`],"minimum_should_match":1}}`)
	f("not a:b", `{"bool":{"must_not":`+one(`{"match":{"a":"b"}}`)+`}}`)
	f("not *:*", `{"bool":{"must_not":{"match_all":{}}}}`)

	f("p:{a:b}", `{"nested":{"path":"p","query":`+one(`{"match":{"p.a":"b"}}`)+`,"score_mode":"none"}}`)
	f("p:{q:{a > 1}}", `{"nested":{"path":"p","query":{"nested":{"path":"p.q","query":`+one(`{"range":{"p.q.a":{"gt":"1"}}}`)+`,"score_mode":"none"}},"score_mode":"none"}}`)
	f("p:{*:*}", `{"nested":{"path":"p","query":{"match_all":{}},"score_mode":"none"}}`)

	// Oddities that come of names which are no strings.
	f("p:{foo}", `{"nested":{"path":"p","query":`+one(`{"match":{"p.null":"foo"}}`)+`,"score_mode":"none"}}`)
	f("p*:{a:b}", `{"nested":{"path":"p*","query":`+one(`{"match":{"p*.a":"b"}}`)+`,"score_mode":"none"}}`)
	f("null:{a:b}", `{"nested":{"path":null,"query":`+one(`{"match":{"a":"b"}}`)+`,"score_mode":"none"}}`)
	f("null:foo", `{"multi_match":{"type":"best_fields","query":"foo","lenient":true}}`)
	f("null > 3", one(`{"range":{"null":{"gt":"3"}}}`))
	f("true:foo", one(`{"match":{"true":"foo"}}`))
	f("true:*", one(`{"exists":{"field":true}}`))
	f("true:a*", one(`{"query_string":{"fields":[true],"query":"a*"}}`))
	f(`"true":*`, one(`{"exists":{"field":"true"}}`))
}

func TestQueryWithFields(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		got, err := Query(parse(t, text), testFields)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			return
		}
		if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Errorf("%s: -want +got %s", text, diff)
		}
	}
	f("machine.os:osx", one(`{"match":{"machine.os":"osx"}}`))
	f(`machine.os:"mac os"`, one(`{"match_phrase":{"machine.os":"mac os"}}`))
	f("machine.os:os*", one(`{"query_string":{"fields":["machine.os"],"query":"os*"}}`))
	f("machine.os.raw:osx", one(`{"term":{"machine.os.raw":{"value":"osx"}}}`))
	f(`machine.os.raw:"osx"`, one(`{"term":{"machine.os.raw":{"value":"osx"}}}`))
	f("machine.os.raw:true", one(`{"term":{"machine.os.raw":{"value":true}}}`))
	f("machine.os.raw:o*-x", one(`{"wildcard":{"machine.os.raw":{"value":"o*\\-x"}}}`))
	f("machine.os.raw:*", one(`{"exists":{"field":"machine.os.raw"}}`))
	f("mixed:a*", one(`{"query_string":{"fields":["mixed"],"query":"a*"}}`))
	f("mixed:a", one(`{"match":{"mixed":"a"}}`))
	f("bytes:5", one(`{"match":{"bytes":"5"}}`))
	f("ip:10.0.0.0/8", one(`{"match":{"ip":"10.0.0.0/8"}}`))
	f("@timestamp:2026-01-01", one(`{"range":{"@timestamp":{"gte":"2026-01-01","lte":"2026-01-01"}}}`))
	f(`@timestamp >= "now-1h"`, one(`{"range":{"@timestamp":{"gte":"now-1h"}}}`))
	f("unknown:x", one(`{"match":{"unknown":"x"}}`))
	f("unknown*:x", one(`{"match":{"unknown*":"x"}}`))

	f("machine.os*:x", `{"bool":{"should":[{"match":{"machine.os":"x"}},{"term":{"machine.os.raw":{"value":"x"}}}],"minimum_should_match":1}}`)
	f("machine*:2026", `{"bool":{"should":[{"match":{"machine.os":"2026"}},{"term":{"machine.os.raw":{"value":"2026"}}},{"range":{"machine.seen":{"gte":"2026","lte":"2026"}}}],"minimum_should_match":1}}`)
	f("*name:x", one(`{"nested":{"path":"items","query":{"term":{"items.name":{"value":"x"}}},"score_mode":"none"}}`))
	f("*size > 5", one(`{"nested":{"path":"items.parts","query":{"range":{"items.parts.size":{"gt":"5"}}},"score_mode":"none"}}`))

	f("items:{name:x and at > now}", `{"nested":{"path":"items","query":{"bool":{"filter":[`+one(`{"term":{"items.name":{"value":"x"}}}`)+`,`+one(`{"range":{"items.at":{"gt":"now"}}}`)+`]}},"score_mode":"none"}}`)
	f("items:{n*:x}", `{"nested":{"path":"items","query":`+one(`{"term":{"items.name":{"value":"x"}}}`)+`,"score_mode":"none"}}`)
	f("items:{parts:{size:1}}", `{"nested":{"path":"items","query":{"nested":{"path":"items.parts","query":`+one(`{"match":{"items.parts.size":"1"}}`)+`,"score_mode":"none"}},"score_mode":"none"}}`)
	f("items.parts:{size:1}", `{"nested":{"path":"items.parts","query":`+one(`{"match":{"items.parts.size":"1"}}`)+`,"score_mode":"none"}}`)
}

func TestOptions(t *testing.T) {
	yes := true
	o := Options{Fields: testFields, TimeZone: "America/Phoenix", IgnoreUnmapped: &yes}
	f := func(text, want string) {
		t.Helper()
		got, err := o.Query(parse(t, text))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			return
		}
		if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Errorf("%s: -want +got %s", text, diff)
		}
	}
	f("@timestamp:2026-01-01", one(`{"range":{"@timestamp":{"gte":"2026-01-01","lte":"2026-01-01","time_zone":"America/Phoenix"}}}`))
	f(`@timestamp < "2026-01-01"`, one(`{"range":{"@timestamp":{"lt":"2026-01-01","time_zone":"America/Phoenix"}}}`))
	f("@timestamp:1767225600000", one(`{"range":{"@timestamp":{"gte":"1767225600000","lte":"1767225600000"}}}`))
	f("@timestamp > 1767225600000", one(`{"range":{"@timestamp":{"gt":"1767225600000"}}}`))
	f("@timestamp:true", one(`{"range":{"@timestamp":{"gte":true,"lte":true,"time_zone":"America/Phoenix"}}}`))
	f("bytes > 5", one(`{"range":{"bytes":{"gt":"5"}}}`))
	f("items:{name:x}", `{"nested":{"path":"items","query":`+one(`{"term":{"items.name":{"value":"x"}}}`)+`,"score_mode":"none","ignore_unmapped":true}}`)
	f("*name:x", one(`{"nested":{"path":"items","query":{"term":{"items.name":{"value":"x"}}},"score_mode":"none","ignore_unmapped":true}}`))
}

func TestNestedMisuseIsRefused(t *testing.T) {
	f := func(text, place, want string) {
		t.Helper()
		_, err := Query(parse(t, text), testFields)
		var e *NestedError
		if !errors.As(err, &e) {
			t.Errorf("%s: error is %v", text, err)
			return
		}
		if e.Error() != want || text[e.Place.Start:e.Place.End] != place {
			t.Errorf("%s: %q at %q", text, e, text[e.Place.Start:e.Place.End])
		}
		if _, err := Query(parse(t, text), nil); err != nil {
			t.Errorf("%s without fields: %v", text, err)
		}
	}
	f("a:b or items.name:x", "items.name", "items.name is a nested field, but is not in a nested group in the KQL expression.")
	f("items.at > now", "items.at", "items.at is a nested field, but is not in a nested group in the KQL expression.")
	f("machine:{os:x}", "os", `machine.os is not a nested field but is in nested group "machine" in the KQL expression.`)
	f("items:{parts.size:1}", "parts.size", "Nested field items.parts.size is being queried with the incorrect nested path. The correct path is items.parts.")
	f("machine:{os*:x}", "os*", `machine.os is not a nested field but is in nested group "machine" in the KQL expression.`+"\n"+`machine.os.raw is not a nested field but is in nested group "machine" in the KQL expression.`)
}

func TestBuildIsWhatKibanaSends(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		got, err := Build(parse(t, text), nil)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Errorf("%s: -want +got %s", text, diff)
		}
	}
	f("", `{"bool":{"must":[],"filter":[],"should":[],"must_not":[]}}`)
	f("a:b", `{"bool":{"must":[],"filter":[`+one(`{"match":{"a":"b"}}`)+`],"should":[],"must_not":[]}}`)
	f("not *:*", `{"bool":{"must":[],"filter":[{"bool":{"must_not":{"match_all":{}}}}],"should":[],"must_not":[]}}`)
	if _, err := Build(parse(t, "items.name:x"), testFields); err == nil {
		t.Error("nested misuse is built")
	}
}

func TestLargeListsAreSplit(t *testing.T) {
	list := func(field string, n int) string {
		return field + ":(" + strings.TrimSuffix(strings.Repeat("v or ", n), " or ") + ")"
	}
	count := func(text string, fields *Fields) map[string]int {
		t.Helper()
		q, err := Query(parse(t, text), fields)
		if err != nil {
			t.Fatal(err)
		}
		var tree any
		if err := json.Unmarshal(q, &tree); err != nil {
			t.Fatalf("%s: %v", text[:20], err)
		}
		counts := map[string]int{}
		tally(tree, counts)
		return counts
	}
	// The shape stays Kibana's for as long as Elasticsearch takes it.
	if got := count(list("machine.os.raw", 1024), testFields); got["term"] != 1024 || got["terms"] != 0 || got["widest"] != 1024 {
		t.Errorf("1,024 values: %v", got)
	}
	// Values that are compared as a whole become a terms query of what it takes.
	if got := count(list("machine.os.raw", 1025), testFields); got["term"] != 0 || got["terms"] != 1 {
		t.Errorf("1,025 keywords: %v", got)
	}
	if got := count(list("ip", 70_000), testFields); got["terms"] != 2 || got["match"] != 0 || got["values"] != 70_000 {
		t.Errorf("70,000 addresses: %v", got)
	}
	// A long query of shorter lists too: newer versions count the clauses of all of it.
	if got := count(list("bytes", 600)+" and not ("+list("machine.os.raw", 600)+" or "+list("ip", 3)+" or bytes > 5)", testFields); got["terms"] != 2 || got["match"] != 3 || got["range"] != 1 {
		t.Errorf("two lists: %v", got)
	}
	// Text and what is unknown keep a clause for each value, no bool wider than what is taken.
	for _, field := range []string{"machine.os", "unknown", "@timestamp"} {
		got := count(list(field, 3000), testFields)
		if got["match"]+got["range"] != 3000 || got["widest"] != 1024 {
			t.Errorf("3,000 values of %s: %v", field, got)
		}
	}
	if got := count(strings.Repeat("not a:b and ", 2500)+"c:d", nil); got["match"] != 2501 || got["widest"] != 1024 {
		t.Errorf("2,501 conditions: %v", got)
	}
}

// tally counts the queries of a tree, the values of its terms queries and its widest bool.
func tally(v any, counts map[string]int) {
	switch v := v.(type) {
	case []any:
		counts["widest"] = max(counts["widest"], len(v))
		for _, e := range v {
			tally(e, counts)
		}
	case map[string]any:
		for k, e := range v {
			counts[k]++
			if k == "terms" {
				for _, values := range e.(map[string]any) {
					counts["values"] += len(values.([]any))
				}
				continue
			}
			tally(e, counts)
		}
	}
}

func TestQueriesAreJSON(t *testing.T) {
	for _, text := range []string{`"\ud83d"`, "a\x01b:\"\u2028\"", `"a\"b":c\\*`, "p\\\":{\\\\:x}"} {
		q, err := Build(parse(t, text), testFields)
		if err != nil {
			t.Fatal(err)
		}
		if !json.Valid(q) || !bytes.HasPrefix(q, []byte(`{"bool":`)) {
			t.Errorf("%q: %s", text, q)
		}
	}
}
