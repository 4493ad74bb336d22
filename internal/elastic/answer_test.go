package elastic

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What is read at all is read as encoding/json reads it.
func FuzzAnswersAreReadAsEncodingJSONDoes(f *testing.F) {
	for _, text := range []string{
		`{}`, ` { } `, `null`, `[]`, `{"hits":null}`, `{"hits":{"hits":null}}`, `{"hits":{"hits":[]}}`, `{"hits":{"hits":[null]}}`,
		`{"_scroll_id":"abc","took":3,"timed_out":false,"terminated_early":true,"_shards":{"total":2,"successful":2,"skipped":0,"failed":0},"hits":{"total":{"value":2,"relation":"eq"},"max_score":null,"hits":[` +
			`{"_index":"a","_id":"1","_score":null,"_seq_no":7,"_primary_term":1,"_version":9,"_source":{"n":9223372036854775807123,"s":"<é>"},"fields":{"x":[1]},"sort":[1700000000000,"a"]},` +
			`{"_index":"a","_id":"\u00e9","_seq_no":null,"_source":null,"sort":null},{"_index":"b","_id":"3"}]},"aggregations":{"a":{"value":1.50}}}`,
		`{"hits":{"total":3,"hits":[{"_id":1}]}}`, `{"hits":{"hits":[{"_id":"a"}]},"hits":{"total":1}}`, `{"hits":{"hits":[{"_seq_no":1.5}]}}`, `{"hits":{"hits":[{}]}} x`, `{"hits":{"hits":[{]}}`,
		`{"hits":{"hits":[{"_index":"a"},{"_id":"2"},{"_index":"a"}]}}`, `{"hits":{"hits":[{"_index":"a"},{"_index":"b","_index":"b"}]}}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var got, want answer
		if readAnswer(text, &got) != nil {
			return
		}
		if err := json.Unmarshal(text, &want); err != nil {
			t.Fatalf("%q was read, which encoding/json refuses: %v", text, err)
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(shardFailed{})); diff != "" {
			t.Fatalf("%q: %s", text, diff)
		}
	})
}
