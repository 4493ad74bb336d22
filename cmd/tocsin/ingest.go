package main

import (
	"errors"
	"os"
	"time"

	"tocsin/internal/app"
)

type ingestCmd struct {
	File  string `arg:"" help:"The file to read, gzip where its name ends in .gz; - is standard input."`
	Parse string `help:"How to read lines: syslog, sshd, nginx, json or regex=PATTERN; json unless given." placeholder:"KIND"`
	Tz    string `help:"The zone of times that tell none." default:"UTC" placeholder:"ZONE"`
	Year  int    `help:"The year of times that tell none; the newest that is not in the future unless given." placeholder:"YEAR"`
	Index string `help:"The index to store the events in." default:"logs" placeholder:"NAME"`
	Again bool   `help:"Store the lines of a file that were stored before once more."`
}

// Help is what kong prints below the flags' summary.
func (ingestCmd) Help() string {
	return `Stores each line of a file as an event of the embedded log engine: through a running tocsin serve,
else in data_dir itself. An event is on the disk when it is counted. A line that is not of the form is
kept as its message, tagged, and counted. Each event of a file has an id made of the file's path, its
place in it and what it says: after an interruption, or when the file has grown, the same command
stores what is not there yet and nothing twice. Lines from standard input are stored each time.`
}

// Run stores the events of a file.
func (cmd ingestCmd) Run(p *process, c *cli) error {
	cfg, err := c.load(p)
	if err != nil {
		return err
	}
	if cfg.Embedded() == nil {
		return wrongInput{errors.New("the configuration has no embedded source to store events in: add one under sources, with kind: embedded")}
	}
	if cmd.File != "-" { // before anything is made
		if _, err := os.Stat(cmd.File); err != nil {
			return wrongInput{err}
		}
	}
	log, err := logger(p, &cli{Log: "warn"})
	if err != nil {
		return err
	}
	client, err := app.ConnectNew(p.ctx, app.Options{Config: cfg, Version: buildVersion(), Log: log})
	if err != nil {
		return err
	}
	err = userError(app.Ingest(p.ctx, client, app.IngestOptions{
		Path: cmd.File, Parse: cmd.Parse, Zone: cmd.Tz, Year: cmd.Year, Index: cmd.Index, Again: cmd.Again,
		Stdin: os.Stdin, Stdout: p.stdout, Stderr: p.stderr, Progress: isTerminal(p.stderr), Now: time.Now(),
	}))
	return errors.Join(err, client.Close())
}
