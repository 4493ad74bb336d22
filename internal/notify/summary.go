package notify

import (
	"fmt"
	"strings"
	"time"

	"tocsin/internal/notice"
)

// The most lines of each list of a digest.
const (
	listMost  = 8
	tableMost = 15
)

// periodName is what a scheduled digest is called.
func periodName(p notice.Period) string {
	switch p {
	case notice.Hourly:
		return "Hourly digest"
	case notice.Daily:
		return "Daily digest"
	case notice.Weekly:
		return "Weekly digest"
	}
	return "Digest"
}

// summaryLines are a scheduled digest as plain text below its title.
func summaryLines(s *notice.Summary) []string {
	out := []string{clock(s.From) + " to " + clock(s.To)}
	if s.Before > 0 {
		out[0] += fmt.Sprintf(", %d before that", s.Before)
	}
	var fates []string
	for _, f := range s.Fates {
		if f.Count > 0 {
			fates = append(fates, fmt.Sprintf("%d %s", f.Count, f.Fate))
		}
	}
	if len(fates) > 0 {
		out = append(out, strings.Join(fates, ", "))
	}
	list := func(title string, lines []string) {
		if len(lines) == 0 {
			return
		}
		out = append(out, title+":")
		for _, l := range lines[:min(len(lines), listMost)] {
			out = append(out, "  "+short(l, lineMost))
		}
		if rest := len(lines) - listMost; rest > 0 {
			out = append(out, fmt.Sprintf("  and %d more", rest))
		}
	}
	var rules, held, silent, tune, never []string
	for _, r := range s.Rules {
		line := fmt.Sprintf("%d × %s (%s)", r.Count, ruleName(r.Rule), r.Severity)
		if r.False > 0 {
			line += fmt.Sprintf(", %d false positives", r.False)
		}
		rules = append(rules, line)
	}
	for _, h := range s.Held {
		held = append(held, fmt.Sprintf("%d %s: %s", h.Count, h.Fate, short(h.Reason, 200)))
	}
	for _, q := range s.Silent {
		line := short(q.Source, 120)
		if !q.Since.IsZero() {
			line += " since " + clock(q.Since)
		}
		silent = append(silent, line)
	}
	for _, t := range s.Tune {
		line := ruleName(t.Rule) + ": " + short(t.Reason, 200)
		if try := short(t.Try, 200); try != "" {
			line += " (" + try + ")"
		}
		tune = append(tune, line)
	}
	for _, name := range s.Never {
		never = append(never, ruleName(name))
	}
	list("Rules", rules)
	for _, t := range s.Tops {
		var values []string
		for _, v := range t.Values[:min(len(t.Values), 5)] {
			values = append(values, fmt.Sprintf("%s (%d)", short(v.Value, 80), v.Count))
		}
		if len(values) > 0 {
			out = append(out, short(t.Field, 60)+": "+strings.Join(values, ", "))
		}
	}
	list("Held back", held)
	if s.Judged > 0 {
		out = append(out, fmt.Sprintf("False positives: %d of %d closed", s.False, s.Judged))
	}
	list("To tune", tune)
	list("Silent sources", silent)
	list("Rules that never fired", never)
	if s.Waited > 0 {
		out = append(out, fmt.Sprintf("%d waited for this digest through the quiet hours:", s.Waited))
	}
	return out
}

// healthLines are trouble of ours as plain text below its title.
func healthLines(h *notice.Health) []string {
	var out []string
	for _, l := range []string{h.Text, h.Hint} {
		if l = short(l, lineMost); l != "" {
			out = append(out, l)
		}
	}
	if !h.Since.IsZero() {
		line := "since " + clock(h.Since)
		if !h.Ended.IsZero() {
			line += " until " + clock(h.Ended)
		}
		out = append(out, line)
	}
	return out
}

// escalated is the line of a message that asks for somebody, or of one that need not any more.
func escalated(e *notice.Escalation) string {
	said := "Nobody has acknowledged this"
	switch e.Answer {
	case notice.AnswerAcknowledged, notice.AnswerClosed:
		said = strings.ToUpper(string(e.Answer)[:1]) + string(e.Answer)[1:] + doneBy(e.By, e.At)
	case notice.AnswerOver:
		said = "This is over"
	default:
		if e.After > 0 {
			said += " for " + e.After.Round(time.Second).String()
		}
		if e.Step > 1 {
			said += fmt.Sprintf(" (asked %d times)", e.Step)
		}
	}
	if from := short(e.From, 80); from != "" {
		said += ", said first in " + from
	}
	return said
}

// tableLines are the rows of a run, as text.
func tableLines(t *notice.Table) []string {
	if len(t.Rows) == 0 {
		return nil
	}
	join := func(cells []string) string {
		out := make([]string, len(cells))
		for i, c := range cells {
			out[i] = short(c, 60)
		}
		return "  " + short(strings.Join(out, " | "), lineMost)
	}
	out := []string{join(t.Columns)}
	for _, row := range t.Rows[:min(len(t.Rows), tableMost)] {
		out = append(out, join(row))
	}
	if rest := max(t.Total, len(t.Rows)) - min(len(t.Rows), tableMost); rest > 0 {
		out = append(out, fmt.Sprintf("  and %d more", rest))
	}
	return out
}

// chartLine is a measure over time in one line; empty for nothing to tell.
func chartLine(c *notice.Chart) string {
	if len(c.Points) == 0 {
		return ""
	}
	last := c.Points[len(c.Points)-1]
	if c.Fired != nil {
		last = *c.Fired
	}
	title := short(c.Title, 80)
	if title == "" {
		title = "value"
	}
	line := fmt.Sprintf("  %s: %.6g at %s", title, last.Value, clock(last.At))
	if c.Threshold != nil {
		line += fmt.Sprintf(", limit %.6g", *c.Threshold)
	}
	return line
}

func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// doneBy is who did something and when, as far as it is known.
func doneBy(by string, at time.Time) (s string) {
	if by = short(by, 60); by != "" {
		s += " by " + by
	}
	if !at.IsZero() {
		s += " at " + clock(at)
	}
	return s
}
