package main

import (
	"fmt"
	"net/url"
)

type alertsHandling struct {
	ID  string `arg:"" help:"The alert's id, the id of its document, or the beginning of either."`
	Why string `help:"Why." placeholder:"TEXT"`
}

type alertsAcknowledgeCmd struct{ alertsHandling }

func (cmd alertsAcknowledgeCmd) Run(p *process, c *cli) error {
	return cmd.handle(p, c, "acknowledge", "")
}

type alertsCloseCmd struct {
	alertsHandling
	Verdict string `help:"What it was: false_positive, true_positive or benign." enum:",false_positive,true_positive,benign" default:""`
}

func (cmd alertsCloseCmd) Run(p *process, c *cli) error {
	return cmd.handle(p, c, "close", cmd.Verdict)
}

type alertsReopenCmd struct{ alertsHandling }

func (cmd alertsReopenCmd) Run(p *process, c *cli) error { return cmd.handle(p, c, "reopen", "") }

// handle tells what somebody does about an alert.
func (cmd alertsHandling) handle(p *process, c *cli, action, verdict string) error {
	client, err := c.connect(p)
	if err != nil {
		return err
	}
	defer client.Close() //nolint:errcheck // what was asked has been answered
	var done struct{ ID string }
	body := map[string]any{"why": cmd.Why, "who": whoami(), "verdict": verdict}
	if err := client.Send(p.ctx, "POST", "/api/v1/alerts/"+url.PathEscape(cmd.ID)+"/"+action, body, &done); err != nil {
		return err
	}
	_, err = fmt.Fprintln(p.stdout, done.ID, map[string]string{"acknowledge": "acknowledged", "close": "closed", "reopen": "reopened"}[action])
	return err
}
