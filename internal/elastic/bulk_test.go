package elastic_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"tocsin/internal/elastic"
)

func TestBulkTellsOfEachChange(t *testing.T) {
	onEach(t, func(t *testing.T, c *elastic.Client, name string) {
		create(t, c, name, 1)
		answers, err := c.Bulk(t.Context(), []elastic.Write{
			{Op: "create", Index: name, ID: "1", Doc: map[string]any{"n": 1}},
			{Op: "create", Index: name, ID: "1", Doc: map[string]any{"n": 2}},
			{Op: "index", Index: name, ID: "2", Doc: []byte("{\n  \"n\": 2\n}")},
			{Op: "index", Index: name, Doc: json.RawMessage(`{"n":3}`)},
			{Op: "update", Index: name, ID: "1", Doc: map[string]any{"user": "</b>\n"}},
			{Op: "index", Index: name, ID: "4", Doc: map[string]any{"n": "no number"}},
			{Op: "delete", Index: name, ID: "2"},
			{Op: "delete", Index: name, ID: "9"},
		}, "true")
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, a := range answers {
			got = append(got, fmt.Sprint(a.Op, " ", a.Status, " ", a.Result, a.Type, " ", a.OK()))
		}
		want := `create 201 created true
create 409 version_conflict_engine_exception false
index 201 created true
index 201 created true
update 200 updated true
index 400 mapper_parsing_exception false
delete 200 deleted true
delete 404 not_found false`
		if text := strings.ReplaceAll(strings.Join(got, "\n"), "document_parsing_exception", "mapper_parsing_exception"); text != want {
			t.Errorf("%s\nwant\n%s", text, want)
		}
		if answers[3].ID == "" || answers[0].Index != name || !strings.Contains(answers[5].Reason, "no number") {
			t.Errorf("%+v", answers)
		}
		seq, term := answers[4].SeqNo, answers[4].PrimaryTerm
		for i, status := range []int{200, 409} {
			again, err := c.Bulk(t.Context(), []elastic.Write{{Op: "index", Index: name, ID: "1", Doc: map[string]any{"n": 5}, IfSeqNo: &seq, IfPrimaryTerm: &term}}, "")
			if err != nil || again[0].Status != status {
				t.Errorf("%d: %+v %v", i, again, err)
			}
		}
	})
}

func TestBulkOfNothingAsksNothing(t *testing.T) {
	c := client(t, elastic.Options{URLs: []string{"http://127.0.0.1:1"}})
	if got, err := c.Bulk(t.Context(), nil, ""); got != nil || err != nil {
		t.Error(got, err)
	}
	for _, w := range []elastic.Write{{Op: "upsert"}, {Op: "index", Doc: []byte(`{"a":`)}, {Op: "update", Doc: []byte(`{`)}, {Op: "index", Doc: func() {}}, {Op: "index", Doc: []byte("{}\n{}")}, {Op: "index"}} {
		if _, err := c.Bulk(t.Context(), []elastic.Write{w}, ""); err == nil || !strings.Contains(err.Error(), "bulk: change 0") {
			t.Errorf("%+v: %v", w, err)
		}
	}
}

func TestBulkNeedsAnAnswerForEachChange(t *testing.T) {
	c := client(t, elastic.Options{URLs: []string{serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Content-Type") != "application/x-ndjson" {
			t.Error(r.Header)
		}
		_, _ = io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, `{"items":[]}`)
	}))}})
	if _, err := c.Bulk(t.Context(), []elastic.Write{{Op: "index", Doc: 1}}, ""); err == nil || !strings.Contains(err.Error(), "0 changes were answered of 1") {
		t.Error(err)
	}
}
