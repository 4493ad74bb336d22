package app

import (
	"log/slog"
	"time"

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
