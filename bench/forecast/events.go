package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"time"
)

// The time that the documents are spread over.
var first = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

const span = 14 * 24 * time.Hour

// The bursts: each is a user whose password is guessed for ten minutes. Some of them stay below the limit of the rule.
const (
	bursts = 400
	length = 10 * time.Minute
)

// events makes documents in the order of their times: failed logins at an SSH server.
type events struct {
	dice          *rand.Rand
	total, people int
	made          int
}

// next writes one document and the line of a bulk request before it.
func (e *events) next(to *bytes.Buffer, index string) bool {
	if e.made == e.total {
		return false
	}
	at := first.Add(time.Duration(float64(span) * float64(e.made) / float64(e.total)))
	e.made++
	name := fmt.Sprintf("user%05d", e.dice.IntN(e.people))
	// Bursts follow each other; one in four is slow, and stays below the limit.
	n := int64(at.Sub(first)) * bursts / int64(span)
	start := first.Add(span * time.Duration(n) / bursts)
	rate := 2
	if n%4 == 3 {
		rate = 60
	}
	if at.Sub(start) < length && e.dice.IntN(rate) == 0 {
		name = fmt.Sprintf("user%05d", (n*7919)%int64(e.people))
	}
	ip := fmt.Sprintf("10.%d.%d.%d", e.dice.IntN(4), e.dice.IntN(256), e.dice.IntN(256))
	port := 1024 + e.dice.IntN(60_000)
	fmt.Fprintf(to, `{"create":{"_index":%q}}
{"@timestamp":%q,"event":{"action":"ssh_login","outcome":"failure","category":["authentication"]},"user":{"name":%q},"source":{"ip":%q,"port":%d},"host":{"name":"web-%02d"},"process":{"pid":%d,"name":"sshd"},"message":"Failed password for %s from %s port %d ssh2"}
`, index, at.Format("2006-01-02T15:04:05.000Z"), name, ip, port, e.dice.IntN(40), e.dice.IntN(1<<16), name, ip, port)
	return true
}
