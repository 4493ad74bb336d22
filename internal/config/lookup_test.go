package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLookupsAreFilesBesideTheConfiguration(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "assets.csv"), []byte("host,owner\nweb-1,ann\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "dir.csv"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		text string
		want map[string]string
		said string
	}{
		{"{}", nil, ""},
		{"lookups: {assets: assets.csv, again: ./assets.csv}", map[string]string{"assets": filepath.Join(dir, "assets.csv"), "again": filepath.Join(dir, "assets.csv")}, ""},
		{"lookups:", nil, ""},
		{"lookups: {assets: gone.csv}", nil, `tocsin.yaml:1:19: lookups.assets "gone.csv" cannot be read: no such file or directory`},
		{"lookups: {assets: dir.csv}", nil, `is a directory`},
		{"lookups: {assets: assets.xlsx}", nil, `tocsin.yaml:1:19: lookups.assets "assets.xlsx" is no table: name a .csv file with a header, or a .ndjson file`},
		{"lookups: {a b: assets.csv}", nil, `tocsin.yaml:1:11: lookups.a b is not a name`},
		{"lookups: [assets.csv]", nil, `lookups must be a mapping`},
		{"lookup: {assets: assets.csv}", nil, `did you mean "lookups"?`},
	} {
		c, err := Parse(filepath.Join(dir, "tocsin.yaml"), []byte(tc.text+"\n"), environment(""))
		switch {
		case tc.said != "" && (err == nil || !strings.Contains(err.Error(), tc.said)):
			t.Errorf("%s: %v", tc.text, err)
		case tc.said == "" && err != nil:
			t.Errorf("%s: %v", tc.text, err)
		case tc.said == "":
			if diff := cmp.Diff(tc.want, c.Lookups); diff != "" {
				t.Errorf("%s: %s", tc.text, diff)
			}
		}
	}
}

func TestASourceSaysWhenItTookEventsIn(t *testing.T) {
	for _, tc := range []struct{ text, want, said string }{
		{"{name: a, kind: opensearch, urls: [https://x]}", "", ""},
		{"{name: a, kind: opensearch, urls: [https://x], ingested_field: received_at}", "received_at", ""},
		{"{name: a, kind: opensearch, urls: [https://x], ingested_field: 'a b'}", "", `ingested_field "a b" is not the name of a field`},
		{"{name: a, kind: embedded, ingested_field: received_at}", "", `sources[0].ingested_field means nothing here`},
	} {
		c, err := Parse("tocsin.yaml", []byte("sources: ["+tc.text+"]\n"), environment(""))
		switch {
		case tc.said != "" && (err == nil || !strings.Contains(err.Error(), tc.said)):
			t.Errorf("%s: %v", tc.text, err)
		case tc.said == "" && (err != nil || c.Sources[0].IngestedField != tc.want):
			t.Errorf("%s: %v", tc.text, err)
		}
	}
}
