package kibana

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"

	"tocsin/internal/elastic"
)

// Description is what there is to read.
type Description struct {
	Aliases []Alias
	// Shapes counts the documents of each generation: "7.x" and "8.x".
	Shapes map[string]int64
	// Kibana is the version that wrote the newest document; empty when none tells it.
	Kibana string
	// Newest is the time of the newest document; zero without one.
	Newest time.Time
	// Clock is the cluster's own time; zero while there is nothing to ask.
	Clock time.Time
}

// Alias is one of the names detections are read by.
type Alias struct {
	Name   string
	Access string // readable, absent or refused
	// Indices are the indices behind it; nil where they may not be listed (view_index_metadata).
	Indices []string
}

// Describe tells which indices are read and what is in them. That nothing is there yet is no error.
func (s *Source) Describe(ctx context.Context) (Description, error) {
	d := Description{Shapes: map[string]int64{}}
	fail := func(err error) (Description, error) {
		return d, fmt.Errorf("look at the detections of %s: %w", s.o.Name, err)
	}
	names, err := s.look(ctx, &d)
	if err != nil {
		return fail(err)
	}
	if len(names) == 0 {
		return d, nil
	}
	r, err := s.o.Client.Search(ctx, elastic.Search{Indices: names, Body: obj{
		"size": 1, "track_total_hits": true, "sort": list{obj{"@timestamp": obj{"order": "desc", "unmapped_type": "date"}}},
		"_source": list{"kibana.version", "signal._meta.version", "signal.rule.id", "signal.status"},
		"aggs": obj{
			"now": clockAggs["now"], "newest": clockAggs["newest"],
			"new": obj{"filter": obj{"exists": obj{"field": "kibana.alert.uuid"}}},
		},
	}})
	if err != nil {
		return fail(err)
	}
	if d.Clock, d.Newest, err = clock(r); err != nil {
		return fail(err)
	}
	var aggs struct {
		New struct {
			Count int64 `json:"doc_count"`
		} `json:"new"`
	}
	if err := json.Unmarshal(r.Aggregations, &aggs); err != nil {
		return fail(err)
	}
	for shape, n := range map[string]int64{"8.x": aggs.New.Count, "7.x": r.Total - aggs.New.Count} {
		if n > 0 {
			d.Shapes[shape] = n
		}
	}
	if len(r.Hits) == 1 {
		w := &walk{}
		if err := w.document(r.Hits[0].Source); err == nil {
			d.Kibana = w.text(slotVersion)
			if d.Kibana == "" && (w.got[slotSignalUUID] != nil || w.got[slotSignalStatus] != nil) {
				d.Kibana = "7.x"
			}
		}
	}
	return d, nil
}

// look asks for each alias, and returns those that can be read.
func (s *Source) look(ctx context.Context, d *Description) ([]string, error) {
	var names, forbidden []string
	for _, name := range aliases(s.o.Space) {
		a, _, err := probe(ctx, s.o.Client, name)
		if err != nil {
			return nil, err
		}
		alias := Alias{Name: name, Access: string(a)}
		switch a {
		case readable:
			names = append(names, name)
			caps, err := s.o.Client.FieldCaps(ctx, []string{name}, []string{"@timestamp"})
			if err != nil && !elastic.IsForbidden(err) {
				return nil, err
			}
			if err == nil {
				alias.Indices = caps.Indices
			}
		case refused:
			forbidden = append(forbidden, name)
		}
		d.Aliases = append(d.Aliases, alias)
	}
	if len(forbidden) == len(d.Aliases) {
		return nil, unreadable(forbidden)
	}
	return names, nil
}

func unreadable(names []string) error {
	return fmt.Errorf("the key or user may read neither %s: give it the privileges read and view_index_metadata on them", strings.Join(names, " nor "))
}

// Waiting counts the detections that the first start would take in and say: not the closed ones, nor
// building blocks. oldest and newest are zero when there is none.
func (s *Source) Waiting(ctx context.Context) (count int64, oldest, newest time.Time, err error) {
	var d Description
	names, err := s.look(ctx, &d)
	if err != nil || len(names) == 0 {
		return 0, oldest, newest, wrapWaiting(s.o.Name, err)
	}
	must := list{}
	if !s.o.All {
		must = list{obj{"range": obj{"@timestamp": obj{"gte": fmt.Sprintf("now-%ds", int64(s.o.Since/time.Second))}}}}
	}
	r, err := s.o.Client.Search(ctx, elastic.Search{Indices: names, Body: obj{
		"size": 1, "_source": false, "track_total_hits": true, // one: see clockBody
		"query": obj{"bool": obj{"filter": must, "must_not": list{
			obj{"exists": obj{"field": "kibana.alert.building_block_type"}},
			obj{"exists": obj{"field": "signal.rule.building_block_type"}},
			obj{"term": obj{"kibana.alert.workflow_status": "closed"}},
			obj{"term": obj{"signal.status": "closed"}},
		}}},
		"aggs": obj{"oldest": obj{"min": obj{"field": "@timestamp"}}, "newest": obj{"max": obj{"field": "@timestamp"}}},
	}})
	if err != nil {
		return 0, oldest, newest, wrapWaiting(s.o.Name, err)
	}
	var aggs map[string]struct {
		Value *float64 `json:"value"`
	}
	if err := json.Unmarshal(r.Aggregations, &aggs); err != nil {
		return 0, oldest, newest, wrapWaiting(s.o.Name, err)
	}
	read := func(name string) time.Time {
		if v := aggs[name].Value; v != nil && r.Total > 0 {
			return time.UnixMilli(int64(*v)).UTC()
		}
		return time.Time{}
	}
	return r.Total, read("oldest"), read("newest"), nil
}

func wrapWaiting(name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("count the waiting detections of %s: %w", name, err)
}

// Seen is one document of the index, as far as comparing it with the ledger needs.
type Seen struct {
	SourceID string
	Index    string
	Rule     string
	Time     time.Time // zero where the document tells none
}

// IDs reads the ids of every document whose @timestamp is since or later, oldest first; a zero since is
// all of them. A document in two indices comes twice. An error ends the sequence, and what came before
// it is a part.
func (s *Source) IDs(ctx context.Context, since time.Time) iter.Seq2[Seen, error] {
	return func(yield func(Seen, error) bool) {
		fail := func(err error) { yield(Seen{}, fmt.Errorf("read the ids of %s: %w", s.o.Name, err)) }
		var d Description
		names, err := s.look(ctx, &d)
		if err != nil {
			fail(err)
			return
		}
		if len(names) == 0 {
			return
		}
		query := obj{"match_all": obj{}}
		if !since.IsZero() {
			query = timeRange("@timestamp", "gte", since)
		}
		pages := s.o.Client.Scan(elastic.Scan{
			Indices: names, Query: query, Sort: byTime, Size: listPage / 2,
			Source: list{"kibana.alert.rule.name", "signal.rule.name"},
		})
		defer closePages(ctx, pages, s.log)
		w := &walk{}
		for {
			hits, err := pages.Next(ctx)
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				fail(err)
				return
			}
			for i := range hits {
				h := &hits[i]
				seen := Seen{SourceID: h.ID, Index: h.Index}
				seen.Time, _ = sortTime(h)
				if err := w.document(h.Source); err == nil {
					seen.Rule = w.text(slotRuleName, slotSignalName)
				}
				if !yield(seen, nil) {
					return
				}
			}
		}
	}
}
