package parse

import (
	"regexp"
	"strconv"
	"strings"
)

// tag is the program and process id at the start of a syslog message.
var tag = regexp.MustCompile(`^([^\s\[\]:]+)(?:\[([^\]]*)\])?: ?`)

// syslog reads RFC 3164 lines as daemons write them (with or without <PRI>, with BSD or ISO 8601
// times) and RFC 5424 lines.
func (p *Parser) syslog(line string) {
	if p.head(line) {
		n, message := p.repeats()
		p.event.text("message", message)
		p.send(n)
		return
	}
	p.plain(line)
}

// head reads all but the message of a syslog line into the event, and the message into p.
func (p *Parser) head(line string) bool {
	rest := p.priority(line)
	if r, ok := strings.CutPrefix(rest, "1 "); ok && len(rest) < len(line) {
		if p.rfc5424(r) {
			return true
		}
	}
	t, rest, ok := p.stamp(rest)
	if !ok {
		return false
	}
	p.event.time("@timestamp", t)
	host, message, ok := strings.Cut(rest, " ")
	if !ok || tag.MatchString(host+" ") && strings.HasSuffix(host, ":") {
		host, message = "", rest // local lines may leave out the host
	}
	p.event.text("host.name", host)
	if m := tag.FindStringSubmatch(message); m != nil {
		p.event.text("process.name", m[1])
		p.event.number("process.pid", m[2])
		message = message[len(m[0]):]
	}
	p.message = message
	return true
}

// priority reads <PRI>.
func (p *Parser) priority(line string) string {
	if !strings.HasPrefix(line, "<") {
		return line
	}
	end := strings.IndexByte(line, '>')
	if end < 2 || end > 4 {
		return line
	}
	n, err := strconv.Atoi(line[1:end])
	if err != nil || n > 191 {
		return line
	}
	p.event.number("log.syslog.priority", line[1:end])
	p.event.number("log.syslog.facility.code", strconv.Itoa(n/8))
	p.event.number("log.syslog.severity.code", strconv.Itoa(n%8))
	return line[end+1:]
}

// rfc5424 reads TIMESTAMP HOST APP PROCID MSGID STRUCTURED-DATA MSG.
func (p *Parser) rfc5424(s string) bool {
	parts := strings.SplitN(s, " ", 6)
	if len(parts) < 6 {
		return false
	}
	t, _, ok := p.stamp(parts[0])
	if !ok && parts[0] != "-" {
		return false
	}
	if ok {
		p.event.time("@timestamp", t)
	}
	unlessNil := func(s string) string {
		if s == "-" {
			return ""
		}
		return s
	}
	p.event.text("host.name", unlessNil(parts[1]))
	p.event.text("process.name", unlessNil(parts[2]))
	p.event.number("process.pid", parts[3])
	p.event.text("log.syslog.msgid", unlessNil(parts[4]))
	message := parts[5]
	if strings.HasPrefix(message, "-") {
		message = strings.TrimPrefix(message[1:], " ")
	} else {
		message = afterStructuredData(message)
	}
	p.message = strings.TrimPrefix(message, "\ufeff")
	return true
}

// afterStructuredData skips [id name="value" ...] elements; a ] in a value is escaped.
func afterStructuredData(s string) string {
	for strings.HasPrefix(s, "[") {
		i, quoted := 1, false
		for ; i < len(s); i++ {
			switch {
			case quoted && s[i] == '\\':
				i++
			case s[i] == '"':
				quoted = !quoted
			case s[i] == ']' && !quoted:
				goto closed
			}
		}
		return s
	closed:
		s = s[i+1:]
	}
	return strings.TrimPrefix(s, " ")
}

// repeated is what syslog daemons write instead of a message that came again and again.
var repeated = regexp.MustCompile(`^message repeated (\d+) times: \[ ?(.*)\]$`)

// maxRepeats bounds how many events one line can make.
const maxRepeats = 100_000

// repeats is how many events the message stands for, and the message: of a repeated one, what is in
// the brackets.
func (p *Parser) repeats() (int, string) {
	m := repeated.FindStringSubmatch(p.message)
	if m == nil {
		return 1, p.message
	}
	n, err := strconv.Atoi(m[1])
	if err != nil || n < 1 || n > maxRepeats {
		return 1, p.message
	}
	return n, m[2]
}
