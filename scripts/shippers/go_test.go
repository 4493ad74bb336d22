package shippers

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	elastic7 "github.com/elastic/go-elasticsearch/v7"
	bulk7 "github.com/elastic/go-elasticsearch/v7/esutil"
	elastic8 "github.com/elastic/go-elasticsearch/v8"
	bulk8 "github.com/elastic/go-elasticsearch/v8/esutil"
	"github.com/opensearch-project/opensearch-go/v4"
	"github.com/opensearch-project/opensearch-go/v4/opensearchapi"
	"github.com/opensearch-project/opensearch-go/v4/opensearchutil"
)

const events = 3000

func document(i int) string {
	return fmt.Sprintf(`{"@timestamp":"2026-07-01T10:00:%02d.%03dZ","n":%d,"user":{"name":"alice"},"tags":["a",1]}`, i/1000%60, i%1000, i)
}

func TestGoElasticsearch8(t *testing.T) {
	p := serve(t)
	record(t, "used", "go-elasticsearch 8", elastic8.Version)
	client, err := elastic8.NewClient(elastic8.Config{Addresses: []string{p.url}, CompressRequestBody: true})
	if err != nil {
		t.Fatal(err)
	}
	if answer, err := client.Info(); err != nil || answer.IsError() {
		t.Fatalf("info: %v %v", answer, err)
	}
	indexer, err := bulk8.NewBulkIndexer(bulk8.BulkIndexerConfig{Client: client, Index: "go8", FlushBytes: 50_000, NumWorkers: 3, Refresh: "wait_for"})
	if err != nil {
		t.Fatal(err)
	}
	var conflicts, others atomic.Int64
	add := func(id string, i int) {
		err := indexer.Add(t.Context(), bulk8.BulkIndexerItem{
			Action: "create", DocumentID: id, Body: strings.NewReader(document(i)),
			OnFailure: func(_ context.Context, _ bulk8.BulkIndexerItem, answer bulk8.BulkIndexerResponseItem, err error) {
				if err == nil && answer.Status == 409 {
					conflicts.Add(1)
					return
				}
				others.Add(1)
				t.Errorf("%+v, %v", answer.Error, err)
			},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for i := range events {
		id := ""
		if i < 100 {
			id = fmt.Sprint(i)
		}
		add(id, i)
	}
	for i := range 100 {
		add(fmt.Sprint(i), i)
	}
	if err := indexer.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s := indexer.Stats(); s.NumCreated != events || conflicts.Load() != 100 || others.Load() != 0 {
		t.Errorf("%+v, %d conflicts; want %d created and 100 conflicts", s, conflicts.Load(), events)
	}
	p.settled("n >= 0", events)
}

func TestGoElasticsearch7(t *testing.T) {
	p := serve(t)
	record(t, "used", "go-elasticsearch 7", elastic7.Version)
	client, err := elastic7.NewClient(elastic7.Config{Addresses: []string{p.url}})
	if err != nil {
		t.Fatal(err)
	}
	if answer, err := client.Info(); err != nil || answer.IsError() {
		t.Fatalf("info: %v %v", answer, err)
	}
	indexer, err := bulk7.NewBulkIndexer(bulk7.BulkIndexerConfig{Client: client, Index: "go7", FlushBytes: 50_000, NumWorkers: 2})
	if err != nil {
		t.Fatal(err)
	}
	for i := range events {
		err := indexer.Add(t.Context(), bulk7.BulkIndexerItem{Action: "index", Body: strings.NewReader(document(i))})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := indexer.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s := indexer.Stats(); s.NumIndexed+s.NumCreated != events || s.NumFailed != 0 {
		t.Errorf("%+v", s)
	}
	p.settled("n >= 0", events)
}

func TestGoOpenSearch(t *testing.T) {
	p := serve(t)
	record(t, "used", "opensearch-go 4", "4.8.1")
	client, err := opensearchapi.NewClient(opensearchapi.Config{Client: opensearch.Config{Addresses: []string{p.url}, CompressRequestBody: true}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Info(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	indexer, err := opensearchutil.NewBulkIndexer(opensearchutil.BulkIndexerConfig{Client: client, Index: "os", FlushBytes: 50_000, NumWorkers: 3})
	if err != nil {
		t.Fatal(err)
	}
	for i := range events {
		err := indexer.Add(t.Context(), opensearchutil.BulkIndexerItem{
			Action: "index", Body: bytes.NewReader([]byte(document(i))),
			OnFailure: func(_ context.Context, _ opensearchutil.BulkIndexerItem, answer opensearchapi.BulkRespItem, err error) {
				t.Errorf("%+v, %v", answer.Error, err)
			},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := indexer.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s := indexer.Stats(); s.NumFailed != 0 || s.NumFlushed != events {
		t.Errorf("%+v", s)
	}
	p.settled("n >= 0", events)
}
