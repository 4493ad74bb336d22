package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/alecthomas/kong"

	"tocsin/internal/app"
	"tocsin/internal/config"
	"tocsin/internal/duration"
)

// searched are the flags that search and explain share.
type searched struct {
	Query []string `arg:"" optional:"" name:"query" help:"A filter as in Kibana, then pipes: 'event.outcome:failure | count by user.name | search count > 10'."`

	URL     string   `name:"url" help:"Search the cluster of this node: https://user:password@es1:9200. An API key is read from TOCSIN_API_KEY." placeholder:"URL"`
	CAFile  string   `name:"ca-file" help:"With --url: trust the certificates in this PEM file, not the system's." placeholder:"FILE"`
	Source  string   `help:"Search this source of the configuration." placeholder:"NAME"`
	Index   []string `help:"The indices to search: names, aliases, patterns." placeholder:"PATTERN"`
	Timeout string   `help:"How long each request to a cluster may take, such as 90s; the source's search_timeout, or 5m, unless given." placeholder:"TIME"`

	Input     string            `help:"Search this file (NDJSON, JSON, CSV, or a log with --parse); - is standard input." placeholder:"FILE"`
	Parse     string            `help:"How to read the lines of --input: syslog, sshd, nginx, json or regex=PATTERN." placeholder:"KIND"`
	Tz        string            `help:"The zone of times that tell none." default:"UTC" placeholder:"ZONE"`
	Year      int               `help:"The year of times that tell none; the newest that is not in the future unless given." placeholder:"YEAR"`
	From      timeFlag          `help:"Only from this time on: -15m, -1d@d, 2024-07-01T10:00:00Z." placeholder:"TIME"`
	To        timeFlag          `help:"Only before this time." placeholder:"TIME"`
	All       bool              `help:"From all times."`
	TimeField string            `help:"The field that holds the time." default:"@timestamp" placeholder:"FIELD"`
	Lookup    map[string]string `help:"A table for lookup and inputlookup: CSV with a header, or NDJSON." placeholder:"NAME=FILE" mapsep:"none"`
	Dataset   map[string]string `help:"A file that 'from NAME' reads." placeholder:"NAME=FILE" mapsep:"none"`
	Geoip     string            `help:"A MaxMind database for iplocation." placeholder:"FILE"`
	MaxMemory int64             `help:"How many megabytes pipes may hold." default:"1024" placeholder:"MB"`
}

// timeFlag is a time, which may begin with a minus sign and is no flag then.
type timeFlag string

// Decode takes the next word as it stands.
func (f *timeFlag) Decode(ctx *kong.DecodeContext) error {
	token := ctx.Scan.Pop()
	if token.IsEOL() {
		return errors.New("a time is missing, such as -15m")
	}
	*f = timeFlag(fmt.Sprint(token.Value))
	return nil
}

func (s *searched) options(p *process) app.SearchOptions {
	text := ""
	for i, part := range s.Query {
		if i > 0 {
			text += " "
		}
		text += part
	}
	return app.SearchOptions{
		Query: text, Input: s.Input, Parse: s.Parse, Zone: s.Tz, Year: s.Year, From: string(s.From), To: string(s.To), All: s.All, TimeField: s.TimeField,
		Lookups: s.Lookup, Datasets: s.Dataset, GeoIP: s.Geoip, MaxMemory: s.MaxMemory << 20,
		Stdin: os.Stdin, Stdout: p.stdout, Stderr: p.stderr, Now: time.Now(),
	}
}

// tables gives the options the tables of the configuration, where one is named or searched.
func (s *searched) tables(p *process, c *cli, o *app.SearchOptions) error {
	if c.Config == "" && s.Source == "" {
		return nil
	}
	cfg, err := c.load(p)
	if err != nil {
		return err
	}
	o.WithLookups(cfg)
	return nil
}

// embedded reaches the embedded engine where --source names it; nil where it does not.
func (s *searched) embedded(p *process, c *cli) (*app.Client, error) {
	if s.Source == "" || s.URL != "" {
		return nil, nil
	}
	cfg, err := c.loadWhole(p)
	if err != nil {
		return nil, err
	}
	if source := cfg.Source(s.Source); source == nil || source.Kind != config.Embedded {
		return nil, nil
	}
	if s.Input != "" || s.Parse != "" || len(s.Dataset) > 0 {
		return nil, wrongInput{errors.New("--input, --parse and --dataset read files, --source the embedded engine: leave one out")}
	}
	log, err := logger(p, &cli{Log: "warn"})
	if err != nil {
		return nil, err
	}
	return app.Connect(p.ctx, app.Options{Config: cfg, Version: buildVersion(), Log: log})
}

// cluster opens the cluster that the command line names, if it does, for the options. What it returns
// frees the connections.
func (s *searched) cluster(p *process, c *cli, o *app.SearchOptions) (func(), error) {
	at := app.Cluster{URL: s.URL, CAFile: s.CAFile, Index: s.Index, Source: s.Source}
	if at.IsZero() {
		return func() {}, nil
	}
	at.APIKey, _ = p.getenv("TOCSIN_API_KEY")
	if s.Timeout != "" {
		var err error
		if at.Timeout, err = duration.Parse(s.Timeout); err != nil || at.Timeout <= 0 {
			return nil, wrongInput{fmt.Errorf("--timeout %q: write a time such as 90s or 10m", s.Timeout)}
		}
	}
	return app.OpenCluster(at, o, func() (*config.Config, error) { return c.loadWhole(p) })
}

type searchCmd struct {
	searched
	Format  string `help:"table, ndjson, json or csv; a table on a terminal, else ndjson." placeholder:"FORMAT"`
	Profile bool   `help:"Say what each step took."`
}

// Run runs the search and prints its answer.
func (cmd searchCmd) Run(p *process, c *cli) error {
	o := cmd.options(p)
	o.Profile = cmd.Profile
	err := cmd.tables(p, c, &o)
	if err != nil {
		return err
	}
	if o.Format, err = formatOf(p, cmd.Format); err != nil {
		return err
	}
	client, err := cmd.embedded(p, c)
	if err != nil {
		return err
	}
	if client != nil {
		err := userError(app.SearchEmbedded(p.ctx, client, cmd.Index, o))
		return errors.Join(err, client.Close())
	}
	done, err := cmd.cluster(p, c, &o)
	if err != nil {
		return userError(err)
	}
	defer done()
	return userError(app.Search(p.ctx, o))
}

// userError makes an error of the user's input one of this command line.
func userError(err error) error {
	var input *app.InputError
	if errors.As(err, &input) {
		return wrongInput{fmt.Errorf("%w", input.Err)}
	}
	return err
}
