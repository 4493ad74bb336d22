package slack

import (
	"regexp"
	"strings"

	"tocsin/internal/wording"
)

const bodyMost = 5800

// body is what a route's template made, as mrkdwn: its own marks stand, and what is a value does nothing. Pieces
// are cut where the whole is too long.
func body(marked string, most int) string {
	var b strings.Builder
	left, quoted := most-1, false
	full := false
	wording.Parts(marked, func(piece string, own bool) {
		switch {
		case full:
			return
		case own:
			piece = ownText(piece)
			if strings.Count(piece, "`")%2 == 1 {
				quoted = !quoted
			}
		case quoted:
			piece = fit(piece, coded, valueMost)
		default:
			piece = inline(piece, reasonMost)
		}
		if width(piece) > left {
			full = true
			b.WriteString("…")
			return
		}
		left -= width(piece)
		b.WriteString(piece)
	})
	if quoted {
		b.WriteString("`")
	}
	return strings.TrimSpace(b.String())
}

// ownURL are addresses that a template's own text holds, up to where a value may follow.
var ownURL = regexp.MustCompile(`https?://[^\s<>|*_~` + "`" + `]+(\s|$)`)

// ownText is a template's own text: its marks and line ends stand, it mentions nobody, and its addresses are
// links of ours.
func ownText(s string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		start, end := strings.HasPrefix(line, " "), strings.HasSuffix(line, " ") && strings.TrimSpace(line) != ""
		line = tidy(line)
		var b strings.Builder
		for line != "" {
			at := ownURL.FindStringIndex(line)
			if at == nil {
				b.WriteString(ownPlain(line))
				break
			}
			address := strings.TrimSpace(line[at[0]:at[1]])
			last := at[1] == len(line) && i == len(lines)-1
			b.WriteString(ownPlain(line[:at[0]]))
			if to, ok := target(address); ok && !last {
				b.WriteString(linked(to, ownPlain(strings.TrimPrefix(strings.TrimPrefix(address, "https://"), "http://")), urlMost))
			} else {
				b.WriteString(ownPlain(address))
			}
			if at[1] > at[0]+len(address) {
				b.WriteString(" ")
			}
			line = line[at[1]:]
		}
		out := b.String()
		if start && out != "" && !strings.HasPrefix(out, " ") {
			out = " " + out
		}
		if end && out != "" && !strings.HasSuffix(out, " ") {
			out += " "
		}
		lines[i] = out
	}
	if strings.TrimSpace(s) == "" && !strings.Contains(s, "\n") {
		return " "
	}
	return strings.Join(lines, "\n")
}

// ownPlain escapes what would be a reference, an address or a name.
func ownPlain(s string) string {
	s = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
	s = strings.ReplaceAll(s, "://", ":"+joiner+"//")
	return strings.ReplaceAll(s, "@", joiner+"@")
}
