package detect_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/query"
	"tocsin/internal/query/files"
)

// TestARuleFallsBackToAnotherTime: of two documents of a user one has the rule's time field, the other only the
// fallback; some come late.
func TestARuleFallsBackToAnotherTime(t *testing.T) {
	type document struct {
		in   time.Time
		json string
	}
	var mu sync.Mutex
	var documents []document
	put := func(i int, at, late time.Duration) {
		made, in := bubbleStart.Add(at), bubbleStart.Add(at+late+time.Second)
		stamp := fmt.Sprintf(`"event":{"ingested":%q},"n":%d,"user":{"name":"u%d"}}`, in.Format(time.RFC3339Nano), i, i/2)
		if i%2 == 0 {
			// Its other time is when it was shipped.
			documents = append(documents, document{in, fmt.Sprintf(`{"made":%q,"@timestamp":%q,`, made.Format(time.RFC3339Nano), in.Format(time.RFC3339Nano)) + stamp})
			return
		}
		documents = append(documents, document{in, fmt.Sprintf(`{"@timestamp":%q,`, made.Format(time.RFC3339Nano)) + stamp})
	}
	for i := range 20 {
		put(i, time.Duration(i+1)*time.Minute, time.Duration(i/2%3)*20*time.Minute)
	}
	open := func(context.Context, []string) (query.Backend, error) {
		mu.Lock()
		defer mu.Unlock()
		var all strings.Builder
		for _, d := range documents {
			if !d.in.After(time.Now()) {
				all.WriteString(d.json + "\n")
			}
		}
		return &files.Backend{Main: files.Input{Path: "-", Reader: strings.NewReader(all.String())}}, nil
	}
	for search, want := range map[string][]string{
		"'user.name: *'": names(20, func(i int) string { return fmt.Sprintf("u%d 00:%02d", i/2, i+1) }),
		"'user.name: * | count by user.name over 5m | search count > 1'": names(10, func(i int) string { return fmt.Sprintf("u%d 00:%02d", i, 2*i+2) }),
	} {
		dir := t.TempDir()
		got := []string{}
		synctest.Test(t, func(t *testing.T) {
			p := newProcess(t, dir, nil, "name: r\nevery: 1m\ntimestamp_field: made\ntimestamp_fallback: '@timestamp'\nsearch: "+search)
			p.source.instead = open
			for _, e := range ofRules(p.live(2 * time.Hour)) {
				got = append(got, fmt.Sprint(e.Alert.User, " ", e.Alert.Time.Format("15:04")))
			}
		})
		slices.Sort(got)
		slices.Sort(want)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", search, diff)
		}
	}
}

func names(n int, each func(i int) string) (out []string) {
	for i := range n {
		out = append(out, each(i))
	}
	return out
}
