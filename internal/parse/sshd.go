package parse

import (
	"regexp"
	"strings"
)

// login is the line of a login that worked or failed. The name is what the other side sent and may
// hold anything, " from " too: the last address and port of the line are the real ones.
var login = regexp.MustCompile(`^(Failed|Accepted) (\S+) for (?:(?:invalid|illegal) user )?(.*) from (\S+) port (\d+)(?: .*)?$`)

// others are further lines of sshd that tell a user or an address, by named groups.
var others = []*regexp.Regexp{
	regexp.MustCompile(`^(?:Invalid|Illegal) user (?P<user>.*) from (?P<ip>\S+)(?: port (?P<port>\d+))?$`),
	regexp.MustCompile(`^(?:Connection (?:closed|reset) by|Disconnected from|Disconnecting) (?:(?:invalid|authenticating) user (?P<user>.*) )?(?P<ip>[0-9a-fA-F]*[.:][0-9a-fA-F.:]+)(?: port (?P<port>\d+))?(?:[: ].*)?$`),
	regexp.MustCompile(`^Disconnected from user (?P<user>.*) (?P<ip>\S+) port (?P<port>\d+)$`),
	regexp.MustCompile(`^Received disconnect from (?P<ip>[0-9a-fA-F.:]*[0-9a-fA-F])(?: port (?P<port>\d+))?:.*$`),
	regexp.MustCompile(`^Connection from (?P<ip>\S+) port (?P<port>\d+)`),
	regexp.MustCompile(`^Did not receive identification string from (?P<ip>\S+)(?: port (?P<port>\d+))?$`),
	regexp.MustCompile(`^Bad protocol version identification .* from (?P<ip>\S+)(?: port (?P<port>\d+))?$`),
	regexp.MustCompile(`^reverse mapping checking getaddrinfo for \S+ \[(?P<ip>[^\]]+)\] failed`),
	regexp.MustCompile(`^Address (?P<ip>\S+) maps to `),
	regexp.MustCompile(`^input_userauth_request: invalid user (?P<user>.*) \[preauth\]$`),
	regexp.MustCompile(`^pam_unix\(sshd:auth\): authentication failure;.* rhost=(?P<ip>\S+)(?:\s+user=(?P<user>.*))?$`),
	regexp.MustCompile(`^pam_unix\(sshd:session\): session (?:opened|closed) for user (?P<user>[^ (]+)`),
	regexp.MustCompile(`^PAM \d+ more authentication failures?;.* rhost=(?P<ip>\S+)(?:\s+user=(?P<user>.*))?$`),
	regexp.MustCompile(`^User (?P<user>.*) from (?P<ip>\S+) not allowed because `),
	regexp.MustCompile(`^error: maximum authentication attempts exceeded for (?:invalid user )?(?P<user>.*) from (?P<ip>\S+) port (?P<port>\d+)`),
	regexp.MustCompile(`^error: Received disconnect from (?P<ip>[0-9a-fA-F.:]*[0-9a-fA-F])(?: port (?P<port>\d+))?:.*$`),
}

// sshd reads the syslog lines of OpenSSH's server. Only a line that says Failed or Accepted is a
// login (event.action ssh_login); other lines of the same attempt are not counted again.
func (p *Parser) sshd(line string) {
	if !p.head(line) {
		p.plain(line)
		return
	}
	n, message := p.repeats()
	p.event.text("message", message)
	if m := login.FindStringSubmatch(message); m != nil {
		p.event.text("event.action", "ssh_login")
		p.event.text("event.category", "authentication")
		outcome := "success"
		if m[1] == "Failed" {
			outcome = "failure"
		}
		p.event.text("event.outcome", outcome)
		p.event.text("user.name", m[3])
		p.event.text("source.ip", m[4])
		p.event.number("source.port", m[5])
		p.event.text("ssh.method", m[2])
		p.send(n)
		return
	}
	for _, re := range others {
		m := re.FindStringSubmatch(message)
		if m == nil {
			continue
		}
		for i, name := range re.SubexpNames() {
			switch name {
			case "user":
				p.event.text("user.name", strings.TrimSpace(m[i]))
			case "ip":
				p.event.text("source.ip", m[i])
			case "port":
				p.event.number("source.port", m[i])
			}
		}
		break
	}
	p.send(n)
}
