// Package parse owns turning lines of logs into events: syslog, sshd, nginx, JSON, and regular
// expressions of one's own. Events are JSON documents with ECS names. It opens no files and stores nothing.
package parse

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"tocsin/internal/row"
)

// Options say how to read times that tell less than all.
type Options struct {
	// Zone is that of times without one; UTC when nil.
	Zone *time.Location
	// Year is that of times without one. 0 is the newest year with which the time is not after Now.
	Year int
	Now  time.Time
}

// Kinds are the kinds of lines there are; regex= is followed by a regular expression.
var Kinds = []string{"syslog", "sshd", "nginx", "json", "regex=..."}

// Parser turns lines of one kind into events. It is not safe for concurrent use.
type Parser struct {
	options Options
	line    func(p *Parser, line string)
	re      *regexp.Regexp
	event   event
	message string
	emit    func(doc string) error
	err     error
}

// New makes a parser of a kind.
func New(kind string, o Options) (*Parser, error) {
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	p := &Parser{options: o}
	if pattern, ok := strings.CutPrefix(kind, "regex="); ok {
		re, err := regexp.Compile(pattern)
		if err != nil {
			return nil, fmt.Errorf("bad regular expression: %s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
		}
		if strings.Join(re.SubexpNames(), "") == "" {
			return nil, fmt.Errorf("the regular expression has no named group; write (?<name>...), with __ for a dot in the name")
		}
		p.re, p.line = re, (*Parser).regex
		return p, nil
	}
	lines := map[string]func(*Parser, string){"syslog": (*Parser).syslog, "sshd": (*Parser).sshd, "nginx": (*Parser).nginx, "json": (*Parser).json}
	if p.line = lines[kind]; p.line == nil {
		return nil, fmt.Errorf("unknown kind of log %q: there are %s", kind, strings.Join(Kinds, ", "))
	}
	return p, nil
}

// Line calls emit with the JSON of each event of a line: one as a rule, none of an empty line, N
// where it says that a message was repeated N times. A line of another form is an event that has
// only its message. The error is that of emit.
func (p *Parser) Line(line string, emit func(doc string) error) error {
	line = strings.TrimRight(line, "\r\n")
	if strings.TrimSpace(line) == "" {
		return nil
	}
	p.emit, p.err = emit, nil
	p.event.reset()
	p.line(p, line)
	return p.err
}

// send hands on the event n times.
func (p *Parser) send(n int) {
	doc := p.event.json()
	for ; n > 0 && p.err == nil; n-- {
		p.err = p.emit(doc)
	}
}

// plain is a line of another form.
func (p *Parser) plain(line string) {
	p.event.reset()
	p.event.text("message", line)
	p.send(1)
}

func (p *Parser) json(line string) {
	if _, err := row.NewExtractor(row.NewSchema(), []string{}).Extract(line, nil); err != nil {
		p.plain(line)
		return
	}
	p.err = p.emit(line)
}

// regex puts named groups into fields; __ in a name is a dot. A group called time or timestamp that
// holds a time is the event's time.
func (p *Parser) regex(line string) {
	m := p.re.FindStringSubmatch(line)
	if m == nil {
		p.plain(line)
		return
	}
	for i, name := range p.re.SubexpNames() {
		if name == "" || m[i] == "" {
			continue
		}
		if t, ok := p.anyTime(m[i]); ok && (name == "time" || name == "timestamp") {
			p.event.time("@timestamp", t)
			continue
		}
		p.event.text(strings.ReplaceAll(name, "__", "."), m[i])
	}
	if !p.event.has("message") {
		p.event.text("message", line)
	}
	p.send(1)
}

// anyTime reads a time in one of the forms logs have.
func (p *Parser) anyTime(s string) (time.Time, bool) {
	if t, _, ok := p.stamp(s); ok {
		return t, true
	}
	for _, layout := range []string{"02/Jan/2006:15:04:05 -0700", "2006/01/02 15:04:05", time.RFC1123Z, time.RFC1123} {
		if t, err := time.ParseInLocation(layout, s, p.options.Zone); err == nil {
			return t, true
		}
	}
	if f, err := strconv.ParseFloat(s, 64); err == nil && f > 1e8 && f < 9e9 {
		return time.Unix(0, int64(f*1e9)), true
	}
	return time.Time{}, false
}

// stamp reads the time a syslog line begins with, and gives what comes after it: ISO 8601, or
// Dec 10 06:55:46 with or without a year or a fraction.
func (p *Parser) stamp(s string) (t time.Time, rest string, ok bool) {
	if len(s) >= 19 && s[4] == '-' && (s[10] == 'T' || s[10] == ' ') {
		end := 19
		for end < len(s) && s[end] != ' ' {
			end++
		}
		if ns, ok := row.ParseTime(strings.TrimSuffix(s[:end], ":")); ok {
			t := time.Unix(0, ns).UTC()
			if last := strings.TrimSuffix(s[:end], ":"); !strings.HasSuffix(last, "Z") && !strings.ContainsAny(last[19:], "+-") {
				t = inZone(t, p.options.Zone)
			}
			return t, strings.TrimPrefix(s[end:], " "), true
		}
	}
	if len(s) < 15 {
		return time.Time{}, "", false
	}
	for _, form := range []struct {
		layout string
		length int
	}{{"Jan _2 15:04:05 2006", 20}, {"Jan _2 2006 15:04:05", 20}, {"Jan _2 15:04:05.000000", 22}, {"Jan _2 15:04:05.000", 19}, {"Jan _2 15:04:05", 15}} {
		if len(s) < form.length || len(s) > form.length && s[form.length] != ' ' && s[form.length] != ':' {
			continue
		}
		// A day such as Feb 29 is only right in its year, so the year is read with the rest.
		text, layout := s[:form.length], form.layout
		if !strings.Contains(layout, "2006") {
			t, ok = p.withYear(text, layout)
		} else {
			var err error
			t, err = time.ParseInLocation(layout, text, p.options.Zone)
			ok = err == nil
		}
		if ok {
			return t, strings.TrimLeft(s[form.length:], ": "), true
		}
	}
	return time.Time{}, "", false
}

// withYear reads a time that tells no year.
func (p *Parser) withYear(text, layout string) (time.Time, bool) {
	read := func(year int) (time.Time, bool) {
		t, err := time.ParseInLocation("2006 "+layout, fmt.Sprintf("%04d %s", year, text), p.options.Zone)
		return t, err == nil
	}
	if p.options.Year != 0 {
		return read(p.options.Year)
	}
	for year := p.options.Now.In(p.options.Zone).Year(); year > p.options.Now.Year()-9; year-- {
		if t, ok := read(year); ok && !t.After(p.options.Now) {
			return t, true
		}
	}
	return time.Time{}, false
}

func inZone(t time.Time, zone *time.Location) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), zone)
}
