package forecast

import (
	"fmt"
	"strings"
	"time"

	"tocsin/internal/alert"
)

// sentence sums a backtest up: "would have alerted 6 times for 4 users in 7 days: 5 Slack messages".
func sentence(b *Backtest) string {
	var s strings.Builder
	if b.Alerts == 0 {
		s.WriteString("would not have alerted in " + period(b.To.Sub(b.From)))
	} else {
		s.WriteString("would have alerted " + times(b.Alerts))
		if b.Keys > 0 {
			s.WriteString(" for " + ofKeys(b.Keys, b.By))
		}
		s.WriteString(" in " + period(b.To.Sub(b.From)) + ": ")
		switch {
		case b.Messages == 0:
			s.WriteString("no Slack message, for no channel is configured")
		case b.Unsaid == b.Messages:
			s.WriteString(count(b.Messages, "Slack message") + ", once there is a channel: none is configured yet")
		case b.Unsaid > 0:
			s.WriteString(count(b.Messages, "Slack message") + ", " + grouped(b.Unsaid) + " of them once there is a channel for them")
		default:
			s.WriteString(count(b.Messages, "Slack message"))
		}
	}
	var held []string
	for _, h := range []struct {
		fate alert.Fate
		what string
	}{{alert.Suppressed, "held back as the same again or over max_alerts"}, {alert.Excluded, "excluded"}, {alert.Silenced, "silenced"}} {
		if n := b.Held[h.fate]; n > 0 {
			held = append(held, fmt.Sprintf("%d %s", n, h.what))
		}
	}
	if len(held) > 0 {
		s.WriteString(" (" + count(heldOf(b), "more") + ": " + strings.Join(held, ", ") + ")")
	}
	return s.String()
}

func heldOf(b *Backtest) (n int) {
	for _, one := range b.Held {
		n += one
	}
	return n
}

func times(n int) string {
	switch n {
	case 1:
		return "once"
	case 2:
		return "twice"
	}
	return grouped(n) + " times"
}

// count is a number with a word, which gets an s for several; "more" has none.
func count(n int, word string) string {
	if n != 1 && word != "more" {
		word += "s"
	}
	return grouped(n) + " " + word
}

// grouped writes a number with a comma for each thousand.
func grouped(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// nouns are how fields are called; others are "values of" their names.
var nouns = map[string][2]string{
	"user.name": {"user", "users"}, "user.id": {"user", "users"}, "user.email": {"user", "users"}, "user": {"user", "users"},
	"host.name": {"host", "hosts"}, "host.hostname": {"host", "hosts"}, "host": {"host", "hosts"},
	"source.ip": {"source address", "source addresses"}, "client.ip": {"client address", "client addresses"},
	"destination.ip": {"destination address", "destination addresses"}, "source.address": {"source address", "source addresses"},
	"process.name": {"process", "processes"}, "service.name": {"service", "services"}, "url.path": {"path", "paths"}, "url.domain": {"domain", "domains"},
}

// ofKeys says of how many values of fields: "4 users", "3 pairs of user.name and host.name".
func ofKeys(n int, by []string) string {
	if len(by) == 1 {
		if noun, ok := nouns[by[0]]; ok {
			if n == 1 {
				return "1 " + noun[0]
			}
			return grouped(n) + " " + noun[1]
		}
		return count(n, "value") + " of " + by[0]
	}
	what := "combination"
	if len(by) == 2 {
		what = "pair"
	}
	return count(n, what) + " of " + strings.Join(by[:len(by)-1], ", ") + " and " + by[len(by)-1]
}

// period says how long a time is, rounded to what people count in.
func period(d time.Duration) string {
	for _, u := range []struct {
		of   time.Duration
		name string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}} {
		if d >= 2*u.of || d%u.of == 0 && d >= u.of {
			return count(int((d+u.of/2)/u.of), u.name)
		}
	}
	return count(max(1, int(d/time.Second)), "second")
}
