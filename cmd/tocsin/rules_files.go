package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"

	"tocsin/internal/app"
)

type rulesApplyCmd struct {
	Paths []string `arg:"" help:"Files of rules (YAML or JSON), and directories of them."`
	Note  string   `help:"Why; it stands in the rules' history." placeholder:"TEXT"`
}

func (cmd rulesApplyCmd) Run(p *process, c *cli) error {
	cfg, err := c.load(p)
	if err != nil {
		return err
	}
	tables, err := app.ReadTables(cfg)
	if err != nil {
		return userError(err)
	}
	rules, err := app.ReadRules(cmd.Paths, app.SourceNames(cfg), tables)
	if err == nil {
		err = app.DistinctRules(rules)
	}
	if err != nil {
		return wrongRules(p, err)
	}
	client, err := c.connectNew(p)
	if err != nil {
		return err
	}
	defer client.Close() //nolint:errcheck // what was asked has been answered
	var failed []error
	for _, r := range rules {
		var done ruleChanged
		change := ruleChange{Content: r.Content, File: r.Path, Files: r.Files, Note: cmd.Note}
		if err := client.Send(p.ctx, http.MethodPost, "/api/v1/rules", change, &done); err != nil {
			failed = append(failed, err)
			continue
		}
		for _, w := range done.Warnings {
			fmt.Fprintf(p.stderr, "warning: %s:%d:%d: %s\n", r.Path, w.Place.Line, w.Place.Column, quoteLine(w.Text))
		}
		said := fmt.Sprintf("saved as version %d", done.Version)
		if done.Same {
			said = fmt.Sprintf("unchanged (version %d)", done.Version)
		}
		fmt.Fprintf(p.stdout, "%s %s\n", done.ID, said)
	}
	return errors.Join(failed...)
}

// wrongRules prints problems as they are, a line each.
func wrongRules(p *process, err error) error {
	var input *app.InputError
	if !errors.As(err, &input) {
		return err
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		fmt.Fprintln(p.stderr, quoteLine(line))
	}
	return wrongInput{errSilentInput}
}

// errSilentInput is wrong input that has been told already.
var errSilentInput = errors.New("nothing was done")

type rulesExportCmd struct {
	Names []string `arg:"" optional:"" help:"Ids or names of rules; without any, all."`
	Out   string   `help:"The directory to write into; without it one rule is printed." placeholder:"DIR"`
}

func (cmd rulesExportCmd) Run(p *process, c *cli) error {
	client, err := c.connectNew(p)
	if err != nil {
		return err
	}
	defer client.Close() //nolint:errcheck // what was asked has been answered
	names := cmd.Names
	if len(names) == 0 {
		if names, err = allRules(p, client); err != nil {
			return err
		}
	}
	if cmd.Out == "" && len(names) != 1 {
		return wrongInput{fmt.Errorf("there are %d rules to export: name the directory to write them into with --out DIR, or one rule", len(names))}
	}
	for _, name := range names {
		var whole struct {
			ID, Content string
			Files       map[string][]byte
		}
		if err := client.Send(p.ctx, http.MethodGet, rulePath(name), nil, &whole); err != nil {
			return notThere(err)
		}
		if cmd.Out == "" {
			return printText(p, whole.Content)
		}
		path, err := app.WriteRule(cmd.Out, whole.ID, whole.Content, whole.Files)
		if err != nil {
			return err
		}
		fmt.Fprintln(p.stdout, path)
	}
	return nil
}

// allRules are the ids of all rules.
func allRules(p *process, client *app.Client) ([]string, error) {
	var answer struct {
		Rules []struct{ ID string } `json:"rules"`
	}
	if err := client.Get(p.ctx, "/api/v1/rules", &answer); err != nil {
		return nil, err
	}
	ids := make([]string, 0, len(answer.Rules))
	for _, r := range answer.Rules {
		ids = append(ids, r.ID)
	}
	return ids, nil
}

type rulesTestCmd struct {
	Rules  []string `arg:"" optional:"" help:"Files and directories of rules, or ids and names of the rules there are; without any, all there are."`
	Pack   bool     `help:"Test the rules of the starter pack."`
	Format string   `help:"text, table, ndjson, json or csv; text on a terminal, else ndjson." placeholder:"FORMAT"`
}

func (cmd rulesTestCmd) Run(p *process, c *cli) error {
	format := cmd.Format
	if format != "text" {
		var err error
		if format, err = formatOf(p, cmd.Format); err != nil {
			return err
		}
		if cmd.Format == "" && format == "table" {
			format = "text"
		}
	}
	tested, err := cmd.run(p, c)
	if err != nil {
		return err
	}
	var failed, untested int
	out := newPrinter(p.stdout, format, []string{"rule", "test", "passed", "want", "got", "differences"})
	for _, r := range tested {
		if len(r.Tests) == 0 {
			untested++
			fmt.Fprintf(p.stderr, "rule %s has no tests\n", quoteLine(r.ID))
		}
		for _, test := range r.Tests {
			if !test.Passed {
				failed++
			}
			if format == "text" {
				printTest(p, r.ID, test.Test, test.Differences)
				continue
			}
			row := map[string]any{"rule": r.ID, "test": test.Test, "passed": test.Passed, "want": test.Want, "got": test.Got, "differences": append([]string{}, test.Differences...)}
			if format == "table" || format == "csv" {
				row["differences"] = strings.Join(test.Differences, "; ")
			}
			if err := out.row(row); err != nil {
				return err
			}
		}
	}
	if format != "text" {
		if err := out.end(); err != nil {
			return err
		}
	}
	if failed > 0 {
		return fmt.Errorf("%s failed", plural(failed, "test"))
	}
	return nil
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// printTest prints a test; without differences it passed.
func printTest(p *process, id, test string, differences []string) {
	mark := "ok  "
	if len(differences) > 0 {
		mark = "FAIL"
	}
	fmt.Fprintf(p.stdout, "%s %s: %s\n", mark, quoteLine(id), quoteLine(test))
	for _, d := range differences {
		fmt.Fprintf(p.stdout, "       %s\n", quoteLine(d))
	}
}

// run tests files here, and the rules there are where they are.
func (cmd rulesTestCmd) run(p *process, c *cli) ([]app.RuleTests, error) {
	if cmd.Pack {
		return app.TestPack(p.ctx)
	}
	var paths, names []string
	for _, r := range cmd.Rules {
		if _, err := os.Stat(r); err == nil {
			paths = append(paths, r)
		} else {
			names = append(names, r)
		}
	}
	var out []app.RuleTests
	if len(paths) > 0 {
		cfg, err := c.load(p)
		if err != nil {
			return nil, err
		}
		tables, err := app.ReadTables(cfg)
		if err != nil {
			return nil, userError(err)
		}
		rules, err := app.ReadRules(paths, nil, tables)
		if err != nil {
			return nil, wrongRules(p, err)
		}
		if out, err = app.TestRules(p.ctx, rules, tables); err != nil {
			return nil, err
		}
	}
	if len(names) == 0 && len(paths) > 0 {
		return out, nil
	}
	for _, name := range names {
		if strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".yml") {
			return nil, wrongInput{fmt.Errorf("there is no file %s", name)}
		}
	}
	client, err := c.connectNew(p)
	if err != nil {
		return nil, err
	}
	defer client.Close() //nolint:errcheck // what was asked has been answered
	if len(names) == 0 {
		if names, err = allRules(p, client); err != nil {
			return nil, err
		}
	}
	for _, name := range slices.Compact(names) {
		var one app.RuleTests
		if err := client.Send(p.ctx, http.MethodPost, rulePath(name)+"/test", nil, &one); err != nil {
			return nil, notThere(err)
		}
		out = append(out, one)
	}
	return out, nil
}
