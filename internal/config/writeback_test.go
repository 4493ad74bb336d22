package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWriteBackNamesACluster(t *testing.T) {
	const sources = "sources: [{name: siem, kind: opensearch, urls: [https://x]}, {name: own, kind: embedded}]\n"
	for _, tc := range []struct {
		text string
		want *WriteBack
		said string
	}{
		{"", nil, ""},
		{"write_back: {source: siem}", &WriteBack{"siem", "default"}, ""},
		{"write_back: {source: siem, space: soc-1}", &WriteBack{"siem", "soc-1"}, ""},
		{"write_back: {space: soc}", nil, `tocsin.yaml:2:1: write_back has no source`},
		{"write_back: {source: siam}", nil, `tocsin.yaml:2:22: write_back.source "siam" is not the name of a source: did you mean "siem"?`},
		{"write_back: {source: own}", nil, `tocsin.yaml:2:22: write_back.source "own" is an embedded source: alerts are written to a source of kind`},
		{"write_back: {source: siem, space: A B}", nil, `write_back.space "A B" is not the id of a Kibana space`},
		{"write_back: {source: siem, spice: a}", nil, `did you mean "space"?`},
	} {
		c, err := Parse("tocsin.yaml", []byte(sources+tc.text+"\n"), environment(""))
		switch {
		case tc.said != "" && (err == nil || !strings.Contains(err.Error(), tc.said)):
			t.Errorf("%s: %v", tc.text, err)
		case tc.said == "" && err != nil:
			t.Errorf("%s: %v", tc.text, err)
		case tc.said == "":
			if diff := cmp.Diff(tc.want, c.WriteBack); diff != "" {
				t.Errorf("%s: %s", tc.text, diff)
			}
		}
	}
}
