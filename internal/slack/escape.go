package slack

import (
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// readMost bounds how much of a foreign text is looked at; no message shows that much.
const readMost = 8 << 10

// joiner shows nothing, and keeps a mark of mrkdwn from standing at the beginning of a word, where
// alone it marks, and a URL or an address from being one. mrkdwn has no escape for these.
const joiner = "\u2060"

// tidy makes foreign text one line that shows what it says: valid UTF-8, no control characters, no
// characters that turn the direction of writing or hide, no piles of accents, single spaces.
func tidy(s string) string {
	if len(s) > readMost {
		s = s[:readMost]
	}
	var b strings.Builder
	space, marks := false, 0
	for _, r := range s {
		switch {
		case r > ' ' && r < 0x7f: // most of all text
			marks = 0
		case unicode.IsSpace(r), unicode.IsControl(r):
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
	switch {
	case r == '\u200c', r == '\u200d', r == utf8.RuneError:
		return false
	case unicode.In(r, unicode.Cf, unicode.Co, unicode.Cs):
		return true
	case r >= 0xfe00 && r <= 0xfe0e, r >= 0xe0100 && r <= 0xe01ef: // variation selectors, but the emoji one
		return true
	case r >= 0xfdd0 && r <= 0xfdef, r&0xfffe == 0xfffe: // not characters
		return true
	}
	return r == 0x115f || r == 0x1160 || r == 0x3164 || r == 0xffa0 // Hangul fillers
}

// width counts as strictly as any of the ways Slack might: in UTF-16 units.
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

// form is how a text will be read, which decides what is escaped in it.
type form int

const (
	bare   form = iota // not by Slack
	plain              // as plain_text: entities only
	marked             // as mrkdwn: entities and marks
	coded              // as mrkdwn between backticks
	forms              // how many there are
)

// fit tidies foreign text and escapes it, in at most so many characters of the result. What is cut
// ends in an ellipsis; an entity is never cut in two.
func fit(s string, as form, most int) string {
	if len(s) <= most && len(s) <= readMost && harmless(s, as) {
		return s
	}
	return fitted(s, as, most)
}

// stays are the ASCII characters that every form leaves as they are wherever they stand.
var stays = func() (t [forms][256]bool) {
	for as, special := range [forms]string{bare: "", plain: "&<>", marked: "&<>`*~@_:", coded: "&<>`"} {
		for c := byte('!'); c <= '~'; c++ {
			t[as][c] = strings.IndexByte(special, c) < 0
		}
	}
	return t
}()

// harmless reports whether tidying and escaping leave a text as it is, which most of them are. It may say
// no of one that is.
func harmless(s string, as form) bool {
	colon := false
	for i := range len(s) {
		c := s[i]
		switch {
		case stays[as][c]:
		case c == ' ' && i > 0 && i < len(s)-1 && s[i-1] != ' ':
		case c == '_' && as == marked && i > 0 && i < len(s)-1 && wordByte(s[i-1]) && wordByte(s[i+1]):
		case c == ':' && as == marked && !colon && (i == len(s)-1 || s[i+1] != '/'): // no URL, and no emoji's name has one alone
			colon = true
		default:
			return false
		}
	}
	return true
}

func wordByte(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// fitted is fit for any text.
func fitted(s string, as form, most int) string {
	s = tidy(s)
	if as == marked {
		s = noEmoji(s)
	}
	var (
		b       strings.Builder
		used    int
		whole   = -1 // the length up to which an ellipsis still fits
		before  rune
		ignored bool
	)
	for i, r := range s {
		piece := escapeRune(r, as)
		if as == marked && marks(r, before, s[i+utf8.RuneLen(r):]) {
			piece = joiner + piece
		}
		before = r
		w := width(piece)
		if used+w > most {
			ignored = true
			break
		}
		if used <= most-1 {
			whole = b.Len()
		}
		b.WriteString(piece)
		used += w
	}
	if !ignored {
		return b.String()
	}
	if used > most-1 && whole >= 0 {
		return strings.TrimRight(b.String()[:whole], " \u200d\u200c") + "…"
	}
	return strings.TrimRight(b.String(), " \u200d\u200c") + "…"
}

func escapeRune(r rune, as form) string {
	if as == bare {
		return string(r)
	}
	switch {
	case r == '&':
		return "&amp;"
	case r == '<':
		return "&lt;"
	case r == '>':
		return "&gt;"
	case r == '`' && as != plain: // it would pair with one of ours
		return "ˋ"
	}
	return string(r)
}

// marks reports whether a character could begin or end a mark, a URL or an address. An underscore
// within a word does not.
func marks(r, before rune, after string) bool {
	switch r {
	case '*', '~', '@': // and an address or a name, which nothing must ring at
		return true
	case '/':
		return before == ':' && strings.HasPrefix(after, "/") // a URL
	case '_':
		next, _ := utf8.DecodeRuneInString(after)
		return !inWord(before) || !inWord(next)
	}
	return false
}

func inWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// emoji are names between colons, but not what an IPv6 address or a time has there.
var emoji = regexp.MustCompile(`:([a-z0-9_+'-]*[g-z_+'-][a-z0-9_+'-]*):`)

func noEmoji(s string) string {
	for emoji.MatchString(s) { // one colon may end one name and begin another
		s = emoji.ReplaceAllString(s, ":"+joiner+"$1:")
	}
	return s
}

// cutTo shortens a text of ours or one that Slack does not read.
func cutTo(s string, most int) string { return fit(s, bare, most) }

// inline is foreign text within mrkdwn.
func inline(s string, most int) string { return fit(s, marked, most) }

// code is foreign text as mrkdwn's code, which shows it letter by letter; empty for empty text.
func code(s string, most int) string {
	if s = fit(s, coded, most-2); s == "" {
		return ""
	}
	return "`" + s + "`"
}

// bold makes finished mrkdwn bold, unless a star in it would end that early.
func bold(s string) string {
	if strings.Contains(s, "*") {
		return s
	}
	return "*" + s + "*"
}

// mrkdwn makes a text object of finished mrkdwn.
func mrkdwn(s string) *text { return &text{Type: "mrkdwn", Text: s, Verbatim: true} }

// literal makes a text object of foreign text that is shown as it is.
func literal(s string, most int) *text {
	off := false
	return &text{Type: "plain_text", Text: fit(s, plain, most), Emoji: &off}
}

// link is a link of ours in mrkdwn. The label is finished mrkdwn; without a usable URL it stands alone.
func link(raw, label string, most int) string {
	target, _ := target(raw)
	return linked(target, label, most)
}

// linked is a link to what target gave; without it the label stands alone.
func linked(target, label string, most int) string {
	if target == "" || width(target) > most {
		return label
	}
	return "<" + target + "|" + label + ">"
}

// target is a URL fit for mrkdwn's angle brackets: http or https, with a host and no user.
func target(raw string) (string, bool) {
	if raw == "" || !visible(raw) {
		return "", false
	}
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil ||
		strings.ContainsAny(u.Host, "<>|&\"'`") {
		return "", false
	}
	return targetEscapes.Replace(raw), true
}

// visible reports whether a text is valid and shows all of its characters, none of them a space.
func visible(s string) bool {
	for i, r := range s {
		switch {
		case r > ' ' && r < 0x7f:
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], "\ufffd"): // not UTF-8
			return false
		case unicode.IsSpace(r), unicode.IsControl(r), hidden(r):
			return false
		}
	}
	return true
}

var targetEscapes = strings.NewReplacer("|", "%7C", "<", "%3C", ">", "%3E", `"`, "%22", "`", "%60", "&", "&amp;")

// moment is a time in the reader's own zone, by one of Slack's patterns; empty for no time.
func moment(t time.Time, pattern string) string {
	if !dated(t) {
		return ""
	}
	return "<!date^" + strconv.FormatInt(t.Unix(), 10) + "^" + pattern + "|" + utc(t) + ">"
}

func dated(t time.Time) bool { return !t.IsZero() && t.Unix() > 0 && t.Year() <= 9999 }

func utc(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// The patterns of moment.
const (
	fullTime  = "{date_short_pretty} {time_secs}"
	clockTime = "{time_secs}"
)
