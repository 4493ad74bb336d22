package logstore

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAWideDocumentIsKeptAndFound(t *testing.T) {
	s := open(t, t.TempDir())
	var b strings.Builder
	for i := range 3000 {
		fmt.Fprintf(&b, `,"f%d":"v%d"`, i, i)
	}
	d := `{"@timestamp":"` + at(0) + `"` + b.String() + `}`
	ingest(t, s, Operation{Index: "logs", Source: []byte(d)})
	if diff := cmp.Diff([]string{d}, sources(t, s, Search{Filters: []Filter{{"f2999", []string{"v2999"}}}})); diff != "" {
		t.Error(diff)
	}
	if got := sources(t, s, Search{Filters: []Filter{{"f2999", []string{"v1"}}}}); got != nil {
		t.Errorf("found %d documents that do not match", len(got))
	}
}
