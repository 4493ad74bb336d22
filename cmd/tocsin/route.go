package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"tocsin/internal/duration"
)

type routeCmd struct {
	Test routeTestCmd `cmd:"" help:"Say which routes an alert takes, and why, clause by clause."`
}

type routeTestCmd struct {
	Alert  string `arg:"" optional:"" help:"The id of an alert that was seen, or the beginning of one; - reads an alert as JSON."`
	Rule   string `help:"Instead of an alert, a rule: its newest alert, else what its alerts would be." placeholder:"NAME"`
	Format string `help:"text or json." default:"text" enum:"text,json"`
}

// mostAlert bounds the JSON of an alert.
const mostAlert = 4 << 20

type routeTested struct {
	About, Rule, Kept, Reason string
	Steps                     []struct {
		Path, Match string
		Matched     bool
		Continue    bool
		Clauses     []struct {
			Text    string
			Matched bool
			Values  []struct{ Name, Value string }
		}
	}
	Taken []struct {
		Path, Channel, Quiet string
		ChannelBy            string                         `json:"channel_by"`
		OfRule               bool                           `json:"channel_of_rule"`
		Unheard              string                         `json:"channel_unheard"`
		GroupBy              []struct{ Name, Value string } `json:"group_by"`
		Alone                bool
		GroupWait            time.Duration `json:"group_wait_ns"`
		Interval             time.Duration `json:"group_interval_ns"`
		Rate                 string        `json:"rate_limit"`
		Left                 string        `json:"left_out"`
		Escalation           int           `json:"escalation_steps"`
	}
	Places   map[string]string
	Warnings []struct {
		Where, Text  string
		Line, Column int
	}
}

func (cmd routeTestCmd) Run(p *process, c *cli) error {
	in := map[string]any{}
	switch {
	case (cmd.Alert == "") == (cmd.Rule == ""):
		return wrongInput{errors.New("name an alert, - for one as JSON on standard input, or a rule with --rule: exactly one of them")}
	case cmd.Rule != "":
		in["rule"] = cmd.Rule
	case cmd.Alert == "-":
		text, err := io.ReadAll(io.LimitReader(os.Stdin, mostAlert+1))
		if err != nil {
			return fmt.Errorf("read the alert: %w", err)
		}
		if len(text) > mostAlert {
			return wrongInput{errors.New("the alert is larger than 4 MiB")}
		}
		if !json.Valid(text) {
			var tree any
			return wrongInput{fmt.Errorf("standard input is not JSON: %w", json.Unmarshal(text, &tree))}
		}
		in["document"] = json.RawMessage(text)
	default:
		in["alert"] = cmd.Alert
	}
	client, err := c.connectNew(p)
	if err != nil {
		return err
	}
	defer client.Close() //nolint:errcheck // what was asked has been answered
	var whole json.RawMessage
	if err := client.Send(p.ctx, "POST", "/api/v1/routes/test", in, &whole); err != nil {
		return err
	}
	if cmd.Format == "json" {
		_, err := fmt.Fprintln(p.stdout, string(whole))
		return err
	}
	var t routeTested
	if err := json.Unmarshal(whole, &t); err != nil {
		return err
	}
	t.print(p.stdout)
	for _, w := range t.Warnings {
		fmt.Fprintf(p.stderr, "warning: %s, %d:%d: %s\n", quoteLine(w.Where), w.Line, w.Column, quoteLine(w.Text))
	}
	return nil
}

// print says the way of an alert through the routes, as people read it.
func (t *routeTested) print(out io.Writer) {
	fmt.Fprintln(out, quoteLine(t.About))
	if t.Kept != "" {
		fmt.Fprintf(out, "It would not be said: %s\n", quoteLine(t.Reason))
	}
	if len(t.Steps) > 0 {
		fmt.Fprintln(out, "Asked:")
	}
	for _, s := range t.Steps {
		verdict := "does not match"
		if s.Matched {
			verdict = "matches"
		}
		if s.Match == "" {
			verdict = "takes every alert"
		}
		if s.Continue && s.Matched {
			verdict += ", and the next are asked too"
		}
		place := ""
		if at := t.Places[s.Path]; at != "" {
			place = " (" + at + ")"
		}
		fmt.Fprintf(out, "  %s%s %s\n", s.Path, quoteLine(place), verdict)
		for _, clause := range s.Clauses {
			mark := "no "
			if clause.Matched {
				mark = "yes"
			}
			var has []string
			for _, v := range clause.Values {
				if v.Value == "" {
					has = append(has, "no "+v.Name)
				} else {
					has = append(has, v.Name+" is "+v.Value)
				}
			}
			fmt.Fprintf(out, "    %s  %s   %s\n", mark, quoteLine(clause.Text), quoteLine(strings.Join(has, ", ")))
		}
	}
	fmt.Fprintln(out, "Taken by:")
	for i, r := range t.Taken {
		channel := r.Channel
		if channel == "" {
			channel = "nobody: there is nowhere to say it"
		}
		if r.ChannelBy != "" {
			channel += " (its field says " + r.ChannelBy + ")"
		}
		if r.OfRule {
			channel += " (the channel of its rule)"
		}
		if r.Unheard != "" {
			channel += " (nothing can be said in " + r.Unheard + ", the channel of its rule)"
		}
		how := "alone"
		if !r.Alone {
			var by []string
			for _, f := range r.GroupBy {
				by = append(by, f.Name+" "+f.Value)
			}
			how = "with its group"
			if len(by) > 0 {
				how += " " + strings.Join(by, ", ")
			}
		}
		role := "its copy, "
		if i == 0 {
			role = ""
		}
		if r.Left != "" {
			fmt.Fprintf(out, "  %s, left out: %s\n", r.Path, quoteLine(r.Left))
			continue
		}
		fmt.Fprintf(out, "  %s -> %s: %s%s, after %s, then every %s, at most %s\n", r.Path, quoteLine(channel), role, quoteLine(how),
			duration.Format(r.GroupWait), duration.Format(r.Interval), r.Rate)
		if r.Quiet != "" {
			fmt.Fprintf(out, "    waits now: %s\n", quoteLine(r.Quiet))
		}
		if r.Escalation > 0 {
			steps := "1 step"
			if r.Escalation > 1 {
				steps = fmt.Sprintf("%d steps", r.Escalation)
			}
			fmt.Fprintf(out, "    escalates in %s where nobody acknowledges\n", steps)
		}
	}
}
