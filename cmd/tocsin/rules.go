package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"tocsin/internal/app"
)

type rulesCmd struct {
	List     rulesListCmd     `cmd:"" help:"List the rules there are, or those of the starter pack."`
	Show     rulesShowCmd     `cmd:"" help:"Show one rule, or its versions."`
	Enable   rulesEnableCmd   `cmd:"" help:"Turn a rule on; one of the starter pack becomes a rule of yours."`
	Disable  rulesDisableCmd  `cmd:"" help:"Turn a rule off."`
	Test     rulesTestCmd     `cmd:"" help:"Run the tests of rules."`
	Backtest rulesBacktestCmd `cmd:"" help:"Say what a rule would have said: alerts and Slack messages, by day and by key."`
	Apply    rulesApplyCmd    `cmd:"" help:"Save rules from files."`
	Export   rulesExportCmd   `cmd:"" help:"Write rules as files."`
	Delete   rulesDeleteCmd   `cmd:"" help:"Delete a rule; its versions stay."`
}

// ruleChange is the body of a change, as the API takes it.
type ruleChange struct {
	Content string            `json:"content,omitempty"`
	File    string            `json:"file,omitempty"`
	Files   map[string][]byte `json:"files,omitempty"`
	Enabled any               `json:"enabled,omitempty"`
	Source  string            `json:"source,omitempty"`
	Note    string            `json:"note,omitempty"`
}

// ruleChanged is the answer to a change.
type ruleChanged struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Version  int64  `json:"version"`
	Enabled  any    `json:"enabled"`
	Same     bool   `json:"unchanged"`
	Warnings []struct {
		Place struct{ Line, Column int }
		Text  string
	} `json:"warnings"`
}

// connectNew reaches the data directory that the configuration names, and makes it where there is none.
func (c *cli) connectNew(p *process) (*app.Client, error) {
	cfg, err := c.load(p)
	if err != nil {
		return nil, err
	}
	log, err := logger(p, &cli{Log: "error"}) // what is wrong with rules is told by the commands themselves
	if err != nil {
		return nil, err
	}
	return app.ConnectNew(p.ctx, app.Options{Config: cfg, Version: buildVersion(), Log: log})
}

type rulesListCmd struct {
	Pack   bool   `help:"List the rules of the starter pack."`
	Format string `help:"table, ndjson, json or csv; a table on a terminal, else ndjson." placeholder:"FORMAT"`
}

var (
	rulesListed = []string{"id", "name", "origin", "enabled", "runs", "severity", "every", "source", "attack", "tags", "owner", "tests", "version", "revision", "file", "kind", "search", "changed_at", "changed_by", "problem"}
	rulesTabled = []string{"id", "name", "origin", "enabled", "severity", "every", "attack", "version", "problem"}
	packListed  = []string{"id", "name", "installed", "severity", "every", "attack", "tags", "tests", "search", "noise"}
	packTabled  = []string{"id", "name", "installed", "severity", "every", "attack"}
)

func (cmd rulesListCmd) Run(p *process, c *cli) error {
	format, err := formatOf(p, cmd.Format)
	if err != nil {
		return err
	}
	client, err := c.connectNew(p)
	if err != nil {
		return err
	}
	defer client.Close() //nolint:errcheck // what was asked has been answered
	path, columns, tabled := "/api/v1/rules", rulesListed, rulesTabled
	if cmd.Pack {
		path, columns, tabled = "/api/v1/rules-pack", packListed, packTabled
	}
	if format == "table" {
		columns = tabled
	}
	var answer struct {
		Rules []map[string]any `json:"rules"`
	}
	if err := client.Get(p.ctx, path, &answer); err != nil {
		return err
	}
	out := newPrinter(p.stdout, format, columns)
	for _, row := range answer.Rules {
		told, err := json.Marshal(row["problems"])
		if err != nil {
			return err
		}
		var problems []problem
		if err := json.Unmarshal(told, &problems); err != nil {
			return err
		}
		if len(problems) > 0 {
			row["problem"] = problems[0].String()
		} else if failed, ok := row["error"].(string); ok {
			row["problem"] = "it fails: " + failed
			fmt.Fprintf(p.stderr, "problem: rule %s fails: %s\n", quoteLine(fmt.Sprint(row["id"])), quoteLine(failed))
		} else if told, ok := row["told"].([]any); ok && len(told) > 0 {
			row["problem"] = fmt.Sprint(told[0])
		}
		if format == "table" || format == "csv" {
			for name, v := range row {
				if list, ok := v.([]any); ok {
					row[name] = strings.Trim(fmt.Sprint(list), "[]")
				}
			}
		}
		for _, problem := range problems {
			fmt.Fprintln(p.stderr, "problem:", quoteLine(problem.String()))
		}
		if err := out.row(row); err != nil {
			return err
		}
	}
	return out.end()
}

// problem is a problem of a rule as the API tells it.
type problem struct {
	Place struct {
		File         string
		Line, Column int
	}
	Text string
}

func (p problem) String() string {
	switch {
	case p.Place.Line == 0 && p.Place.File == "":
		return p.Text
	case p.Place.Line == 0:
		return p.Place.File + ": " + p.Text
	}
	return strings.TrimPrefix(fmt.Sprintf("%s:%d:%d: %s", p.Place.File, p.Place.Line, p.Place.Column, p.Text), ":")
}

// rulePath is a rule's path in the API.
func rulePath(name string) string { return "/api/v1/rules/" + url.PathEscape(name) }

type rulesShowCmd struct {
	Name    string `arg:"" help:"The rule's id or name."`
	Pack    bool   `help:"The rule of the starter pack."`
	History bool   `help:"List the rule's versions, newest first."`
	Version int64  `help:"Show this version." placeholder:"N"`
	Format  string `help:"yaml or json; for --history also table, ndjson and csv." placeholder:"FORMAT"`
}

func (cmd rulesShowCmd) Run(p *process, c *cli) error {
	client, err := c.connectNew(p)
	if err != nil {
		return err
	}
	defer client.Close() //nolint:errcheck // what was asked has been answered
	if cmd.History {
		return cmd.history(p, client)
	}
	if cmd.Format != "" && cmd.Format != "yaml" && cmd.Format != "json" {
		return wrongInput{fmt.Errorf("--format %q: there are yaml and json", cmd.Format)}
	}
	path := rulePath(cmd.Name)
	if cmd.Pack {
		path = "/api/v1/rules-pack/" + url.PathEscape(cmd.Name)
	}
	if cmd.Version != 0 {
		path += fmt.Sprintf("/versions/%d", cmd.Version)
	}
	var whole json.RawMessage
	if err := client.Send(p.ctx, http.MethodGet, path, nil, &whole); err != nil {
		return notThere(err)
	}
	if cmd.Format == "json" {
		var tree any
		if err := json.Unmarshal(whole, &tree); err != nil {
			return err
		}
		e := json.NewEncoder(p.stdout)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		return e.Encode(tree)
	}
	var shown struct {
		Content  string
		Problems []problem
		Error    string
		Told     []string
	}
	if err := json.Unmarshal(whole, &shown); err != nil {
		return err
	}
	for _, problem := range shown.Problems {
		fmt.Fprintln(p.stderr, "problem:", quoteLine(problem.String()))
	}
	if shown.Error != "" {
		fmt.Fprintln(p.stderr, "problem: it fails:", quoteLine(shown.Error))
	}
	for _, told := range shown.Told {
		fmt.Fprintln(p.stderr, "warning:", quoteLine(told))
	}
	return printText(p, shown.Content)
}

// printText prints lines of a rule; what could give a terminal orders becomes spaces.
func printText(p *process, content string) error {
	for line := range strings.SplitSeq(strings.TrimSuffix(content, "\n"), "\n") {
		if _, err := fmt.Fprintln(p.stdout, strings.TrimRight(quoteLine(line), " ")); err != nil {
			return err
		}
	}
	return nil
}

func (cmd rulesShowCmd) history(p *process, client *app.Client) error {
	format, err := formatOf(p, cmd.Format)
	if err != nil {
		return err
	}
	var answer struct {
		Versions []map[string]any `json:"versions"`
	}
	if err := client.Send(p.ctx, http.MethodGet, rulePath(cmd.Name)+"/versions", nil, &answer); err != nil {
		return notThere(err)
	}
	out := newPrinter(p.stdout, format, []string{"version", "at", "who", "action", "changes", "note"})
	for _, row := range answer.Versions {
		if format == "table" || format == "csv" {
			row["changes"] = changesText(row["changes"])
		}
		if err := out.row(row); err != nil {
			return err
		}
	}
	return out.end()
}

func changesText(changes any) string {
	list, _ := changes.([]any)
	var out []string
	for _, one := range list {
		d, _ := one.(map[string]any)
		if d["key"] == "" {
			out = append(out, "comments or layout")
			continue
		}
		old, errOld := json.Marshal(d["old"])
		now, errNow := json.Marshal(d["new"])
		if errOld == nil && errNow == nil {
			out = append(out, fmt.Sprintf("%v: %s -> %s", d["key"], old, now))
		}
	}
	return strings.Join(out, "; ")
}

// notThere makes a rule that does not exist the user's mistake.
func notThere(err error) error {
	var status *app.StatusError
	if errors.As(err, &status) && status.Status == http.StatusNotFound {
		return wrongInput{err}
	}
	return err
}

type rulesEnableCmd struct {
	Names  []string `arg:"" help:"Ids or names of rules, of yours or of the starter pack."`
	Shadow bool     `help:"Run the rules, and keep what they find without saying it."`
	Source string   `help:"The source that a rule of the starter pack searches; needed where there are several." placeholder:"NAME"`
	Note   string   `help:"Why; it stands in the rule's history." placeholder:"TEXT"`
}

func (cmd rulesEnableCmd) Run(p *process, c *cli) error {
	var state any = true
	if cmd.Shadow {
		state = "shadow"
	}
	return setState(p, c, cmd.Names, ruleChange{Enabled: state, Source: cmd.Source, Note: cmd.Note})
}

type rulesDisableCmd struct {
	Names []string `arg:"" help:"Ids or names of rules."`
	Note  string   `help:"Why; it stands in the rule's history." placeholder:"TEXT"`
}

func (cmd rulesDisableCmd) Run(p *process, c *cli) error {
	return setState(p, c, cmd.Names, ruleChange{Enabled: false, Note: cmd.Note})
}

// setState changes rules one after the other and goes on after one that cannot be.
func setState(p *process, c *cli, names []string, change ruleChange) error {
	client, err := c.connectNew(p)
	if err != nil {
		return err
	}
	defer client.Close() //nolint:errcheck // what was asked has been answered
	var failed []error
	for _, name := range names {
		var done ruleChanged
		if err := client.Send(p.ctx, http.MethodPost, rulePath(name)+"/state", change, &done); err != nil {
			failed = append(failed, notThere(err))
			continue
		}
		said := map[any]string{true: "enabled", false: "disabled", "shadow": "in shadow mode"}[done.Enabled]
		if done.Same {
			said += " already"
		}
		fmt.Fprintf(p.stdout, "%s is %s (version %d)\n", done.ID, said, done.Version)
	}
	return errors.Join(failed...)
}

type rulesDeleteCmd struct {
	Name string `arg:"" help:"The rule's id or name."`
	Note string `help:"Why; it stands in the rule's history." placeholder:"TEXT"`
}

func (cmd rulesDeleteCmd) Run(p *process, c *cli) error {
	client, err := c.connectNew(p)
	if err != nil {
		return err
	}
	defer client.Close() //nolint:errcheck // what was asked has been answered
	var done ruleChanged
	query := url.Values{"note": {cmd.Note}}
	if err := client.Send(p.ctx, http.MethodDelete, rulePath(cmd.Name)+"?"+query.Encode(), nil, &done); err != nil {
		return notThere(err)
	}
	_, err = fmt.Fprintf(p.stdout, "%s is deleted; `tocsin rules show %s --history` still shows its versions\n", done.ID, done.ID)
	return err
}
