package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"tocsin/internal/alert"
	"tocsin/internal/config"
	"tocsin/internal/demo"
	"tocsin/internal/notice"
	"tocsin/internal/outbox"
	"tocsin/internal/slack"
)

// DemoOptions say how the demo runs.
type DemoOptions struct {
	Version string
	Log     *slog.Logger
	Stdout  io.Writer                   // gets the address of the page, and where messages go
	Getenv  func(string) (string, bool) // SLACK_WEBHOOK_URL, SLACK_BOT_TOKEN, SLACK_CHANNEL, SLACK_API_URL
}

// demoListen is where the page is wanted; any free port is taken where it is not to be had.
var demoListen = netip.MustParseAddrPort("127.0.0.1:7171")

// demoPosts is how many messages the demo sends to a real Slack at most.
const demoPosts = 10

const demoPrefix = "[demo]"

// demoIntro is what the page of messages says of itself, but for what leaves the machine all the same.
const demoIntro = "Rules search the made-up logs of a small site, and made-up Kibana detections are forwarded. Nothing leaves this machine"

// Demo runs everything on this machine until ctx ends: a stand-in for the cluster of detections, which
// sample detections come into for as long as it runs, the real reader and everything after it, the embedded
// engine, into which made-up logs stream, rules of the starter pack that find the attackers in them, a stand-in for Slack, and the page that shows its messages. The state is in a temporary directory.
// Where a real Slack is named by the environment, the first messages go there as well.
func Demo(ctx context.Context, o DemoOptions) (err error) {
	dir, err := os.MkdirTemp("", "tocsin-demo-")
	if err != nil {
		return fmt.Errorf("make a directory for the demo: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()

	workspace := demo.NewSlack(demo.SlackOptions{Team: "Demo", Limits: demo.SlackRealLimits(), Channels: []demo.SlackChannel{{Name: "alerts"}, {Name: "soc"}}})
	seed := uint64(time.Now().UnixNano())
	cluster := demo.NewCluster(demo.ClusterOptions{Seed: seed})
	slackAt, closeSlack, err := standIn(o.Log, workspace)
	if err != nil {
		return err
	}
	defer closeSlack()
	clusterAt, closeCluster, err := standIn(o.Log, cluster)
	if err != nil {
		return err
	}
	defer closeCluster()

	own, err := realSlack(o)
	if err != nil {
		return err
	}
	cfg := demoConfig(dir, slackAt, clusterAt)
	m := &mirror{real: own, left: demoPosts, said: map[notice.Key]notice.Receipt{}, log: o.Log}
	var a *App
	page := demo.NewPage(workspace, demo.PageOptions{Title: "Tocsin demo", Intro: demoIntro + m.but() + ".", Status: func() []demo.Stat { return a.stats(ctx) }})
	opts := Options{Config: cfg, Version: o.Version, Log: o.Log, Home: page}
	if own != nil {
		opts.Prefix, opts.Wrap = demoPrefix, m.over
	}
	if a, err = New(ctx, opts); err != nil {
		cfg.Listen = loopbackAnyPort // most likely the port is taken
		if a, err = New(ctx, opts); err != nil {
			return err
		}
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	fmt.Fprintf(o.Stdout, "Tocsin demo: made-up logs are searched by rules, and what they find becomes Slack messages, beside made-up Kibana detections. Nothing leaves this machine%s.\n", m.but())
	fmt.Fprintf(o.Stdout, "Open %s to see them. Stop with Ctrl-C.\n", a.URL())

	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return cluster.Replay(ctx) })
	g.Go(func() error { return a.Run(ctx) })
	g.Go(func() error { return a.feed(ctx, seed) })
	g.Go(func() error { return forget(ctx, workspace) })
	return g.Wait()
}

// demoKeeps is how many messages of each channel the stand-in for Slack keeps; the page shows fewer.
const demoKeeps = 400

// forget keeps the stand-in for Slack from growing for as long as the demo runs.
func forget(ctx context.Context, workspace *demo.Slack) error {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			workspace.Forget(demoKeeps)
		}
	}
}

// standIn serves a handler on a free loopback port.
func standIn(log *slog.Logger, h http.Handler) (at *url.URL, stop func(), err error) {
	l, err := net.Listen("tcp", loopbackAnyPort.String())
	if err != nil {
		return nil, nil, fmt.Errorf("make a stand-in: %w", err)
	}
	s := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug)}
	var done sync.WaitGroup
	done.Go(func() {
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			log.Error("a stand-in stopped", "error", err)
		}
	})
	return &url.URL{Scheme: "http", Host: l.Addr().String()}, func() {
		if err := s.Close(); err != nil {
			log.Debug("a stand-in was not closed well", "error", err)
		}
		done.Wait()
	}, nil
}

// demoConfig is a configuration as a user would write it, with a livelier pace.
func demoConfig(dir string, slackAt, clusterAt *url.URL) *config.Config {
	cfg := config.Default()
	cfg.Listen, cfg.DataDir = demoListen, dir
	// The page of searches begins with the first; the stand-in for a cluster answers only what forwarding asks.
	cfg.Sources = []config.Source{demoEngine(), {Name: "demo", Kind: config.Elasticsearch, URLs: []*url.URL{clusterAt}}}
	kibanaURL := &url.URL{Scheme: "https", Host: "kibana.example.com"}
	cfg.Detections = []config.Detection{{
		Name: "demo/default", Source: "demo", Space: "default", Poll: time.Second, Overlap: 10 * time.Minute,
		Since: config.Since{All: true}, Sweep: 24 * time.Hour, KibanaURL: kibanaURL,
	}}
	cfg.Slack = &config.Slack{
		BotToken: demo.DemoToken, Channel: "#alerts", APIURL: slackAt.JoinPath("api/"), Pace: config.Rate{Count: 1, Per: time.Second}, InDoubt: config.Resend,
	}
	cfg.Route = config.Route{
		Channel: "#alerts", GroupBy: []string{"rule.name"}, GroupWait: 2 * time.Second, GroupInterval: 30 * time.Second,
		RateLimit: config.Rate{Count: 20, Per: time.Minute},
	}
	critical := cfg.Route
	critical.Match, critical.Channel, critical.OwnChannel = "severity: critical", "#soc", true
	cfg.Route.Routes = []config.Route{critical}
	return cfg
}

// realSlack makes the way to the Slack that the environment names; nil where it names none.
func realSlack(o DemoOptions) (*slack.Sender, error) {
	get := func(name string) string {
		v, _ := o.Getenv(name)
		return v
	}
	so := slack.Options{WebhookURL: get("SLACK_WEBHOOK_URL"), BotToken: get("SLACK_BOT_TOKEN"), APIURL: get("SLACK_API_URL"), DefaultChannel: get("SLACK_CHANNEL"), Log: o.Log}
	if so.WebhookURL == "" && so.BotToken == "" {
		return nil, nil
	}
	if so.BotToken != "" && so.DefaultChannel == "" {
		return nil, errors.New("SLACK_BOT_TOKEN is set and SLACK_CHANNEL is not: name the channel the demo may write to, such as SLACK_CHANNEL='#test'")
	}
	s, err := slack.New(so)
	if err != nil {
		return nil, fmt.Errorf("connect to the Slack of the environment: %w", err)
	}
	return s, nil
}

// stats are the numbers at the top of the page.
func (a *App) stats(ctx context.Context) []demo.Stat {
	counts, err := a.ledger.Count(ctx)
	if err != nil {
		return nil
	}
	out := []demo.Stat{{Label: "alerts seen", Value: strconv.Itoa(counts.Seen)}}
	for _, f := range []alert.Fate{alert.Sent, alert.Grouped, alert.Pending, alert.Excluded, alert.Silenced} {
		out = append(out, demo.Stat{Label: string(f), Value: strconv.Itoa(counts.ByFate[f])})
	}
	return out
}

// mirror repeats to a real Slack what the page is told, up to a number of messages. The page's
// messages go on whatever becomes of the real ones.
type mirror struct {
	outbox.Sender
	real *slack.Sender
	log  *slog.Logger

	mu   sync.Mutex
	left int
	said map[notice.Key]notice.Receipt
	next time.Time
}

func (m *mirror) over(s outbox.Sender) outbox.Sender {
	m.Sender = s
	return m
}

// but says what leaves the machine all the same.
func (m *mirror) but() string {
	if m.real == nil {
		return ""
	}
	return fmt.Sprintf(" but the first %d messages, which also go to the Slack that the environment names", demoPosts)
}

// Post implements outbox.Sender.
func (m *mirror) Post(ctx context.Context, n notice.Notice) (notice.Receipt, error) {
	receipt, err := m.Sender.Post(ctx, n)
	if err != nil {
		return receipt, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.left == 0 || m.wait(ctx) != nil {
		return receipt, nil
	}
	m.left--
	n.Channel = "" // the real Slack's own default
	there, err := m.real.Post(ctx, n)
	var retry *notice.RetryError
	for tries := 0; errors.As(err, &retry) && tries < 3; tries++ { // refused for now: nothing was stored
		m.next = time.Now().Add(max(retry.After, time.Second))
		if m.wait(ctx) != nil {
			return receipt, nil
		}
		there, err = m.real.Post(ctx, n)
	}
	if err != nil {
		m.log.Error("the real Slack did not take a message of the demo", "error", err)
		return receipt, nil
	}
	m.said[n.Key] = there
	return receipt, nil
}

// Edit implements outbox.Sender.
func (m *mirror) Edit(ctx context.Context, n notice.Notice, r notice.Receipt) error {
	if err := m.Sender.Edit(ctx, n, r); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	there, ok := m.said[n.Key]
	if !ok || !m.real.Edits(n.Channel) || m.wait(ctx) != nil {
		return nil
	}
	n.Channel = ""
	if err := m.real.Edit(ctx, n, there); err != nil {
		m.log.Error("the real Slack did not take an update of the demo", "error", err)
	}
	return nil
}

// wait keeps to the real Slack's pace of one message a second.
func (m *mirror) wait(ctx context.Context) error {
	t := time.NewTimer(time.Until(m.next))
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		m.next = time.Now().Add(1100 * time.Millisecond)
		return nil
	}
}
