package kibana

import (
	"encoding/json"
	"fmt"
	"time"

	"tocsin/internal/elastic"
)

type (
	obj  = map[string]any
	list = []any
)

// changeFields tell in the index when a document was changed in place.
var changeFields = []string{"kibana.alert.last_detected", "kibana.alert.workflow_status_updated_at", "kibana.alert.updated_at"}

// byTime is the order documents are read in; the client makes it unique.
var byTime = list{obj{"@timestamp": obj{"order": "asc", "unmapped_type": "date"}}}

// sourceFilter leaves the heavy parts in the cluster.
var sourceFilter = obj{"excludes": Excludes}

func timeRange(field, operator string, t time.Time) obj {
	return obj{"range": obj{field: obj{operator: t.UTC().Format(isoMillis), "format": "strict_date_optional_time"}}}
}

// window matches what a poll reads: from the cursor less the overlap on, and what was changed in place
// since the last complete reading less the overlap; never what is below the floor.
func (s *state) window(overlap time.Duration) obj {
	var filter list
	if !s.Floor.IsZero() {
		filter = append(filter, timeRange("@timestamp", "gte", s.Floor))
	}
	if from := s.from(overlap); !from.IsZero() {
		should := list{timeRange("@timestamp", "gte", from)}
		if !s.Complete.IsZero() {
			for _, field := range changeFields {
				should = append(should, timeRange(field, "gte", s.Complete.Add(-overlap)))
			}
		}
		filter = append(filter, obj{"bool": obj{"should": should, "minimum_should_match": 1}})
	}
	if filter == nil {
		return obj{"match_all": obj{}}
	}
	return obj{"bool": obj{"filter": filter}}
}

// from is where the overlap begins; zero without a cursor.
func (s *state) from(overlap time.Duration) time.Time {
	if s.Cursor.IsZero() {
		return time.Time{}
	}
	return s.Cursor.Add(-overlap)
}

// clockAggs make any search tell the cluster's own time, which needs no privilege but to read, and
// the newest document.
var clockAggs = obj{
	"now":    obj{"date_range": obj{"field": "@timestamp", "ranges": list{obj{"from": "now"}}}},
	"newest": obj{"max": obj{"field": "@timestamp"}},
}

// clockBody asks for nothing but the cluster's time. One hit, because OpenSearch 3 calls a search for
// aggregations alone ended early when it could answer without looking at documents.
var clockBody = obj{"size": 1, "_source": false, "track_total_hits": true, "aggs": clockAggs}

// clock reads what clockAggs asked for.
func clock(r *elastic.Response) (now, newest time.Time, err error) {
	var aggs struct {
		Now struct {
			Buckets []struct {
				From float64 `json:"from"`
			} `json:"buckets"`
		} `json:"now"`
		Newest struct {
			Value *float64 `json:"value"`
		} `json:"newest"`
	}
	if err := json.Unmarshal(r.Aggregations, &aggs); err != nil {
		return now, newest, fmt.Errorf("read the cluster's time: %w", err)
	}
	if len(aggs.Now.Buckets) != 1 || aggs.Now.Buckets[0].From <= 0 {
		return now, newest, fmt.Errorf("read the cluster's time: the answer has none")
	}
	now = time.UnixMilli(int64(aggs.Now.Buckets[0].From)).UTC()
	if v := aggs.Newest.Value; v != nil && *v > 0 && *v < 1e15 {
		newest = time.UnixMilli(int64(*v)).UTC()
	}
	return now, newest, nil
}

// sortTime is the time a hit was sorted by; ok is false where the document has none.
func sortTime(h *elastic.Hit) (t time.Time, ok bool) {
	if len(h.Sort) == 0 {
		return t, false
	}
	var ms float64
	if json.Unmarshal(h.Sort[0], &ms) != nil || ms > 2e14 || ms < -6e13 {
		return t, false
	}
	return time.UnixMilli(int64(ms)).UTC(), true
}
