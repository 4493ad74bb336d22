package app

import (
	"context"
	"fmt"

	"tocsin/internal/account"
	"tocsin/internal/check"
	"tocsin/internal/config"
)

// checkLogin tells who is let in, and asks the OpenID provider whether it is there.
func checkLogin(ctx context.Context, cfg *config.Config) []check.Finding {
	out := []check.Finding{{Part: "login", Text: "no login is required on " + cfg.Listen.String() + ", which only this machine can reach"}}
	if cfg.Login.Required {
		how := "over plain http on this machine"
		switch {
		case cfg.TLS():
			how = "over TLS"
		case cfg.BehindProxy:
			how = "through a proxy that speaks TLS"
		}
		out[0].Text = fmt.Sprintf("a login is required on %s, %s", cfg.Listen, how)
	}
	c := cfg.Login.OIDC
	if c == nil {
		return out
	}
	found := check.Finding{Part: "login.oidc", Text: "the OpenID provider " + c.Issuer + " answers", Place: cfg.Place("login.oidc")}
	if err := (account.OIDC{Issuer: c.Issuer}).Probe(ctx); err != nil {
		found.Problem, found.Text = true, err.Error()
		found.Hint = "Open the issuer's address with /.well-known/openid-configuration behind it: what it names as its issuer must be what stands here."
	}
	return append(out, found)
}
