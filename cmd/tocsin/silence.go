package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os/user"
	"strings"
	"time"

	"tocsin/internal/duration"
)

// tuningDraft is what a silence, an exception or a switch is made of, on the command line.
type tuningDraft struct {
	Match    string `arg:"" optional:"" help:"KQL on the alert, such as 'host.name: web*'."`
	Rule     string `help:"Only alerts of this rule." placeholder:"NAME"`
	Tag      string `help:"Only alerts whose rule has this tag." placeholder:"TAG"`
	Severity string `help:"Only alerts of this severity: low, medium, high or critical." placeholder:"SEVERITY"`
}

func (d tuningDraft) body() map[string]any {
	return map[string]any{"match": d.Match, "rule": d.Rule, "tag": d.Tag, "severity": d.Severity}
}

// tuningSpan is when it holds.
type tuningSpan struct {
	From    string `help:"When it begins, such as 2026-01-02T15:04:05Z; now without it." placeholder:"TIME"`
	Until   string `help:"When it ends, such as 2026-01-02T15:04:05Z." placeholder:"TIME" xor:"end"`
	For     string `help:"How long it lasts, such as 2h." placeholder:"DURATION" xor:"end"`
	Forever bool   `help:"It has no end." xor:"end"`
	Why     string `help:"Why, for those who look at it later." required:"" placeholder:"TEXT"`
}

func (s tuningSpan) into(body map[string]any) error {
	for name, value := range map[string]string{"from": s.From, "until": s.Until} {
		if value == "" {
			continue
		}
		if _, err := time.Parse(time.RFC3339, value); err != nil {
			return wrongInput{fmt.Errorf("--%s %q is not a time such as 2026-01-02T15:04:05Z", name, value)}
		}
		body[name] = value
	}
	if s.For != "" {
		if _, err := duration.Parse(s.For); err != nil {
			return wrongInput{fmt.Errorf("--for %q %w", s.For, err)}
		}
		body["for"] = s.For
	}
	if s.Forever {
		body["forever"] = true
	}
	body["why"], body["who"] = s.Why, whoami()
	return nil
}

// whoami is the name of who runs the command.
func whoami() string {
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username
	}
	return "someone on this machine"
}

type silenceCmd struct {
	Add     silenceAddCmd     `cmd:"" help:"Keep alerts that match silent for a while."`
	List    silenceListCmd    `cmd:"" help:"List silences, newest first."`
	Expire  silenceExpireCmd  `cmd:"" help:"End a silence now; what still goes on is then said."`
	Preview silencePreviewCmd `cmd:"" help:"Say what a silence would have hidden of the last days."`
}

type exceptionCmd struct {
	Add     exceptionAddCmd     `cmd:"" help:"Except alerts that match: they are known, and none."`
	List    exceptionListCmd    `cmd:"" help:"List exceptions, newest first."`
	Expire  exceptionExpireCmd  `cmd:"" help:"End an exception now."`
	Preview exceptionPreviewCmd `cmd:"" help:"Say what an exception would have hidden of the last days."`
}

type forwardingCmd struct {
	Add     forwardingAddCmd     `cmd:"" help:"Switch the forwarding of Kibana's alerts off, or on, by rule, tag, severity or KQL."`
	List    forwardingListCmd    `cmd:"" help:"List switches, newest first: of several that match, the newest decides."`
	Expire  forwardingExpireCmd  `cmd:"" help:"Take a switch away."`
	Preview forwardingPreviewCmd `cmd:"" help:"Say what switching off would have hidden of the last days."`
}

type silenceAddCmd struct {
	tuningDraft
	tuningSpan
}

func (cmd silenceAddCmd) Run(p *process, c *cli) error {
	return cmd.add(p, c, "silences", cmd.tuningSpan, nil)
}

type exceptionAddCmd struct {
	tuningDraft
	tuningSpan
}

func (cmd exceptionAddCmd) Run(p *process, c *cli) error {
	return cmd.add(p, c, "exceptions", cmd.tuningSpan, nil)
}

type forwardingAddCmd struct {
	tuningDraft
	tuningSpan
	On bool `help:"Forward such alerts, whatever the file says; without it they are not."`
}

func (cmd forwardingAddCmd) Run(p *process, c *cli) error {
	return cmd.add(p, c, "forwarding", cmd.tuningSpan, map[string]any{"forward": cmd.On})
}

// add makes one and says what it would have done.
func (d tuningDraft) add(p *process, c *cli, path string, span tuningSpan, more map[string]any) error {
	body := d.body()
	for name, value := range more {
		body[name] = value
	}
	if err := span.into(body); err != nil {
		return err
	}
	client, err := c.connectNew(p)
	if err != nil {
		return err
	}
	defer client.Close() //nolint:errcheck // what was asked has been answered
	var e tuningEntry
	if err := client.Send(p.ctx, "POST", "/api/v1/"+path, body, &e); err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.stdout, "%s %s %s\n", e.ID, e.State, quoteLine(e.Match))
	return err
}

type tuningEntry struct {
	ID, Kind, State, Match, Who, Why string
	From                             time.Time
	Until                            *time.Time
	Forward                          *bool
	Version                          int64
}

type tuningList struct {
	State  string `help:"Only those that stand so: pending, active or expired; all, for every one." default:"live" enum:"live,pending,active,expired,all"`
	Format string `help:"table, ndjson, json or csv; a table on a terminal, else ndjson." placeholder:"FORMAT"`
}

type silenceListCmd struct{ tuningList }

func (cmd silenceListCmd) Run(p *process, c *cli) error { return cmd.list(p, c, "silences") }

type exceptionListCmd struct{ tuningList }

func (cmd exceptionListCmd) Run(p *process, c *cli) error { return cmd.list(p, c, "exceptions") }

type forwardingListCmd struct{ tuningList }

func (cmd forwardingListCmd) Run(p *process, c *cli) error { return cmd.list(p, c, "forwarding") }

func (cmd tuningList) list(p *process, c *cli, path string) error {
	format, err := formatOf(p, cmd.Format)
	if err != nil {
		return err
	}
	client, err := c.connectNew(p)
	if err != nil {
		return err
	}
	defer client.Close() //nolint:errcheck // what was asked has been answered
	url := "/api/v1/" + path
	if cmd.State != "all" && cmd.State != "live" {
		url += "?state=" + cmd.State
	}
	var found struct{ Items []map[string]any }
	if err := client.Get(p.ctx, url, &found); err != nil {
		return err
	}
	columns := []string{"id", "state", "match", "from", "until", "who", "why", "version"}
	if path == "forwarding" {
		columns = append(columns, "forward")
	}
	out := newPrinter(p.stdout, format, columns)
	for _, row := range found.Items {
		if cmd.State == "live" && row["state"] == "expired" {
			continue
		}
		if err := out.row(row); err != nil {
			return err
		}
	}
	return out.end()
}

type tuningExpire struct {
	ID   string `arg:"" help:"Its id, or the beginning of it."`
	Note string `help:"Why." placeholder:"TEXT"`
}

type silenceExpireCmd struct{ tuningExpire }

func (cmd silenceExpireCmd) Run(p *process, c *cli) error { return cmd.expire(p, c, "silences") }

type exceptionExpireCmd struct{ tuningExpire }

func (cmd exceptionExpireCmd) Run(p *process, c *cli) error { return cmd.expire(p, c, "exceptions") }

type forwardingExpireCmd struct{ tuningExpire }

func (cmd forwardingExpireCmd) Run(p *process, c *cli) error { return cmd.expire(p, c, "forwarding") }

func (cmd tuningExpire) expire(p *process, c *cli, path string) error {
	client, err := c.connectNew(p)
	if err != nil {
		return err
	}
	defer client.Close() //nolint:errcheck // what was asked has been answered
	var e tuningEntry
	if err := client.Send(p.ctx, "POST", "/api/v1/"+path+"/"+url.PathEscape(cmd.ID)+"/expire", map[string]any{"note": cmd.Note, "who": whoami()}, &e); err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.stdout, "%s %s %s\n", e.ID, e.State, quoteLine(e.Match))
	return err
}

type tuningPreview struct {
	tuningDraft
	Since  string `help:"How far back to look." default:"7d" placeholder:"AGE"`
	Format string `help:"text or json." default:"text" enum:"text,json"`
}

type silencePreviewCmd struct{ tuningPreview }

func (cmd silencePreviewCmd) Run(p *process, c *cli) error { return cmd.preview(p, c, "silences") }

type exceptionPreviewCmd struct{ tuningPreview }

func (cmd exceptionPreviewCmd) Run(p *process, c *cli) error { return cmd.preview(p, c, "exceptions") }

type forwardingPreviewCmd struct{ tuningPreview }

func (cmd forwardingPreviewCmd) Run(p *process, c *cli) error {
	return cmd.preview(p, c, "forwarding")
}

func (cmd tuningPreview) preview(p *process, c *cli, path string) error {
	age, err := duration.Parse(cmd.Since)
	if err != nil {
		return wrongInput{fmt.Errorf("--since %q %w", cmd.Since, err)}
	}
	body := cmd.body()
	body["since"] = time.Now().Add(-age).UTC().Format(time.RFC3339)
	client, err := c.connectNew(p)
	if err != nil {
		return err
	}
	defer client.Close() //nolint:errcheck // what was asked has been answered
	var whole json.RawMessage
	if err := client.Send(p.ctx, "POST", "/api/v1/"+path+"/preview", body, &whole); err != nil {
		return err
	}
	if cmd.Format == "json" {
		_, err := fmt.Fprintln(p.stdout, string(whole))
		return err
	}
	var v struct {
		Seen, Matched, Said, Held int
		Worst                     string `json:"worst_severity"`
		Rules                     []struct {
			Rule          string
			Matched, Seen int
		}
	}
	if err := json.Unmarshal(whole, &v); err != nil {
		return err
	}
	fmt.Fprintf(p.stdout, "would have hidden %d of %d", v.Matched, v.Seen)
	if v.Matched > 0 {
		var parts []string
		if v.Said > 0 {
			parts = append(parts, fmt.Sprintf("%d of them said", v.Said))
		}
		if v.Held > 0 {
			parts = append(parts, fmt.Sprintf("%d held back anyway", v.Held))
		}
		fmt.Fprintf(p.stdout, ": %s; the worst is %s", strings.Join(parts, ", "), v.Worst)
	}
	fmt.Fprintln(p.stdout)
	for _, r := range v.Rules {
		fmt.Fprintf(p.stdout, "  %d of %d  %s\n", r.Matched, r.Seen, quoteLine(r.Rule))
	}
	return nil
}
