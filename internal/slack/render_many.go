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
//	● Rule name — 12 alerts on 3 hosts by 2 users
//	High · today 10:02:11 – 10:04:50 · 2 acknowledged, 3 resolved
//	Hosts         Users
//	web-01, db-1  root
//	10:02:11  web-01  root  why it fired
//	and 4 more
//	▌ highest risk score 73 · T1110 Brute Force
func (r *rendering) many(n notice.Notice) {
	s := summarise(n)
	name, to := s.title(n)
	r.head(title(n, link(to, name, urlMost))+s.whereWho(n), manyState(n))
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
	if n.Body != "" {
		if own := body(n.Body, min(bodyMost, totalMost-r.width()-100)); own != "" {
			r.pack(strings.Split(own, "\n"))
			return
		}
	}
	if reason := literal(s.reason, valueMost); reason.Text != "" {
		r.add(block{Type: "section", Text: reason})
	}
	r.pack(s.lines(n, totalMost-r.width()-100))
}

// brief is an alert's sentence without the end that Kibana gives each: its severity and its rule, which stand
// elsewhere.
func brief(it notice.Item) string {
	if at := strings.LastIndex(it.Reason, " created "+it.Severity.String()+" alert "); at > 0 {
		return it.Reason[:at]
	}
	return it.Reason
}

// whereWho is the one host and the one user that all alerts have.
func (s summary) whereWho(n notice.Notice) string {
	if n.Count > len(n.Items) || s.bare {
		return ""
	}
	out := ""
	if len(s.hosts) == 1 {
		if host := code(s.hosts[0], shortMost); host != "" {
			out += " on " + host
		}
	}
	if len(s.users) == 1 {
		if user := code(s.users[0], shortMost); user != "" {
			out += " by " + user
		}
	}
	return out
}

// manyState is how bad, since when, and what became of some.
func manyState(n notice.Notice) []string {
	state := []string{severityWord(n.Severity), period(n.Since, n.Until)}
	stands := n.Stands()
	if stands.Over() {
		word := "*All over*"
		switch n.Count {
		case stands.Resolved:
			switch unfollowed(n) {
			case 0:
				word = "*All resolved*"
			case len(n.Items):
				word = "*No longer followed*"
				if reason := inline(n.Items[0].StateWhy, labelMost); reason != "" {
					word += ": " + reason
				}
			}
		case stands.Closed:
			word = "*All closed*"
		case stands.Withdrawn:
			word = "*All withdrawn*: what came late undid them"
		}
		state = append([]string{word}, state...)
		if n.Severity != alert.SeverityUnknown {
			state[1] = "was " + strings.ToLower(look(n.Severity).word)
		}
	}
	if n.Repeat {
		state = append(state, ":repeat: still open")
	}
	if some := standing(stands, unfollowed(n)); some != "" && !(stands.Over() && !strings.Contains(some, ",")) {
		state = append(state, some)
	}
	return state
}

// unfollowed counts the alerts named of which nobody knows whether they go on.
func unfollowed(n notice.Notice) (count int) {
	for i := range n.Items {
		if it := &n.Items[i]; it.State == notice.StateUnfollowed && it.Status != alert.StatusClosed {
			count++
		}
	}
	return count
}

// standing says what became of some alerts; nothing while all are open.
func standing(s notice.Standing, unfollowed int) string {
	var parts []string
	unfollowed = min(unfollowed, s.Resolved)
	for _, p := range []struct {
		n    int
		word string
	}{{s.Acknowledged, "acknowledged"}, {s.Resolved - unfollowed, "resolved"}, {unfollowed, "no longer followed"}, {s.Closed, "closed"}, {s.Withdrawn, "withdrawn"}} {
		if p.n > 0 {
			parts = append(parts, number(p.n)+" "+p.word)
		}
	}
	return strings.Join(parts, ", ")
}

// storm is the live message of many alerts that share some fields:
//
//	● Rule name — 340 alerts
//	High · today 10:02:11 – 10:45:02 · 12 hosts, 3 users
//	host.name            alerts
//	web-01  ████████████    140
//	db-1    █████            60
//	and 10 more with 140 alerts
//	▌ highest risk score 73 · details in the thread
func (r *rendering) storm(n notice.Notice) {
	s := summarise(n)
	name, to := s.title(n)
	state := manyState(n)
	var spread []string
	for _, t := range n.Tops[:min(len(n.Tops), topsMost)] {
		if d := max(t.Distinct, len(t.Values)); d > 0 {
			spread = append(spread, plural(d, t.Field))
		}
	}
	if len(spread) > 0 {
		state = append(state, strings.Join(spread, ", "))
	}
	r.head(title(n, link(to, name, urlMost)), state)
	if n.Body != "" {
		if own := body(n.Body, bodyMost/2); own != "" {
			r.pack(strings.Split(own, "\n"))
		}
	} else if len(n.Items) > 0 && len(s.rules) == 1 {
		if reason := literal(n.Items[len(n.Items)-1].Reason, valueMost); reason.Text != "" {
			r.add(block{Type: "section", Text: reason})
		}
	}
	if lines := s.tallyLines(n); len(lines) > 0 {
		r.pack(lines)
	}
	for _, t := range n.Tops[:min(len(n.Tops), topsMost)] {
		if b := topBlock(t, n.Count, min(sectionMost, totalMost-r.width()-2000)); b != "" {
			r.add(block{Type: "section", Text: mrkdwn(b), Expand: true})
		}
	}
	var parts []string
	if v := risk(s.risk); v != "" {
		parts = append(parts, "Highest risk score *"+v+"*")
	}
	parts = append(parts, attack(n.Items))
	if s.ruleURL != "" && s.ruleURL != to {
		parts = append(parts, link(s.ruleURL, "Rule", listURLMost))
	}
	if len(n.Thread) > 0 {
		parts = append(parts, ":thread: details in the thread")
	}
	r.foot(color(n), parts, n.Note)
}

const topsMost = 3

// plural counts the values of a field in people's words.
func plural(n int, field string) string {
	switch field {
	case "host.name":
		return counted(n, "host")
	case "user.name":
		return counted(n, "user")
	case "rule.name":
		return counted(n, "rule")
	case "source.ip":
		return counted(n, "source")
	case "destination.ip":
		return counted(n, "destination")
	}
	if n == 1 {
		return "1 value of " + inline(field, labelMost)
	}
	return number(n) + " values of " + inline(field, labelMost)
}

// summary is what the alerts of a notice have in common.
type summary struct {
	rules        []string
	hosts, users []string
	ruleURL      string // of the one rule there is
	url          string // of the first alert
	severities   int
	risk         float64
	bare         bool   // some alert has no host or no user
	reason       string // the sentence of all alerts, where it is the same
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
		s.bare = s.bare || it.Host == "" || it.User == ""
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
	if len(n.Items) > 1 && !slices.ContainsFunc(n.Items, func(it notice.Item) bool { return it.Reason != n.Items[0].Reason }) {
		s.reason = brief(n.Items[0])
	}
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
		if len(names.all) == 1 && s.whereWho(n) != "" { // it is in the title
			continue
		}
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
	if d.reason > 0 && s.reason == "" {
		add(inline(brief(it), d.reason))
	}
	if d.linked {
		if _, ok := target(it.URL); ok {
			add(link(it.URL, "view", listURLMost))
		}
	}
	if it.Late {
		add(":hourglass: late")
	}
	add(outcome(it))
	add(status(it))
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
