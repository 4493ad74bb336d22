package logstore

import (
	"bytes"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestRecordsSurviveTheirEncoding(t *testing.T) {
	events := []event{
		{index: "a", seq: 100, time: -5, source: []byte(`{}`)},
		{index: "a", id: "x", seq: 101, time: 1 << 60, dated: true, source: []byte(`{"a":1}`)},
		{index: "b", seq: 102, time: 7, source: bytes.Repeat([]byte("x"), 5000)},
	}
	b := encodeRecord(events)
	got, size, err := decodeRecord(append(bytes.Clone(b), "rest"...))
	if err != nil || size != len(b) {
		t.Fatalf("%d bytes of %d, %v", size, len(b), err)
	}
	if diff := cmp.Diff(events, got, cmp.AllowUnexported(event{}), cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
	for i := range b {
		if _, _, err := decodeRecord(b[:i]); !errors.Is(err, errTorn) {
			t.Fatalf("cut at %d: %v", i, err)
		}
	}
}

func FuzzDecodeRecord(f *testing.F) {
	f.Add(encodeRecord([]event{{index: "a", id: "b", seq: 1, time: 2, source: []byte(`{}`)}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if events, _, err := decodeRecord(b); err == nil && len(events) > 0 {
			if _, _, err := decodeRecord(encodeRecord(events)); err != nil {
				t.Errorf("what was read cannot be written: %v", err)
			}
		}
	})
}
