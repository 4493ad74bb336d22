package logstore

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestIdsNameOneDocument(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	stamp := at(-time.Minute)
	one := []byte(`{"@timestamp":"` + stamp + `","a":1,"b":2}`)
	same := []byte(`{"b":2, "a":1, "@timestamp":"` + stamp + `"}`)
	other := []byte(`{"@timestamp":"` + stamp + `","a":2}`)
	generated := ingest(t, s, Operation{Index: "logs", Source: one})[0].ID
	type answer struct {
		Known  bool
		Status int
	}
	stored, known, conflict := answer{}, answer{Known: true}, answer{Status: 409}
	ask := func(t *testing.T, s *Store, operations []Operation, want ...answer) {
		t.Helper()
		outcomes, err := s.Ingest(t.Context(), operations, false)
		if err != nil {
			t.Fatal(err)
		}
		var got []answer
		for _, o := range outcomes {
			a := answer{Known: o.Known}
			if o.Failure != nil {
				a.Status = o.Failure.Status
			}
			got = append(got, a)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
	ask(t, s, []Operation{
		{Index: "logs", ID: "x", Create: true, Source: one},
		{Index: "logs", ID: "x", Create: true, Source: one},
		{Index: "logs", ID: "x", Source: same},
		{Index: "logs", ID: "x", Source: other},
		{Index: "more", ID: "x", Create: true, Source: other},
	}, stored, conflict, known, conflict, stored)
	again := []Operation{
		{Index: "logs", ID: "x", Create: true, Source: one},
		{Index: "logs", ID: "x", Source: same},
		{Index: "logs", ID: "x", Source: other},
		{Index: "logs", ID: generated, Create: true, Source: one},
		{Index: "logs", ID: generated, Source: same},
		{Index: "logs", ID: generated, Source: other},
		{Index: "more", ID: generated, Source: other},
	}
	ask(t, s, again, conflict, known, conflict, conflict, known, conflict, stored)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir)
	ask(t, s, again, conflict, known, conflict, conflict, known, conflict, known)
	s.engine.DebugFlush()
	if got := len(sources(t, s, Search{})); got != 4 {
		t.Errorf("%d documents, want 4", got)
	}
}

func TestDigestIsOfTheContent(t *testing.T) {
	same := []string{`{"a":1,"b":{"c":[1,"x"],"d":null}}`, ` { "b" : {"d":null, "c" : [1, "\u0078"]}, "a" : 1 } `}
	if digestOf([]byte(same[0])) != digestOf([]byte(same[1])) {
		t.Error("the order of keys, white space and escapes are no content")
	}
	seen := map[digest]string{}
	for _, d := range []string{
		same[0], `{"a":1}`, `{"a":"1"}`, `{"a":1.0}`, `{"a":[1]}`, `{"a":[1,2]}`, `{"a":[12]}`, `{"a":[[1],2]}`, `{"a":[[1,2]]}`, `{"a":{}}`, `{"a":[]}`, `{"a":null}`,
		`{}`, `{"a":""}`, `{"a":"{}"}`, `{"a":true}`, `{"a":"true"}`, `{"a":1,"b":2}`, `{"a":{"b":2}}`, `{"a.b":2}`, `{"a":"1,\"b\":2"}`, `{"a":9007199254740993}`, `{"a":9007199254740992}`,
	} {
		if other, twice := seen[digestOf([]byte(d))]; twice {
			t.Errorf("%s and %s have one digest", d, other)
		}
		seen[digestOf([]byte(d))] = d
	}
}
