package config

import (
	"fmt"
	"net/mail"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"tocsin/internal/nearest"
)

// OutputPrefix begins a channel that is an output of notify: the rest is its name.
const OutputPrefix = "notify:"

// OutputKind is a way out beside Slack.
type OutputKind string

// The kinds of outputs.
const (
	OutputEmail        OutputKind = "email"
	OutputWebhook      OutputKind = "webhook"
	OutputTeams        OutputKind = "teams"
	OutputPagerDuty    OutputKind = "pagerduty"
	OutputAlertmanager OutputKind = "alertmanager"
	OutputShoutrrr     OutputKind = "shoutrrr"
)

// Output is one way out beside Slack. Which keys it has depends on its kind.
type Output struct {
	// Name is unique; routes send to OutputPrefix and it.
	Name string
	Kind OutputKind
	// URL is where requests go, or a shoutrrr URL: it is a secret. Empty for e-mail, and PagerDuty's own.
	URL Secret
	// Secret signs what a webhook is sent; RoutingKey is PagerDuty's.
	Secret     Secret
	RoutingKey Secret
	Username   string
	Password   Secret
	// Host, Port, From and To are of e-mail. Port 0 is 587 with STARTTLS.
	Host string
	Port int
	From string
	To   []string
	// Plain sends mail without TLS, to this machine alone.
	Plain bool
}

// outputKeys are the keys of each kind beside name and kind; those before the bar must be there.
var outputKeys = map[OutputKind]string{
	OutputEmail:        "host from to | port username password plain",
	OutputWebhook:      "url | secret username password",
	OutputTeams:        "url |",
	OutputPagerDuty:    "routing_key | url",
	OutputAlertmanager: "url | username password",
	OutputShoutrrr:     "url |",
}

// outputs reads the section notify.
func (d *decoder) outputs(root *mapping) []Output {
	items, _ := root.list("notify")
	var all []Output
	for _, it := range items {
		m := d.mapping(it.node, it.key, it.place)
		o, name := d.output(m)
		if o.Name != "" {
			if i := slices.IndexFunc(all, func(have Output) bool { return have.Name == o.Name }); i >= 0 {
				d.wrong(name, fmt.Sprintf("is the name of notify[%d] too: give each its own", i))
				continue
			}
		}
		all = append(all, o)
	}
	return all
}

func (d *decoder) output(m *mapping) (o Output, name text) {
	name, ok := m.text("name")
	switch {
	case ok && !nameForm.MatchString(name.value):
		d.wrong(name, nameRule)
	case ok:
		o.Name = name.value
	case !m.has("name"):
		m.missing("name: routes send to it as channel: \"notify:<name>\"")
	}
	var kinds []string
	for _, k := range []OutputKind{OutputEmail, OutputWebhook, OutputTeams, OutputPagerDuty, OutputAlertmanager, OutputShoutrrr} {
		kinds = append(kinds, string(k))
	}
	kind, ok := m.oneOf("kind", kinds...)
	o.Kind = OutputKind(kind)
	if !ok {
		if !m.has("kind") {
			m.missing("kind: write one of " + strings.Join(kinds, ", "))
		}
		for _, e := range m.entries { // of an unknown kind nothing can be said of its keys
			m.ask(e.name)
		}
		return o, name
	}
	must, may, _ := strings.Cut(outputKeys[o.Kind], "|")
	for _, key := range strings.Fields(must) {
		if !m.has(key) && !m.has(key+"_file") {
			m.missing(key + ", which " + kind + " needs")
		}
	}
	for _, key := range append(strings.Fields(must), strings.Fields(may)...) {
		d.outputKey(m, &o, key)
	}
	if o.Username != "" && o.Password.Reveal() == "" && !m.has("password") && !m.has("password_file") {
		m.missing("password beside its username")
	}
	m.close()
	return o, name
}

func (d *decoder) outputKey(m *mapping, o *Output, key string) {
	switch key {
	case "url":
		d.outputURL(m, o)
	case "secret":
		o.Secret, _, _ = m.secret("secret", false)
	case "routing_key":
		o.RoutingKey, _, _ = m.secret("routing_key", false)
	case "username":
		if t, ok := m.text("username"); ok {
			o.Username = t.value
		}
	case "password":
		o.Password, _, _ = m.secret("password", false)
	case "host":
		if t, ok := m.text("host"); ok {
			o.Host = t.value
		}
	case "port":
		o.Port = d.port(m)
	case "from":
		if t, ok := m.text("from"); ok {
			o.From = t.value
			d.address(t)
		}
	case "to":
		texts, _ := m.texts("to")
		for _, t := range texts {
			o.To = append(o.To, t.value)
			d.address(t)
		}
	case "plain":
		word, _ := m.oneOf("plain", "true", "false")
		o.Plain = word == "true"
		if o.Plain && o.Host != "" && !isLoopback(o.Host) {
			d.problem(m.placeOf("plain"), "mail without TLS is for this machine alone: delete plain")
		}
	}
}

func (d *decoder) outputURL(m *mapping, o *Output) {
	secret, t, ok := m.secret("url", false)
	if !ok {
		return
	}
	o.URL = secret
	if o.Kind == OutputShoutrrr {
		if u, err := url.Parse(secret.Reveal()); err != nil || u.Scheme == "" {
			d.wrong(t, "is not a URL of shoutrrr, such as discord://token@id")
		}
		return
	}
	u, err := parseURL(secret.Reveal(), "https", "http")
	switch {
	case err != nil:
		d.wrong(t, err.Error())
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		d.wrong(t, "must begin with https://: what is said travels with it, and plain http shows it to the network")
	}
}

// port reads a TCP port; 0 without one.
func (d *decoder) port(m *mapping) int {
	t, ok := m.word("port")
	if !ok {
		return 0
	}
	n, err := strconv.Atoi(t.value)
	if err != nil || n < 1 || n > 65535 {
		d.wrong(t, "is not a port: write a number from 1 to 65535")
		return 0
	}
	return n
}

func (d *decoder) address(t text) {
	if _, err := mail.ParseAddress(t.value); err != nil {
		d.wrong(t, "is not an e-mail address")
	}
}

// toOutputs reports channels of routes that name an output there is not.
func (d *decoder) toOutputs(r Route, key string, outputs []Output) {
	if at, ok := d.places[join(key, "channel")]; ok {
		d.toOutput(r.Channel, at, outputs)
	}
	for i, child := range r.Routes {
		d.toOutputs(child, fmt.Sprintf("%s[%d]", join(key, "routes"), i), outputs)
	}
}

func (d *decoder) toOutput(channel string, at Place, outputs []Output) {
	name, ok := strings.CutPrefix(channel, OutputPrefix)
	if !ok || slices.ContainsFunc(outputs, func(o Output) bool { return o.Name == name }) {
		return
	}
	var names []string
	for _, o := range outputs {
		if o.Name != "" {
			names = append(names, o.Name)
		}
	}
	said := fmt.Sprintf("no output of notify is called %q", name)
	switch meant := nearest.Key(name, names); {
	case meant != "":
		said += fmt.Sprintf(": did you mean %q?", meant)
	case len(names) > 0:
		said += ": there are " + strings.Join(names, ", ")
	default:
		said += ": add it under notify"
	}
	d.problem(at, said)
}
