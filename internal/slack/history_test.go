package slack

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/demo"
	"tocsin/internal/notice"
)

// say posts n notices with the keys 0, 1, ... and gives their receipts.
func say(t *testing.T, s *Sender, n int) map[notice.Key]notice.Receipt {
	t.Helper()
	said := map[notice.Key]notice.Receipt{}
	for i := range n {
		m := samples()[0]
		m.Key, m.Revision = notice.Key(fmt.Sprint(i)), i+1
		r, err := s.Post(t.Context(), m)
		if err != nil {
			t.Fatal(err)
		}
		r.Revision = i + 1
		said[m.Key] = r
	}
	return said
}

func TestFindFindsWhatWasSaid(t *testing.T) {
	for name, opts := range map[string]demo.SlackOptions{
		"newest page first": {Limits: demo.SlackLimits{HistoryPage: 7}},
		"oldest page first": {Limits: demo.SlackLimits{HistoryPage: 7}, ForwardPages: true},
		"one page":          {},
	} {
		t.Run(name, func(t *testing.T) {
			slack, s := standIn(t, opts)
			said := say(t, s, 30)
			for range 20 {
				slack.Post("alerts", "ann", "what is this?")
			}
			since := s.Clock().Add(-time.Hour)
			keys := append(slices.Collect(maps.Keys(said)), "never said")
			found, err := s.Find(t.Context(), "#alerts", since, keys)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(said, found); diff != "" {
				t.Errorf("-said +found:\n%s", diff)
			}
			found, err = s.Find(t.Context(), said["0"].Channel, said["12"].At, []notice.Key{"11", "12", "13"})
			if err != nil || len(found) != 2 || found["12"] != said["12"] {
				t.Errorf("from the message on, itself included: %v, %v", found, err)
			}
			if found, err = s.Find(t.Context(), "#alerts", since, nil); err != nil || len(found) != 0 {
				t.Errorf("nothing asked: %v, %v", found, err)
			}
		})
	}
}

// After a restart, and for a channel that no post has told the id of, the id is looked up.
func TestFindLooksUpTheChannel(t *testing.T) {
	var channels []demo.SlackChannel
	for i := range 1500 { // more than one page of channels
		channels = append(channels, demo.SlackChannel{Name: fmt.Sprint("c", i)})
	}
	channels = append(channels, demo.SlackChannel{Name: "alerts"}, demo.SlackChannel{Name: "private", Private: true}, demo.SlackChannel{Name: "old"})
	slack, first := standIn(t, demo.SlackOptions{Channels: channels})
	for _, name := range []string{"#alerts", "private", "#OLD"} {
		n := samples()[0]
		n.Channel = strings.ToLower(name)
		said, err := first.Post(t.Context(), n)
		if err != nil {
			t.Fatal(err)
		}
		if name == "#OLD" {
			slack.SetChannel("old", func(c *demo.SlackChannel) { c.Archived = true })
		}
		restarted := bot(t, strings.TrimSuffix(first.api.String(), "/api/"), func(o *Options) { o.BotToken = demo.DemoToken })
		found, err := restarted.Find(t.Context(), name, said.At, []notice.Key{n.Key})
		if err != nil || found[n.Key].TS != said.TS || found[n.Key].Channel != said.Channel {
			t.Errorf("%s: %v, %v; said %v", name, found, err, said)
		}
	}
}

func TestIDsOfChannelsAreKept(t *testing.T) {
	kept := map[string]string{}
	keep := func(o *Options) {
		o.Channels = ChannelIDs{
			Load:  func(_ context.Context, name string) (string, error) { return kept[name], nil },
			Store: func(_ context.Context, name, id string) error { kept[name] = id; return nil },
		}
	}
	slack, s := standIn(t, demo.SlackOptions{}, keep)
	said := say(t, s, 1)["0"]
	if want := map[string]string{"alerts": said.Channel}; !maps.Equal(kept, want) {
		t.Fatalf("kept %v, want %v", kept, want)
	}
	restarted := bot(t, strings.TrimSuffix(s.api.String(), "/api/"), keep, func(o *Options) { o.BotToken = demo.DemoToken })
	for _, id := range []string{said.Channel, "C0000000OLD"} { // and one that is no longer right
		kept["alerts"] = id
		if found, err := restarted.Find(t.Context(), "#alerts", said.At, []notice.Key{"0"}); err != nil || len(found) != 1 {
			t.Errorf("kept %s: %v, %v", id, found, err)
		}
		restarted.ids.forget("#alerts")
	}
	lists := 0
	for _, r := range slack.Requests() {
		if r.Method == methodList {
			lists++
		}
	}
	if lists != 1 || kept["alerts"] != said.Channel {
		t.Errorf("listed the channels %d times, kept %v", lists, kept)
	}
	keep = func(o *Options) {
		o.Channels = ChannelIDs{
			Load:  func(context.Context, string) (string, error) { return "", errors.New("disk") },
			Store: func(context.Context, string, string) error { return errors.New("disk") },
		}
	}
	_, s = standIn(t, demo.SlackOptions{}, keep)
	if found, err := s.Find(t.Context(), "#alerts", time.Time{}, []notice.Key{"0"}); err != nil || len(found) != 0 {
		t.Errorf("where ids cannot be kept: %v, %v", found, err)
	}
}

func TestHistoryThatMayNotBeRead(t *testing.T) {
	for _, c := range []struct {
		name    string
		scopes  []string
		channel demo.SlackChannel
		want    string
	}{
		{"no scope", []string{"chat:write", "channels:read", "groups:read"}, demo.SlackChannel{Name: "alerts"}, "no history"},
		{"no scope for private channels", []string{"chat:write", "channels:read", "groups:read", "channels:history"}, demo.SlackChannel{Name: "alerts", Private: true}, "no history"},
		{"no scope to list", []string{"chat:write", "channels:history"}, demo.SlackChannel{Name: "alerts"}, "no history"},
		{"only public channels can be listed", []string{"chat:write", "channels:history", "channels:read"}, demo.SlackChannel{Name: "alerts"}, "ok"},
		{"not a member, may join", []string{"chat:write", "chat:write.public", "channels:history", "channels:read", "channels:join"}, demo.SlackChannel{Name: "alerts", Outside: true}, "ok"},
		{"not a member, may not join", []string{"chat:write", "chat:write.public", "channels:history", "channels:read"}, demo.SlackChannel{Name: "alerts", Outside: true}, "no history"},
	} {
		t.Run(c.name, func(t *testing.T) {
			opts := demo.SlackOptions{Channels: []demo.SlackChannel{c.channel}, Tokens: []demo.SlackToken{{Token: demo.DemoToken, Scopes: c.scopes}}}
			_, s := standIn(t, opts)
			_, err := s.Find(t.Context(), "#alerts", time.Now().Add(-time.Hour), []notice.Key{"k"})
			if got := meaning(err); got != c.want {
				t.Errorf("%s (%v), want %s", got, err, c.want)
			}
		})
	}
}

func TestFaultsOfHistoryAreTriedLater(t *testing.T) {
	for _, kind := range []demo.SlackFaultKind{demo.SlackDrop, demo.SlackHTML, demo.SlackCutOff, demo.SlackHalfJSON, demo.SlackError, demo.SlackLimited} {
		_, s := standIn(t, demo.SlackOptions{Limits: demo.SlackLimits{HistoryPage: 2}, Fault: func(c demo.SlackCall) demo.SlackFault {
			if c.Method == methodHistory && c.N > 7 { // after six posts and the first page
				return demo.SlackFault{Kind: kind, RetryAfter: 3600} // more patience than a look has
			}
			return demo.SlackFault{}
		}})
		say(t, s, 6)
		found, err := s.Find(t.Context(), "#alerts", time.Time{}, []notice.Key{"0", "5"})
		if !strings.HasPrefix(meaning(err), "retry channel") || found != nil {
			t.Errorf("%s: %v, %v; a part of the history is none", kind, found, err)
		}
	}
}

// Any app can write metadata like ours.
func TestMessagesOfOtherAppsAreNotOurs(t *testing.T) {
	slack, s := standIn(t, demo.SlackOptions{Tokens: []demo.SlackToken{{Token: demo.DemoToken}, {Token: "xoxb-other", App: "Other"}}})
	other := bot(t, strings.TrimSuffix(s.api.String(), "/api/"), func(o *Options) { o.BotToken = "xoxb-other" })
	say(t, other, 3)
	if found, err := s.Find(t.Context(), "#alerts", time.Time{}, []notice.Key{"1"}); err != nil || len(found) != 0 {
		t.Errorf("found %v, %v", found, err)
	}
	if n := len(slack.Messages("alerts")); n != 3 {
		t.Errorf("%d messages", n)
	}
}

func TestMessagesGivesDoubledOnesToo(t *testing.T) {
	_, s := standIn(t, demo.SlackOptions{Limits: demo.SlackLimits{HistoryPage: 4}})
	said := say(t, s, 10)
	again := say(t, s, 2)
	got := map[notice.Key][]string{}
	for m, err := range s.Messages(t.Context(), "#alerts", time.Time{}) {
		if err != nil {
			t.Fatal(err)
		}
		got[m.Key] = append(got[m.Key], m.TS)
		if m.Channel != said["0"].Channel || m.At.IsZero() || m.Revision == 0 {
			t.Errorf("%+v", m)
		}
	}
	if len(got) != 10 || len(got["0"]) != 2 || !slices.Contains(got["1"], again["1"].TS) || len(got["2"]) != 1 {
		t.Errorf("got %v", got)
	}
	for range s.Messages(t.Context(), "#alerts", time.Time{}) {
		break // a reader may stop
	}
	var last error
	for _, err := range s.Messages(t.Context(), "#nowhere", time.Time{}) {
		last = err
	}
	if meaning(last) != "no history" || !strings.Contains(last.Error(), "#nowhere") {
		t.Errorf("got %v", last)
	}
}

func TestMessagesWaitsAsSlackAsks(t *testing.T) {
	limited := 0
	_, s := standIn(t, demo.SlackOptions{Limits: demo.SlackLimits{HistoryPage: 2}, Fault: func(c demo.SlackCall) demo.SlackFault {
		if c.Method == methodHistory && limited == 0 {
			limited++
			return demo.SlackFault{Kind: demo.SlackLimited, RetryAfter: 1}
		}
		return demo.SlackFault{}
	}})
	say(t, s, 5)
	n := 0
	for _, err := range s.Messages(t.Context(), "#alerts", time.Time{}) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != 5 || limited != 1 {
		t.Errorf("%d messages after %d refusals", n, limited)
	}
}

// A history whose pages do not end, or end without saying where, is not a history.
func TestPagesThatDoNotEnd(t *testing.T) {
	for name, page := range map[string]string{
		"the same cursor for ever": `{"ok":true,"messages":[],"has_more":true,"response_metadata":{"next_cursor":"a"}}`,
		"more, and no cursor":      `{"ok":true,"messages":[],"has_more":true}`,
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, page) }))
		s := bot(t, server.URL)
		if found, err := s.Find(t.Context(), "C0123456789", time.Time{}, []notice.Key{"k"}); err == nil {
			t.Errorf("%s: found %v", name, found)
		}
		server.Close()
	}
}
