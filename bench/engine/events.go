package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"time"
)

// events makes log events in the order of their times, as Beats would send them: many kinds, few users who
// do most of it, now and then an array, an object in an array, a null or a number greater than a double.
type events struct {
	dice  *rand.Rand
	users *rand.Zipf
	first time.Time
	span  time.Duration
	total int
	made  int
	odd   int // one in so many has two users
}

func newEvents(seed uint64, total int, first time.Time, span time.Duration) *events {
	dice := rand.New(rand.NewPCG(seed, 11))
	return &events{dice: dice, users: rand.NewZipf(dice, 1.2, 8, 4_999), first: first, span: span, total: total}
}

// kinds are what hosts log, by how often.
var kinds = []struct {
	weight                             int
	action, category, process, message string
}{
	{30, "ssh_login", "authentication", "sshd", "%s password for %s from %s port %d ssh2"},
	{25, "http_request", "web", "nginx", "%s request of %s from %s port %d"},
	{15, "connection_attempted", "network", "kernel", "%s connection of %s from %s port %d"},
	{15, "process_started", "process", "auditd", "%s exec by %s from %s pid %d"},
	{10, "sudo", "iam", "sudo", "%s sudo by %s from %s pid %d"},
	{5, "file_changed", "file", "auditd", "%s write by %s from %s inode %d"},
}

// next writes one event and the line of a bulk request before it, and answers the event's length.
func (e *events) next(to *bytes.Buffer) (length int) {
	at := e.first.Add(time.Duration(float64(e.span) * float64(e.made) / float64(e.total)))
	e.made++
	n, kind := e.dice.IntN(100), 0
	for n >= kinds[kind].weight {
		n -= kinds[kind].weight
		kind++
	}
	k := kinds[kind]
	outcome, word := "success", "Accepted"
	if e.dice.IntN(4) == 0 {
		outcome, word = "failure", "Failed"
	}
	user := fmt.Sprintf("user%04d", e.users.Uint64())
	ip := fmt.Sprintf("10.%d.%d.%d", e.dice.IntN(4), e.dice.IntN(64), e.dice.IntN(256))
	port := 1024 + e.dice.IntN(60_000)
	host := e.dice.IntN(200)
	name := `"` + user + `"`
	if e.odd > 0 && e.dice.IntN(e.odd) == 0 {
		name = `["` + user + `","root"]`
	}
	to.WriteString("{\"create\":{}}\n")
	before := to.Len()
	fmt.Fprintf(to, `{"@timestamp":"%s","event":{"action":"%s","category":["%s"],"outcome":"%s","duration":%d},"user":{"name":%s,"id":"%d"},`+
		`"source":{"ip":"%s","port":%d},"host":{"name":"host-%03d"},"process":{"name":"%s","pid":%d},"message":"`+k.message+`"`,
		at.Format("2006-01-02T15:04:05.000Z"), k.action, k.category, outcome, e.dice.IntN(1_000_000), name, 1000+len(user),
		ip, port, host, k.process, 1+e.dice.IntN(32_768), word, user, ip, port)
	switch e.dice.IntN(4_000) {
	case 0:
		to.WriteString(`,"tags":["a","b"]`)
	case 1:
		to.WriteString(`,"file":{"parts":[{"path":"/etc/passwd","size":1},{"path":"/etc/shadow","size":2}]}`)
	case 2:
		to.WriteString(`,"trace":{"id":9007199254740993}`)
	case 3:
		to.WriteString(`,"error":null`)
	}
	to.WriteString("}\n")
	return to.Len() - before
}
