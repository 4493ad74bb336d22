package config

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestParseDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"0": 0, "0s": 0, "5s": 5 * time.Second, "250ms": 250 * time.Millisecond, "1h30m": 90 * time.Minute,
		"2w": 14 * 24 * time.Hour, "1w2d3h4m5s6ms": 9*24*time.Hour + 3*time.Hour + 4*time.Minute + 5*time.Second + 6*time.Millisecond,
		"15250w": 15250 * 7 * 24 * time.Hour, "90m": 90 * time.Minute,
	} {
		got, err := ParseDuration(text)
		if err != nil || got != want {
			t.Errorf("ParseDuration(%q) = %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "5", "s", "-5s", "+5s", "1.5h", "5 s", " 5s", "5s ", "5S", "5us", "5sec", "30m1h", "1h1h", "15251w", "1s9223372036854775807ms", "9223372036854775808ms", "99999999999999999999s", "1y"} {
		if got, err := ParseDuration(text); err == nil {
			t.Errorf("ParseDuration(%q) = %v, want an error", text, got)
		}
	}
}

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

func TestADurationReadsBackAsItIsWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := time.Duration(rapid.Int64Range(0, 1<<63-1).Draw(t, "duration")).Truncate(time.Millisecond)
		got, err := ParseDuration(FormatDuration(want))
		if err != nil || got != want {
			t.Fatalf("%q reads back as %v, %v", FormatDuration(want), got, err)
		}
	})
	if got := FormatDuration(-time.Second); got != "0s" {
		t.Errorf("a negative duration is %q", got)
	}
}
