package jsonscan_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/jsonscan"
)

func FuzzValuesEndWhereEncodingJSONSaysSo(f *testing.F) {
	for _, text := range []string{
		`{}`, `[]`, `null`, `true`, `false`, `""`, `0`, `-0.5e+10`, `01`, `1.`, `-`, `{"a":{"b":[1,2,{"c":null}]},"a":1}`, `[1,]`, `{"a":1,}`, `{"a"}`,
		`"\u00e9\n\\"`, `"\x"`, "\"\x01\"", "\"\xff\"", `"a`, ` [ 1 , "a" ] `, `{"a":1}x`, `tru`, `[[[[]]]]`, ``, ` `,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		i := jsonscan.Space(text, 0)
		end, err := jsonscan.Value(text, i, 0)
		valid := err == nil && jsonscan.Space(text, end) == len(text)
		if err != nil && !errors.Is(err, jsonscan.ErrSyntax) {
			t.Fatalf("%q: the error %v is no ErrSyntax", text, err)
		}
		if want := json.Valid(text); valid != want {
			t.Fatalf("%q: valid is %t, want %t", text, valid, want)
		}
		if !valid || text[i] != '{' {
			if jsonscan.Object(text, func(string, []byte) error { return nil }) == nil {
				t.Fatalf("%q was taken for an object", text)
			}
			return
		}
		got := map[string]json.RawMessage{}
		if err := jsonscan.Object(text, func(key string, value []byte) error { got[key] = value; return nil }); err != nil {
			t.Fatal(err)
		}
		want := map[string]json.RawMessage{}
		if err := json.Unmarshal(text, &want); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%q: %s", text, diff)
		}
	})
}

func TestObjectStopsAtTheFirstError(t *testing.T) {
	boom := errors.New("boom")
	n := 0
	if err := jsonscan.Object([]byte(`{"a":1,"b":2}`), func(string, []byte) error { n++; return boom }); !errors.Is(err, boom) || n != 1 {
		t.Errorf("%v after %d members, want boom after 1", err, n)
	}
}
