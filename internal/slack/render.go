package slack

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"tocsin/internal/alert"
	"tocsin/internal/notice"
)

// What a message may hold, below Slack's limits: 50 blocks, 3,000 characters a section, 2,000 a field,
// 10 fields, about 13,200 characters in all blocks together, 4,000 of text before Slack splits it.
const (
	totalMost   = 12000
	sectionMost = 2900
	fieldsMost  = 10
	textMost    = 3900
	plainMost   = 1500

	nameMost   = 200 // a rule's name
	labelMost  = 60
	valueMost  = 300
	reasonMost = 1500
	noteMost   = 400
	prefixMost = 60
	urlMost    = 1200
	badgesMost = 3 // ATT&CK techniques, before "and 2 more"

	minute = time.Minute
)

// rendering is how a notice looks.
type rendering struct {
	text        string // alone where nothing else can be shown: notifications, screen readers
	blocks      []block
	attachments []attachment
}

// render lays a notice out. What matters at a glance stands in the message's own blocks, which Slack
// always shows whole; the attachment has the colour of the severity, and little enough in it not to be
// folded away.
func render(n notice.Notice, prefix string) rendering {
	if n.Prefix == "" {
		n.Prefix = prefix
	}
	if len(n.Items) > notice.NamedMost {
		n.Items = n.Items[:notice.NamedMost]
	}
	n.Count = max(n.Count, len(n.Items))
	if n.Plain {
		return rendering{text: plainText(n, plainMost, true)}
	}
	r := rendering{text: plainText(n, textMost, false)}
	if line := escalation(n.Escalation); line != "" {
		if prefix := inline(n.Prefix, prefixMost); prefix != "" {
			line = prefix + " " + line
		}
		r.add(block{Type: "section", Text: mrkdwn(line)})
	}
	if n.BodyError != "" {
		failed := "The route's template failed at " + n.BodyError + ". This is the usual message."
		n.Note = strings.TrimSpace(strings.Join([]string{n.Note, failed}, " "))
	}
	switch {
	case n.Kind == notice.KindHealth && n.Health != nil:
		r.health(n)
	case n.Kind == notice.KindSummary && n.Summary != nil:
		r.summary(n)
	case len(n.Tops) > 0 && n.Kind != notice.KindDigest:
		r.storm(n)
	case n.Kind != notice.KindDigest && n.Count == 1 && len(n.Items) == 1:
		r.alert(n)
	default:
		r.many(n)
	}
	r.trim()
	return r
}

// trim takes the last blocks away where all together are too long, and says so. The first, which say what it
// is, stay.
func (r *rendering) trim() {
	const said = "More did not fit into this message."
	over := r.width() - totalMost
	if over <= 0 {
		return
	}
	over += width(said)
	for last := len(r.blocks) - 1; last > 1 && over > 0; last-- {
		one := rendering{blocks: r.blocks[last:]}
		over -= one.width()
		r.blocks = r.blocks[:last]
	}
	r.add(block{Type: "context", Elements: []*text{mrkdwn(said)}})
}

// add appends a block of the message's own.
func (r *rendering) add(b block) { r.blocks = append(r.blocks, b) }

// fields appends labelled values, as many as a block takes.
func (r *rendering) fields(fields []*text) {
	if len(fields) > 0 {
		r.add(block{Type: "section", Fields: fields[:min(len(fields), fieldsMost)]})
	}
}

// foot is the coloured end of the message: one line of parts, and a line for the reader.
func (r *rendering) foot(color string, parts []string, note string) {
	var blocks []block
	parts = slices.DeleteFunc(parts, func(s string) bool { return s == "" })
	if len(parts) > 0 {
		blocks = append(blocks, block{Type: "context", Elements: []*text{mrkdwn(strings.Join(parts, "  ·  "))}})
	}
	if note = inline(note, noteMost); note != "" {
		blocks = append(blocks, block{Type: "context", Elements: []*text{mrkdwn(note)}})
	}
	if len(blocks) == 0 {
		blocks = []block{{Type: "context", Elements: []*text{mrkdwn("Tocsin")}}}
	}
	r.attachments = []attachment{{Color: color, Blocks: blocks}}
}

// looks are how a severity is shown.
var looks = map[alert.Severity]struct{ icon, word, color string }{
	alert.SeverityCritical: {":red_circle:", "Critical", "#c4162a"},
	alert.SeverityHigh:     {":large_orange_circle:", "High", "#f2711c"},
	alert.SeverityMedium:   {":large_yellow_circle:", "Medium", "#f2c037"},
	alert.SeverityLow:      {":large_blue_circle:", "Low", "#3b82f6"},
	alert.SeverityUnknown:  {":white_circle:", "Alert", "#8b949e"},
}

const closedColor = "#2da44e"

func look(s alert.Severity) struct{ icon, word, color string } {
	l, known := looks[s]
	if !known {
		return looks[alert.SeverityUnknown]
	}
	return l
}

// color is the severity's, or green once all there is is over.
func color(n notice.Notice) string {
	switch s := n.Stands(); {
	case !s.Over():
		return look(n.Severity).color
	case s.Withdrawn == n.Count, unfollowed(n) > 0:
		return looks[alert.SeverityUnknown].color
	}
	return closedColor
}

// icon is the severity's, or says that all there is is over.
func icon(n notice.Notice) string {
	switch s := n.Stands(); {
	case !s.Over():
		return look(n.Severity).icon
	case s.Withdrawn == n.Count:
		return ":leftwards_arrow_with_hook:"
	case unfollowed(n) > 0:
		return ":double_vertical_bar:"
	}
	return ":white_check_mark:"
}

// title is the first line: prefix, icon and a bold name, which may be a link.
func title(n notice.Notice, name string) string {
	line := icon(n) + " " + bold(name)
	if prefix := inline(n.Prefix, prefixMost); prefix != "" {
		line = prefix + " " + line
	}
	return line
}

func ruleName(name string, most int) string {
	if name = inline(name, most); name == "" {
		return "Alert without a rule"
	}
	return name
}

// status shows what an analyst did about an alert, who it was and when; nothing while it is open, and nothing of
// what its outcome says.
func status(it notice.Item) string {
	switch {
	case it.Status == alert.StatusAcknowledged:
		return ":eyes: acknowledged" + byAt(it, clockTime)
	case it.Status == alert.StatusClosed && it.State != notice.StateFiring:
		return ":white_check_mark: closed" + byAt(it, clockTime)
	}
	return ""
}

// byAt is who did something about an alert, and when, as far as it is known. Other days than the alert's are named.
func byAt(it notice.Item, pattern string) string {
	s := ""
	if by := inline(it.By, labelMost); by != "" {
		s = " by " + by
	}
	if dated(it.ByAt) && it.ByAt.Sub(it.Time).Abs() > 12*time.Hour {
		pattern = fullTime
	}
	if at := moment(it.ByAt, pattern); at != "" {
		s += " at " + at
	}
	return s
}

// attackID is the shape of a technique's id, which alone is made a link.
var attackID = regexp.MustCompile(`^T\d{4}(\.\d{3})?$`)

// attack lists the ATT&CK techniques of some alerts, or their tactics where no technique is named. A
// technique gives way to its own subtechnique.
func attack(items []notice.Item) string {
	var out []string
	seen := map[string]bool{}
	sub := map[string]bool{}
	for _, it := range items {
		for _, t := range it.Attack {
			if parent, _, ok := strings.Cut(t.TechniqueID, "."); ok {
				sub[parent] = true
			}
		}
	}
	for _, it := range items {
		for _, t := range it.Attack {
			id, name := t.TechniqueID, t.TechniqueName
			if id == "" && name == "" {
				id, name = t.TacticID, t.TacticName
			}
			key := id + "\x00" + name
			if id != "" {
				key = id
			}
			if seen[key] || sub[id] {
				continue
			}
			seen[key] = true
			shown := inline(id, labelMost)
			if attackID.MatchString(id) {
				shown = linked("https://attack.mitre.org/techniques/"+strings.ReplaceAll(id, ".", "/")+"/", id, urlMost)
			}
			if s := strings.TrimSpace(shown + " " + inline(name, labelMost)); s != "" {
				out = append(out, s)
			}
		}
	}
	return listed(out, badgesMost, false)
}

// listed joins up to so many and counts the rest; of a partial list the rest cannot be counted.
func listed(all []string, most int, partial bool) string {
	if partial { // whether there are more, and how many, is not known
		return strings.Join(all[:min(most, len(all))], ", ") + ", …"
	}
	if len(all) <= most {
		return strings.Join(all, ", ")
	}
	return strings.Join(all[:most], ", ") + " and " + number(len(all)-most) + " more"
}

func risk(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) || v <= 0 || v > 1e9 {
		return ""
	}
	return strconv.FormatFloat(math.Round(v*10)/10, 'f', -1, 64)
}

// number writes a count with commas between thousands.
func number(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// counted is a number with its noun.
func counted(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return number(n) + " " + noun
}

// period says from when to when, or the one moment it was.
func period(since, until time.Time) string {
	switch {
	case !dated(since) && !dated(until):
		return ""
	case !dated(since):
		return moment(until, fullTime)
	case !dated(until) || until.Unix() <= since.Unix():
		return moment(since, fullTime)
	case until.Sub(since) < 12*time.Hour:
		return moment(since, fullTime) + " – " + moment(until, clockTime)
	default:
		return moment(since, fullTime) + " – " + moment(until, fullTime)
	}
}
