package logstore_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/logstore"
	"tocsin/internal/query/dsl"
)

func TestFields(t *testing.T) {
	s := open(t)
	store(t, s, []logstore.Operation{
		{Index: "logs-a", Source: []byte(`{"@timestamp":"2024-07-01T11:00:00Z","user":{"name":"ann","id":5},"port":22,"tags":["a"],"message":"x","ok":true}`)},
		{Index: "logs-b", Source: []byte(`{"@timestamp":1719831600000,"user":{"name":["bob"],"id":"6"},"port":-7,"score":0.5,"source.ip":"::1","seen":"2024-07-01","none":null,"files":[{"path":"/"}]}`)},
	})
	b := logstore.NewBackend(s, nil)
	got, err := b.Fields()
	if err != nil {
		t.Fatal(err)
	}
	want := []logstore.Field{
		{"@timestamp", "date"},
		{"files.path", "keyword"},
		{"message", "text"},
		{"ok", "boolean"},
		{"port", "long"},
		{"score", "double"},
		{"seen", "date"},
		{"source.ip", "ip"},
		{"tags", "keyword"},
		{"user.id", "keyword"},
		{"user.name", "keyword"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	caps, err := b.FieldTypes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := dsl.ReadFields(caps); err != nil {
		t.Error(err)
	}
	indices, err := b.Indices()
	if diff := cmp.Diff([]string{"logs-a", "logs-b"}, indices); diff != "" || err != nil {
		t.Error(diff, err)
	}
}
