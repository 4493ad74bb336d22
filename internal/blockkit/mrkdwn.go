package blockkit

import (
	"html"
	"html/template"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// markup writes Slack's text formats as HTML. Everything it writes is either a tag of its own or
// escaped text, and what it writes is well-formed: every tag is closed, `<br/>` included.
type markup struct {
	b    strings.Builder
	bold string // the mark around bold text: * in mrkdwn, ** in markdown
}

// Mrkdwn renders mrkdwn.
func Mrkdwn(s string) template.HTML {
	m := &markup{bold: "*"}
	m.document(s)
	return template.HTML(m.b.String()) // escaped piece by piece above
}

// markdownHTML renders the little of markdown that a markdown block of ours may hold.
func markdownHTML(s string) template.HTML {
	m := &markup{bold: "**"}
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		if title, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); ok && strings.HasPrefix(line, "#") {
			lines[i] = "**" + strings.Trim(title, " *") + "**"
		}
	}
	m.document(strings.Join(lines, "\n"))
	return template.HTML(m.b.String()) // escaped piece by piece above
}

// Plain renders plain_text: no format but line ends, and emoji where asked for.
func Plain(s string, emoji bool) template.HTML {
	m := &markup{}
	for i := 0; i < len(s); {
		if emoji && s[i] == ':' {
			if n := m.emoji(s[i:]); n > 0 {
				i += n
				continue
			}
		}
		i += m.char(s[i:])
	}
	return template.HTML(m.b.String()) // escaped piece by piece above
}

// document renders preformatted parts, quotes and lines.
func (m *markup) document(s string) {
	for {
		before, rest, open := strings.Cut(s, "```")
		inside, after, closed := strings.Cut(rest, "```")
		if !open || !closed || strings.Trim(inside, "\n") == "" {
			m.lines(s)
			return
		}
		m.lines(strings.TrimSuffix(before, "\n"))
		m.b.WriteString("<pre>")
		m.raw(strings.Trim(inside, "\n"))
		m.b.WriteString("</pre>")
		s = strings.TrimPrefix(after, "\n")
	}
}

func (m *markup) lines(s string) {
	if s == "" {
		return
	}
	quoting := false
	for i, line := range strings.Split(s, "\n") {
		quoted, isQuote := strings.CutPrefix(line, "&gt;")
		if !isQuote {
			quoted, isQuote = strings.CutPrefix(line, ">")
		}
		switch {
		case isQuote && !quoting:
			m.b.WriteString("<blockquote>")
		case !isQuote && quoting:
			m.b.WriteString("</blockquote>")
		case i > 0:
			m.b.WriteString("<br/>")
		}
		quoting = isQuote
		if isQuote {
			line = strings.TrimPrefix(quoted, " ")
		}
		m.inline(line, 0)
	}
	if quoting {
		m.b.WriteString("</blockquote>")
	}
}

// nestingMost is how deep marks may stand in one another; deeper ones are shown as they are.
const nestingMost = 6

// inline renders one line. It takes time in proportion to the line's length: a mark that found no
// partner once is not looked for again, since later ones cannot find one either.
func (m *markup) inline(s string, depth int) {
	lone := map[string]bool{}
	for i := 0; i < len(s); {
		n := 0
		switch s[i] {
		case '`':
			n = m.code(s[i:])
		case '<':
			n = m.reference(s[i:], depth)
		case ':':
			n = m.emoji(s[i:])
		case '*':
			if strings.HasPrefix(s[i:], m.bold) {
				n = m.mark(s, i, m.bold, "b", depth, lone)
			}
		case '_':
			n = m.mark(s, i, "_", "i", depth, lone)
		case '~':
			n = m.mark(s, i, "~", "s", depth, lone)
		}
		if n == 0 {
			n = m.char(s[i:])
		}
		i += n
	}
}

// mark renders *bold* and its like: marks count at the edge of a word only.
func (m *markup) mark(s string, at int, mark, tag string, depth int, lone map[string]bool) int {
	from := at + len(mark)
	before, _ := utf8.DecodeLastRuneInString(s[:at])
	first, _ := utf8.DecodeRuneInString(s[from:])
	if depth >= nestingMost || lone[mark] || wordy(before) || unicode.IsSpace(first) {
		return 0
	}
	for end := from + 1; end < len(s); end++ {
		if s[end] != mark[0] || !strings.HasPrefix(s[end:], mark) {
			continue
		}
		last, _ := utf8.DecodeLastRuneInString(s[from:end])
		after, _ := utf8.DecodeRuneInString(s[end+len(mark):])
		if unicode.IsSpace(last) || wordy(after) {
			continue
		}
		m.b.WriteString("<" + tag + ">")
		m.inline(s[from:end], depth+1)
		m.b.WriteString("</" + tag + ">")
		return end + len(mark) - at
	}
	lone[mark] = true
	return 0
}

func wordy(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

func (m *markup) code(s string) int {
	end := strings.IndexByte(s[1:], '`')
	if end <= 0 {
		return 0
	}
	m.b.WriteString("<code>")
	m.raw(s[1 : 1+end])
	m.b.WriteString("</code>")
	return end + 2
}

// reference renders what stands in angle brackets: a link, a mention, a date. What is none of them is
// shown as it is.
func (m *markup) reference(s string, depth int) int {
	end := 1 + strings.IndexAny(s[1:], "<>\n")
	if s[end] != '>' {
		return 0
	}
	target, label, labelled := strings.Cut(s[1:end], "|")
	switch {
	case strings.HasPrefix(target, "!date^"):
		m.date(target, label)
	case strings.HasPrefix(target, "!subteam^"), strings.HasPrefix(target, "@"), strings.HasPrefix(target, "#"), strings.HasPrefix(target, "!"):
		m.mention(target, label)
	default:
		href := safeLink(decode(target))
		if href == "" {
			return 0
		}
		m.b.WriteString(`<a href="` + html.EscapeString(href) + `" target="_blank" rel="noopener noreferrer nofollow">`)
		if labelled && label != "" {
			m.inlineInLink(label, depth)
		} else {
			m.raw(target)
		}
		m.b.WriteString("</a>")
	}
	return end + 1
}

// inlineInLink renders a link's label, which holds no link.
func (m *markup) inlineInLink(label string, depth int) {
	if depth < nestingMost && !strings.Contains(label, "<") {
		m.inline(label, depth+1)
		return
	}
	m.raw(label)
}

// safeLink gives a URL if it leads to a web page, else nothing.
func safeLink(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || strings.ContainsFunc(s, invisible) {
		return ""
	}
	return u.String()
}

func (m *markup) mention(target, label string) {
	kind, name := target[:1], target[1:]
	if strings.HasPrefix(target, "!") {
		kind = "@"
		name = strings.TrimPrefix(name, "subteam^")
	}
	if label != "" {
		name = label
	}
	m.b.WriteString(`<span class="mention">`)
	m.raw(kind + strings.TrimLeft(name, "@#"))
	m.b.WriteString("</span>")
}

var dateToken = regexp.MustCompile(`^!date\^(\d{1,11})\^([^^]*)`)

// date renders a date in the reader's words: Slack does it by the reader's clock, the page by ours.
func (m *markup) date(target, fallback string) {
	parts := dateToken.FindStringSubmatch(target)
	if parts == nil {
		m.raw(fallback)
		return
	}
	sec, err := strconv.ParseInt(parts[1], 10, 64)
	if err != nil {
		m.raw(fallback)
		return
	}
	at := time.Unix(sec, 0)
	text := strings.NewReplacer(
		"{date_num}", at.Format("2006-01-02"), "{date}", at.Format("January 2, 2006"), "{date_pretty}", at.Format("January 2, 2006"),
		"{date_short}", at.Format("Jan 2, 2006"), "{date_short_pretty}", at.Format("Jan 2, 2006"),
		"{date_long}", at.Format("Monday, January 2, 2006"), "{date_long_pretty}", at.Format("Monday, January 2, 2006"),
		"{time_secs}", at.Format("15:04:05"), "{time}", at.Format("15:04"), "{ago}", at.Format("Jan 2, 15:04"),
	).Replace(parts[2])
	m.b.WriteString(`<time datetime="` + at.UTC().Format(time.RFC3339) + `">`)
	m.raw(text)
	m.b.WriteString("</time>")
}

var shortcode = regexp.MustCompile(`^:([a-z0-9_+-]{1,40}):`)

// emoji renders a shortcode of the table; one that is not there is shown as it is.
func (m *markup) emoji(s string) int {
	found := shortcode.FindStringSubmatch(s)
	if found == nil {
		return 0
	}
	sign, known := emojiSigns[found[1]]
	if !known {
		return 0
	}
	m.b.WriteString(`<span class="emoji" role="img" aria-label="` + html.EscapeString(strings.ReplaceAll(found[1], "_", " ")) + `">` + sign + "</span>")
	return len(found[0])
}

// raw writes text without formats.
func (m *markup) raw(s string) {
	for i := 0; i < len(s); {
		i += m.char(s[i:])
	}
}

var entities = map[string]string{"&amp;": "&", "&lt;": "<", "&gt;": ">"}

// decode undoes Slack's own escape, which knows three characters.
func decode(s string) string {
	return strings.NewReplacer("&amp;", "&", "&lt;", "<", "&gt;", ">").Replace(s)
}

// char writes the first character of s, escaped, and gives its length in s.
func (m *markup) char(s string) int {
	if s[0] == '&' {
		for entity, char := range entities {
			if strings.HasPrefix(s, entity) {
				m.b.WriteString(html.EscapeString(char))
				return len(entity)
			}
		}
	}
	r, n := utf8.DecodeRuneInString(s)
	switch {
	case r == '\n':
		m.b.WriteString("<br/>")
	case r == utf8.RuneError && n == 1, invisible(r):
		m.b.WriteRune(utf8.RuneError)
	default:
		m.b.WriteString(html.EscapeString(string(r)))
	}
	return n
}

// invisible tells the characters that could make a text look like another one: controls, and those
// that turn the direction of writing.
func invisible(r rune) bool {
	return unicode.IsControl(r) && r != '\n' && r != '\t' || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 ||
		r == 0xfffe || r == 0xffff
}

// emojiSigns are the shortcodes that alerts use.
var emojiSigns = map[string]string{
	"rotating_light": "🚨", "warning": "⚠️", "red_circle": "🔴", "large_red_circle": "🔴", "large_orange_circle": "🟠",
	"orange_circle": "🟠", "large_yellow_circle": "🟡", "yellow_circle": "🟡", "large_green_circle": "🟢", "large_blue_circle": "🔵",
	"blue_circle": "🔵", "white_circle": "⚪", "black_circle": "⚫", "large_purple_circle": "🟣", "red_square": "🟥", "large_red_square": "🟥",
	"large_orange_square": "🟧", "large_yellow_square": "🟨", "large_blue_square": "🟦", "large_green_square": "🟩",
	"white_check_mark": "✅", "heavy_check_mark": "✔️", "x": "❌", "no_entry": "⛔", "bell": "🔔", "no_bell": "🔕", "mute": "🔇",
	"eyes": "👀", "fire": "🔥", "information_source": "ℹ️", "hourglass": "⌛", "hourglass_flowing_sand": "⏳", "stopwatch": "⏱️",
	"repeat": "🔁", "package": "📦", "clipboard": "📋", "memo": "📝", "lock": "🔒", "unlock": "🔓", "key": "🔑", "shield": "🛡️",
	"bust_in_silhouette": "👤", "busts_in_silhouette": "👥", "computer": "💻", "desktop_computer": "🖥️", "globe_with_meridians": "🌐",
	"mag": "🔍", "link": "🔗", "bar_chart": "📊", "chart_with_upwards_trend": "📈", "page_facing_up": "📄", "exclamation": "❗",
	"heavy_exclamation_mark": "❗", "question": "❓", "arrow_right": "➡️", "zzz": "💤", "ghost": "👻", "bulb": "💡", "thread": "🧵", "leftwards_arrow_with_hook": "↩️", "+1": "👍", "thumbsup": "👍", "-1": "👎",
}
