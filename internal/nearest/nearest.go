// Package nearest owns how alike two names are, to offer the one that a person meant. It knows no names.
package nearest

import "strings"

// Key is the word most like name, or empty if none is like it. Case, dashes and underscores do not
// count; else at most a third of the letters may differ.
func Key(name string, words []string) string {
	said := []rune(plain(name))
	best, least := "", len(plain(name))/3+2
	for _, word := range words {
		meant := []rune(plain(word))
		d := max(len(said), len(meant))
		if d <= 64 { // no key is longer
			d = Distance(said, meant)
		}
		if d < least && 2*d < len(plain(word)) || d == 0 && best == "" {
			best, least = word, d
		}
	}
	return best
}

// Same reports whether two names are one but for case, dashes and underscores.
func Same(a, b string) bool { return plain(a) == plain(b) }

func plain(name string) string {
	return strings.NewReplacer("-", "", "_", "", " ", "").Replace(strings.ToLower(name))
}

// Distance counts the letters to insert, delete, replace or swap with their neighbour to make a into b
// (the restricted Damerau-Levenshtein distance).
func Distance[T comparable](a, b []T) int {
	older, old, cur := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range old {
		old[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			cur[j] = min(old[j]+1, cur[j-1]+1, old[j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], older[j-2]+1)
			}
		}
		older, old, cur = old, cur, older
	}
	return old[len(b)]
}
