package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"
)

type rulesBacktestCmd struct {
	Rule     string   `arg:"" help:"The rule's id or name, also of the starter pack, or the file it is in."`
	From     timeFlag `help:"Where it begins: a time, or how long before now." default:"-14d" placeholder:"TIME"`
	To       timeFlag `help:"Where it ends." default:"now" placeholder:"TIME"`
	Against  string   `help:"Another version to compare with: an id, a name or a file." placeholder:"RULE"`
	TimeZone string   `help:"Where days begin, such as Europe/Berlin; UTC without it." placeholder:"ZONE"`
	Format   string   `help:"table, ndjson, json or csv; a table on a terminal, else ndjson." placeholder:"FORMAT"`
}

// backtestAsk is the body of a question, as the API takes it.
type backtestAsk struct {
	Rule    string       `json:"rule,omitempty"`
	Content string       `json:"content,omitempty"`
	Format  string       `json:"format,omitempty"`
	File    string       `json:"file,omitempty"`
	From    string       `json:"from,omitempty"`
	To      string       `json:"to,omitempty"`
	Zone    string       `json:"time_zone,omitempty"`
	Against *backtestAsk `json:"compare_with,omitempty"`
}

// backtestTold is a backtest as the API tells it.
type backtestTold struct {
	Rule     string   `json:"rule"`
	Name     string   `json:"name"`
	Sentence string   `json:"sentence"`
	Exact    bool     `json:"exact"`
	Reasons  []string `json:"reasons"`
	Warnings []string `json:"warnings"`
	Days     []struct {
		Day      string `json:"day"`
		Alerts   int    `json:"alerts"`
		Held     int    `json:"held"`
		Messages int    `json:"messages"`
	} `json:"days"`
	Worst *struct {
		Day      string `json:"day"`
		Alerts   int    `json:"alerts"`
		Messages int    `json:"messages"`
	} `json:"worst"`
	Top []struct {
		Key    []factTold `json:"key"`
		Alerts int        `json:"alerts"`
		Held   int        `json:"held"`
		Last   time.Time  `json:"last"`
	} `json:"top"`
	Misses []struct {
		Key   []factTold `json:"key"`
		Value float64    `json:"value"`
		Limit float64    `json:"limit"`
		Needs string     `json:"needs"`
		At    time.Time  `json:"at"`
	} `json:"misses"`
	MissesFrom float64 `json:"misses_from"`
	Threshold  string  `json:"threshold"`
}

type factTold struct{ Name, Value string }

// differenceTold is what a change changes, as the API tells it.
type differenceTold struct {
	Sentence string      `json:"sentence"`
	Gained   []foundTold `json:"gained_alerts"`
	Lost     []foundTold `json:"lost_alerts"`
}

type foundTold struct {
	First  time.Time `json:"first"`
	Reason string    `json:"reason"`
	Held   string    `json:"held"`
	Why    string    `json:"held_reason"`
}

// ruleOrFile makes what names a rule, or holds the one of a file.
func ruleOrFile(name string) (backtestAsk, error) {
	st, err := os.Stat(name)
	if err != nil || st.IsDir() {
		if strings.ContainsRune(name, filepath.Separator) || strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".yml") || strings.HasSuffix(name, ".json") {
			if err == nil {
				err = fmt.Errorf("%s is a directory: name one rule", name)
			}
			return backtestAsk{}, wrongInput{err}
		}
		return backtestAsk{Rule: name}, nil
	}
	content, err := os.ReadFile(name)
	if err != nil {
		return backtestAsk{}, err
	}
	ask := backtestAsk{Content: string(content), File: name}
	if strings.HasSuffix(name, ".json") {
		ask.Format = "json"
	}
	return ask, nil
}

func (cmd rulesBacktestCmd) Run(p *process, c *cli) error {
	format, err := formatOf(p, cmd.Format)
	if err != nil {
		return err
	}
	ask, err := ruleOrFile(cmd.Rule)
	if err != nil {
		return err
	}
	ask.From, ask.To, ask.Zone = string(cmd.From), string(cmd.To), cmd.TimeZone
	if cmd.Against != "" {
		other, err := ruleOrFile(cmd.Against)
		if err != nil {
			return err
		}
		other.File = ""
		ask.Against = &other
	}
	client, err := c.connectNew(p)
	if err != nil {
		return err
	}
	defer client.Close() //nolint:errcheck // what was asked has been answered
	progress := newProgress(p.stderr)
	var whole struct {
		Progress   *float64        `json:"progress"`
		Backtest   json.RawMessage `json:"backtest"`
		Difference json.RawMessage `json:"difference"`
		Error      string          `json:"error"`
		Input      bool            `json:"input"`
	}
	err = client.Lines(p.ctx, "/api/v1/rules/backtests", ask, func(line []byte) error {
		whole.Progress = nil
		if err := json.Unmarshal(line, &whole); err != nil {
			return fmt.Errorf("read the answer of tocsin: %w", err)
		}
		if whole.Progress != nil {
			progress.tell(*whole.Progress)
		}
		return nil
	})
	progress.end()
	switch {
	case err != nil:
		return notThere(err)
	case whole.Error != "" && whole.Input:
		return wrongInput{errors.New(whole.Error)}
	case whole.Error != "":
		return errors.New(whole.Error)
	case whole.Backtest == nil:
		return errors.New("the answer ends too early: tocsin was stopped, or its log says why")
	}
	var b backtestTold
	if err := json.Unmarshal(whole.Backtest, &b); err != nil {
		return fmt.Errorf("read the answer of tocsin: %w", err)
	}
	for _, w := range b.Warnings {
		fmt.Fprintln(p.stderr, "warning:", quoteLine(w))
	}
	for _, r := range b.Reasons {
		fmt.Fprintln(p.stderr, "not exact:", quoteLine(r))
	}
	var d *differenceTold
	if whole.Difference != nil {
		d = &differenceTold{}
		if err := json.Unmarshal(whole.Difference, d); err != nil {
			return fmt.Errorf("read the answer of tocsin: %w", err)
		}
	}
	switch format {
	case "table":
		return b.print(p.stdout, d)
	case "json":
		return printWhole(p.stdout, &b, whole.Backtest, whole.Difference)
	}
	out := newPrinter(p.stdout, format, backtestColumns)
	for _, row := range b.rows() {
		if err := out.row(row); err != nil {
			return err
		}
	}
	return out.end()
}

// backtestColumns are the columns of a backtest as rows: its days.
var backtestColumns = []string{"day", "alerts", "held", "messages"}

func (b *backtestTold) rows() (out []map[string]any) {
	for _, d := range b.Days {
		out = append(out, map[string]any{"day": d.Day, "alerts": d.Alerts, "held": d.Held, "messages": d.Messages})
	}
	return out
}

// printWhole prints one object: the days as rows, and all the rest beside them.
func printWhole(out io.Writer, b *backtestTold, backtest, difference json.RawMessage) error {
	all := map[string]json.RawMessage{}
	if err := json.Unmarshal(backtest, &all); err != nil {
		return fmt.Errorf("read the answer of tocsin: %w", err)
	}
	for name, v := range map[string]any{"columns": backtestColumns, "rows": b.rows()} {
		text, err := json.Marshal(v)
		if err != nil {
			return err
		}
		all[name] = text
	}
	if difference != nil {
		all["difference"] = difference
	}
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	return e.Encode(all)
}

// print prints a backtest for people.
func (b *backtestTold) print(out io.Writer, d *differenceTold) error {
	var s strings.Builder
	fmt.Fprintln(&s, quoteLine(b.Sentence))
	if d != nil {
		fmt.Fprintln(&s, quoteLine(d.Sentence))
	}
	b.printDays(&s)
	if len(b.Top) > 0 {
		fmt.Fprintf(&s, "\nMost alerts\n")
		t := tabwriter.NewWriter(&s, 0, 0, 2, ' ', 0)
		for _, k := range b.Top {
			held := ""
			if k.Held > 0 {
				held = fmt.Sprintf("and %d held back", k.Held)
			}
			fmt.Fprintf(t, "  %s\t%d\tlast at %s\t%s\n", cut(quoteLine(facts(k.Key)), 60), k.Alerts, k.Last.UTC().Format(time.DateTime), held)
		}
		t.Flush() //nolint:errcheck // a builder takes everything
	}
	switch {
	case len(b.Misses) > 0:
		fmt.Fprintf(&s, "\nNearest misses, which needs %s\n", b.Threshold)
		t := tabwriter.NewWriter(&s, 0, 0, 2, ' ', 0)
		for _, m := range b.Misses {
			fmt.Fprintf(t, "  %s\t%v of %v\tat %s\n", cut(quoteLine(facts(m.Key)), 60), m.Value, m.Limit, m.At.UTC().Format(time.DateTime))
		}
		t.Flush() //nolint:errcheck // see above
	case b.MissesFrom > 0:
		fmt.Fprintf(&s, "\nNo other had more than %v, where it needs %s.\n", b.MissesFrom, b.Threshold)
	}
	if d != nil {
		printFound(&s, "\nNew alerts", d.Gained)
		printFound(&s, "\nLost alerts", d.Lost)
	}
	for line := range strings.Lines(s.String()) {
		if _, err := fmt.Fprintln(out, strings.TrimRight(line, " \n")); err != nil {
			return err
		}
	}
	return nil
}

// mostBar is how wide the bar of the worst day is, which has leastFull messages at least: few are a short bar.
const (
	mostBar   = 24
	leastFull = 6
)

// printDays prints a bar for each day: its messages, or its alerts where there are no messages.
func (b *backtestTold) printDays(s *strings.Builder) {
	most := 0
	height := func(alerts, messages int) int {
		if messages == 0 {
			return alerts
		}
		return messages
	}
	for _, d := range b.Days {
		most = max(most, height(d.Alerts, d.Messages))
	}
	if most == 0 {
		return
	}
	most = max(most, leastFull)
	s.WriteByte('\n')
	t := tabwriter.NewWriter(s, 0, 0, 2, ' ', 0)
	for _, d := range b.Days {
		worst := ""
		if b.Worst != nil && b.Worst.Day == d.Day {
			worst = "worst day"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", d.Day, bar(height(d.Alerts, d.Messages), most), some(d.Messages, "message"), some(d.Alerts, "alert"), worst)
	}
	t.Flush() //nolint:errcheck // a builder takes everything
}

// some is a number with its word, empty for none.
func some(n int, word string) string {
	switch n {
	case 0:
		return ""
	case 1:
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

// bar is a bar of eighths of a character, as long as n of most.
func bar(n, most int) string {
	if n == 0 {
		return ""
	}
	eighths := max(1, n*mostBar*8/most)
	whole, rest := eighths/8, eighths%8
	out := strings.Repeat("█", whole)
	if rest > 0 {
		out += string([]rune("▏▎▍▌▋▊▉")[rest-1])
	}
	return out
}

func facts(key []factTold) string {
	parts := make([]string, len(key))
	for i, f := range key {
		parts[i] = f.Name + " " + f.Value
	}
	return strings.Join(parts, ", ")
}

func printFound(s *strings.Builder, title string, all []foundTold) {
	const most = 10
	if len(all) == 0 {
		return
	}
	fmt.Fprintln(s, title)
	for _, a := range all[:min(len(all), most)] {
		why := ""
		if a.Held != "" {
			why = "  now " + a.Held + ": " + quoteLine(a.Why)
		}
		fmt.Fprintf(s, "  %s  %s%s\n", a.First.UTC().Format(time.DateTime), cut(quoteLine(a.Reason), 100), why)
	}
	if n := len(all) - most; n > 0 {
		fmt.Fprintf(s, "  and %d more\n", n)
	}
}

// progress tells on a terminal how far something is.
type progress struct {
	out  io.Writer
	told bool
}

func newProgress(out io.Writer) *progress {
	if !isTerminal(out) {
		out = nil
	}
	return &progress{out: out}
}

func (p *progress) tell(done float64) {
	if p.out == nil {
		return
	}
	p.told = true
	fmt.Fprintf(p.out, "\r%3.0f %%", done*100) //nolint:errcheck // it is only shown
}

func (p *progress) end() {
	if p.told {
		fmt.Fprint(p.out, "\r     \r") //nolint:errcheck // see above
	}
}
