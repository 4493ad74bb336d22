package slack

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"tocsin/internal/alert"
	"tocsin/internal/notice"
)

const (
	listMost = 8 // lines of a digest's list
	tuneMost = 3
)

// summary lays out a scheduled digest:
//
//	Daily digest — 1,284 alerts
//	Nov 23 06:00 – Nov 24 06:00 · 12 % more than before
//	said 41 · grouped 1,100 · silenced 120 · ...
//	rule                 alerts  said  false
//	SSH brute force         900    12      3
//	Hosts               Users
//	web-01 (140)        root (200)
//	Held back · Silent · Never fired · False positives · To tune
func (r *rendering) summary(n notice.Notice) {
	s := n.Summary
	name := map[notice.Period]string{notice.Hourly: "Hourly digest", notice.Daily: "Daily digest", notice.Weekly: "Weekly digest"}[s.Period]
	heading := cmp.Or(name, "Digest") + " — " + counted(s.Seen, "alert")
	line := ":bar_chart: " + bold(link(s.URL, heading, urlMost))
	if prefix := inline(n.Prefix, prefixMost); prefix != "" {
		line = prefix + " " + line
	}
	r.head(line, []string{period(s.From, s.To), compared(s.Seen, s.Before)})
	if fates := fateLine(s.Fates); fates != "" {
		r.add(block{Type: "section", Text: mrkdwn(fates)})
	}
	if table := ruleBlock(s.Rules); table != "" {
		r.add(block{Type: "section", Text: mrkdwn(table), Expand: true})
	}
	var tops []*text
	for _, t := range s.Tops[:min(len(s.Tops), 4)] {
		if f := topField(t); f != nil {
			tops = append(tops, f)
		}
	}
	r.fields(tops)
	r.list("Held back", heldLines(s.Held), "reason")
	if s.Judged > 0 {
		r.add(block{Type: "section", Text: mrkdwn("*False positives*\n" + number(s.False) + " of " + counted(s.Judged, "closed alert") + percent(s.False, s.Judged))})
	}
	r.list("To tune", tuneLines(s.Tune), "rule")
	r.list("Silent sources", silentLines(s.Silent), "source")
	if line := neverLine(s.Never); line != "" {
		r.add(block{Type: "section", Text: mrkdwn("*Rules that never fired*\n" + line)})
	}
	if s.Waited > 0 {
		r.add(block{Type: "section", Text: mrkdwn("*" + counted(s.Waited, "alert") + "* waited for this digest through the quiet hours:")})
	}
	r.foot(look(n.Severity).color, nil, n.Note)
	if len(n.Items) > 0 {
		m := n
		m.Count = max(n.Count, len(n.Items))
		r.pack(summarise(m).lines(m, totalMost-r.width()-100))
	}
}

// compared says how much more or less there was than before.
func compared(now, before int) string {
	switch {
	case before <= 0 || now < 0:
		return ""
	case now == before:
		return "as many as before"
	}
	more := "more"
	if now < before {
		more = "fewer"
	}
	share := math.Abs(float64(now)-float64(before)) / float64(before)
	switch {
	case share >= 9.95:
		return number(int(min(math.Round(float64(now)/float64(before)), 1e6))) + " times as many as before"
	case share < 0.005:
		return "about as many as before"
	}
	return number(int(math.Round(share*100))) + " % " + more + " than before"
}

func percent(n, of int) string {
	if of <= 0 || n < 0 || n > of {
		return ""
	}
	return " (" + number(int(math.Round(float64(n)*100/float64(of)))) + " %)"
}

// fateSigns are how the fates are shown.
var fateSigns = map[alert.Fate]string{
	alert.Sent: ":bell:", alert.Grouped: ":package:", alert.Pending: ":hourglass_flowing_sand:", alert.Silenced: ":mute:",
	alert.Suppressed: ":repeat:", alert.Excluded: ":no_entry:", alert.Shadow: ":ghost:", alert.Failed: ":x:",
}

func fateLine(fates []notice.FateOf) string {
	var parts []string
	for _, f := range fates[:min(len(fates), len(alert.Fates))] {
		if sign := fateSigns[f.Fate]; f.Count > 0 && sign != "" {
			parts = append(parts, sign+" *"+number(f.Count)+"* "+string(f.Fate))
		}
	}
	return strings.Join(parts, "   ")
}

// ruleBlock is what each rule did.
func ruleBlock(rules []notice.RuleOf) string {
	if len(rules) == 0 {
		return ""
	}
	g := &grid{head: []string{"", "rule", "alerts", "said"}, right: []bool{false, false, true, true}}
	judged := slices.ContainsFunc(rules, func(r notice.RuleOf) bool { return r.False > 0 })
	if judged {
		g.head, g.right = append(g.head, "false"), append(g.right, true)
	}
	for _, r := range rules[:min(len(rules), tableRows)] {
		row := []string{severityMark(r.Severity), clip(ruleName(r.Rule, nameMost), cellMost), number(r.Count), number(r.Said)}
		row[1] = clip(cmp.Or(tidy(r.Rule), "Alert without a rule"), cellMost)
		if judged {
			row = append(row, number(r.False))
		}
		g.rows = append(g.rows, row)
	}
	count := func(shown int) string {
		rest, alerts := len(rules)-shown, 0
		for _, r := range rules[shown:] {
			alerts += r.Count
		}
		if rest == 0 {
			return ""
		}
		return "and " + counted(rest, "more rule") + " with " + counted(alerts, "alert")
	}
	g.tail = count(len(g.rows))
	return g.block(tableMost, count)
}

// severityMark is a severity where there are no colours.
func severityMark(s alert.Severity) string {
	switch s {
	case alert.SeverityCritical:
		return "!!!"
	case alert.SeverityHigh:
		return "!!"
	case alert.SeverityMedium:
		return "!"
	}
	return ""
}

// topField lists the most frequent values of a field.
func topField(t notice.Top) *text {
	var lines []string
	for _, v := range t.Values[:min(len(t.Values), 5)] {
		if c := code(v.Value, shortMost); c != "" {
			lines = append(lines, c+"  "+number(v.Count))
		}
	}
	if len(lines) == 0 {
		return nil
	}
	if rest := max(t.Distinct, len(t.Values)) - len(lines); rest > 0 {
		lines = append(lines, "and "+number(rest)+" more")
	}
	label := map[string]string{"host.name": "Top hosts", "user.name": "Top users", "source.ip": "Top sources"}[t.Field]
	if label == "" {
		label = "Top " + cmp.Or(inline(t.Field, labelMost), "values")
	}
	return mrkdwn(bold(label) + "\n" + strings.Join(lines, "\n"))
}

// list is a labelled list of lines, cut.
func (r *rendering) list(label string, lines []string, noun string) {
	if len(lines) == 0 {
		return
	}
	shown := lines[:min(len(lines), listMost)]
	out := append([]string{"*" + label + "*"}, shown...)
	if rest := len(lines) - len(shown); rest > 0 {
		out = append(out, "and "+counted(rest, "more "+noun))
	}
	r.pack(out)
}

func heldLines(held []notice.Held) []string {
	var out []string
	for _, h := range held[:min(len(held), 100)] {
		sign := cmp.Or(fateSigns[h.Fate], "•")
		line := sign + " *" + number(h.Count) + "* " + inline(string(h.Fate), labelMost)
		if why := inline(h.Reason, 120); why != "" {
			line += ": " + why
		}
		out = append(out, line)
	}
	return out
}

func tuneLines(tune []notice.Tune) []string {
	var out []string
	for i, t := range tune[:min(len(tune), tuneMost)] {
		line := number(i+1) + ". " + link(t.URL, ruleName(t.Rule, shortMost), listURLMost)
		if why := inline(t.Reason, 160); why != "" {
			line += ": " + why
		}
		if try := inline(t.Try, 160); try != "" {
			line += " → " + try
		}
		out = append(out, line)
	}
	return out
}

func silentLines(silent []notice.Silent) []string {
	var out []string
	for _, s := range silent[:min(len(silent), 100)] {
		line := ":zzz: " + cmp.Or(code(s.Source, shortMost), "a source")
		if at := moment(s.Since, fullTime); at != "" {
			line += " since " + at
		} else {
			line += " has brought nothing yet"
		}
		out = append(out, line)
	}
	return out
}

func neverLine(never []string) string {
	var names []string
	for _, name := range never[:min(len(never), 1000)] {
		names = append(names, ruleName(name, 40))
	}
	return listed(names, 6, false)
}
