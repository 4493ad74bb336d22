package parse

import (
	"regexp"
	"strings"
	"time"
)

var (
	// access is the combined (and common) format of nginx and Apache.
	access = regexp.MustCompile(`^(\S+) \S+ (.*?) \[([^\]]+)\] "((?:[^"\\]|\\.)*)" (\d{3}) (\d+|-)(?: "((?:[^"\\]|\\.)*)" "((?:[^"\\]|\\.)*)")?(?: .*)?$`)
	// failure is the format of nginx's error log.
	failure = regexp.MustCompile(`^(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d) \[(\w+)\] (\d+)#(\d+): (?:\*(\d+) )?(.*)$`)
	client  = regexp.MustCompile(`, client: ([^,]+)`)
	request = regexp.MustCompile(`^(\S+) (.*) HTTP/(\S+)$`)
)

// nginx reads access logs in the combined format and error logs.
func (p *Parser) nginx(line string) {
	if m := failure.FindStringSubmatch(line); m != nil {
		t, err := time.ParseInLocation("2006/01/02 15:04:05", m[1], p.options.Zone)
		if err != nil {
			p.plain(line)
			return
		}
		p.event.time("@timestamp", t)
		p.event.text("log.level", m[2])
		p.event.number("process.pid", m[3])
		p.event.number("process.thread.id", m[4])
		if c := client.FindStringSubmatch(m[6]); c != nil {
			p.event.text("source.ip", c[1])
		}
		p.event.text("message", m[6])
		p.send(1)
		return
	}
	m := access.FindStringSubmatch(line)
	if m == nil {
		p.plain(line)
		return
	}
	t, err := time.Parse("02/Jan/2006:15:04:05 -0700", m[3])
	if err != nil {
		p.plain(line)
		return
	}
	unlessNone := func(s string) string {
		if s == "-" {
			return ""
		}
		return s
	}
	p.event.time("@timestamp", t)
	p.event.text("source.ip", m[1])
	p.event.text("user.name", unlessNone(m[2]))
	if r := request.FindStringSubmatch(m[4]); r != nil {
		p.event.text("http.request.method", r[1])
		p.event.text("url.original", r[2])
		path, _, _ := strings.Cut(r[2], "?")
		p.event.text("url.path", path)
		p.event.text("http.version", r[3])
	} else {
		p.event.text("url.original", m[4])
	}
	p.event.number("http.response.status_code", m[5])
	p.event.number("http.response.body.bytes", m[6])
	p.event.text("http.request.referrer", unlessNone(m[7]))
	p.event.text("user_agent.original", unlessNone(m[8]))
	outcome := "success"
	if m[5][0] >= '4' {
		outcome = "failure"
	}
	p.event.text("event.outcome", outcome)
	p.event.text("message", line)
	p.send(1)
}
