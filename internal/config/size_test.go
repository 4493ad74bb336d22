package config

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestParseSize(t *testing.T) {
	for text, want := range map[string]int64{
		"0B": 0, "1B": 1, "7KB": 7000, "50GB": 50e9, "50 GB": 50e9, "1GiB": 1 << 30, "512MiB": 512 << 20, "2tib": 2 << 40,
	} {
		if got, err := ParseSize(text); err != nil || got != want {
			t.Errorf("%q is %d, %v; want %d", text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		"": "is not a size", "5": "is not a size", "GB": "is not a size", "-1GB": "is not a size", "1.5GB": "is not a size", "1G": "is not a size",
		"1  GB": "is not a size", "9999999999999999999B": "too large", "9999999999TiB": "too large",
	} {
		if _, err := ParseSize(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q gives %v; want %q", text, err, want)
		}
	}
}

func TestSizesAreReadAsWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64Min(0).Draw(t, "bytes")
		if got, err := ParseSize(FormatSize(n)); err != nil || got != n {
			t.Fatalf("%d is written %s and read %d, %v", n, FormatSize(n), got, err)
		}
	})
}
