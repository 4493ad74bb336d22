// Command page owns the figures of the pages: whether 200 open ones that keep themselves up to date hold while alerts
// come in, what the first page transfers and when it can be used, and how fast completion is. The program runs in a
// process of its own. It does not judge what the pages show; scripts/browser does.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"tocsin/bench/process"
	"tocsin/bench/standin"
	"tocsin/internal/demo"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "page:", err)
		os.Exit(1)
	}
}

// bench is one run.
type bench struct {
	base    string // the page's address, ending in a slash
	client  *http.Client
	process *process.Process
	out     io.Writer
}

func run(ctx context.Context) (err error) {
	var (
		pages   = flag.Int("pages", 200, "open pages, a half of them of alerts and a quarter each of rules and of delivery")
		length  = flag.Duration("for", time.Minute, "how long they are open")
		rate    = flag.Int("rate", 10, "alerts a second that come in meanwhile")
		backlog = flag.Int("backlog", 2_000, "alerts that are there before")
		rules   = flag.Int("rules", 100, "rules, one of which finds the alerts")
		tabs    = flag.Int("tabs", 4, "open tabs of a real Chromium beside them, where TOCSIN_BROWSER_PACKAGES names what drives it")
		runs    = flag.Int("runs", 10, "first pages, and a twentieth of the completions")
	)
	flag.Parse()
	dir, err := os.MkdirTemp("", "tocsin-page-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	slack, server, err := standin.Slack(func(demo.SlackEvent) {})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	b := &bench{out: os.Stdout, client: &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: *pages}}}
	fmt.Fprintf(b.out, "%s, %d cores, load average %s\n", runtime.Version(), runtime.NumCPU(), process.Load())
	if err := b.start(ctx, dir, slack); err != nil {
		return err
	}
	defer func() {
		_, stopped := b.process.Stop()
		err = errors.Join(err, stopped)
	}()
	if err := b.prepare(ctx, *rules, *backlog); err != nil {
		return b.process.Explain(err)
	}
	if err := b.completion(ctx, *runs*20); err != nil {
		return b.process.Explain(err)
	}
	if err := b.first(ctx, *runs); err != nil {
		return b.process.Explain(err)
	}
	if err := b.open(ctx, *pages, *tabs, *rate, *length); err != nil {
		return b.process.Explain(err)
	}
	fmt.Fprintf(b.out, "load average at the end %s\n", process.Load())
	return nil
}

// start builds the program and runs it with the embedded engine.
func (b *bench) start(ctx context.Context, dir, slack string) error {
	binary := filepath.Join(dir, "tocsin")
	if err := process.Build(ctx, binary); err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		return err
	}
	config := filepath.Join(dir, "tocsin.yaml")
	text := fmt.Sprintf("listen: %s\ndata_dir: data\nsources: [{name: logs, kind: embedded}]\n"+
		"slack: {bot_token: xoxb-demo, channel: \"#alerts\", api_url: %s/api/, pace: \"off\"}\n", address, slack)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return err
	}
	if b.process, err = process.Start(dir, nil, binary, "serve", "--config", config); err != nil {
		return err
	}
	b.base = "http://" + address + "/"
	err = b.until(ctx, "it serves", func() (bool, error) {
		resp, err := b.client.Get(b.base + "healthz")
		if err != nil {
			return false, nil //nolint:nilerr // it is not up yet
		}
		return resp.StatusCode == http.StatusOK, resp.Body.Close()
	})
	if err != nil {
		_, stopped := b.process.Stop()
		return errors.Join(b.process.Explain(err), stopped)
	}
	return nil
}

// until waits for what holds soon.
func (b *bench) until(ctx context.Context, what string, holds func() (bool, error)) error {
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); {
		ok, err := holds()
		if err != nil || ok {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
	return fmt.Errorf("two minutes went by before %s", what)
}

// prepare makes the rules and the alerts that are there before.
func (b *bench) prepare(ctx context.Context, rules, backlog int) error {
	for i := range rules {
		search := fmt.Sprintf("event.action:page_%d", i)
		content := fmt.Sprintf("id: page-%d\nname: Page %d\nsearch: %q\nevery: 2s\nwindow: 5m\nseverity: low\ntags: [bench, t%d]\nowner: somebody\n", i, i, search, i%7)
		if i > 0 {
			content = strings.Replace(content, "every: 2s", "every: 1m", 1)
		}
		if err := b.ask(ctx, http.MethodPost, "api/v1/rules", map[string]any{"content": content}, nil); err != nil {
			return err
		}
	}
	for sent := 0; sent < backlog; sent += 100 {
		if err := b.events(ctx, 100); err != nil {
			return err
		}
	}
	return b.until(ctx, "the alerts are there", func() (bool, error) {
		var health struct {
			Seen int `json:"seen"`
		}
		err := b.ask(ctx, http.MethodGet, "api/v1/alerts?limit=1", nil, &health)
		return health.Seen >= backlog, err
	})
}

// events sends so many that the first rule finds.
func (b *bench) events(ctx context.Context, n int) error {
	var body bytes.Buffer
	for i := range n {
		fmt.Fprintf(&body, "{\"create\":{}}\n{\"@timestamp\":%q,\"event\":{\"action\":\"page_0\",\"outcome\":\"failure\"},\"user\":{\"name\":\"user-%d\"},\"host\":{\"name\":\"web-%d\"},\"message\":\"Failed password for user-%d\"}\n",
			time.Now().UTC().Format("2006-01-02T15:04:05.000Z"), i%50, i%7, i%50)
	}
	return b.send(ctx, http.MethodPost, "logs/_bulk?refresh=true", "application/x-ndjson", &body, nil)
}

func (b *bench) ask(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(text)
	}
	return b.send(ctx, method, path, "application/json", body, out)
}

func (b *bench) send(ctx context.Context, method, path, kind string, body io.Reader, out any) error {
	req, err := http.NewRequestWithContext(ctx, method, b.base+path, body)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", kind)
	resp, err := b.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return err
	case resp.StatusCode/100 != 2:
		return fmt.Errorf("%s %s: %s: %.300s", method, path, resp.Status, text)
	case out == nil:
		return nil
	}
	return json.Unmarshal(text, out)
}
