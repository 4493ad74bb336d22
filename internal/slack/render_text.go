package slack

import (
	"cmp"
	"slices"
	"strings"

	"tocsin/internal/alert"
	"tocsin/internal/notice"
)

// plainText says a notice in text alone, in at most so many characters. It is the message where a
// layout is refused, and otherwise what notifications and screen readers tell; links are of use in the
// first case only.
func plainText(n notice.Notice, most int, links bool) string {
	s := summarise(n)
	head := headline(n, s)
	if line := escalation(n.Escalation); line != "" && n.Escalation.Answer == notice.Unanswered { // the alerts say what answered it
		head = strings.ReplaceAll(strings.ReplaceAll(line, ":rotating_light: ", ""), "*", "") + ": " + head
	}
	if prefix := inline(n.Prefix, prefixMost); prefix != "" {
		head = prefix + " " + head
	}
	var lines []string
	switch {
	case n.Kind == notice.KindHealth && n.Health != nil:
		for _, line := range []string{inline(n.Health.Text, reasonMost/2), inline(n.Health.Hint, noteMost)} {
			if line != "" {
				lines = append(lines, line)
			}
		}
	case n.Kind == notice.KindSummary && n.Summary != nil:
		lines = summaryText(n.Summary)
	case n.Body != "":
		lines = strings.Split(body(n.Body, most/2), "\n")
	case len(n.Items) == 1 && n.Count == 1:
		it := n.Items[0]
		if reason := inline(it.Reason, min(reasonMost, most/2)); reason != "" {
			head += ": " + reason
		}
		lines = append(lines, itemFacts(it)...)
		if links && it.URL != "" {
			if _, ok := target(it.URL); ok {
				lines = append(lines, link(it.URL, "Open in Kibana", most/4))
			}
		}
	default:
		for _, t := range digestTallies(n) {
			lines = append(lines, "• "+number(t.Count)+" × "+ruleName(t.Rule, shortMost))
		}
		for _, t := range n.Tops[:min(len(n.Tops), topsMost)] {
			lines = append(lines, topText(t))
		}
		for _, it := range n.Items {
			lines = append(lines, textLine(s, it, links))
		}
	}
	if note := inline(n.Note, noteMost); note != "" {
		lines = append(lines, note)
	}
	return stacked(head, lines, n, most)
}

// stacked puts lines below the head as far as they fit, and counts the alerts that are not named.
func stacked(head string, lines []string, n notice.Notice, most int) string {
	const tail = 40 // room for "and 1,000,000 more"
	out := head
	left := most - width(head) - tail
	kept := 0
	for _, line := range lines {
		if left -= width(line) + 1; left < 0 {
			break
		}
		out += "\n" + line
		kept++
	}
	dropped := 0
	if cut := len(lines) - kept; cut > 0 && n.Count > 1 {
		dropped = min(cut, len(n.Items))
	}
	if rest := n.Count - len(n.Items) + dropped; rest > 0 && len(n.Items) > 0 {
		out += "\nand " + number(rest) + " more"
	}
	return out
}

// summaryText is the short of a scheduled digest.
func summaryText(s *notice.Summary) []string {
	var lines []string
	for _, r := range s.Rules[:min(len(s.Rules), talliesMost)] {
		lines = append(lines, "• "+number(r.Count)+" × "+ruleName(r.Rule, shortMost))
	}
	for _, h := range s.Held[:min(len(s.Held), 5)] {
		lines = append(lines, "held back: "+number(h.Count)+" "+inline(h.Reason, 120))
	}
	for _, q := range s.Silent[:min(len(s.Silent), 5)] {
		lines = append(lines, "silent: "+inline(q.Source, shortMost))
	}
	return lines
}

// topText is one field of a storm in words.
func topText(t notice.Top) string {
	var parts []string
	for _, v := range t.Values {
		if name := inline(v.Value, 40); name != "" {
			parts = append(parts, name+" "+number(v.Count))
		}
	}
	rest := max(t.Distinct, len(t.Values)) - min(len(parts), 5)
	out := inline(t.Field, labelMost) + ": " + strings.Join(parts[:min(len(parts), 5)], ", ")
	if rest > 0 {
		out += " and " + number(rest) + " more"
	}
	return out
}

func headline(n notice.Notice, s summary) string {
	switch {
	case n.Kind == notice.KindHealth && n.Health != nil:
		head := "Tocsin: " + inline(n.Health.Part, nameMost)
		if dated(n.Health.Ended) {
			return "Over: " + head
		}
		return head
	case n.Kind == notice.KindSummary && n.Summary != nil:
		return strings.TrimSpace(string([]rune(inline(string(n.Summary.Period), 20))) + " digest: " + counted(n.Summary.Seen, "alert"))
	}
	word := look(n.Severity).word
	if n.Severity != alert.SeverityUnknown {
		word += ":"
	}
	if n.Repeat {
		word = "Still open, " + strings.ToLower(word)
	}
	if len(n.Items) == 1 && n.Count == 1 && n.Kind != notice.KindDigest {
		it := n.Items[0]
		head := word + " " + ruleName(it.Rule, nameMost)
		if it.Count > 1 {
			head += " ×" + number(it.Count)
		}
		if host := inline(it.Host, shortMost); host != "" {
			head += " on " + host
		}
		if user := inline(it.User, shortMost); user != "" {
			head += " by " + user
		}
		if what := outcomeWord(it); what != "" {
			head = what + ", " + strings.ToLower(head[:1]) + head[1:]
		}
		if it.Status != alert.StatusClosed || it.State != notice.StateFiring {
			head += done(it)
		}
		return head
	}
	if n.Stands().Over() {
		word = "Over, " + strings.ToLower(word)
	}
	name, _ := s.title(n)
	head := word + " " + name
	for _, part := range []struct {
		word string
		all  []string
	}{{" on ", s.hosts}, {" by ", s.users}} {
		var shown []string
		for _, v := range part.all {
			if v = inline(v, shortMost/2); v != "" {
				shown = append(shown, v)
			}
		}
		if len(shown) > 0 {
			head += part.word + listed(shown, 3, n.Count > len(n.Items))
		}
	}
	return head
}

// outcomeWord is what became of an alert, and who closed one that nothing else became of.
func outcomeWord(it notice.Item) string {
	if it.State == notice.StateFiring && it.Status == alert.StatusClosed {
		return it.Outcome() + doneBy(it)
	}
	return it.Outcome()
}

func digestTallies(n notice.Notice) []notice.Tally {
	if len(n.Tallies) < 2 && n.Kind != notice.KindDigest {
		return nil
	}
	t := slices.Clone(n.Tallies)
	notice.SortTallies(t)
	return t[:min(len(t), talliesMost)]
}

// itemFacts are the few facts that a text alone should not lack.
func itemFacts(it notice.Item) []string {
	var parts []string
	if dated(it.Time) {
		parts = append(parts, utc(it.Time))
	}
	if v := risk(it.Risk); v != "" {
		parts = append(parts, "risk score "+v)
	}
	for _, f := range it.Facts[:min(len(it.Facts), 4)] {
		if v := inline(f.Value, shortMost); v != "" {
			parts = append(parts, cmp.Or(inline(f.Name, labelMost), "value")+" "+v)
		}
	}
	if len(parts) == 0 {
		return nil
	}
	return []string{strings.Join(parts, ", ")}
}

func textLine(s summary, it notice.Item, links bool) string {
	line := "•"
	if dated(it.Time) {
		line += " " + it.Time.UTC().Format("15:04:05")
	}
	if len(s.rules) > 1 {
		line += " " + ruleName(it.Rule, labelMost)
	}
	if host := inline(it.Host, 40); host != "" && len(s.hosts) > 1 {
		line += " on " + host
	}
	if user := inline(it.User, 40); user != "" && len(s.users) > 1 {
		line += " by " + user
	}
	if it.Count > 1 {
		line += " ×" + number(it.Count)
	}
	if reason := inline(it.Reason, 120); reason != "" && !links {
		line += ": " + reason
	}
	return line + done(it)
}

// done is what an analyst did about an alert, who it was and when; nothing while it is open.
func done(it notice.Item) string {
	if it.Status != alert.StatusAcknowledged && it.Status != alert.StatusClosed {
		return ""
	}
	return " (" + string(it.Status) + doneBy(it) + ")"
}

// doneBy is who did something about an alert and when, as far as it is known.
func doneBy(it notice.Item) (s string) {
	if by := inline(it.By, labelMost); by != "" {
		s += " by " + by
	}
	if dated(it.ByAt) {
		s += " at " + utc(it.ByAt)
	}
	return s
}
