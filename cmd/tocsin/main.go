// Command tocsin turns searches into Slack alerts people trust. Each command has a file of its own; what
// they do is done by the rooms under internal.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"tocsin/internal/app"
	"tocsin/internal/config"
)

// version is set by the linker in releases.
var version = ""

// The exit statuses.
const (
	exitDone       = 0
	exitFailed     = 1
	exitWrongInput = 2
)

// wrongInput is an error that the user can mend by writing something else.
type wrongInput struct{ error }

func (e wrongInput) Unwrap() error { return e.error }

// silent is a failure that has been told already.
var errSilent = errors.New("told already")

// cli is the whole command line.
type cli struct {
	Config string `help:"Configuration file. Without it, ./tocsin.yaml where there is one." short:"c" placeholder:"FILE"`
	Log    string `help:"How much to log: debug, info, warn or error." default:"info" enum:"debug,info,warn,error"`

	Demo       demoCmd       `cmd:"" help:"Show forwarded sample detections as Slack would, without any account."`
	Serve      serveCmd      `cmd:"" help:"Forward detections until stopped."`
	Check      checkCmd      `cmd:"" help:"Connect to everything and say what can be read and sent; every problem at once."`
	Search     searchCmd     `cmd:"" help:"Run a search: a KQL filter and pipes."`
	Explain    explainCmd    `cmd:"" help:"Show how a search is read: its tree, its Elasticsearch query, its plan."`
	Ingest     ingestCmd     `cmd:"" help:"Store the lines of a log file in the embedded engine."`
	Alerts     alertsCmd     `cmd:"" help:"List alerts, show one, or say why it was sent or not."`
	Rules      rulesCmd      `cmd:"" help:"List, show, test, save and turn rules on and off."`
	Route      routeCmd      `cmd:"" help:"Say which routes an alert takes, and why."`
	Silence    silenceCmd    `cmd:"" help:"Keep alerts silent for a while: add, list, expire, preview."`
	Exception  exceptionCmd  `cmd:"" help:"Except alerts that are known: add, list, expire, preview."`
	Forwarding forwardingCmd `cmd:"" help:"Switch what is forwarded of Kibana's alerts: add, list, expire, preview."`
	Verify     verifyCmd     `cmd:"" help:"Compare the index, the ledger and Slack's history: what is missing or doubled, by name."`
	Users      usersCmd      `cmd:"" help:"List users, add and remove them, set their passwords and roles."`
	Tokens     tokensCmd     `cmd:"" help:"List API tokens, make and revoke them."`
	Version    versionCmd    `cmd:"" help:"Print the version."`
}

// process is what a command may touch of the process it runs in.
type process struct {
	ctx            context.Context
	stdout, stderr io.Writer
	getenv         func(string) (string, bool)
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(&process{ctx: ctx, stdout: os.Stdout, stderr: os.Stderr, getenv: os.LookupEnv}, os.Args[1:]))
}

// run is the process without the process: it can be called in tests.
func run(p *process, args []string) int {
	var c cli
	exited := -1
	parser, err := kong.New(&c, kong.Name("tocsin"),
		kong.Description("Turns searches into Slack alerts people trust."),
		kong.UsageOnError(), kong.Writers(p.stdout, p.stderr), kong.Exit(func(code int) { exited = code }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}))
	if err != nil {
		fmt.Fprintln(p.stderr, "tocsin:", err)
		return exitFailed
	}
	chosen, err := parser.Parse(args)
	if exited >= 0 { // --help has been answered
		return exited
	}
	if err == nil {
		err = chosen.Run(p, &c)
	}
	var (
		parse    *kong.ParseError
		problems *config.Problems
		wrong    wrongInput
		refused  *app.InputError
	)
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, errSilent):
		return exitFailed
	case errors.As(err, &problems):
		fmt.Fprintln(p.stderr, problems.Error())
		return exitWrongInput
	case errors.As(err, &parse):
		fmt.Fprintf(p.stderr, "tocsin: %v\nSee `tocsin --help`.\n", err)
		return exitWrongInput
	case errors.As(err, &wrong), errors.As(err, &refused):
		fmt.Fprintln(p.stderr, "tocsin:", err)
		return exitWrongInput
	default:
		fmt.Fprintln(p.stderr, "tocsin:", err)
		return exitFailed
	}
}

// load reads the configuration the command line names, else ./tocsin.yaml, else none.
func (c *cli) load(p *process) (*config.Config, error) {
	path := c.Config
	if path == "" {
		if _, err := os.Stat("tocsin.yaml"); err != nil {
			return config.Default(), nil //nolint:nilerr // without a file there is the default
		}
		path = "tocsin.yaml"
	}
	cfg, err := config.Load(path, p.getenv)
	if err != nil {
		return nil, err
	}
	for _, w := range cfg.Warnings {
		fmt.Fprintln(p.stderr, "warning:", w)
	}
	return cfg, nil
}

// loadWhole is load with what was set in the browser.
func (c *cli) loadWhole(p *process) (*config.Config, error) {
	cfg, err := c.load(p)
	if err != nil {
		return nil, err
	}
	return app.WithSettings(p.ctx, cfg)
}

type versionCmd struct{}

func (versionCmd) Run(p *process) error {
	_, err := fmt.Fprintln(p.stdout, "tocsin", buildVersion())
	return err
}

func buildVersion() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return "devel-" + s.Value[:min(12, len(s.Value))]
		}
	}
	return "devel"
}

// quoteLine makes text safe to print on a terminal: control characters, which could move the cursor or
// rewrite what stands there, become spaces.
func quoteLine(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r < 0x20, r >= 0x7f && r < 0xa0, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069, r == 0xfffd:
			return ' '
		default:
			return r
		}
	}, s)
}
