package config

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestParseRate(t *testing.T) {
	for text, want := range map[string]Rate{
		"off": {}, "6/m": {6, time.Minute}, "1/s": {1, time.Second}, "10/5m": {10, 5 * time.Minute}, "100/h": {100, time.Hour}, "2/ms": {2, time.Millisecond},
	} {
		got, err := ParseRate(text)
		if err != nil || got != want {
			t.Errorf("ParseRate(%q) = %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "6", "/m", "6/", "0/s", "-1/s", "+1/s", "6/y", "6/0s", "6/m/s", "1.5/s", "Off", "false", "6 /m", "99999999999/s"} {
		if got, err := ParseRate(text); err == nil {
			t.Errorf("ParseRate(%q) = %v, want an error", text, got)
		}
	}
}

func TestARateReadsBackAsItIsWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := Rate{Count: rapid.IntRange(0, 1<<31-1).Draw(t, "count")}
		if want.Count > 0 {
			want.Per = time.Duration(rapid.Int64Range(1, 1<<40).Draw(t, "ms")) * time.Millisecond
		}
		got, err := ParseRate(want.String())
		if err != nil || got != want {
			t.Fatalf("%v reads back as %v, %v", want, got, err)
		}
	})
}
