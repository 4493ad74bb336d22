package notify

import (
	"cmp"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"tocsin/internal/alert"
	"tocsin/internal/notice"
)

// The most characters of a subject and of one line.
const (
	titleMost = 180
	lineMost  = 400
	bodyMost  = 12000
)

// short is foreign text as one line that shows what it says: no control characters, nothing that turns the
// direction of writing or hides, single spaces, at most so many characters.
func short(s string, most int) string {
	var b strings.Builder
	space, n := false, 0
	for _, r := range s {
		switch {
		case unicode.IsSpace(r), unicode.IsControl(r):
			space = b.Len() > 0
			continue
		case r == utf8.RuneError, unicode.In(r, unicode.Cf, unicode.Co, unicode.Cs):
			continue
		}
		if n >= most-1 {
			return strings.TrimRight(b.String(), " ") + "…"
		}
		if space {
			b.WriteByte(' ')
			n++
			space = false
		}
		b.WriteRune(r)
		n++
	}
	return b.String()
}

// title is a notice in one line: how bad, what, who and where, how often.
func title(n notice.Notice) string {
	var parts []string
	if p := short(n.Prefix, 60); p != "" {
		parts = append(parts, p)
	}
	switch {
	case n.Kind == notice.KindHealth && n.Health != nil:
		if !n.Health.Ended.IsZero() {
			parts = append(parts, "Over:")
		}
		return short(strings.Join(append(parts, "Tocsin:", short(n.Health.Part, 120)), " "), titleMost)
	case n.Kind == notice.KindSummary && n.Summary != nil:
		return short(strings.Join(append(parts, fmt.Sprintf("%s: %d alerts", periodName(n.Summary.Period), n.Summary.Seen)), " "), titleMost)
	}
	if n.Repeat {
		parts = append(parts, "Still open:")
	}
	if e := n.Escalation; e != nil && e.Answer == notice.Unanswered {
		parts = append(parts, "Nobody came:")
	}
	if n.Stands().Over() {
		word := "Over:"
		if n.Count <= 1 && len(n.Items) == 1 {
			word = cmp.Or(n.Items[0].Outcome(), "Open") + ":"
		}
		parts = append(parts, word)
	}
	if n.Severity != alert.SeverityUnknown {
		parts = append(parts, "["+strings.ToUpper(n.Severity.String())+"]")
	}
	count := max(n.Count, len(n.Items))
	switch rules := rulesOf(n); {
	case count == 1 && len(n.Items) == 1:
		it := n.Items[0]
		parts = append(parts, ruleName(it.Rule))
		if who := whoWhere(it); who != "" {
			parts = append(parts, who)
		}
	case len(rules) == 1:
		parts = append(parts, fmt.Sprintf("%d × %s", count, ruleName(rules[0])))
	default:
		parts = append(parts, fmt.Sprintf("%d alerts of %d rules", count, max(len(rules), 1)))
	}
	return short(strings.Join(parts, " "), titleMost)
}

// rulesOf are the names of the rules a notice stands for, the worst first.
func rulesOf(n notice.Notice) []string {
	var names []string
	seen := map[string]bool{}
	add := func(name string) {
		if !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	for _, t := range n.Tallies {
		add(t.Rule)
	}
	for _, it := range n.Items {
		add(it.Rule)
	}
	return names
}

func ruleName(name string) string {
	if name = short(name, 120); name == "" {
		return "alert without a rule"
	}
	return name
}

func whoWhere(it notice.Item) string {
	user, host := short(it.User, 60), short(it.Host, 60)
	switch {
	case user != "" && host != "":
		return user + " on " + host
	case user != "":
		return user
	case host != "":
		return "on " + host
	}
	return ""
}

// lines are a notice as plain text below its title.
func lines(n notice.Notice) []string {
	var out []string
	if n.Escalation != nil {
		out = append(out, escalated(n.Escalation))
	}
	switch {
	case n.Kind == notice.KindHealth && n.Health != nil:
		out = append(out, healthLines(n.Health)...)
	case n.Kind == notice.KindSummary && n.Summary != nil:
		out = append(out, summaryLines(n.Summary)...)
	}
	for _, f := range n.GroupBy {
		if v := short(f.Value, 200); v != "" {
			out = append(out, short(f.Name, 60)+": "+v)
		}
	}
	if len(n.Tallies) > 1 {
		for _, t := range n.Tallies {
			out = append(out, fmt.Sprintf("%d × %s (%s)", t.Count, ruleName(t.Rule), t.Severity))
		}
	}
	if own := n.Said(); own != "" {
		for _, l := range strings.Split(own, "\n") {
			if l = short(l, lineMost); l != "" {
				out = append(out, l)
			}
		}
	}
	for _, it := range n.Items {
		out = append(out, item(it, n.Body == "")...)
	}
	if rest := n.Count - len(n.Items); rest > 0 && len(n.Items) > 0 {
		out = append(out, fmt.Sprintf("and %d more", rest))
	}
	if n.BodyError != "" {
		out = append(out, short("The route's template failed at "+n.BodyError+". This is the usual message.", lineMost))
	}
	if note := short(n.Note, lineMost); note != "" {
		out = append(out, note)
	}
	return out
}

// item is one alert as text: what it is and what became of it, and in full what it says.
func item(it notice.Item, full bool) []string {
	head := []string{"•", it.Time.UTC().Format(time.RFC3339), ruleName(it.Rule)}
	if who := whoWhere(it); who != "" {
		head = append(head, who)
	}
	if it.Count > 1 {
		head = append(head, fmt.Sprintf("(%d events)", it.Count))
	}
	if it.Late {
		head = append(head, "(late)")
	}
	if it.State != notice.StateFiring {
		state := strings.ToLower(it.Outcome())
		if !it.StateAt.IsZero() {
			state += " at " + clock(it.StateAt)
		}
		if why := short(it.StateWhy, 120); why != "" {
			state += ": " + why
		}
		head = append(head, "("+state+")")
	}
	if it.Status == alert.StatusAcknowledged || it.Status == alert.StatusClosed {
		head = append(head, "("+string(it.Status)+doneBy(it.By, it.ByAt)+")")
	}
	out := []string{short(strings.Join(head, " "), lineMost)}
	if !full {
		return out
	}
	if it.Reason != "" {
		out = append(out, "  "+short(it.Reason, lineMost))
	}
	for _, f := range it.Facts {
		if v := short(f.Value, 200); v != "" {
			out = append(out, "  "+short(f.Name, 60)+": "+v)
		}
	}
	if it.Table != nil {
		out = append(out, tableLines(it.Table)...)
	}
	if it.Chart != nil {
		if l := chartLine(it.Chart); l != "" {
			out = append(out, l)
		}
	}
	if it.URL != "" {
		out = append(out, "  "+short(it.URL, 1000))
	}
	return out
}

// body joins the lines as far as they fit, and says how many do not.
func body(all []string, most int) string {
	var b strings.Builder
	left := most - 40
	for i, l := range all {
		if left -= utf8.RuneCountInString(l) + 1; left < 0 {
			fmt.Fprintf(&b, "and %d more lines", len(all)-i)
			break
		}
		b.WriteString(l)
		b.WriteByte('\n')
	}
	return strings.TrimRight(b.String(), "\n")
}
