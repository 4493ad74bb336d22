package dsl

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const testMapping = `{
	"properties": {
		"@timestamp": {"type": "date"},
		"user": {"properties": {"name": {"type": "keyword"}, "id": {"type": "constant_keyword"}}},
		"message": {"type": "match_only_text"},
		"host.name": {"type": "text", "fields": {"keyword": {"type": "keyword", "ignore_above": 256}}},
		"items": {"type": "nested", "properties": {
			"name": {"type": "keyword"},
			"parts": {"type": "nested", "properties": {"size": {"type": "scaled_float"}}}}},
		"hidden": {"type": "object", "enabled": false, "properties": {"x": {"type": "keyword"}}},
		"who": {"type": "alias", "path": "user.name"},
		"place": {"type": "geo_point"}
	},
	"runtime": {"hour": {"type": "long"}}
}`

var testMappingFields = []Field{
	{Name: "@timestamp", Type: "date", ESTypes: []string{"date"}},
	{Name: "host.name", Type: "string", ESTypes: []string{"text"}},
	{Name: "host.name.keyword", Type: "string", ESTypes: []string{"keyword"}},
	{Name: "hour", Type: "number", ESTypes: []string{"long"}},
	{Name: "items.name", Type: "string", ESTypes: []string{"keyword"}, Nested: "items"},
	{Name: "items.parts.size", Type: "number", ESTypes: []string{"scaled_float"}, Nested: "items.parts"},
	{Name: "message", Type: "string", ESTypes: []string{"text"}},
	{Name: "place", Type: "geo_point", ESTypes: []string{"geo_point"}},
	{Name: "user.id", Type: "string", ESTypes: []string{"keyword"}},
	{Name: "user.name", Type: "string", ESTypes: []string{"keyword"}},
	{Name: "who", Type: "string", ESTypes: []string{"keyword"}},
}

func TestReadFieldsOfMappings(t *testing.T) {
	for name, text := range map[string]string{
		"bare":     testMapping,
		"mappings": `{"mappings":` + testMapping + `}`,
		"answer":   `{"logs-1":{"mappings":` + testMapping + `},"logs-2":{"mappings":{}}}`,
		"template": `{"index_patterns":["logs-*"],"template":{"settings":{},"mappings":` + testMapping + `}}`,
		"get":      `{"logs-1":{"aliases":{},"settings":{"index":{}},"mappings":` + testMapping + `}}`,
	} {
		fields, err := ReadFields([]byte(text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(testMappingFields, fields.All()); diff != "" {
			t.Errorf("%s: -want +got %s", name, diff)
		}
	}
}

func TestReadFieldsOfIndicesThatDisagree(t *testing.T) {
	fields, err := ReadFields([]byte(`{
		"a": {"mappings": {"properties": {"x": {"type": "keyword"}, "y": {"type": "long"}, "z": {"type": "long"}}}},
		"b": {"mappings": {"properties": {"x": {"type": "text"}, "y": {"type": "keyword"}, "z": {"type": "double"}}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	want := []Field{
		{Name: "x", Type: "string", ESTypes: []string{"keyword", "text"}},
		{Name: "y", Type: "conflict", ESTypes: []string{"keyword", "long"}},
		{Name: "z", Type: "number", ESTypes: []string{"double", "long"}},
	}
	if diff := cmp.Diff(want, fields.All()); diff != "" {
		t.Error(diff)
	}
}

func TestReadFieldsOfFieldCaps(t *testing.T) {
	fields, err := ReadFields([]byte(`{"indices": ["a", "b"], "fields": {
		"user": {"object": {"type": "object"}},
		"user.name": {"keyword": {"type": "keyword"}, "unmapped": {"type": "unmapped"}},
		"items": {"nested": {"type": "nested"}},
		"items.parts": {"nested": {"type": "nested"}},
		"items.name": {"keyword": {"type": "keyword"}},
		"items.parts.size": {"long": {"type": "long"}},
		"itemsize": {"long": {"type": "long"}, "keyword": {"type": "keyword"}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	want := []Field{
		{Name: "items.name", Type: "string", ESTypes: []string{"keyword"}, Nested: "items"},
		{Name: "items.parts.size", Type: "number", ESTypes: []string{"long"}, Nested: "items.parts"},
		{Name: "itemsize", Type: "conflict", ESTypes: []string{"keyword", "long"}},
		{Name: "user.name", Type: "string", ESTypes: []string{"keyword"}},
	}
	if diff := cmp.Diff(want, fields.All()); diff != "" {
		t.Error(diff)
	}
}

func TestReadFieldsRefusesOtherFiles(t *testing.T) {
	for text, want := range map[string]string{
		"":                                  "unexpected end of JSON input",
		"[]":                                "cannot unmarshal array",
		"{}":                                "neither a mapping",
		`{"a":{"b":1}}`:                     "neither a mapping",
		`{"properties":[]}`:                 "cannot unmarshal array",
		`{"fields":{"a":{"long":1},"b":2}}`: "cannot unmarshal number",
	} {
		_, err := ReadFields([]byte(text))
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "read fields: ") {
			t.Errorf("%s: error is %v", text, err)
		}
	}
}
