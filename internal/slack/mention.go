package slack

import (
	"regexp"
	"strings"
	"time"

	"tocsin/internal/notice"
)

const mentionsMost = 10

var (
	userID  = regexp.MustCompile(`^[UW][A-Z0-9]{2,20}$`)
	groupID = regexp.MustCompile(`^S[A-Z0-9]{2,20}$`)
)

// mention writes whom an escalation rings at. What is neither a word of Slack's nor an id rings at nobody.
func mention(who string) string {
	who = strings.TrimSpace(who)
	inside := strings.TrimSuffix(strings.TrimPrefix(who, "<"), ">")
	name, _, _ := strings.Cut(inside, "|")
	name = strings.TrimPrefix(name, "!subteam^")
	bare := strings.TrimLeft(name, "@!")
	switch {
	case bare == "here", bare == "channel", bare == "everyone":
		return "<!" + bare + ">"
	case userID.MatchString(bare):
		return "<@" + bare + ">"
	case groupID.MatchString(bare):
		return "<!subteam^" + bare + ">"
	case bare == "":
		return ""
	}
	return "@" + inline(bare, labelMost)
}

// escalation is the line that asks for somebody.
func escalation(e *notice.Escalation) string {
	if e == nil {
		return ""
	}
	if e.Answer != notice.Unanswered {
		return answered(e)
	}
	var parts []string
	for _, who := range e.Mentions[:min(len(e.Mentions), mentionsMost)] {
		if m := mention(who); m != "" {
			parts = append(parts, m)
		}
	}
	said := ":rotating_light: *Nobody has acknowledged this"
	if e.After > 0 {
		said += " for " + lasting(e.After)
	}
	said += "*"
	if e.Step > 1 {
		said += " (asked " + counted(e.Step, "time") + ")"
	}
	if from := inline(e.From, labelMost); from != "" {
		said += ", said first in " + link(e.Link, from, listURLMost)
	} else if to, ok := target(e.Link); ok {
		said += ", " + linked(to, "the message", listURLMost)
	}
	return strings.Join(append(parts, said), " ")
}

// answered is the line of what asked for somebody and need not any more.
func answered(e *notice.Escalation) string {
	said := ":white_check_mark: *This is over*"
	if e.Answer != notice.AnswerOver {
		word := ":eyes: *Acknowledged"
		if e.Answer == notice.AnswerClosed {
			word = ":white_check_mark: *Closed"
		}
		if by := inline(e.By, labelMost); by != "" {
			word += " by " + by
		}
		said = word + "*"
		if at := moment(e.At, clockTime); at != "" {
			said += " at " + at
		}
	}
	if from := inline(e.From, labelMost); from != "" {
		said += ", said first in " + link(e.Link, from, listURLMost)
	}
	return said
}

// lasting writes a duration as people say it, in its two largest units.
func lasting(d time.Duration) string {
	switch {
	case d < 0:
		return "0 s"
	case d < time.Minute:
		return number(int(d/time.Second)) + " s"
	case d < time.Hour:
		return number(int(d/time.Minute)) + " min"
	case d < 48*time.Hour:
		if m := int(d/time.Minute) % 60; m > 0 {
			return number(int(d/time.Hour)) + " h " + number(m) + " min"
		}
		return number(int(d/time.Hour)) + " h"
	}
	return counted(int(d/(24*time.Hour)), "day")
}
