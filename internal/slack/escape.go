package slack

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// tidy makes foreign text one line that shows what it says: valid UTF-8, no control characters, no
// characters that turn the direction of writing or hide, no piles of accents, single spaces.
func tidy(s string) string {
	var b strings.Builder
	b.Grow(min(len(s), 4096))
	space, marks := false, 0
	for _, r := range s {
		switch {
		case unicode.IsSpace(r), unicode.IsControl(r), r == '\u2028', r == '\u2029':
			space = b.Len() > 0
			continue
		case hidden(r):
			continue
		case unicode.In(r, unicode.Mn, unicode.Me):
			if marks++; marks > 3 {
				continue
			}
		default:
			marks = 0
		}
		if space {
			b.WriteByte(' ')
			space = false
		}
		b.WriteRune(r)
	}
	return b.String()
}

// hidden tells characters that show nothing or move what is beside them. The joiners that some scripts
// and emoji need stay.
func hidden(r rune) bool {
	if r == '\u200c' || r == '\u200d' || r == utf8.RuneError {
		return false
	}
	return unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Co, r) || unicode.Is(unicode.Cs, r) ||
		r >= 0xfe00 && r <= 0xfe0e || r >= 0xe0100 && r <= 0xe01ef || // variation selectors, but the emoji one
		r == 0x115f || r == 0x1160 || r == 0x3164 || r == 0xffa0 // Hangul fillers
}

// width counts as Slack might at its strictest: in UTF-16 units.
func width(s string) int {
	n := 0
	for _, r := range s {
		n += runeWidth(r)
	}
	return n
}

func runeWidth(r rune) int {
	if r > 0xffff {
		return 2
	}
	return 1
}
