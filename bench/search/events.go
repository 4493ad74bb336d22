package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"time"
)

// The time that the documents are spread over.
var first = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

const span = 24 * time.Hour

// The people in the documents: nine in ten of the failed logins are of these, each a few a day, and one
// in ten of a few attackers' guesses, who come in bursts.
const (
	people    = 50_000
	attackers = 40
	burst     = 25 * time.Second // between two guesses in a burst, at most
)

// events makes documents in the order of their times: failed logins at an SSH server.
type events struct {
	dice  *rand.Rand
	total int
	made  int
}

func newEvents(seed uint64, total int) *events {
	return &events{dice: rand.New(rand.NewPCG(seed, 7)), total: total}
}

// next writes one document and the line of a bulk request before it.
func (e *events) next(to *bytes.Buffer) bool {
	if e.made == e.total {
		return false
	}
	at := first.Add(time.Duration(float64(span) * float64(e.made) / float64(e.total)))
	e.made++
	name := fmt.Sprintf("user%05d", e.dice.IntN(people))
	// An attacker guesses for ten minutes at a time of its own.
	for k := range attackers {
		start := first.Add(time.Duration(k) * span / attackers)
		if since := at.Sub(start); since >= 0 && since < 10*time.Minute && e.dice.IntN(int(burst/time.Second)) == 0 {
			name = fmt.Sprintf("victim%02d", k)
		}
	}
	ip := fmt.Sprintf("10.%d.%d.%d", e.dice.IntN(4), e.dice.IntN(256), e.dice.IntN(256))
	port := 1024 + e.dice.IntN(60_000)
	fmt.Fprintf(to, `{"create":{}}
{"@timestamp":%q,"event":{"action":"ssh_login","outcome":"failure","category":["authentication"]},"user":{"name":%q},"source":{"ip":%q,"port":%d},"host":{"name":"web-%02d"},"process":{"pid":%d,"name":"sshd"},"message":"Failed password for %s from %s port %d ssh2"}
`, at.Format("2006-01-02T15:04:05.000Z"), name, ip, port, e.dice.IntN(40), e.dice.IntN(1<<16), name, ip, port)
	return true
}
