package app

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"tocsin/internal/alert"
	"tocsin/internal/config"
	"tocsin/internal/demo"
)

// A storm, a quiet night, a maintenance window, a silence and an escalation, from the configuration file to a Slack that is
// strict and has Slack's own limits.
func TestANightIsPlayedThrough(t *testing.T) {
	if testing.Short() {
		t.Skip("it lives through the end of quiet hours, in real time")
	}
	slack := demo.NewSlack(demo.SlackOptions{Limits: demo.SlackRealLimits(), Channels: []demo.SlackChannel{{Name: "alerts"}, {Name: "soc"}, {Name: "managers"}, {Name: "low"}}})
	at, stop, err := standIn(slog.New(slog.DiscardHandler), slack)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	now := time.Now().UTC()
	dawn := now.Truncate(time.Minute).Add(time.Minute)
	if dawn.Sub(now) < 20*time.Second { // time enough for what comes in the night
		dawn = dawn.Add(time.Minute)
	}
	night := fmt.Sprintf("{start_time: %q, end_time: %q}", now.Add(-time.Minute).Format("15:04"), dawn.Format("15:04"))
	text := `
listen: 127.0.0.1:0
data_dir: ` + t.TempDir() + `
slack: {bot_token: ` + demo.DemoToken + `, channel: "#alerts", api_url: "` + at.String() + `/api/"}
time_intervals:
  - {name: night, time_intervals: [{times: [` + night + `]}]}
  - {name: always, time_intervals: [{}]}
maintenance_windows:
  - {name: patching, match: 'tags: patched', time_intervals: [always]}
inhibit_rules:
  - {name: host down, source_match: 'rule.name: "Host is down"', target_match: 'tags: service', equal: [host.name]}
route:
  group_wait: 1s
  group_interval: 3s
  routes:
    - match: 'severity: critical'
      channel: "#soc"
      escalation: [{after: 2s, mention: ["@here"]}, {after: 4s, channel: "#managers"}]
    - match: 'severity: low'
      channel: "#low"
      mute_time_intervals: [night]
`
	cfg, err := config.Parse("tocsin.yaml", []byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	a, err := New(t.Context(), Options{Config: cfg, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- a.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-ran; err != nil {
			t.Error(err)
		}
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	}()
	n := 0
	take := func(count int, rule, host string, severity alert.Severity, tags ...string) {
		t.Helper()
		b := alert.Batch{Source: "s"}
		for range count {
			n++
			id := fmt.Sprint(n)
			b.Alerts = append(b.Alerts, alert.Alert{
				ID: alert.NewID("s", id), Source: "s", SourceID: id, Time: time.Now(), Updated: time.Now(), Rule: alert.Rule{Name: rule}, Severity: severity,
				Host: host, Tags: tags, Status: alert.StatusOpen, Document: json.RawMessage(`{"host":{"name":"` + host + `"}}`),
			})
		}
		if _, err := a.intake.Commit(ctx, b); err != nil {
			t.Fatal(err)
		}
	}
	until := func(what string, met func() bool) {
		t.Helper()
		for deadline := time.Now().Add(2 * time.Minute); !met(); time.Sleep(50 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%s did not come: %s\n%s", what, said(slack), everything(slack, "#soc"))
			}
		}
	}
	client, err := dial(cfg.DataDir)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close() //nolint:errcheck // what was asked has been answered
	var made struct{ ID string }
	if err := client.Send(ctx, "POST", "/api/v1/silences", map[string]any{"match": "host.name: lab*", "for": "1h", "why": "a test", "who": "ann"}, &made); err != nil {
		t.Fatal(err)
	}
	take(3, "Silent", "lab-1", alert.SeverityHigh)
	take(2, "Patched", "web-1", alert.SeverityHigh, "patched")
	take(4, "Service fails", "web-9", alert.SeverityHigh, "service")
	take(1, "Host is down", "web-9", alert.SeverityHigh)
	take(2, "Chatter", "web-1", alert.SeverityLow)
	take(1, "Chatter of another kind", "web-2", alert.SeverityLow)
	for i := range 25 {
		take(20, "Storm", fmt.Sprint("db-", i%12), alert.SeverityHigh)
	}
	take(1, "Break-in", "web-1", alert.SeverityCritical)
	if early := slack.Messages("#low"); len(early) != 0 && time.Now().Before(dawn) {
		t.Errorf("it speaks in quiet hours: %s", early[0].Text)
	}
	until("the escalation", func() bool { return len(slack.Messages("#managers")) == 1 && len(slack.Messages("#soc")) == 2 })
	if text := everything(slack, "#soc"); !strings.Contains(text, "<!here>") {
		t.Errorf("nobody is mentioned: %s", text)
	}
	if err := client.Send(ctx, "POST", "/api/v1/alerts/"+fmt.Sprint(n)+"/acknowledge", map[string]any{"who": "ann"}, &made); err != nil {
		t.Fatal(err)
	}
	until("the acknowledgement", func() bool { return strings.Contains(everything(slack, "#soc"), "(acknowledged by ann at ") })
	until("the morning", func() bool { return len(slack.Messages("#low")) == 1 })
	if time.Now().Before(dawn) {
		t.Error("it was said before the night was over")
	}
	until("the storm whole", func() bool { return strings.Contains(everything(slack, "#alerts"), "500") })
	counts, err := a.ledger.Count(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := counts.Check(); err != nil || counts.Seen != n || counts.ByFate[alert.Silenced] != 9 {
		t.Errorf("%+v of %d, %v", counts, n, err)
	}
	if m := slack.Messages("#alerts"); len(m) != 2 { // the host, and the storm
		t.Errorf("%d messages: %s", len(m), said(slack))
	}
	for _, r := range slack.Requests() {
		if r.Error != "" {
			t.Errorf("%s to %s was refused: %s", r.Method, r.Channel, r.Error)
		}
	}
}

// said is all that stands in a workspace, for people who look at a test that failed.
func said(s *demo.Slack) string {
	var out []string
	for _, m := range s.Messages("") {
		out = append(out, m.Channel+": "+m.Text)
	}
	return strings.Join(out, "\n")
}

// everything is all that a channel shows, texts and blocks.
func everything(s *demo.Slack, channel string) string {
	var out strings.Builder
	for _, m := range s.Messages(channel) {
		text := string(m.Blocks) + string(m.Attachments)
		out.WriteString(m.Text + strings.NewReplacer(`\u003c`, "<", `\u003e`, ">").Replace(text))
	}
	return out.String()
}
