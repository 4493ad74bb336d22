package duration

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"0": 0, "0s": 0, "5s": 5 * time.Second, "250ms": 250 * time.Millisecond, "1h30m": 90 * time.Minute,
		"2w": 14 * 24 * time.Hour, "1w2d3h4m5s6ms": 9*24*time.Hour + 3*time.Hour + 4*time.Minute + 5*time.Second + 6*time.Millisecond,
		"15250w": 15250 * 7 * 24 * time.Hour, "90m": 90 * time.Minute,
	} {
		got, err := Parse(text)
		if err != nil || got != want {
			t.Errorf("Parse(%q) = %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "5", "s", "-5s", "+5s", "1.5h", "5 s", " 5s", "5s ", "5S", "5us", "5sec", "30m1h", "1h1h", "15251w", "1s9223372036854775807ms", "9223372036854775808ms", "99999999999999999999s", "1y"} {
		if got, err := Parse(text); err == nil {
			t.Errorf("Parse(%q) = %v, want an error", text, got)
		}
	}
}

func TestADurationReadsBackAsItIsWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := time.Duration(rapid.Int64Range(0, 1<<63-1).Draw(t, "duration")).Truncate(time.Millisecond)
		got, err := Parse(Format(want))
		if err != nil || got != want {
			t.Fatalf("%q reads back as %v, %v", Format(want), got, err)
		}
	})
	if got := Format(-time.Second); got != "0s" {
		t.Errorf("a negative duration is %q", got)
	}
}
