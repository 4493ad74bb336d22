package plan

import (
	"net/netip"
	"regexp"
	"strings"

	"tocsin/internal/query/pipe"
)

// checkConstants refuses constants that can never work: regular expressions, networks, times.
func (c *compiler) checkConstants(e pipe.Expr) {
	call, ok := e.(*pipe.Call)
	if !ok {
		return
	}
	text := func(i int) (string, pipe.Span, bool) {
		if i >= len(call.Args) {
			return "", pipe.Span{}, false
		}
		l, ok := call.Args[i].(*pipe.Literal)
		if !ok || l.Kind != pipe.StringLiteral {
			return "", pipe.Span{}, false
		}
		return l.Text, l.At, true
	}
	switch call.Func {
	case "match", "replace", "mvfind":
		if s, at, ok := text(1); ok {
			if _, err := regexp.Compile(s); err != nil {
				c.fail(at, "", "bad regular expression: %s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
			}
		}
	case "cidrmatch":
		if s, at, ok := text(0); ok {
			if _, err := netip.ParsePrefix(s); err != nil {
				c.fail(at, `cidrmatch("10.0.0.0/8", source.ip)`, "%q is no network", s)
			}
		}
	case "relative_time":
		if s, at, ok := text(1); ok {
			if _, err := pipe.ParseMoment(s); err != nil {
				c.fail(at, `relative_time(now(), "-1d@d")`, "%s", err)
			}
		}
	case "tostring":
		if s, at, ok := text(1); ok && s != "hex" && s != "commas" && s != "duration" {
			c.fail(at, `"hex", "commas", "duration"`, "tostring knows no format %q", s)
		}
	}
}
