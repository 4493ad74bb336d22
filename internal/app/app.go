// Package app makes every room from the configuration, joins them, runs them and takes them down. It is
// the only place where rooms meet that do not know each other; it holds no logic of theirs.
package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"tocsin/internal/account"
	"tocsin/internal/alert"
	"tocsin/internal/check"
	"tocsin/internal/config"
	"tocsin/internal/detect"
	"tocsin/internal/elastic"
	"tocsin/internal/intake"
	"tocsin/internal/kibana"
	"tocsin/internal/ledger"
	"tocsin/internal/notice"
	"tocsin/internal/obs"
	"tocsin/internal/outbox"
	"tocsin/internal/rule"
	"tocsin/internal/saved"
	"tocsin/internal/settings"
	"tocsin/internal/slack"
	"tocsin/internal/sleep"
	"tocsin/internal/store"
	"tocsin/internal/tuning"
	"tocsin/internal/web"
)

// Migrations are the tables of all rooms. Their order is the order in which they are made.
var Migrations = slices.Concat(ledger.Migrations, outbox.Migrations, intake.Migrations, rule.Migrations, detect.Migrations, account.Migrations, saved.Migrations, tuning.Migrations, settings.Migrations)

// Options say what to run.
type Options struct {
	Config  *config.Config
	Version string
	Log     *slog.Logger
	// Home replaces the page at the listen address; nil is the state of things.
	Home http.Handler
	// Prefix stands before every message.
	Prefix string
	// Door is the listening address that the next App is to have as well; nil is one of its own.
	Door *Door
	// Samples are what was asked for of made-up logs, for the next App as well; nil is none of before.
	Samples *Samples
	// Instead is the configuration that holds in place of Config and what was set in the browser, because Why.
	Instead *config.Config
	Why     error
	// Wrap lets a demo stand between the outbox and Slack; nil is nothing.
	Wrap func(outbox.Sender) outbox.Sender
}

// App is a process: rooms made and joined. Close must be called, whether or not Run was.
type App struct {
	config   *config.Config
	accounts *account.Accounts

	log     *slog.Logger
	health  *obs.Health
	web     *web.Web
	intake  *intake.Intake
	outbox  *outbox.Outbox // nil without a way to send
	slack   *slack.Sender  // nil without a way to send
	ledger  *ledger.Ledger
	rules   *rule.Library
	lookups *lookups
	detect  *detect.Detector
	metrics *gauges
	engine  *engine // nil without an embedded source
	// writeBack writes alerts of our own rules as documents; nil without a place for them.
	writeBack *kibana.WriteBack

	settings *settings.Settings // nil where nothing can be set
	samples  *Samples
	changed  chan struct{} // holds one once something was set

	listener, socket net.Listener
	closers          []closer // in the order they were made; closed last first
}

type closer struct {
	what  string
	close func() error
}

func (a *App) onClose(what string, f func() error) { a.closers = append(a.closers, closer{what, f}) }

// New takes the data directory and the listen address, and makes every room. Nothing is read or sent
// before Run. It is one straight function: what a room needs has been made above it.
func New(ctx context.Context, o Options) (a *App, err error) {
	a = &App{config: o.Config, log: o.Log, changed: make(chan struct{}, 1), samples: cmp.Or(o.Samples, newSamples())}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Close())
			a = nil
		}
	}()
	registry, err := obs.NewRegistry(o.Version)
	if err != nil {
		return a, err
	}
	a.health, err = obs.NewHealth(obs.HealthOptions{Log: o.Log, Metrics: registry, Required: []string{"state", "listener"}})
	if err != nil {
		return a, err
	}
	db, err := store.Open(ctx, store.Options{Dir: o.Config.DataDir, Migrations: Migrations})
	if err != nil {
		return a, err
	}
	a.onClose("database", db.Close)
	cfg, err := a.settle(ctx, o, db)
	if err != nil {
		return a, err
	}
	local := map[string]http.Handler{"GET " + settingsPath: http.HandlerFunc(a.serveSettings)}
	var logs http.Handler
	if a.engine = newEngine(cfg, o.Log, a.health, registry); a.engine != nil {
		a.onClose("log store", a.engine.close)
		logs = a.engine
		local["POST "+searchPath] = http.HandlerFunc(a.serveSearch)
	}
	if a.ledger, err = ledger.New(ledger.Options{DB: db}); err != nil {
		return a, err
	}
	a.lookups = newLookups(cfg, o.Log, a.health.Set)
	changed := func() { // the rules are read before there is anything that runs them
		if a.detect != nil {
			a.detect.Changed()
		}
	}
	if a.rules, err = newRules(ctx, cfg, db, a.lookups.all, o.Log, a.health, changed); err != nil {
		return a, err
	}
	notices, err := outbox.NewReader(outbox.ReaderOptions{DB: db})
	if err != nil {
		return a, err
	}

	sender, err := Sender(cfg, o.Log, registry, notices)
	if err != nil {
		return a, err
	}
	a.slack = sender
	through, err := senders(cfg, sender, o.Wrap, o.Log)
	if err != nil {
		return a, err
	}
	wake := func() {}
	if through != nil {
		out := outbox.Options{DB: db, Sender: through, Pace: paceUnlessSaid, Log: o.Log, Report: a.health.Set, Registerer: registry}
		if sender != nil {
			out.Attach = sender.Attach
		}
		if c := cfg.Slack; c != nil {
			out.Pace, out.InDoubt, out.Fallback = interval(c.Pace), outbox.InDoubt(c.InDoubt), c.Channel
		}
		if a.outbox, err = outbox.New(out); err != nil {
			return a, err
		}
		wake = a.outbox.Wake
	}
	edits := func(channel string) bool { return through != nil && through.Edits(channel) }
	rules, err := Policy(cfg, edits)
	if err != nil {
		return a, err
	}
	detections, closeAll, err := Detections(cfg, (&standIns{rules: a.rules.All, sources: cfg.Sources}).of, o.Log, registry)
	if err != nil {
		return a, err
	}
	a.onClose("sources", closeAll)
	detector, closeDetect, err := newDetector(ctx, cfg, db, a.rules.All, a.lookups.all, a.engine, o.Log, a.health, registry)
	if err != nil {
		return a, errors.Join(err, closeDetect())
	}
	a.detect = detector
	a.onClose("sources of rules", closeDetect)
	sources := []intake.Source{a.detect}
	for _, d := range detections {
		sources = append(sources, d)
	}
	reports, err := reportsOf(cfg)
	if err != nil {
		return a, err
	}
	a.intake, err = intake.New(intake.Options{
		DB: db, Policy: rules, Sources: sources, Wake: wake, Prefix: o.Prefix, Edits: edits,
		Reports: reports, Rules: a.runningRules, Expected: expectedSources(cfg), Brought: a.detect.Brought,
		Keep: intake.Keep{Alerts: cfg.Retention.Alerts, Documents: cfg.Retention.Documents, Unwritten: cfg.WriteBack != nil},
		Log:  o.Log, Report: a.health.Set, Registerer: registry,
	})
	if err != nil {
		return a, err
	}
	a.writeBack, closeAll, err = WriteBack(cfg, a.ledger, o.Log, registry, a.health.Set)
	if err != nil {
		return a, err
	}
	a.onClose("write-back", closeAll)
	verifier, err := check.New(check.Options{Config: cfg, Detections: detections, Slack: sender, Ledger: a.ledger, Outbox: notices})
	if err != nil {
		return a, err
	}
	if a.accounts, err = newAccounts(cfg, db, o.Log); err != nil {
		return a, err
	}
	searches, searched, closeAll, err := searchPart(cfg, db, a.engine, a.lookups.all, o.Log)
	if err != nil {
		return a, err
	}
	a.onClose("sources of searches", closeAll)
	forecasts, closeAll, err := forecastPart(cfg, a.rules, a.detect, db, rules, a.lookups.all, a.engine, o.Log)
	if err != nil {
		return a, err
	}
	a.onClose("sources of forecasts", closeAll)
	parts, err := a.tuningParts(cfg, db, rules)
	if err != nil {
		return a, err
	}
	parts = append(parts, a.channelParts(cfg, rules, reports, through)...)
	a.metrics = newGauges(a.ledger, notices, registry)
	states, closeAll, err := sourceStates(cfg, a.engine, o.Version, o.Log)
	if err != nil {
		return a, err
	}
	a.onClose("sources asked how they are", closeAll)
	a.web, err = web.New(web.Options{
		Ledger: a.ledger, Outbox: notices, Health: a.health, Metrics: obs.MetricsHandler(registry, o.Log),
		Version: o.Version, Verify: verifier.Verify, Rules: a.rules, Tests: RuleTester(a.lookups.all), RuleRuns: a.detect.Standing, Logs: logs, Local: local,
		Accounts: a.accounts, Access: accessOf(cfg), Parts: append(parts, web.SourceStates(states), searches, forecasts, a.rulePages(cfg), web.Messages(web.MessagesOptions{Rules: a.rules, Sources: SourceNames(cfg), Lookups: a.lookups.all}), a.settingPages(cfg, states, searched)), Home: o.Home, Log: o.Log,
	})
	if err != nil {
		return a, err
	}
	if a.listener, err = listen(cfg, a.door(o), o.Log); err != nil {
		return a, err
	}
	a.onClose("listener", closeOnce(a.listener))
	if a.socket, err = listenSocket(cfg.DataDir); err != nil {
		return a, err
	}
	a.onClose("socket", closeOnce(a.socket))
	return a, nil
}

func closeOnce(l net.Listener) func() error {
	return func() error {
		if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	}
}

// URL is the address of the page.
func (a *App) URL() string {
	scheme := "http://"
	if a.config.TLS() {
		scheme = "https://"
	}
	return scheme + reachable(a.listener.Addr()) + "/"
}

// Close gives back everything New took, last first. Run must have returned.
func (a *App) Close() error {
	var errs []error
	for _, c := range slices.Backward(a.closers) {
		if err := c.close(); err != nil {
			errs = append(errs, fmt.Errorf("close %s: %w", c.what, err))
		}
	}
	a.closers = nil
	return errors.Join(errs...)
}

// stopGrace is how long pages and posts under way get when the process is told to stop.
const stopGrace = 4 * time.Second

// requestGrace is how long a request under way gets before what it waits for is given up.
const requestGrace = time.Second

// Run serves, reads and sends until ctx ends, then stops in order and returns nil; or ErrReconfigured when what was
// set in the browser wants the rooms made anew.
func (a *App) Run(ctx context.Context) error {
	a.health.Clear("state")
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return a.reconfigured(ctx) })
	g.Go(func() error { return a.sound(ctx) })
	g.Go(func() error { return a.serve(ctx, a.listener, a.web.Public()) })
	g.Go(func() error { return a.serve(ctx, a.socket, a.web.Local()) })
	if a.engine != nil {
		a.engine.ask()
		g.Go(func() error { return a.engine.run(ctx) })
	}
	g.Go(func() error { return a.samples.run(ctx, a.engine) })
	g.Go(func() error { return a.intake.Run(ctx) })
	g.Go(func() error { return a.metrics.run(ctx) })
	g.Go(func() error { return a.rules.Run(ctx) })
	g.Go(func() error { return a.lookups.run(ctx, a.rules.Relook) })
	g.Go(func() error { return a.detect.Run(ctx) })
	if a.writeBack != nil {
		g.Go(func() error { return a.writeBack.Run(ctx) })
	}
	if a.outbox != nil {
		g.Go(func() error { return a.outbox.Run(ctx) })
	}
	if a.slack != nil {
		g.Go(func() error { return a.probe(ctx) })
	}
	a.health.Clear("listener")
	return g.Wait()
}

// probeEvery is how often Slack is asked whether it still takes us: on a quiet day nothing else would tell.
const probeEvery = 5 * time.Minute

// probe tells of a Slack that cannot be reached or refuses the token before the first alert has to.
func (a *App) probe(ctx context.Context) error {
	for {
		err := a.slack.Probe(ctx)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // told to stop
		}
		hint := "messages wait; sending resumes by itself"
		var rejected *notice.RejectedError
		if errors.As(err, &rejected) {
			hint = rejected.Hint
		}
		a.health.Set("slack", err, hint)
		wait := probeEvery
		if err != nil {
			wait = time.Minute
		}
		if sleep.For(ctx, wait) != nil {
			return nil //nolint:nilerr // told to stop
		}
	}
}

// sound refuses to go on with a ledger whose fates do not add up.
func (a *App) sound(ctx context.Context) error {
	counts, err := a.ledger.Count(ctx)
	if ctx.Err() != nil { // stopping is no damage
		return nil //nolint:nilerr // see above
	}
	if err != nil {
		return err
	}
	if err := counts.Check(); err != nil {
		return fmt.Errorf("%w: restore a backup of data_dir, or report this", err)
	}
	return nil
}

func (a *App) serve(ctx context.Context, l net.Listener, h http.Handler) error {
	requests, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	fresh := &fresh{}
	s := &http.Server{
		Handler: fresh.handler(h), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute,
		BaseContext: func(net.Listener) context.Context { return requests }, ConnState: fresh.state,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context { return account.WithPeer(fresh.with(ctx, c), c) },
		ErrorLog:    slog.NewLogLogger(a.log.Handler(), slog.LevelDebug),
	}
	served, stopped := make(chan struct{}), make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		l.Close() //nolint:errcheck // no more are taken, and those that were taken are answered
		<-served
		fresh.wait(freshWait)
		defer time.AfterFunc(requestGrace, end).Stop()
		grace, cancel := context.WithTimeout(context.Background(), stopGrace)
		defer cancel()
		err := s.Shutdown(grace)
		if errors.Is(err, context.DeadlineExceeded) {
			err = s.Close()
		}
		if errors.Is(err, net.ErrClosed) { // the listener is, from above
			err = nil
		}
		stopped <- err
	})
	err := s.Serve(l)
	close(served)
	if stop() { // it ended by itself
		return fmt.Errorf("serve %s: %w", l.Addr(), err)
	}
	return <-stopped
}

// Sender makes the way to say notices; nil where the configuration has none.
func Sender(cfg *config.Config, log *slog.Logger, registry prometheus.Registerer, notices *outbox.Reader) (*slack.Sender, error) {
	c := cfg.Slack
	if c == nil {
		return nil, nil
	}
	o := slack.Options{
		BotToken: c.BotToken.Reveal(), WebhookURL: c.WebhookURL.Reveal(), DefaultChannel: c.Channel, Log: log, Registerer: registry,
	}
	if c.APIURL != nil {
		o.APIURL = c.APIURL.String()
	}
	if c.ProxyURL != nil {
		o.ProxyURL = c.ProxyURL.String()
	}
	if notices != nil {
		o.Channels.Load = notices.ChannelID
	}
	s, err := slack.New(o)
	if err != nil {
		return nil, fmt.Errorf("connect Slack: %w", err)
	}
	return s, nil
}

// clientOf makes the client of a source.
func clientOf(s *config.Source, log *slog.Logger) (*elastic.Client, error) {
	return newClient(s, log, 0)
}

// searchClient makes a client whose requests may take as long as a search needs.
func searchClient(s *config.Source, timeout time.Duration) (*elastic.Client, error) {
	return newClient(s, nil, timeout)
}

func newClient(s *config.Source, log *slog.Logger, timeout time.Duration) (*elastic.Client, error) {
	o := elastic.Options{
		Timeout: timeout, Name: s.Name, CloudID: s.CloudID, APIKey: s.APIKey.Reveal(), Username: s.Username, Password: s.Password.Reveal(),
		CAFile: s.CAFile, CAFingerprint: s.CAFingerprint, Log: log,
	}
	for _, u := range s.URLs {
		o.URLs = append(o.URLs, u.String())
	}
	if s.ProxyURL != nil {
		o.ProxyURL = s.ProxyURL.String()
	}
	c, err := elastic.New(o)
	if err != nil {
		return nil, fmt.Errorf("connect source %s: %w", s.Name, err)
	}
	return c, nil
}

// Detections makes the sources of detections, one client for each cluster, and tells how to close them all. held gives,
// for the name of each, why alerts of a rule are kept back; nil is none.
func Detections(cfg *config.Config, held func(detections string) func(alert.Rule) *alert.Held, log *slog.Logger, registry prometheus.Registerer) ([]*kibana.Source, func() error, error) {
	clients := map[string]*elastic.Client{}
	var out []*kibana.Source
	closeAll := func() error {
		for _, c := range clients {
			c.Close()
		}
		return nil
	}
	for _, d := range cfg.Detections {
		client := clients[d.Source]
		if client == nil {
			var err error
			if client, err = clientOf(cfg.Source(d.Source), log); err != nil {
				return nil, nil, errors.Join(err, closeAll())
			}
			clients[d.Source] = client
		}
		o := kibana.Options{
			Name: d.Name, Client: client, Space: d.Space, Poll: d.Poll, Overlap: d.Overlap, Since: d.Since.Back, All: d.Since.All,
			Sweep: d.Sweep, Log: log, Registerer: prometheus.WrapRegistererWith(prometheus.Labels{"detections": d.Name}, registry),
		}
		if held != nil {
			o.Held = held(d.Name)
		}
		if d.KibanaURL != nil {
			o.KibanaURL = d.KibanaURL.String()
		}
		s, err := kibana.New(o)
		if err != nil {
			return nil, nil, errors.Join(fmt.Errorf("read detections of %s: %w", d.Name, err), closeAll())
		}
		out = append(out, s)
	}
	return out, closeAll, nil
}

// interval is the time between two messages at a rate; 0 for none.
func interval(r config.Rate) time.Duration {
	if r.Off() {
		return 0
	}
	return r.Per / time.Duration(r.Count)
}

// socketName is the API's socket within data_dir.
const socketName = "tocsin.sock"

// longestSocket is how long a socket's path may be on every system we run on.
const longestSocket = 100

func listenSocket(dir string) (net.Listener, error) {
	path, err := socketPath(dir)
	if err != nil {
		return nil, err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("make socket in data_dir: %w", err) // the lock is ours, so what lies there is a dead process's
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("make socket in data_dir: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("make socket in data_dir: %w", err), l.Close())
	}
	return l, nil
}

// socketPath is the socket's path, made relative where the whole is too long for the system.
func socketPath(dir string) (string, error) {
	path, err := filepath.Abs(filepath.Join(dir, socketName))
	if err != nil {
		return "", fmt.Errorf("find data_dir: %w", err)
	}
	if len(path) <= longestSocket {
		return path, nil
	}
	here, err := os.Getwd()
	if err == nil {
		if short, err := filepath.Rel(here, path); err == nil && len(short) <= longestSocket {
			return short, nil
		}
	}
	return "", fmt.Errorf("data_dir %s has too long a path for a socket (%d characters, %d at most): choose a shorter one",
		strings.TrimSuffix(path, socketName), len(path), longestSocket)
}
