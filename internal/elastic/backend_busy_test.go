package elastic_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/elastic"
	language "tocsin/internal/query/pipe"
	"tocsin/internal/query/plan"
	"tocsin/internal/row"
)

// Bursts over three days, on one shard and on three: a window may lie in two bins, and on several shards.
func TestBusyBinsAreFoundOverDaysAndShards(t *testing.T) {
	onEach(t, func(t *testing.T, c *elastic.Client, name string) {
		for _, shards := range []int{1, 3} {
			index := fmt.Sprint(name, "-", shards)
			create(t, c, index, shards)
			dice := rand.New(rand.NewPCG(uint64(shards), 5))
			start := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
			var writes []elastic.Write
			add := func(user string, at time.Time) {
				writes = append(writes, elastic.Write{Op: "create", Index: index, ID: fmt.Sprint("id-", len(writes)), Doc: map[string]any{
					"@timestamp": at.Format("2006-01-02T15:04:05.000Z07:00"), "user": user,
				}})
			}
			for range 2000 {
				add(fmt.Sprint("u", dice.IntN(300)), start.Add(time.Duration(dice.Int64N(int64(72*time.Hour)))))
			}
			for i := range 30 {
				at := start.Add(time.Duration(dice.Int64N(int64(72 * time.Hour))))
				for range 5 + dice.IntN(12) {
					at = at.Add(time.Duration(dice.Int64N(int64(12 * time.Second))))
					add(fmt.Sprint("b", i%9), at)
				}
			}
			if _, err := c.Bulk(t.Context(), writes, "true"); err != nil {
				t.Fatal(err)
			}
			b := elastic.NewBackend(c, []string{index})
			for _, text := range []string{"* | count by user over 1m | search count > 9", "* | count by user over 2m | where count >= 12", "* | count by user over 1m | search count > 200"} {
				want, _, err := ask(t, b, text, true)
				if err != nil {
					t.Fatal(err)
				}
				got, out, err := ask(t, b, text, false)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%d shards, %s: %s", shards, text, diff)
				}
				if int(out.Cost.Rows) >= len(writes)/2 {
					t.Errorf("%d shards, %s: %d of %d documents were read", shards, text, out.Cost.Rows, len(writes))
				}
			}
			read := plan.Read{TimeField: "@timestamp"}
			busy := plan.Busy{Key: language.By{Field: language.Field{Name: "user"}}, Bin: time.Minute, Least: 6}
			bins := 0
			if ok, _, err := b.Busy(t.Context(), read, busy, func(row.Value, int64, int64) error { bins++; return nil }); err != nil || !ok || bins == 0 {
				t.Errorf("%d shards: %d bins, %v, %v", shards, bins, ok, err)
			}
		}
	})
}

func TestManySearchesInOneRequest(t *testing.T) {
	onEach(t, func(t *testing.T, c *elastic.Client, name string) {
		create(t, c, name, 2)
		fill(t, c, name, 0, 100)
		search := func(index, query string) elastic.Search {
			return elastic.Search{Indices: []string{index}, Body: map[string]any{"size": 1, "track_total_hits": true, "query": map[string]any{"term": map[string]any{"user": query}}}}
		}
		got, err := c.MultiSearch(t.Context(), []elastic.Search{search(name, "u0"), search(name, "u6"), search(name, "none")})
		if err != nil || len(got) != 3 || got[0].Total != 15 || got[1].Total != 14 || got[2].Total != 0 || len(got[0].Hits) != 1 {
			t.Errorf("%+v, %v", got, err)
		}
		_, err = c.MultiSearch(t.Context(), []elastic.Search{search(name, "u0"), search(name+"-missing", "u0")})
		var refused *elastic.Error
		if !errors.As(err, &refused) || refused.Status != 404 || refused.Type != "index_not_found_exception" {
			t.Errorf("one of an index that is gone: %v", err)
		}
	})
}
