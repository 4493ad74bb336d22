package demo

import (
	"fmt"
	"time"
)

// person is someone, or a service, that logs in every day: from the same addresses, to the same hosts.
type person struct {
	name  string
	uid   int
	from  []string
	hosts []string
	sudo  []string // what they run as root; nil for those who may not
}

var staff = []person{
	{"alice", 1001, []string{"10.8.0.11"}, []string{"bastion", "web-01", "web-02", "db-primary"}, []string{"/usr/bin/systemctl status nginx", "/usr/bin/journalctl -u nginx --since today", "/usr/bin/apt-get update"}},
	{"bob", 1002, []string{"10.8.0.12", "10.20.9.1"}, []string{"bastion", "web-01", "web-02"}, []string{"/usr/sbin/nginx -t", "/usr/bin/systemctl reload nginx"}},
	{"carol.jones", 1003, []string{"10.8.0.23"}, []string{"bastion", "db-primary"}, []string{"/usr/bin/du -sh /var/lib/postgresql"}},
	{"m.ng", 1006, []string{"10.8.0.31"}, []string{"build-agent-3"}, nil},
	{"deploy", 1010, []string{"10.30.5.33"}, []string{"web-01", "web-02"}, []string{"/usr/bin/systemctl restart shop"}},
	{"svc-backup", 1020, []string{"10.20.1.5"}, []string{"web-01", "web-02", "db-primary"}, []string{"/usr/bin/rsync --server --sender -logDtpr . /etc"}},
}

var (
	webHosts = []string{"web-01", "web-02"}
	visited  = []string{"/", "/", "/products", "/products/42", "/products/107?color=blue", "/cart", "/about", "/news/2", "/static/app.css", "/static/app.js", "/search?q=lamp"}
	browsers = []string{
		"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1",
	}
)

func staffOf(l *Logs) person { return staff[l.dice.IntN(len(staff))] }

// visit is someone looking at a page.
func (l *Logs) visit(at time.Time) {
	from := fmt.Sprintf("198.51.100.%d", 1+l.dice.IntN(250))
	host, agent := choose(l, webHosts...), choose(l, browsers...)
	switch l.dice.IntN(40) {
	case 0:
		l.request(at, host, from, "GET", "/apple-touch-icon.png", 404, 153, agent)
	case 1:
		l.request(at, host, from, "POST", "/login", 401, 312, agent)
		l.request(at.Add(6*time.Second), host, from, "POST", "/login", 302, 0, agent)
	default:
		l.request(at, host, from, "GET", choose(l, visited...), 200, 800+l.dice.IntN(20_000), agent)
	}
}

// login is one of the staff logging in with their key.
func (l *Logs) login(at time.Time, p person) { l.loginTo(at, p, l.dice.IntN(len(p.hosts))) }

func (l *Logs) loginTo(at time.Time, p person, host int) {
	// A person works from one place after the other: over two days they use all of them.
	from := p.from[(at.Hour()+host)%len(p.from)]
	l.daemon(at, p.hosts[host], "sshd", "Accepted publickey for %s from %s port %d ssh2: ED25519 SHA256:%043d", p.name, from, l.port(), p.uid)
	l.daemon(at.Add(30*time.Millisecond), p.hosts[host], "sshd", "pam_unix(sshd:session): session opened for user %s(uid=%d) by (uid=0)", p.name, p.uid)
}

func (l *Logs) port() int { return 32_768 + l.dice.IntN(28_000) }

// sudo is one of the staff doing something as root, who may.
func (l *Logs) sudo(at time.Time, p person) {
	if p.sudo != nil {
		l.sudoOn(at, p, l.dice.IntN(len(p.hosts)))
	}
}

func (l *Logs) sudoOn(at time.Time, p person, host int) {
	l.ran(at, p.hosts[host], p.name, choose(l, p.sudo...))
}

// ran is a command that sudo ran as root.
func (l *Logs) ran(at time.Time, host, user, command string) {
	l.daemon(at, host, "sudo", "%8s : TTY=pts/%d ; PWD=/home/%s ; USER=root ; COMMAND=%s", user, l.dice.IntN(4), user, command)
}

func (l *Logs) cron(at time.Time) {
	l.daemon(at, choose(l, "db-primary", "web-01", "web-02", "build-agent-3"), "CRON", "(svc-backup) CMD (/opt/backup/run --incremental)")
}

// typo is one of the staff who mistypes the passphrase's fallback once.
func (l *Logs) typo(at time.Time) {
	p := staffOf(l)
	l.daemon(at, p.hosts[0], "sshd", "Failed password for %s from %s port %d ssh2", p.name, p.from[0], l.port())
	l.loginTo(at.Add(5*time.Second), p, 0)
}
