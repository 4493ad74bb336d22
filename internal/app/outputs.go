package app

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"tocsin/internal/check"
	"tocsin/internal/config"
	"tocsin/internal/notify"
	"tocsin/internal/outbox"
	"tocsin/internal/slack"
)

// paceUnlessSaid is the time between two messages to one channel where there is no slack.pace to say it.
const paceUnlessSaid = time.Second

// senders makes the one way out of Slack (nil for none), which wrap may wrap, and the outputs of notify; nil
// where there is no way at all.
func senders(cfg *config.Config, s *slack.Sender, wrap func(outbox.Sender) outbox.Sender, log *slog.Logger) (outbox.Sender, error) {
	outputs, err := Outputs(cfg, log)
	if err != nil {
		return nil, err
	}
	var through outbox.Sender
	if s != nil {
		through = s
		if wrap != nil {
			through = wrap(s)
		}
	}
	if len(outputs) == 0 {
		return through, nil
	}
	return notify.Join(through, outputs), nil
}

// Outputs makes the outputs of notify.
func Outputs(cfg *config.Config, log *slog.Logger) ([]*notify.Output, error) {
	var all []*notify.Output
	for _, c := range cfg.Notify {
		o := notify.Options{
			Name: c.Name, Kind: notify.Kind(c.Kind), URL: c.URL.Reveal(), Secret: c.Secret.Reveal(), Username: c.Username, Password: c.Password.Reveal(),
			Mail: notify.Mail{Host: c.Host, Port: c.Port, From: c.From, To: c.To, Plain: c.Plain}, Log: log,
		}
		if c.Kind == config.OutputPagerDuty {
			o.Secret = c.RoutingKey.Reveal()
		}
		out, err := notify.New(o)
		if err != nil {
			return nil, err
		}
		all = append(all, out)
	}
	return all, nil
}

// checkOutputs connects to each output, and says nothing there.
func checkOutputs(ctx context.Context, cfg *config.Config, log *slog.Logger) []check.Finding {
	outputs, err := Outputs(cfg, log)
	if err != nil {
		return []check.Finding{{Part: "notify", Place: cfg.Place("notify"), Problem: true, Text: err.Error()}}
	}
	var findings []check.Finding
	for i, o := range outputs {
		f := check.Finding{Part: "notify " + cfg.Notify[i].Name, Place: cfg.Place(fmt.Sprintf("notify[%d]", i))}
		within, cancel := context.WithTimeout(ctx, outputPatience)
		what, err := o.Reach(within)
		cancel()
		if f.Text = what; err != nil {
			f.Problem, f.Text, f.Hint = true, err.Error(), "Messages would wait until it can be reached."
		}
		findings = append(findings, f)
	}
	return findings
}

// outputPatience is how long an output may take to answer.
const outputPatience = 10 * time.Second
