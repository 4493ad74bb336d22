package detect

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"tocsin/internal/query/files"
	"tocsin/internal/rule"
)

// TestWhatARunMayHoldIsNamed: a command with too many keys is an error that names it, and never a part of an answer.
func TestWhatARunMayHoldIsNamed(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	var all strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&all, "{\"@timestamp\":%q,\"u\":\"user %d\",\"n\":%d}\n", now.Add(-time.Duration(i)*time.Millisecond).Format(time.RFC3339Nano), i, i)
	}
	for _, text := range []string{"newterms u over 1d", "missing by u over 1m", "spike by u factor=2 baseline=1h", "changed n by u", "count by u | search count > 3"} {
		r, err := rule.Parse([]byte("name: r\nevery: 5m\nsearch: '* | "+text+"'"), rule.ParseOptions{ID: "r"})
		if err != nil {
			t.Fatal(err)
		}
		s, err := newSearch(r, &Source{Name: "logs"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		s.memory = 100_000
		span := Span{now.Add(-time.Minute).UnixMicro(), now.Add(5 * time.Minute).UnixMicro()}
		_, err = s.find(t.Context(), &files.Backend{Main: files.Input{Path: "-", Reader: strings.NewReader(all.String())}}, span, now)
		if err == nil || !strings.Contains(err.Error(), "the most that a run of a rule may") || !strings.HasPrefix(err.Error(), strings.Fields(text)[0]) && !strings.HasPrefix(err.Error(), "stats over") {
			t.Errorf("%s: %v", text, err)
		}
	}
}
