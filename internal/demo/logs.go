package demo

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// LogLine is a line as a program on a host writes it to its log.
type LogLine struct {
	At   time.Time
	Host string
	// Kind is how the line is read, by the names of package parse: sshd, nginx or syslog.
	Kind string
	Text string
	// Tale names the attack that the line is a part of; empty for what happens every day.
	Tale string
}

// Logs makes up the logs of a small site with two web servers, a bastion, a database and a build agent: what
// its staff, its visitors and its machines do all day, and now and then an attacker. The same seed and the
// same beginning make the same lines, however they are asked for. It is not safe for concurrent use.
type Logs struct {
	dice    *rand.Rand
	began   time.Time
	sources []logSource
	waiting []LogLine // made, and not yet due; by time
	tales   []tale    // those of this round that were not told yet
	told    int
	telling string // the name of the tale being told
	pid     int
}

// logSource is something that writes to the logs again and again.
type logSource struct {
	next  time.Time
	write func(at time.Time)
	pause func() time.Duration
}

// The pace of the logs: two lines in three seconds, and an attacker every few minutes after a livelier start.
const (
	logVisit = 1500 * time.Millisecond
	logLogin = 25 * time.Second
	logSudo  = 45 * time.Second
	logCron  = time.Minute
	logTypo  = 4 * time.Minute
)

// firstTales are when the first attackers come.
var firstTales = []time.Duration{time.Second, 12 * time.Second, 50 * time.Second, 2 * time.Minute}

// NewLogs makes logs that begin at a time.
func NewLogs(seed uint64, began time.Time) *Logs {
	l := &Logs{dice: rand.New(rand.NewPCG(seed, 0x10c5)), began: began, pid: 1000}
	every := func(mean time.Duration) func() time.Duration {
		return func() time.Duration { return mean/4 + time.Duration(l.dice.Float64()*1.5*float64(mean)) }
	}
	l.sources = []logSource{
		{began, l.visit, every(logVisit)},
		{began.Add(5 * time.Second), func(at time.Time) { l.login(at, staffOf(l)) }, every(logLogin)},
		{began.Add(8 * time.Second), func(at time.Time) { l.sudo(at, staffOf(l)) }, every(logSudo)},
		{began.Add(3 * time.Second), l.cron, func() time.Duration { return logCron }},
		{began.Add(time.Minute), l.typo, every(logTypo)},
		{began.Add(firstTales[0]), l.tell, l.untilNextTale},
	}
	return l
}

// History are the lines of two ordinary days before the beginning: who logs in from where, and who may do what.
// They are what a rule that looks for what is new compares with.
func (l *Logs) History() []LogLine {
	h := &Logs{dice: rand.New(rand.NewPCG(1, 0x10c5)), pid: 100}
	for at := l.began.Add(-48 * time.Hour); at.Before(l.began.Add(-10 * time.Minute)); at = at.Add(3 * time.Hour) {
		for i, p := range staff {
			for j := range p.hosts {
				h.loginTo(at.Add(time.Duration(7*i+j)*time.Minute), p, j)
				if p.sudo != nil {
					h.sudoOn(at.Add(time.Duration(7*i+j)*time.Minute+20*time.Second), p, j)
				}
			}
		}
	}
	return slices.DeleteFunc(h.waiting, func(line LogLine) bool { return !line.At.Before(l.began) })
}

// Until gives the lines up to a time that were not given yet, in their order.
func (l *Logs) Until(t time.Time) []LogLine {
	for {
		first := &l.sources[0]
		for i := range l.sources {
			if l.sources[i].next.Before(first.next) {
				first = &l.sources[i]
			}
		}
		if first.next.After(t) {
			break
		}
		first.write(first.next)
		first.next = first.next.Add(first.pause())
	}
	due, _ := slices.BinarySearchFunc(l.waiting, t, func(line LogLine, t time.Time) int {
		if line.At.After(t) {
			return 1
		}
		return -1
	})
	out := slices.Clone(l.waiting[:due])
	l.waiting = slices.Delete(l.waiting, 0, due)
	return out
}

// line writes a line that is due at a time.
func (l *Logs) line(at time.Time, host, kind, text string) {
	place, _ := slices.BinarySearchFunc(l.waiting, at, func(line LogLine, at time.Time) int {
		if line.At.After(at) {
			return 1
		}
		return -1 // after those of the same time
	})
	l.waiting = slices.Insert(l.waiting, place, LogLine{At: at, Host: host, Kind: kind, Text: text, Tale: l.telling})
}

// daemon writes a line of a daemon, as rsyslog keeps it.
func (l *Logs) daemon(at time.Time, host, program, format string, values ...any) {
	kind := "syslog"
	if program == "sshd" {
		kind = "sshd"
	}
	stamp := at.UTC().Format("2006-01-02T15:04:05.000000+00:00")
	l.line(at, host, kind, fmt.Sprintf("%s %s %s[%d]: %s", stamp, host, program, l.process(), fmt.Sprintf(format, values...)))
}

func (l *Logs) process() int {
	l.pid = l.pid%60_000 + 1 + l.dice.IntN(7)
	return l.pid
}

// request writes a line of a web server's access log, in the combined format.
func (l *Logs) request(at time.Time, host, from, method, target string, status, size int, agent string) {
	l.line(at, host, "nginx", fmt.Sprintf(`%s - - [%s] "%s %s HTTP/1.1" %d %d "-" "%s"`,
		from, at.UTC().Format("02/Jan/2006:15:04:05 +0000"), method, target, status, size, agent))
}

func choose[T any](l *Logs, of ...T) T { return of[l.dice.IntN(len(of))] }

// after is a time a little later: between one and two steps.
func (l *Logs) after(at time.Time, step time.Duration) time.Time {
	return at.Add(step + time.Duration(l.dice.Int64N(int64(step))))
}
