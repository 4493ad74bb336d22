package main

import (
	"fmt"
	"log/slog"

	"tocsin/internal/app"
	"tocsin/internal/config"
	"tocsin/internal/obs"
)

type serveCmd struct{}

func (serveCmd) Run(p *process, c *cli) error {
	cfg, err := c.load(p)
	if err != nil {
		return err
	}
	log, err := logger(p, c)
	if err != nil {
		return err
	}
	rarelyCollect()
	o := app.Options{Config: cfg, Version: buildVersion(), Log: log}
	return app.Serve(p.ctx, o, func(a *app.App) error {
		log.Info("tocsin is running", "version", buildVersion(), "page", a.URL(), "data_dir", cfg.DataDir,
			"detections", len(a.Config().Detections), "slack", a.Config().Slack != nil)
		setup, err := a.SetupToken(p.ctx)
		if setup != "" {
			fmt.Fprintf(p.stderr, "There is no admin yet. Open %ssetup and enter the setup token %s, or run `tocsin users add NAME --role admin`.\n", a.URL(), setup)
		}
		return err
	})
}

func logger(p *process, c *cli) (*slog.Logger, error) {
	return obs.NewLogger(obs.LogOptions{Output: p.stderr, Level: c.Log})
}

type checkCmd struct{}

func (checkCmd) Run(p *process, c *cli) error {
	cfg, err := c.loadWhole(p)
	if err != nil {
		return err
	}
	findings, err := app.Check(p.ctx, cfg)
	if err != nil {
		return err
	}
	bad := 0
	for _, f := range findings {
		mark, text := "ok     ", f.Text
		if (f.Problem || f.Warning) && f.Place != (config.Place{}) {
			text = f.Place.String() + ": " + text
		}
		switch {
		case f.Problem:
			mark = "problem"
			bad++
		case f.Warning:
			mark = "warning"
		}
		fmt.Fprintf(p.stdout, "%s  %s: %s\n", mark, quoteLine(f.Part), quoteLine(text))
		if f.Hint != "" {
			fmt.Fprintf(p.stdout, "         %s\n", quoteLine(f.Hint))
		}
	}
	if bad > 0 {
		fmt.Fprintf(p.stderr, "tocsin: %d of %d checks found a problem\n", bad, len(findings))
		return errSilent
	}
	return nil
}
