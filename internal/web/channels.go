package web

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"tocsin/internal/account"
	"tocsin/internal/config"
	"tocsin/internal/duration"
	"tocsin/internal/notice"
	"tocsin/internal/outbox"
	"tocsin/internal/policy"
	"tocsin/internal/rule"
)

// ChannelsOptions say what is known of channels.
type ChannelsOptions struct {
	Config *config.Config
	Policy *policy.Policy
	Rules  *rule.Library
	// HeldBack counts what was held back since a time, by channel; under "" what got no channel.
	HeldBack func(ctx context.Context, since time.Time) (map[string][]notice.Held, error)
	// Reports are the digests there are.
	Reports []policy.Report
	// Post says a notice at once; nil where there is no way to say anything.
	Post func(context.Context, notice.Notice) (notice.Receipt, error)
}

// ChannelList are the channels that something can be said in.
type ChannelList struct {
	Channels []ChannelRow `json:"channels"`
	// Before are the alerts of the last day that were held back before they had a channel.
	Before []HeldRow `json:"held_back" doc:"What was held back in the last 24 hours before it had a channel."`
}

// ChannelRow is one channel with how it stands.
type ChannelRow struct {
	Name    string   `json:"name"`
	Kind    string   `json:"kind" doc:"slack, or the kind of an output: email, webhook, teams, pagerduty, alertmanager, shoutrrr; unknown where there is no such output."`
	Default bool     `json:"default,omitempty" doc:"What no route sends elsewhere comes here."`
	Routes  []WayRow `json:"routes"`
	// Rules are the names of the rules that name the channel.
	Rules     []RuleName `json:"rules"`
	Digests   []string   `json:"digests"`
	Unheard   string     `json:"unheard,omitempty" doc:"Why nothing can be said here."`
	RateLimit string     `json:"rate_limit" doc:"The least of its routes'."`
	Used      int        `json:"used" doc:"Messages posted or waiting within the period of rate_limit; within the last hour where it is off."`
	Quiet     string     `json:"quiet,omitempty" doc:"The quiet hours that hold now for its default route."`
	Until     time.Time  `json:"quiet_until,omitzero"`
	Queued    int        `json:"queued"`
	Doubt     int        `json:"in_doubt"`
	Failed    int        `json:"failed"`
	Waits     string     `json:"waits,omitempty" doc:"Why the oldest message that waits does."`
	WaitUntil time.Time  `json:"wait_until,omitzero" doc:"The service asked to wait until then."`
	Refused   string     `json:"refused,omitempty" doc:"Why the newest message that was given up was."`
	RefusedAt time.Time  `json:"refused_at,omitzero"`
	Last      *LastSaid  `json:"last,omitempty"`
	Held      []HeldRow  `json:"held_back" doc:"What was held back in the last 24 hours, and why."`

	fails, pends bool // as outbox has it
}

// WayRow is a way by which alerts come to a channel.
type WayRow struct {
	Route     string   `json:"route"`
	Match     string   `json:"match,omitempty"`
	By        string   `json:"by,omitempty" doc:"The value of a field that chooses the channel."`
	After     string   `json:"after,omitempty" doc:"Of an escalation: how long nobody took the alert up."`
	RateLimit string   `json:"rate_limit"`
	Mute      []string `json:"mute_time_intervals,omitempty"`
	Active    []string `json:"active_time_intervals,omitempty"`
	Quiet     string   `json:"quiet,omitempty" doc:"Which quiet hours hold now."`
}

// RuleName is a rule by its id and name.
type RuleName struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// HeldRow is how many alerts were held back for one reason.
type HeldRow struct {
	Fate   string `json:"fate"`
	Reason string `json:"reason"`
	Count  int    `json:"count"`
}

// LastSaid is the message that was posted last.
type LastSaid struct {
	At     time.Time `json:"posted_at"`
	Edited time.Time `json:"edited_at,omitzero"`
	Text   string    `json:"text" doc:"What notifications say of it."`
	HTML   string    `json:"html" doc:"The message for a page: escaped, and with no link but to web pages."`
}

// ChannelTest names the channel that is tested.
type ChannelTest struct {
	Channel string `json:"channel" doc:"A channel of Slack, or an output such as notify:oncall."`
}

// ChannelTested says what became of a test message.
type ChannelTested struct {
	OK    bool   `json:"ok"`
	Error string `json:"error,omitempty"`
	Hint  string `json:"hint,omitempty"`
}

// channels serves what is known of channels.
type channels struct {
	*Web
	o ChannelsOptions
}

// heldBackFor is how far back the channels tell of what was held back.
const heldBackFor = 24 * time.Hour

const mostChannelTest = 4 << 10

// Channels adds the API and the page of channels.
func Channels(o ChannelsOptions) Part {
	return func(w *Web) {
		s := &channels{w, o}
		w.add(Route{
			Method: "GET", Path: "/channels", Tag: "channels", Role: account.Viewer, Summary: "List the channels, what goes there, and how each stands",
			Answer: ChannelList{}, Handle: s.list,
		})
		w.add(Route{
			Method: "POST", Path: "/channels/test", Tag: "channels", Role: account.Editor, Summary: "Post a test message in a channel",
			Body: ChannelTest{}, Answer: ChannelTested{}, Fails: []int{404}, Handle: s.test,
		})
		w.page(Page{Method: "GET", Path: "/channels", Role: account.Viewer, Handle: s.page})
		w.page(Page{Method: "POST", Path: "/channels", Role: account.Editor, Handle: s.testForm})
	}
}

func (s *channels) list(rw http.ResponseWriter, r *http.Request) {
	out, err := s.all(r.Context())
	if err != nil {
		s.broken(rw, r, err)
		return
	}
	answer(rw, http.StatusOK, out)
}

// all are the channels of the routes, the rules, the digests and the outputs, in that order, then those that only old
// messages are in.
func (s *channels) all(ctx context.Context) (*ChannelList, error) {
	now := time.Now()
	stands, err := s.outbox.Channels(ctx, now)
	if err != nil {
		return nil, err
	}
	held, err := s.o.HeldBack(ctx, now.Add(-heldBackFor))
	if err != nil {
		return nil, err
	}
	out := &ChannelList{Channels: []ChannelRow{}, Before: heldRows(held[""])}
	of := func(name string) *ChannelRow {
		i := slices.IndexFunc(out.Channels, func(c ChannelRow) bool { return c.Name == name })
		if i < 0 {
			i = len(out.Channels)
			out.Channels = append(out.Channels, ChannelRow{
				Name: name, Kind: s.kind(name), Routes: []WayRow{}, Rules: []RuleName{}, Digests: []string{}, Held: heldRows(held[name]),
			})
		}
		return &out.Channels[i]
	}
	rates := map[string]policy.Rate{}
	var root policy.Rate
	for i, h := range s.o.Policy.Channels(now) {
		c := of(h.Channel)
		for j, way := range h.Ways {
			if i == 0 && j == 0 {
				root = way.Rate
			}
			if way.Path == "route" && way.By == "" && way.After == 0 {
				c.Default, c.Quiet, c.Until = true, way.Quiet, way.Until
			}
			if rate, ok := rates[h.Channel]; !ok || tighter(way.Rate, rate) {
				rates[h.Channel] = way.Rate
			}
			c.Routes = append(c.Routes, wayRow(way))
		}
	}
	for _, e := range s.o.Rules.All() {
		if e.Rule == nil || e.Rule.Channel == "" || e.Origin == rule.FromPack {
			continue
		}
		c := of(e.Rule.Channel)
		c.Rules = append(c.Rules, RuleName{ID: e.ID, Name: e.Name()})
	}
	for _, report := range s.o.Reports {
		c := of(report.Channel)
		c.Digests = append(c.Digests, report.Name)
	}
	for _, o := range s.o.Config.Notify {
		of(config.OutputPrefix + o.Name)
	}
	old := make([]string, 0, len(stands))
	for name := range stands {
		old = append(old, name)
	}
	slices.Sort(old)
	for _, name := range old {
		of(name)
	}
	for i := range out.Channels {
		c := &out.Channels[i]
		c.Unheard = s.unheard(c)
		rate, ok := rates[c.Name]
		if !ok {
			rate = root
		}
		if err := s.stand(ctx, c, stands[c.Name], rate, now); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// stand fills in how a channel stands, and what is used of its rate.
func (s *channels) stand(ctx context.Context, c *ChannelRow, is *outbox.Channel, rate policy.Rate, now time.Time) error {
	c.RateLimit = rate.String()
	per := rate.Per
	if rate.Count == 0 {
		per = time.Hour
	}
	posted, unsaid, err := s.outbox.Posted(ctx, c.Name, now.Add(-per))
	if err != nil {
		return err
	}
	if c.Used = posted + unsaid; is == nil {
		return nil
	}
	c.fails, c.pends = is.Fails(), is.Pends(now)
	c.Queued, c.Doubt, c.Failed, c.Waits, c.Refused, c.RefusedAt = is.Queued+is.Sending, is.Doubt, is.Failed, is.Waits, is.Refused, is.RefusedAt
	if is.Until.After(now) {
		c.WaitUntil = is.Until
	}
	if is.Last == nil {
		return nil
	}
	shown, err := laidOut(is.Last.Notice)
	if err != nil {
		return err
	}
	c.Last = &LastSaid{At: is.Last.PostedAt, Text: shown.Text, HTML: shown.HTML}
	if is.Last.SaidAt.After(is.Last.PostedAt) {
		c.Last.Edited = is.Last.SaidAt
	}
	return nil
}

// unheard is why nothing can be said in a channel; "" where something can.
func (s *channels) unheard(c *ChannelRow) string {
	switch {
	case len(c.Routes) > 0 || s.o.Policy.Reach(c.Name):
		return ""
	case c.Kind == "unknown":
		return "there is no output of this name under notify: what rules send here goes to the default channel"
	case s.o.Config.Slack == nil:
		return "Slack is not connected: what rules send here is kept, and said to no one"
	case s.o.Config.Slack.WebhookURL != "":
		return "Slack is connected by a webhook, which has one channel: what rules send here goes there"
	}
	return ""
}

// tighter reports whether a rate allows less than another. Off allows all.
func tighter(a, b policy.Rate) bool {
	if a.Count == 0 || b.Count == 0 {
		return a.Count != 0
	}
	return float64(a.Count)/a.Per.Seconds() < float64(b.Count)/b.Per.Seconds()
}

func wayRow(w policy.Way) WayRow {
	out := WayRow{Route: w.Path, Match: w.Match, By: w.By, RateLimit: w.Rate.String(), Mute: w.Mute, Active: w.Active, Quiet: w.Quiet}
	if w.After > 0 {
		out.After = duration.Format(w.After)
	}
	return out
}

func heldRows(held []notice.Held) []HeldRow {
	out := []HeldRow{}
	for _, h := range held {
		out = append(out, HeldRow{Fate: string(h.Fate), Reason: h.Reason, Count: h.Count})
	}
	return out
}

// kind is what a channel is.
func (s *channels) kind(name string) string {
	output, ok := strings.CutPrefix(name, config.OutputPrefix)
	if !ok {
		return "slack"
	}
	for _, o := range s.o.Config.Notify {
		if o.Name == output {
			return string(o.Kind)
		}
	}
	return "unknown"
}

// known are the names of all channels, for forms to complete.
func (s *channels) known(ctx context.Context) ([]string, error) {
	all, err := s.all(ctx)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, c := range all.Channels {
		out = append(out, c.Name)
	}
	return out, nil
}

func (s *channels) test(rw http.ResponseWriter, r *http.Request) {
	in, ok := body[ChannelTest](rw, r, mostChannelTest)
	if !ok {
		return
	}
	known, err := s.known(r.Context())
	if err != nil {
		s.broken(rw, r, err)
		return
	}
	if !slices.Contains(known, in.Channel) {
		fail(rw, http.StatusNotFound, fmt.Sprintf("nothing is said in %q: no route, rule, digest or output names it", in.Channel))
		return
	}
	noted(r, in.Channel, "")
	answer(rw, http.StatusOK, s.tried(r.Context(), in.Channel, who(r).Name))
}

// testWithin bounds how long a test message may take.
const testWithin = 15 * time.Second

// tried posts a test message in a channel.
func (s *channels) tried(ctx context.Context, channel, who string) ChannelTested {
	if s.o.Post == nil {
		return ChannelTested{Error: "there is no way to say anything", Hint: "Connect Slack in the settings first."}
	}
	if !s.o.Policy.Reach(channel) && channel != "webhook" && s.kind(channel) == "unknown" {
		return ChannelTested{Error: "there is no such output", Hint: "Name it under notify in the configuration."}
	}
	ctx, cancel := context.WithTimeout(ctx, testWithin)
	defer cancel()
	now := time.Now()
	text := "Alerts for this channel will be said here"
	if who != "" {
		text += ". " + who + " asked for this message"
	}
	_, err := s.o.Post(ctx, notice.Notice{
		Key: notice.Key("test-" + now.UTC().Format(time.RFC3339Nano)), Revision: 1, Channel: channel, Kind: notice.KindHealth,
		Health: &notice.Health{Part: "test message", Text: text, Since: now, Ended: now},
	})
	if err == nil {
		return ChannelTested{OK: true}
	}
	var rejected *notice.RejectedError
	out := ChannelTested{Error: err.Error(), Hint: "Look at the connection and the name of the channel, and test again."}
	if errors.As(err, &rejected) {
		out.Hint = cmp.Or(rejected.Hint, out.Hint)
	}
	return out
}
