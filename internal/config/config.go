// Package config owns the configuration file: reading tocsin.yaml strictly, its defaults, and
// saying everything that is wrong with it at once, each with its place. It knows the file only;
// it connects to nothing and makes no room (app does).
package config

import (
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"time"
)

// Config is a whole, valid configuration: defaults are filled in, variables and secret files
// are read, relative paths are made relative to the file, and routes have inherited what they
// leave out. It is not changed after Load.
type Config struct {
	// File is the path the configuration was read from, empty without one.
	File string
	// Listen is the address of the pages, the API and the metrics. Port 0 is any free port.
	Listen netip.AddrPort
	// Login says who is let in there.
	Login Login
	// TLSCertFile and TLSKeyFile are both set, a certificate and its key in PEM, or both empty.
	TLSCertFile, TLSKeyFile string
	// BehindProxy says that a proxy stands before us, which speaks TLS and tells where requests come from.
	BehindProxy bool
	// DataDir is the directory of the database and the embedded log store.
	DataDir string
	// Sources are the clusters and the embedded engine, in the order of the file.
	Sources []Source
	// Detections are the Kibana alerts to forward, in the order of the file.
	Detections []Detection
	// Slack is where alerts are said; nil without the section: alerts are kept, nothing is said.
	Slack *Slack
	// Notify are the ways out beside Slack, in the order of the file.
	Notify []Output
	// Route is the root of the routes. It matches every alert.
	Route Route
	// TimeIntervals are the named calendars of quiet hours and maintenance windows.
	TimeIntervals []TimeInterval
	// Maintenance are the windows in which alerts are silenced.
	Maintenance []MaintenanceWindow
	// Inhibit are the rules by which one alert hides others.
	Inhibit []InhibitRule
	// Digests are the reports said again and again.
	Digests []Digest
	// Retention is how long alerts are kept.
	Retention Retention
	// RulesDir is the directory of read-only rules, empty for none.
	RulesDir string
	// Lookups are the files of the tables that searches may name, by those names; they were there when they were looked
	// for, and what is in them is not read.
	Lookups map[string]string
	// WriteBack is where alerts of our own rules are written as documents; nil for nowhere.
	WriteBack *WriteBack
	// Warnings are what works but is not wise, sorted by place.
	Warnings []Problem

	places map[string]Place
	// What it was read from; written says that it was read at all.
	text    []byte
	env     func(string) (string, bool)
	written bool
}

// Kind is what a source is.
type Kind string

// The kinds of sources.
const (
	Elasticsearch Kind = "elasticsearch"
	OpenSearch    Kind = "opensearch"
	Embedded      Kind = "embedded"
)

// Source is one place of documents. A source of kind Embedded has a name, indices and Store only, and
// there is at most one.
type Source struct {
	Name string
	Kind Kind
	// URLs are the nodes; each has a scheme (http or https) and a host, maybe a path, and no
	// user. Exactly one of URLs and CloudID is set.
	URLs    []*url.URL
	CloudID string
	// APIKey is "id:key" or its base64, or empty; then Username and Password are both set or
	// both empty.
	APIKey   Secret
	Username string
	Password Secret
	// CAFile is the path of a PEM file with at least one certificate, or empty.
	CAFile string
	// CAFingerprint is the SHA-256 of a certificate as 64 lower-case hex digits, or empty.
	CAFingerprint string
	// ProxyURL may hold a user and a password: never print it but with Redacted. Nil for none.
	ProxyURL *url.URL
	// Indices are the index patterns searched unless a search names others.
	Indices []string
	// IngestedField is the field in which the cluster keeps when it took an event in; empty is event.ingested.
	IngestedField string
	// SearchTimeout bounds each request of a search in a cluster.
	SearchTimeout time.Duration
	// Store says what the embedded engine keeps; zero for other kinds.
	Store Store
}

// Store says what the embedded engine keeps.
type Store struct {
	// Retention is how long events are kept after their time; zero is for ever.
	Retention time.Duration
	// MaxBytes is how much the engine may hold on the disk; zero is no limit.
	MaxBytes int64
	// MinFree is the free space on the disk below which events are refused.
	MinFree int64
}

// Detection is one Kibana space whose detection alerts are forwarded.
type Detection struct {
	// Name is unique; "<source>/<space>" unless the file says otherwise.
	Name string
	// Source is the name of a source of kind Elasticsearch or OpenSearch.
	Source string
	Space  string
	Poll   time.Duration
	// Overlap is how far each poll reads back before the newest alert seen.
	Overlap time.Duration
	Since   Since
	// Sweep is how far back the ten-minute sweep looks for alerts that were missed.
	Sweep time.Duration
	// KibanaURL is the base of links into Kibana, nil for no links.
	KibanaURL *url.URL
	// Match is KQL on the alert, known to compile; alerts that do not match are excluded.
	// Empty matches all.
	Match string
}

// Since is how far back the first start reads.
type Since struct {
	// All reads everything there is; Back is then zero.
	All bool
	// Back is the age of the oldest alert taken in; zero takes in only what comes from now on.
	Back time.Duration
}

// InDoubt says what happens to a message that may have been posted where that cannot be looked up.
type InDoubt string

// What can be done with a message in doubt.
const (
	Resend InDoubt = "resend"
	Drop   InDoubt = "drop"
)

// Slack is where and how alerts are said.
type Slack struct {
	// Exactly one of BotToken and WebhookURL is set. AppToken, for Socket Mode, may come with
	// BotToken only.
	BotToken   Secret
	AppToken   Secret
	WebhookURL Secret
	// Channel is where alerts go that no route sends elsewhere: a name with or without "#", or
	// an id. It is set with BotToken; with WebhookURL it is a label at most, as a webhook has
	// one channel.
	Channel string
	// APIURL ends in "/" and is https, or http to a loopback host.
	APIURL *url.URL
	// Pace is the most messages to one channel; zero is no limit.
	Pace    Rate
	InDoubt InDoubt
	// ProxyURL may hold a user and a password: never print it but with Redacted. Nil for none.
	ProxyURL *url.URL
}

// Route says where alerts go and how they are put together. What the file leaves out has been
// taken from the parent.
type Route struct {
	// Match is KQL on the alert, known to compile; empty matches all.
	Match string
	// Continue has the routes after it asked too.
	Continue bool
	// ChannelFrom takes the channel from a field of the alert; nil is Channel for all.
	ChannelFrom *ChannelFrom
	// Channel is the resolved channel. It is empty only without the slack section, or with a
	// webhook and no slack.channel.
	Channel string
	// OwnChannel and OwnChannelFrom say that a route below the root set Channel or ChannelFrom, this one or one
	// around it. What is the root's gives way to the channel of a rule.
	OwnChannel, OwnChannelFrom bool
	// GroupBy are the fields whose values make a group; exactly ["..."] is no grouping, one
	// message per alert.
	GroupBy []string
	// GroupWait may be zero: the first message of a group goes out at once.
	GroupWait     time.Duration
	GroupInterval time.Duration
	// RepeatInterval is zero for off.
	RepeatInterval time.Duration
	// RateLimit is the most messages to one channel; zero is no limit.
	RateLimit Rate
	// MuteTimeIntervals and ActiveTimeIntervals name the calendars of its quiet hours.
	MuteTimeIntervals, ActiveTimeIntervals []string
	// Escalation is what is done where nobody takes an alert up, in the order of time.
	Escalation []Escalation
	// Template is the text of its messages, known to be one; empty is the usual message.
	Template string
	// Routes are tried in order; the first that matches takes the alert, else this route does.
	Routes []Route
}

// ChannelFrom takes a channel from a field of the alert.
type ChannelFrom struct {
	Field    string
	Channels map[string]string // the values that are allowed, and the channels they mean
	Else     string            // where none is allowed; empty is the route's channel
}

// Escalation is one step of what is done where nobody takes an alert up.
type Escalation struct {
	After    time.Duration
	Mentions []string // "@here" and the like, and ids of users and groups
	Channel  string   // empty is where the alert was said
}

// Channels are the channels that the route and those under it may send to, each once, in order.
func (r Route) Channels() []string {
	var out []string
	add := func(names ...string) {
		for _, name := range names {
			if name != "" && !slices.Contains(out, name) {
				out = append(out, name)
			}
		}
	}
	add(r.Channel)
	if r.ChannelFrom != nil {
		add(slices.Sorted(maps.Values(r.ChannelFrom.Channels))...)
		add(r.ChannelFrom.Else)
	}
	for _, e := range r.Escalation {
		add(e.Channel)
	}
	for _, sub := range r.Routes {
		add(sub.Channels()...)
	}
	return out
}

// Ungrouped says whether every alert is a message of its own.
func (r Route) Ungrouped() bool { return len(r.GroupBy) == 1 && r.GroupBy[0] == "..." }

// The defaults of a detection and of Slack.
const (
	defaultSpace   = "default"
	defaultPoll    = 5 * time.Second
	defaultOverlap = 10 * time.Minute
	defaultSince   = 24 * time.Hour
	defaultSweep   = 24 * time.Hour
	defaultAPIURL  = "https://slack.com/api/"

	defaultSearchTimeout = 5 * time.Minute
	defaultMinFree       = 1 << 30

	leastPoll      = 100 * time.Millisecond
	leastRetention = 24 * time.Hour
	leastMaxSize   = 1 << 20
	leastMinFree   = 64 << 20
)

var defaultPace = Rate{Count: 1, Per: time.Second}

// DefaultSource is the name of the embedded engine where the file names no sources.
const DefaultSource = "embedded"

func defaultSources() []Source {
	return []Source{{Name: DefaultSource, Kind: Embedded, Store: Store{MinFree: defaultMinFree}}}
}

// Default is the configuration without a file: the embedded engine is there, nothing else is
// connected, and it is set up in the browser. DataDir is relative to the working directory.
func Default() *Config {
	return &Config{
		Listen:  netip.MustParseAddrPort("127.0.0.1:7171"),
		Login:   Login{Session: defaultLoginSession},
		DataDir: "tocsin-data",
		Sources: defaultSources(),
		Route: Route{
			GroupBy:       []string{"rule.name"},
			GroupWait:     10 * time.Second,
			GroupInterval: 5 * time.Minute,
			RateLimit:     Rate{Count: 6, Per: time.Minute},
		},
	}
}

// Source returns the source of that name, or nil.
func (c *Config) Source(name string) *Source {
	for i := range c.Sources {
		if c.Sources[i].Name == name {
			return &c.Sources[i]
		}
	}
	return nil
}

// Embedded returns the source that is the embedded engine, or nil.
func (c *Config) Embedded() *Source {
	for i := range c.Sources {
		if c.Sources[i].Kind == Embedded {
			return &c.Sources[i]
		}
	}
	return nil
}

// Place returns where a key stands in the file, so that what is found wrong with it later (a
// refused connection, an unknown channel) can be said at its place. The key is written as
// "sources[0].ca_file". For a key the file does not have it is the place of the nearest section
// around it, and without a file the zero Place.
func (c *Config) Place(key string) Place {
	for {
		if p, ok := c.places[key]; ok {
			return p
		}
		if key == "" {
			return Place{File: c.File}
		}
		key = parentKey(key)
	}
}

// parentKey is the key of the section a key stands in: "a[0].b" in "a[0]" in "a" in "".
func parentKey(key string) string {
	for i := len(key) - 1; i >= 0; i-- {
		if key[i] == '.' || key[i] == '[' {
			return key[:i]
		}
	}
	return ""
}
