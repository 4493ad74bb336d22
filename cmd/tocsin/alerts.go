package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"tocsin/internal/app"
	"tocsin/internal/duration"
)

type alertsCmd struct {
	List        alertsListCmd        `cmd:"" help:"List the alerts seen, newest first."`
	Show        alertsShowCmd        `cmd:"" help:"Show one alert whole."`
	Why         alertsWhyCmd         `cmd:"" help:"Say step by step why an alert was sent or not."`
	Acknowledge alertsAcknowledgeCmd `cmd:"" help:"Say that somebody looks after an alert: nothing of it repeats or escalates."`
	Close       alertsCloseCmd       `cmd:"" help:"Close an alert, and say what it was."`
	Reopen      alertsReopenCmd      `cmd:"" help:"Take back that an alert was acknowledged or closed."`
}

type alertsListCmd struct {
	Fate   []string `help:"Only these fates: sent, grouped, pending, silenced, suppressed, excluded, shadow, failed." placeholder:"FATE"`
	Since  string   `help:"Only alerts at most this old, such as 24h." placeholder:"AGE"`
	Source string   `help:"Only alerts of this source." placeholder:"NAME"`
	Limit  int      `help:"At most this many; 0 is all." default:"0"`
	Format string   `help:"table, ndjson, json or csv; a table on a terminal, else ndjson." placeholder:"FORMAT"`
}

// listed are the columns of alerts list, in order.
var listed = []string{"id", "source_id", "source", "rule", "severity", "fate", "reason", "channel", "message_ts", "time", "seen_at", "host", "user", "status", "late", "first", "last", "merged_into", "withdrawn"}

// tabled are those that a table has room for.
var tabled = []string{"time", "severity", "rule", "host", "user", "fate", "reason", "id"}

const pageOf = 5000

func (cmd alertsListCmd) Run(p *process, c *cli) error {
	format, err := formatOf(p, cmd.Format)
	if err != nil {
		return err
	}
	if cmd.Limit < 0 {
		return wrongInput{fmt.Errorf("--limit %d: write a number of alerts, or 0 for all", cmd.Limit)}
	}
	query := url.Values{}
	if len(cmd.Fate) > 0 {
		query.Set("fate", strings.Join(cmd.Fate, ","))
	}
	if cmd.Source != "" {
		query.Set("source", cmd.Source)
	}
	if cmd.Since != "" {
		age, err := duration.Parse(cmd.Since)
		if err != nil {
			return wrongInput{fmt.Errorf("--since %q %w", cmd.Since, err)}
		}
		query.Set("since", time.Now().Add(-age).UTC().Format(time.RFC3339))
	}
	client, err := c.connect(p)
	if err != nil {
		return err
	}
	defer client.Close() //nolint:errcheck // what was asked has been answered
	columns := listed
	if format == "table" {
		columns = tabled
	}
	out := newPrinter(p.stdout, format, columns)
	left := cmd.Limit
	for {
		n := pageOf
		if cmd.Limit > 0 {
			n = min(n, left)
		}
		query.Set("limit", strconv.Itoa(n))
		var page struct {
			Alerts []map[string]any `json:"alerts"`
			Before int64            `json:"before"`
		}
		if err := client.Get(p.ctx, "/api/v1/alerts?"+query.Encode(), &page); err != nil {
			return err
		}
		for _, row := range page.Alerts {
			if err := out.row(row); err != nil {
				return err
			}
		}
		left -= len(page.Alerts)
		if page.Before == 0 || cmd.Limit > 0 && left <= 0 {
			return out.end()
		}
		query.Set("before", strconv.FormatInt(page.Before, 10))
	}
}

type alertsShowCmd struct {
	ID string `arg:"" help:"The alert's id, the id of its document, or the beginning of either."`
}

func (cmd alertsShowCmd) Run(p *process, c *cli) error {
	client, err := c.connect(p)
	if err != nil {
		return err
	}
	defer client.Close() //nolint:errcheck // what was asked has been answered
	var whole json.RawMessage
	if err := client.Get(p.ctx, "/api/v1/alerts/"+url.PathEscape(cmd.ID), &whole); err != nil {
		return err
	}
	var tree any
	if err := json.Unmarshal(whole, &tree); err != nil {
		return err
	}
	text, err := json.MarshalIndent(tree, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(p.stdout, string(text))
	return err
}

type alertsWhyCmd struct {
	ID     string `arg:"" help:"The alert's id, the id of its document, or the beginning of either. With --rule: a document's _id, a file that holds one, or - for standard input."`
	Rule   string `help:"Say why this rule did not alert on a document: its id or name, or the file it is in." placeholder:"RULE"`
	Index  string `help:"With --rule, the document's _index, where several hold the id." placeholder:"INDEX"`
	Format string `help:"text or json." default:"text" enum:"text,json"`
}

func (cmd alertsWhyCmd) Run(p *process, c *cli) error {
	if cmd.Rule != "" {
		return cmd.document(p, c)
	}
	if cmd.Index != "" {
		return wrongInput{errors.New("--index is of a document: name the rule with --rule too")}
	}
	client, err := c.connect(p)
	if err != nil {
		return err
	}
	defer client.Close() //nolint:errcheck // what was asked has been answered
	var whole json.RawMessage
	if err := client.Get(p.ctx, "/api/v1/alerts/"+url.PathEscape(cmd.ID)+"/why", &whole); err != nil {
		return err
	}
	if cmd.Format == "json" {
		_, err := fmt.Fprintln(p.stdout, string(whole))
		return err
	}
	var why struct {
		ID, Rule string
		Steps    []string
	}
	if err := json.Unmarshal(whole, &why); err != nil {
		return err
	}
	fmt.Fprintf(p.stdout, "%s  %s\n", why.ID, quoteLine(why.Rule))
	for _, step := range why.Steps {
		fmt.Fprintf(p.stdout, "  %s\n", quoteLine(step))
	}
	return nil
}

// connect reaches the data directory that the configuration names, whether or not it is served.
func (c *cli) connect(p *process) (*app.Client, error) {
	cfg, err := c.load(p)
	if err != nil {
		return nil, err
	}
	log, err := logger(p, &cli{Log: "warn"})
	if err != nil {
		return nil, err
	}
	return app.Connect(p.ctx, app.Options{Config: cfg, Version: buildVersion(), Log: log})
}

type verifyCmd struct {
	Since  string `help:"How far back to compare." default:"24h"`
	Format string `help:"text or json." default:"text" enum:"text,json"`
}

func (cmd verifyCmd) Run(p *process, c *cli) error {
	age, err := duration.Parse(cmd.Since)
	if err != nil {
		return wrongInput{fmt.Errorf("--since %q %w", cmd.Since, err)}
	}
	client, err := c.connect(p)
	if err != nil {
		return err
	}
	defer client.Close() //nolint:errcheck // what was asked has been answered
	var whole json.RawMessage
	since := time.Now().Add(-age).UTC().Format(time.RFC3339)
	if err := client.Post(p.ctx, "/api/v1/verify?since="+url.QueryEscape(since), &whole); err != nil {
		return err
	}
	var v struct {
		OK      bool     `json:"ok"`
		Summary []string `json:"summary"`
		Missing []struct{ Text string }
		Doubled []struct{ Text string }
		Notes   []string `json:"notes"`
	}
	if err := json.Unmarshal(whole, &v); err != nil {
		return err
	}
	if cmd.Format == "json" {
		fmt.Fprintln(p.stdout, string(whole))
	} else {
		for _, m := range v.Missing {
			fmt.Fprintln(p.stdout, "missing:", quoteLine(m.Text))
		}
		for _, d := range v.Doubled {
			fmt.Fprintln(p.stdout, "doubled:", quoteLine(d.Text))
		}
		for _, line := range slices.Concat(v.Summary, v.Notes) {
			fmt.Fprintln(p.stdout, quoteLine(line))
		}
	}
	if !v.OK {
		return errSilent
	}
	return nil
}
