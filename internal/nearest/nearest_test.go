package nearest_test

import (
	"testing"

	"pgregory.net/rapid"

	"tocsin/internal/nearest"
)

func TestDistance(t *testing.T) {
	for _, tc := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"abc", "abc", 0}, {"cuont", "count", 1}, {"abc", "abd", 1}, {"abc", "ab", 1}, {"kitten", "sitting", 3}, {"ca", "abc", 3},
	} {
		if got := nearest.Distance([]byte(tc.a), []byte(tc.b)); got != tc.want {
			t.Errorf("%q to %q: %d, want %d", tc.a, tc.b, got, tc.want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		letters := rapid.SliceOfN(rapid.RuneFrom([]rune("abcü")), 0, 8)
		a, b := letters.Draw(t, "a"), letters.Draw(t, "b")
		there, back := nearest.Distance(a, b), nearest.Distance(b, a)
		if there != back || there > max(len(a), len(b)) || (there == 0) != (string(a) == string(b)) {
			t.Errorf("%d there, %d back", there, back)
		}
	})
}

func TestKey(t *testing.T) {
	words := []string{"group_by", "group_wait", "urls", "Über"}
	for name, want := range map[string]string{"groupBy": "group_by", "group-wiat": "group_wait", "uber": "Über", "xyz": "", "url": "urls"} {
		if got := nearest.Key(name, words); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}
