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
//	● Rule name (links to the alert)
//	Critical · today 10:02:11 · acknowledged
//	why it fired
//	Host      User
//	web-01    root
//	▌ risk 73 · T1110 Brute Force · Open in Kibana · Rule
func (r *rendering) alert(n notice.Notice) {
	it := n.Items[0]
	state := []string{severityWord(n.Severity), period(it.Time, it.Time)}
	if it.Count > 1 {
		state = append(state, "*"+counted(it.Count, "time")+"*")
	}
	if n.Repeat {
		state = append(state, ":repeat: still open")
	}
	if it.Late {
		state = append(state, ":hourglass: arrived late")
	}
	state = append(state, status(it.Status))
	opens, _ := target(it.URL)
	rule, _ := target(it.RuleURL)
	r.head(title(n, linked(cmp.Or(opens, rule), ruleName(it.Rule, nameMost), urlMost)), state)

	if reason := literal(it.Reason, reasonMost); reason.Text != "" {
		r.add(block{Type: "section", Text: reason, Expand: true})
	}
	facts := append([]alert.Fact{{Name: "Host", Value: it.Host}, {Name: "User", Value: it.User}}, it.Facts[:min(len(it.Facts), factsMost)]...)
	r.fields(factFields(facts))

	var parts []string
	if s := risk(it.Risk); s != "" {
		parts = append(parts, "Risk score *"+s+"*")
	}
	parts = append(parts, attack(n.Items))
	if opens != "" {
		parts = append(parts, linked(opens, "Open in Kibana", urlMost))
	}
	if rule != "" && rule != opens {
		parts = append(parts, linked(rule, "Rule", urlMost))
	}
	r.foot(color(n), parts, n.Note)
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
