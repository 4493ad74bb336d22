package slack

import (
	"cmp"
	"strings"

	"tocsin/internal/alert"
	"tocsin/internal/notice"
)

// factsMost is how many of an alert's facts are shown beside host and user.
const factsMost = 8

// alert lays out a message about one alert:
//
//	● Rule name (links to the alert) on `web-01` by `root`
//	High · 312 times · today 10:02:11 – 10:04:50 · acknowledged
//	why it fired
//	source.ip     process.name
//	203.0.113.7   sshd
//	the rows of a run, or its measure over time
//	▌ risk 73 · T1110 Brute Force · Open in Kibana · Rule · Runbook
func (r *rendering) alert(n notice.Notice) {
	it := n.Items[0]
	opens, _ := target(it.URL)
	rule, _ := target(it.RuleURL)
	name := linked(cmp.Or(opens, rule), ruleName(it.Rule, nameMost), urlMost)
	r.head(title(n, name)+whereWho(it), itemState(n, it))
	r.said(n, it)
	if table := rowsBlock(it.Table, sectionMost); table != "" {
		r.add(block{Type: "section", Text: mrkdwn(table), Expand: true})
	} else {
		r.fields(factFields(it.Facts[:min(len(it.Facts), factsMost)]))
	}
	if line := sparkLine(it.Chart); line != "" {
		r.add(block{Type: "context", Elements: []*text{mrkdwn(line)}})
	}

	var parts []string
	if s := risk(it.Risk); s != "" {
		parts = append(parts, "Risk score *"+s+"*")
	}
	parts = append(parts, attack(n.Items))
	if opens != "" {
		parts = append(parts, linked(opens, "Open in Kibana", urlMost))
	}
	if rule != "" && opens != "" && rule != opens {
		parts = append(parts, linked(rule, "Rule", urlMost))
	}
	if to, ok := target(it.Runbook); ok {
		parts = append(parts, linked(to, "Runbook", listURLMost))
	}
	if owner := inline(it.Owner, labelMost); owner != "" {
		parts = append(parts, "owner "+owner)
	}
	r.foot(color(n), parts, n.Note)
}

// whereWho ends the title with the host and the user.
func whereWho(it notice.Item) string {
	s := ""
	if host := code(it.Host, shortMost); host != "" {
		s += " on " + host
	}
	if user := code(it.User, shortMost); user != "" {
		s += " by " + user
	}
	return s
}

// itemState is how bad, how often and since when.
func itemState(n notice.Notice, it notice.Item) []string {
	var state []string
	add := func(s string) {
		if s != "" {
			state = append(state, s)
		}
	}
	over := outcome(it)
	add(over)
	if over == "" {
		add(severityWord(n.Severity))
	} else if word := look(n.Severity).word; n.Severity != alert.SeverityUnknown {
		add("was " + strings.ToLower(word))
	}
	switch {
	case it.Table != nil && it.Count > 0:
		add("*" + counted(it.Count, "row") + "*")
	case it.Count > 1:
		add("*" + counted(it.Count, "time") + "*")
	}
	since, until := it.First, it.Last
	if !dated(since) {
		since, until = it.Time, it.Time
	}
	add(period(since, until))
	if n.Repeat {
		add(":repeat: still open")
		if dated(since) && it.Last.Sub(since) >= minute {
			add("for " + lasting(it.Last.Sub(since)))
		}
	}
	if it.Late {
		add(":hourglass: arrived late")
	}
	add(status(it))
	return state
}

// outcome says that an alert is over, and when; nothing while it is not.
func outcome(it notice.Item) string {
	s, why := "", ""
	switch {
	case it.State == notice.StateResolved:
		s = "*Resolved*"
	case it.State == notice.StateUnfollowed:
		s = "*No longer followed*"
		if reason := inline(it.StateWhy, labelMost); reason != "" {
			why = ": " + reason
		}
	case it.State == notice.StateWithdrawn:
		s, why = "*Withdrawn*", ": what came late undid it"
	case it.State == notice.StateMerged:
		s = "*Part of a longer alert*"
	case it.Status == alert.StatusClosed:
		return "*Closed*" + byAt(it, clockTime)
	default:
		return ""
	}
	if at := moment(it.StateAt, clockTime); at != "" {
		s += " at " + at
	}
	return s + why
}

// said is the route's own text, or the alert's sentence.
func (r *rendering) said(n notice.Notice, it notice.Item) {
	if n.Body != "" {
		if own := body(n.Body, bodyMost); own != "" {
			r.pack(strings.Split(own, "\n"))
			return
		}
	}
	if reason := literal(it.Reason, reasonMost); reason.Text != "" {
		r.add(block{Type: "section", Text: reason, Expand: true})
	}
}

// factFields makes fields of labelled values and leaves out what is empty.
func factFields(facts []alert.Fact) []*text {
	var out []*text
	for _, f := range facts {
		value := code(f.Value, valueMost)
		if value == "" {
			continue
		}
		label := inline(f.Name, labelMost)
		if label == "" {
			label = "Value"
		}
		out = append(out, mrkdwn(bold(label)+"\n"+value))
	}
	return out
}

// severityWord is empty for an alert that tells no severity.
func severityWord(s alert.Severity) string {
	if l := look(s); l != looks[alert.SeverityUnknown] {
		return bold(l.word)
	}
	return ""
}

// head appends the title and, below it, the parts of the state that are there.
func (r *rendering) head(title string, state []string) {
	var parts []string
	for _, p := range state {
		if p != "" {
			parts = append(parts, p)
		}
	}
	if len(parts) > 0 {
		title += "\n" + strings.Join(parts, "  ·  ")
	}
	r.add(block{Type: "section", Text: mrkdwn(title)})
}
