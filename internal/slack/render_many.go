package slack

import (
	"cmp"
	"slices"
	"strings"

	"tocsin/internal/alert"
	"tocsin/internal/notice"
)

const (
	talliesMost = 12
	namesMost   = 4   // hosts or users listed by name
	shortMost   = 80  // a host, a user, a group's value
	listURLMost = 500 // a longer link costs the list too much
)

// many lays out a message about several alerts: the group, or the digest of a channel.
//
//	● Rule name — 12 alerts
//	High · today 10:02:11 – 10:04:50
//	Hosts         Users
//	web-01, db-1  root
//	10:02:11  web-01  root  why it fired
//	and 4 more
//	▌ highest risk score 73 · T1110 Brute Force
func (r *rendering) many(n notice.Notice) {
	s := summarise(n)
	name, to := s.title(n)
	state := []string{severityWord(n.Severity), period(n.Since, n.Until)}
	if n.Repeat {
		state = append(state, ":repeat: still open")
	}
	r.head(title(n, link(to, name, urlMost)), state)
	if lines := s.tallyLines(n); len(lines) > 0 {
		r.pack(lines)
	}
	r.fields(s.fields(n))

	var parts []string
	if v := risk(s.risk); v != "" {
		parts = append(parts, "Highest risk score *"+v+"*")
	}
	parts = append(parts, attack(n.Items))
	if s.ruleURL != "" && s.ruleURL != to {
		parts = append(parts, link(s.ruleURL, "Rule", listURLMost))
	}
	r.foot(color(n), parts, n.Note)
	r.pack(s.lines(n, totalMost-r.width()-100))
}

// summary is what the alerts of a notice have in common.
type summary struct {
	rules        []string
	hosts, users []string
	ruleURL      string // of the one rule there is
	url          string // of the first alert
	severities   int
	risk         float64
}

func summarise(n notice.Notice) summary {
	var s summary
	severities := map[alert.Severity]bool{}
	for _, t := range n.Tallies {
		s.rules = addNew(s.rules, t.Rule)
	}
	for _, it := range n.Items {
		s.rules = addNew(s.rules, it.Rule)
		s.hosts = addNew(s.hosts, it.Host)
		s.users = addNew(s.users, it.User)
		severities[it.Severity] = true
		s.risk = max(s.risk, it.Risk)
		if s.ruleURL == "" {
			s.ruleURL = it.RuleURL
		}
		if s.url == "" {
			s.url = it.URL
		}
	}
	s.severities = len(severities)
	if len(s.rules) > 1 {
		s.ruleURL = ""
	}
	return s
}

func addNew(list []string, v string) []string {
	if v == "" || slices.Contains(list, v) {
		return list
	}
	return append(list, v)
}

// title is the name of the whole and where it links to.
func (s summary) title(n notice.Notice) (name, to string) {
	alerts := counted(n.Count, "alert")
	if n.Count == 0 {
		alerts = "Alerts"
	}
	switch {
	case n.Kind == notice.KindDigest && len(s.rules) > 1:
		return "Digest — " + alerts + " of " + counted(len(s.rules), "rule"), ""
	case n.Kind == notice.KindDigest:
		return "Digest — " + alerts, ""
	case len(s.rules) > 1:
		return alerts + " of " + counted(len(s.rules), "rule"), ""
	case len(s.rules) == 1:
		return ruleName(s.rules[0], nameMost) + " — " + alerts, s.ruleURL
	default:
		return alerts, ""
	}
}

// tallyLines counts the alerts of each rule, worst first. One rule alone is named in the title, except
// a digest's.
func (s summary) tallyLines(n notice.Notice) []string {
	if len(n.Tallies) == 0 || len(n.Tallies) == 1 && n.Kind != notice.KindDigest {
		return nil
	}
	tallies := slices.Clone(n.Tallies)
	notice.SortTallies(tallies)
	var lines []string
	for _, t := range tallies[:min(len(tallies), talliesMost)] {
		lines = append(lines, look(t.Severity).icon+" *"+number(t.Count)+"* × "+ruleName(t.Rule, shortMost))
	}
	if rest := tallies[len(lines):]; len(rest) > 0 {
		sum := 0
		for _, t := range rest {
			sum += t.Count
		}
		lines = append(lines, "and "+counted(len(rest), "more rule")+" with "+counted(sum, "alert"))
	}
	return lines
}

// fields are what the group is of, and its hosts and users.
func (s summary) fields(n notice.Notice) []*text {
	var out []*text
	for _, f := range n.GroupBy[:min(len(n.GroupBy), 4)] {
		if f.Name == "rule.name" && len(s.rules) == 1 { // it is the title
			continue
		}
		if v := code(f.Value, shortMost); v != "" {
			out = append(out, mrkdwn(bold(cmp.Or(inline(f.Name, labelMost), "Group"))+"\n"+v))
		}
	}
	for _, names := range []struct {
		one, many string
		all       []string
	}{{"Host", "Hosts", s.hosts}, {"User", "Users", s.users}} {
		var shown []string
		for _, v := range names.all {
			if c := code(v, shortMost); c != "" {
				shown = append(shown, c)
			}
		}
		label := names.many
		if len(shown) == 1 && n.Count <= len(n.Items) {
			label = names.one
		}
		if len(shown) > 0 {
			out = append(out, mrkdwn("*"+label+"*\n"+listed(shown, namesMost, n.Count > len(n.Items))))
		}
	}
	return out
}

// detail is how much a line of the list says.
type detail struct {
	rule, name, reason int
	linked             bool
}

var details = []detail{
	{rule: 80, name: 60, reason: 80, linked: true},
	{rule: 60, name: 50, reason: 50, linked: true},
	{rule: 50, name: 40, reason: 0, linked: true},
	{rule: 50, name: 40, reason: 60, linked: false},
	{rule: 50, name: 40, reason: 0, linked: false},
}

// lines names every alert on a line of its own, in as much detail as fits, and counts the rest.
func (s summary) lines(n notice.Notice, most int) []string {
	var lines []string
	for _, d := range details {
		lines = lines[:0]
		total := 0
		for _, it := range n.Items {
			line := s.line(n, it, d)
			lines = append(lines, line)
			total += width(line) + 1
		}
		if total <= most {
			break
		}
	}
	if rest := n.Count - len(n.Items); rest > 0 && len(n.Items) > 0 {
		lines = append(lines, "and "+number(rest)+" more")
	}
	return lines
}

// line names one alert. What all of them share is said above and left out.
func (s summary) line(n notice.Notice, it notice.Item, d detail) string {
	pattern := fullTime
	if dated(n.Since) && n.Until.Sub(n.Since) < 12*60*60*1e9 {
		pattern = clockTime
	}
	var parts []string
	add := func(p string) {
		if p != "" {
			parts = append(parts, p)
		}
	}
	mark := "•"
	if s.severities > 1 {
		mark = look(it.Severity).icon
	}
	add(moment(it.Time, pattern))
	if len(s.rules) > 1 {
		add(bold(ruleName(it.Rule, d.rule)))
	}
	if len(s.hosts) > 1 {
		add(code(it.Host, d.name))
	}
	if len(s.users) > 1 {
		add(code(it.User, d.name))
	}
	if it.Count > 1 {
		add("×" + number(it.Count))
	}
	if d.reason > 0 {
		add(inline(it.Reason, d.reason))
	}
	if d.linked {
		if _, ok := target(it.URL); ok {
			add(link(it.URL, "view", listURLMost))
		}
	}
	if it.Late {
		add(":hourglass: late")
	}
	add(status(it.Status))
	if len(parts) == 0 {
		add(ruleName(it.Rule, d.rule))
	}
	return mark + " " + strings.Join(parts, "  ")
}

// pack puts lines into as few sections as hold them.
func (r *rendering) pack(lines []string) {
	for len(lines) > 0 {
		used, n := 0, 0
		for n < len(lines) && (n == 0 || used+width(lines[n])+1 <= sectionMost) {
			used += width(lines[n]) + 1
			n++
		}
		r.add(block{Type: "section", Text: mrkdwn(strings.Join(lines[:n], "\n")), Expand: true})
		lines = lines[n:]
	}
}

// width is the text of all blocks together.
func (r *rendering) width() int {
	total := 0
	count := func(blocks []block) {
		for _, b := range blocks {
			if b.Text != nil {
				total += width(b.Text.Text)
			}
			for _, t := range slices.Concat(b.Fields, b.Elements) {
				total += width(t.Text)
			}
		}
	}
	count(r.blocks)
	for _, a := range r.attachments {
		count(a.Blocks)
	}
	return total
}
