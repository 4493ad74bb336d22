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
	state := []string{"*" + look(n.Severity).word + "*", period(it.Time, it.Time)}
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
	r.section(title(n, ruleName(it.Rule, nameMost), cmp.Or(it.URL, it.RuleURL)) + "\n" + joined(state))

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
	if _, ok := target(it.URL); ok {
		parts = append(parts, link(it.URL, "Open in Kibana", urlMost))
	}
	if _, ok := target(it.RuleURL); ok && it.RuleURL != it.URL {
		parts = append(parts, link(it.RuleURL, "Rule", urlMost))
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
		out = append(out, mrkdwn("*"+label+"*\n"+value))
	}
	return out
}

// joined puts the parts that are there on one line.
func joined(parts []string) string {
	var out []string
	for _, p := range parts {
		if p != "" {
			out = append(out, p)
		}
	}
	return strings.Join(out, "  ·  ")
}
