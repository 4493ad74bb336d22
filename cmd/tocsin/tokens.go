package main

import (
	"fmt"
	"net/http"
	"net/url"
)

type tokensCmd struct {
	List   tokensListCmd   `cmd:"" help:"List the API tokens."`
	Add    tokensAddCmd    `cmd:"" help:"Make an API token and print it, this once."`
	Revoke tokensRevokeCmd `cmd:"" help:"Revoke an API token."`
}

type tokensListCmd struct {
	Format string `help:"table, ndjson, json or csv; a table on a terminal, else ndjson." placeholder:"FORMAT"`
}

func (cmd tokensListCmd) Run(p *process, c *cli) error {
	return c.listAccounts(p, "tokens", cmd.Format, []string{"id", "name", "role", "created_by", "created_at", "expires_at", "used_at", "revoked_at"})
}

type tokensAddCmd struct {
	Name    string `arg:"" help:"What the token is for."`
	Role    string `help:"viewer, editor, admin, or ingest, which sends events and may do nothing else." default:"viewer" enum:"viewer,editor,admin,ingest"`
	Expires string `help:"How long it is good, such as 90d; for ever without it." placeholder:"DURATION"`
	APIKey  bool   `help:"Print it as id:key, as log shippers write an API key of Elasticsearch." name:"api-key"`
}

func (cmd tokensAddCmd) Run(p *process, c *cli) error {
	in := map[string]string{"name": cmd.Name, "role": cmd.Role}
	if cmd.Expires != "" {
		in["expires_in"] = cmd.Expires
	}
	t, err := c.send(p, http.MethodPost, "/api/v1/tokens", in)
	if err != nil {
		return err
	}
	fmt.Fprintf(p.stderr, "token %s of the role %s; it is not shown again:\n", t.ID, t.Role)
	shown := t.Secret
	if cmd.APIKey {
		shown = t.APIKey
	}
	_, err = fmt.Fprintln(p.stdout, shown)
	return err
}

type tokensRevokeCmd struct {
	ID string `arg:"" help:"Id of the token."`
}

func (cmd tokensRevokeCmd) Run(p *process, c *cli) error {
	t, err := c.send(p, http.MethodDelete, "/api/v1/tokens/"+url.PathEscape(cmd.ID), nil)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.stdout, "%s (%s) is revoked\n", t.ID, quoteLine(t.Name))
	return err
}
