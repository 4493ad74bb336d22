package config

import (
	"slices"
	"strings"
	"time"
)

// InhibitRule hides the alerts of Target while there is one of Source that is equal in the Equal fields.
type InhibitRule struct {
	Name           string // as reasons name it; "inhibit_rules[0]" unless the file says
	Source, Target string // KQL on the alert, known to compile, not empty
	Equal          []string
	// For is how long an alert hides others after it was taken in, unless its condition is still open.
	For time.Duration
}

// Digest is a report said in a channel again and again.
type Digest struct {
	Name     string // unique
	Channel  string
	Every    string // hourly, daily or weekly
	At       int    // minutes since midnight, of hourly ones since the hour
	Weekday  time.Weekday
	Location *time.Location
	Match    string // KQL on the alert: which alerts it counts; empty is all
}

// Retention says how long alerts are kept.
type Retention struct {
	// Alerts is the age from which alerts are forgotten, Documents that from which only their documents are;
	// zero is never.
	Alerts, Documents time.Duration
}

const (
	defaultInhibitFor   = time.Hour
	leastKept           = 24 * time.Hour
	defaultDigestMinute = 8 * 60
)

func (d *decoder) inhibitRules(root *mapping) []InhibitRule {
	items, _ := root.list("inhibit_rules")
	var out []InhibitRule
	for _, it := range items {
		m := d.mapping(it.node, it.key, it.place)
		v := InhibitRule{Name: it.key, Source: m.filter("source_match"), Target: m.filter("target_match"), For: m.duration("for", defaultInhibitFor, time.Second)}
		if m.has("name") {
			if name := d.uniqueName(m, func(name string) bool {
				return slices.ContainsFunc(out, func(o InhibitRule) bool { return o.Name == name })
			}); name != "" {
				v.Name = name
			}
		}
		m.asked = append(m.asked, "name")
		for _, name := range []string{"source_match", "target_match"} {
			if !m.has(name) {
				m.missing(name + ": write a KQL filter; without it the rule would take every alert")
			}
		}
		if fields, ok := d.fieldNames(m, "equal"); ok {
			v.Equal = fields
		}
		m.close()
		out = append(out, v)
	}
	return out
}

// digests reads the reports.
func (d *decoder) digests(root *mapping, slack *Slack) []Digest {
	items, _ := root.list("digests")
	var out []Digest
	for _, it := range items {
		m := d.mapping(it.node, it.key, it.place)
		v := Digest{Name: it.key, Every: "daily", Location: time.UTC, Weekday: time.Monday, Match: m.filter("match"), Channel: d.channel(m)}
		if m.has("name") {
			if name := d.uniqueName(m, func(name string) bool {
				return slices.ContainsFunc(out, func(o Digest) bool { return o.Name == name })
			}); name != "" {
				v.Name = name
			}
		}
		m.asked = append(m.asked, "name")
		if v.Channel == "" && slack != nil {
			v.Channel = slack.Channel
		}
		if every, ok := m.oneOf("every", "hourly", "daily", "weekly"); ok {
			v.Every = every
		}
		if v.Every != "hourly" {
			v.At = defaultDigestMinute
		}
		if m.has("at") {
			if at, ok := d.clock(m, "at"); ok {
				v.At = at
			}
			if v.Every == "hourly" && v.At >= 60 {
				d.problem(m.placeOf("at"), m.key+".at of an hourly digest is the minute of the hour: write a time from 00:00 to 00:59")
			}
		}
		m.asked = append(m.asked, "at")
		if day, ok := m.oneOf("weekday", weekdayNames...); ok {
			v.Weekday = time.Weekday(slices.Index(weekdayNames, day))
			if v.Every != "weekly" {
				d.problem(m.placeOf("weekday"), m.key+".weekday is for weekly digests: write every: weekly, or delete it")
			}
		}
		if t, ok := m.text("location"); ok {
			v.Location = d.location(t)
		}
		m.close()
		out = append(out, v)
	}
	return out
}

func (d *decoder) retention(root *mapping) (r Retention) {
	m := root.section("retention")
	if m == nil {
		return r
	}
	r.Alerts, r.Documents = m.age("alerts"), m.age("documents")
	if r.Alerts > 0 && r.Documents > r.Alerts {
		d.problem(m.placeOf("documents"), "retention.documents is longer than retention.alerts: a document is kept no longer than its alert")
	}
	m.close()
	return r
}

// age reads how long something is kept, where off is zero.
func (m *mapping) age(name string) time.Duration {
	if t, ok := m.word(name); !ok || t.value == "off" {
		return 0
	}
	return m.duration(name, 0, leastKept)
}

// channelFrom reads where a field of the alert names the channel.
func (d *decoder) channelFrom(m *mapping, slack *Slack) *ChannelFrom {
	s := m.section("channel_from")
	if s == nil {
		return nil
	}
	if slack != nil && slack.WebhookURL != "" {
		d.warn(s.place, s.key+" does nothing: a webhook posts to its own channel; use bot_token for several")
	}
	v := &ChannelFrom{Channels: map[string]string{}}
	if t, ok := s.text("field"); ok {
		if notField(t.value) {
			d.wrong(t, "is not a field: write its name, such as team or rule.owner")
		}
		v.Field = t.value
	} else if !s.has("field") {
		s.missing("field: name the field of the alert that says the channel")
	}
	allow, _ := s.texts("allow")
	for _, t := range allow {
		if notChannel(t.value) {
			d.wrong(t, "is not a channel: write its name, such as \"#alerts\", or its id, such as C0123456789")
			continue
		}
		v.Channels[t.value] = t.value
		if name, ok := strings.CutPrefix(t.value, "#"); ok {
			v.Channels[name] = t.value
		}
	}
	if e, ok := s.ask("channels"); ok {
		of := d.mapping(e.value, join(s.key, "channels"), e.place)
		for _, pair := range of.entries {
			t, ok := d.scalar(pair.value, join(of.key, pair.name), pair.valuePlace, false, false)
			switch {
			case !ok:
			case notChannel(t.value):
				d.wrong(t, "is not a channel: write its name, such as \"#alerts\", or its id, such as C0123456789")
			default:
				v.Channels[pair.name] = t.value
			}
		}
	}
	if t, ok := s.text("else"); ok {
		if notChannel(t.value) {
			d.wrong(t, "is not a channel: write its name, such as \"#alerts\", or its id, such as C0123456789")
		}
		v.Else = t.value
	}
	if len(v.Channels) == 0 && !s.broken {
		d.problem(s.place, s.key+" allows no channel: list them under allow, or write values and their channels under channels")
	}
	s.close()
	return v
}

// escalation reads what is done where nobody takes an alert up.
func (d *decoder) escalation(m *mapping) ([]Escalation, bool) {
	items, ok := m.list("escalation")
	if !ok {
		return nil, false
	}
	var out []Escalation
	for _, it := range items {
		s := d.mapping(it.node, it.key, it.place)
		v := Escalation{After: s.duration("after", 0, time.Second), Channel: d.channel(s)}
		if !s.has("after") {
			s.missing("after: write how long to wait for an acknowledgement, such as 30m")
		}
		texts, _ := s.texts("mention")
		for _, t := range texts {
			mention, ok := slackMention(t.value)
			if !ok {
				d.wrong(t, "is nobody whom Slack can mention: write @here, @channel, or the id of a user (U0123ABCD) or of a user group (S0123ABCD)")
				continue
			}
			v.Mentions = append(v.Mentions, mention)
		}
		if len(v.Mentions) == 0 && v.Channel == "" && !s.broken && !s.has("mention") {
			s.missing("mention and no channel: write one, or both")
		}
		if len(out) > 0 && v.After > 0 && v.After <= out[len(out)-1].After {
			d.problem(s.placeOf("after"), s.key+".after is not later than that of the step before: steps stand in the order of their times")
		}
		s.close()
		out = append(out, v)
	}
	return out, true
}

// slackMention reads whom to mention.
func slackMention(text string) (string, bool) {
	text = strings.Trim(text, "<>")
	text = strings.TrimPrefix(text, "!subteam^")
	text = strings.TrimPrefix(strings.TrimPrefix(text, "!"), "@")
	switch text {
	case "here", "channel", "everyone":
		return "@" + text, true
	}
	if len(text) >= 6 && strings.ContainsRune("UWS", rune(text[0])) && strings.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == "" {
		return text, true
	}
	return "", false
}
