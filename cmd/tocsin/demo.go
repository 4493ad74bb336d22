package main

import "tocsin/internal/app"

type demoCmd struct{}

func (demoCmd) Run(p *process, c *cli) error {
	log, err := logger(p, c)
	if err != nil {
		return err
	}
	return app.Demo(p.ctx, app.DemoOptions{Version: buildVersion(), Log: log, Stdout: p.stdout, Getenv: p.getenv})
}
