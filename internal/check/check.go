// Package check owns the two looks from outside: whether everything configured can be reached, read and
// sent to, and whether index, ledger and Slack's history agree. It changes nothing.
package check

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tocsin/internal/config"
	"tocsin/internal/elastic"
	"tocsin/internal/kibana"
	"tocsin/internal/ledger"
	"tocsin/internal/outbox"
	"tocsin/internal/slack"
)

// Options say what is looked at.
type Options struct {
	Config     *config.Config
	Clients    map[string]*elastic.Client // by source; only Run needs them
	Detections []*kibana.Source
	WriteBack  *kibana.WriteBack // nil: alerts of our own rules are not written anywhere
	Slack      *slack.Sender     // nil: alerts are kept and nothing is said
	Ledger     *ledger.Ledger    // nil: nothing has been recorded yet
	Outbox     *outbox.Reader
}

// Check looks. Its methods may be called concurrently.
type Check struct{ o Options }

// New checks the options.
func New(o Options) (*Check, error) {
	if o.Config == nil {
		return nil, errors.New("check: Config is required")
	}
	return &Check{o: o}, nil
}

// Finding is one thing found.
type Finding struct {
	Part    string // "source siem", "slack"
	Text    string // a sentence
	Hint    string // what to do, a sentence; "" when nothing is
	Problem bool   // it does not work
	Warning bool   // it works, and something is lost
	Place   config.Place
}

// each look may take this long, so that one dead cluster does not hide what else is wrong.
const patience = 20 * time.Second

// Run looks at everything and tells all of it; a problem with one part hides no other.
func (c *Check) Run(ctx context.Context) []Finding {
	var out []Finding
	add := func(f Finding) { out = append(out, f) }
	if len(c.o.Config.Sources) == 0 && c.o.Slack == nil {
		add(Finding{
			Part: "configuration", Warning: true, Text: "nothing is configured: neither a source nor Slack",
			Hint: "Write a tocsin.yaml and name it with --config; docs/configuration.md has every key.",
		})
	}
	for i := range c.o.Config.Sources {
		s := &c.o.Config.Sources[i]
		c.source(ctx, s, c.o.Config.Place(fmt.Sprintf("sources[%d]", i)), add)
	}
	for i, d := range c.o.Detections {
		c.detections(ctx, d, c.o.Config.Place(fmt.Sprintf("detections[%d]", i)), add)
	}
	if len(c.o.Config.Sources) > 0 && len(c.o.Detections) == 0 {
		add(Finding{
			Part: "detections", Warning: true, Text: "no detections are forwarded",
			Hint: "Add a `detections:` section that names a source to forward what Kibana detects; rules of your own need none.",
		})
	}
	c.writeBack(ctx, add)
	c.slack(ctx, add)
	return out
}

func (c *Check) source(ctx context.Context, s *config.Source, at config.Place, add func(Finding)) {
	part := "source " + s.Name
	client := c.o.Clients[s.Name]
	if client == nil {
		add(Finding{Part: part, Place: at, Text: "embedded: kept in data_dir"})
		return
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	product, err := client.Product(ctx)
	if err != nil {
		add(Finding{Part: part, Place: at, Problem: true, Text: err.Error(), Hint: hintOf(err)})
		return
	}
	text := "reached"
	if product.Name != "" {
		text += ", " + product.Name
	}
	if product.Version != "" {
		text += " " + product.Version
	}
	add(Finding{Part: part, Place: at, Text: text})
	if client.Insecure() {
		add(Finding{
			Part: part, Place: at, Warning: true, Text: "the connection is not encrypted (http)",
			Hint: "Use https, with ca_file or ca_fingerprint where the certificate is your own.",
		})
	}
}

func hintOf(err error) string {
	switch {
	case elastic.IsUnauthorized(err):
		return "The key or password is wrong or has expired: make a new one, docs/least-privilege.md has the role."
	case elastic.IsForbidden(err):
		return "The key or user may not do this: docs/least-privilege.md has the role it needs."
	default:
		return ""
	}
}

func (c *Check) detections(ctx context.Context, d *kibana.Source, at config.Place, add func(Finding)) {
	part := "detections " + d.Name()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	found, err := d.Describe(ctx)
	if err != nil {
		add(Finding{Part: part, Place: at, Problem: true, Text: err.Error(), Hint: hintOf(err)})
		return
	}
	var readable, refused []string
	for _, a := range found.Aliases {
		switch a.Access {
		case "readable":
			name := a.Name
			if len(a.Indices) > 0 {
				name += " (" + strings.Join(a.Indices, ", ") + ")"
			}
			readable = append(readable, name)
		case "refused":
			refused = append(refused, a.Name)
		}
	}
	if len(readable) == 0 {
		add(Finding{
			Part: part, Place: at, Warning: true, Text: "there are no detections to read yet: " + strings.Join(names(found.Aliases), " and ") + " are not there",
			Hint: "Kibana makes the index with the first detection rule. If rules run already, look whether `space` is right.",
		})
		return
	}
	text := "reads " + strings.Join(readable, ", ")
	if found.Kibana != "" {
		text += ", written by Kibana " + found.Kibana
	}
	if !found.Newest.IsZero() {
		text += ", newest detection " + found.Newest.Format(time.RFC3339)
	}
	add(Finding{Part: part, Place: at, Text: text})
	if len(refused) > 0 {
		add(Finding{Part: part, Place: at, Text: "may not read " + strings.Join(refused, ", ") + "; that is fine unless detections of another Kibana generation are there"})
	}
	count, oldest, newest, err := d.Waiting(ctx)
	switch {
	case err != nil:
		add(Finding{Part: part, Place: at, Problem: true, Text: err.Error(), Hint: hintOf(err)})
	case count == 0:
		add(Finding{Part: part, Place: at, Text: "a first start now would send nothing: no open detection is as new as `since` asks"})
	default:
		add(Finding{Part: part, Place: at, Text: fmt.Sprintf("a first start now would take in %d detections, from %s to %s",
			count, oldest.Format(time.RFC3339), newest.Format(time.RFC3339))})
	}
}

func names(aliases []kibana.Alias) []string {
	var out []string
	for _, a := range aliases {
		out = append(out, a.Name)
	}
	return out
}

func (c *Check) slack(ctx context.Context, add func(Finding)) {
	if c.o.Slack == nil && len(c.o.Config.Notify) > 0 {
		return
	}
	if c.o.Slack == nil {
		add(Finding{
			Part: "slack", Warning: true, Text: "alerts are kept and nothing is sent: Slack is not configured",
			Hint: "Add a `slack:` section; docs/slack-setup.md has the steps.",
		})
		return
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	at := c.o.Config.Place("slack")
	channels := Channels(c.o.Config.Route)
	for _, d := range c.o.Config.Digests {
		if d.Channel != "" && !slices.Contains(channels, d.Channel) {
			channels = append(channels, d.Channel)
		}
	}
	for _, f := range c.o.Slack.Check(ctx, channels...) {
		add(Finding{Part: "slack", Place: at, Text: f.What, Hint: f.Try, Problem: f.Level == slack.LevelProblem, Warning: f.Level == slack.LevelWarning})
	}
}

// Channels are the channels that the routes name, each once.
func Channels(r config.Route) []string {
	out := slices.DeleteFunc(r.Channels(), func(name string) bool { return strings.HasPrefix(name, config.OutputPrefix) })
	slices.Sort(out)
	return out
}
