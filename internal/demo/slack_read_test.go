package demo

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// readAll follows a method's cursor to its end and gives the texts and the number of pages.
func readAll(t *testing.T, s *Slack, method string, a args) ([]string, int) {
	t.Helper()
	var texts []string
	for pages := 1; ; pages++ {
		body := ask(t, s, method, a)
		if code(body) != "ok" {
			t.Fatalf("%s %v: %v", method, a, body)
		}
		for _, m := range body["messages"].([]any) {
			texts = append(texts, m.(map[string]any)["text"].(string))
		}
		meta, _ := body["response_metadata"].(map[string]any)
		next, _ := meta["next_cursor"].(string)
		if (next != "") != body["has_more"].(bool) {
			t.Fatalf("has_more %v with cursor %q", body["has_more"], next)
		}
		if next == "" {
			return texts, pages
		}
		a["cursor"] = next
	}
}

// clock stands still until told otherwise.
type clock struct{ time.Time }

func (c *clock) now() time.Time { return c.Time }

// talked is a workspace where m0 to m24 were said, one a second, m3 has two replies, the second of them
// shown in the channel too, and m5 was deleted.
func talked(t *testing.T, opts SlackOptions) (*Slack, []string) {
	t.Helper()
	at := &clock{time.Unix(1_800_000_000, 0)}
	opts.Now = at.now
	s := NewSlack(opts)
	var ts []string
	say := func(a args) string {
		a["channel"] = "alerts"
		at.Time = at.Add(time.Second)
		body := ask(t, s, "chat.postMessage", a)
		if code(body) != "ok" {
			t.Fatal(body)
		}
		return body["ts"].(string)
	}
	for i := range 25 {
		ts = append(ts, say(args{"text": fmt.Sprintf("m%d", i), "metadata": args{"event_type": "e", "event_payload": args{"delivery_key": fmt.Sprint(i)}}}))
	}
	say(args{"text": "r0", "thread_ts": ts[3]})
	say(args{"text": "r1", "thread_ts": ts[3], "reply_broadcast": true})
	s.Delete("alerts", ts[5])
	return s, ts
}

func names(from, to int) []string {
	var out []string
	for i := from; i >= to; i-- {
		if i != 5 {
			out = append(out, fmt.Sprintf("m%d", i))
		}
	}
	return out
}

func TestHistoryIsNewestFirstAndPages(t *testing.T) {
	s, ts := talked(t, SlackOptions{})
	id := channelID("alerts")
	tests := []struct {
		name  string
		args  args
		want  []string
		pages int
	}{
		{"all", args{}, append([]string{"r1"}, names(24, 0)...), 1},
		{"in pages of 4", args{"limit": "4"}, append([]string{"r1"}, names(24, 0)...), 7},
		{"in pages of 1", args{"limit": 1}, append([]string{"r1"}, names(24, 0)...), 25},
		{"from a message on", args{"oldest": ts[20]}, append([]string{"r1"}, names(24, 21)...), 1},
		{"from a message on, itself too", args{"oldest": ts[20], "inclusive": true}, append([]string{"r1"}, names(24, 20)...), 1},
		{"before a message", args{"latest": ts[2]}, names(1, 0), 1},
		{"up to a message", args{"latest": ts[2], "inclusive": "1"}, names(2, 0), 1},
		{"between, in pages", args{"oldest": ts[3], "latest": ts[10], "limit": 2}, names(9, 4), 3},
		{"whole seconds", args{"oldest": "1800000020", "latest": "1800000023.5", "inclusive": true}, names(22, 19), 1},
		{"nothing there", args{"oldest": "1900000000"}, nil, 1},
		{"ends that cross", args{"oldest": ts[10], "latest": ts[3]}, nil, 1},
	}
	for _, tt := range tests {
		tt.args["channel"] = id
		got, pages := readAll(t, s, "conversations.history", tt.args)
		if diff := cmp.Diff(tt.want, got); diff != "" || pages != tt.pages {
			t.Errorf("%s: %d pages (want %d)\n%s", tt.name, pages, tt.pages, diff)
		}
	}
}

func TestHistoryMayGiveTheOldestPageFirst(t *testing.T) {
	s, ts := talked(t, SlackOptions{ForwardPages: true, Limits: SlackLimits{HistoryPage: 3}})
	got, pages := readAll(t, s, "conversations.history", args{"channel": channelID("alerts"), "oldest": ts[17], "limit": 100})
	if want := []string{"m20", "m19", "m18", "m23", "m22", "m21", "r1", "m24"}; !slices.Equal(got, want) || pages != 3 {
		t.Errorf("%d pages: %v", pages, got)
	}
}

func TestMessagesSaidWhilePagingComeOnce(t *testing.T) {
	s, _ := talked(t, SlackOptions{})
	a := args{"channel": channelID("alerts"), "limit": 10}
	first := ask(t, s, "conversations.history", a)
	ask(t, s, "chat.postMessage", args{"channel": "alerts", "text": "late"})
	a["cursor"] = first["response_metadata"].(map[string]any)["next_cursor"]
	rest, _ := readAll(t, s, "conversations.history", a)
	if want := names(15, 0); !slices.Equal(rest, want) {
		t.Errorf("after the first page: %v, want %v", rest, want)
	}
}

func TestMetadataIsWholeOnlyWhenAskedFor(t *testing.T) {
	s, ts := talked(t, SlackOptions{})
	for _, method := range []string{"conversations.history", "conversations.replies"} {
		for _, all := range []bool{false, true} {
			body := ask(t, s, method, args{"channel": channelID("alerts"), "ts": ts[3], "latest": ts[3], "inclusive": true, "limit": 1, "include_all_metadata": all})
			meta := body["messages"].([]any)[0].(map[string]any)["metadata"].(map[string]any)
			if _, payload := meta["event_payload"]; meta["event_type"] != "e" || payload != all {
				t.Errorf("%s, all %v: %v", method, all, meta)
			}
		}
	}
}

func TestRepliesStandInTheirThread(t *testing.T) {
	s, ts := talked(t, SlackOptions{})
	id := channelID("alerts")
	for limit, wantPages := range map[int]int{1: 2, 1000: 1} {
		got, pages := readAll(t, s, "conversations.replies", args{"channel": id, "ts": ts[3], "limit": limit})
		got = slices.Compact(slices.DeleteFunc(got, func(s string) bool { return s == "m3" }))
		if !slices.Equal(got, []string{"r0", "r1"}) || pages != wantPages {
			t.Errorf("limit %d: %v in %d pages", limit, got, pages)
		}
	}
	if got, _ := readAll(t, s, "conversations.replies", args{"channel": id, "ts": ts[4]}); !slices.Equal(got, []string{"m4"}) {
		t.Errorf("a message without replies: %v", got)
	}
	if got := code(ask(t, s, "conversations.replies", args{"channel": id, "ts": ts[5]})); got != "thread_not_found" {
		t.Errorf("a deleted message: %s", got)
	}
}

func TestReadsRefuse(t *testing.T) {
	s := NewSlack(SlackOptions{
		Tokens: []SlackToken{{Token: DemoToken, Scopes: []string{"channels:history", "channels:read"}}},
		Channels: []SlackChannel{
			{Name: "alerts"}, {Name: "public", Outside: true}, {Name: "ours", Private: true}, {Name: "secret", Private: true, Outside: true},
		},
	})
	id := channelID("alerts")
	tests := []struct {
		method string
		args   args
		want   string
	}{
		{"conversations.history", args{"channel": id}, "ok"},
		{"conversations.history", args{"channel": "alerts"}, "channel_not_found"},
		{"conversations.history", args{}, "channel_not_found"},
		{"conversations.history", args{"channel": channelID("public")}, "not_in_channel"},
		{"conversations.history", args{"channel": channelID("ours")}, "missing_scope"},
		{"conversations.history", args{"channel": channelID("secret")}, "channel_not_found"},
		{"conversations.history", args{"channel": id, "limit": 0}, "invalid_limit"},
		{"conversations.history", args{"channel": id, "limit": 1001}, "invalid_limit"},
		{"conversations.history", args{"channel": id, "limit": "many"}, "invalid_arguments"},
		{"conversations.history", args{"channel": id, "cursor": "xyz"}, "invalid_cursor"},
		{"conversations.history", args{"channel": id, "oldest": "yesterday"}, "invalid_ts_oldest"},
		{"conversations.history", args{"channel": id, "latest": "1.2.3"}, "invalid_ts_latest"},
		{"conversations.info", args{"channel": id}, "ok"},
		{"conversations.info", args{"channel": channelID("public")}, "ok"},
		{"conversations.info", args{"channel": channelID("secret")}, "channel_not_found"},
		{"conversations.list", args{}, "ok"},
		{"conversations.list", args{"types": "public_channel,private_channel"}, "missing_scope"},
		{"conversations.list", args{"types": "all"}, "invalid_types"},
		{"conversations.join", args{"channel": id}, "missing_scope"},
		{"users.info", args{"user": "U1"}, "missing_scope"},
	}
	for _, tt := range tests {
		if got := code(ask(t, s, tt.method, tt.args)); got != tt.want {
			t.Errorf("%s %v: %s, want %s", tt.method, tt.args, got, tt.want)
		}
	}
}

func TestChannelsAreListedInPages(t *testing.T) {
	s := NewSlack(SlackOptions{Channels: []SlackChannel{
		{Name: "a"}, {Name: "b", Archived: true}, {Name: "c", Private: true}, {Name: "d", Private: true, Outside: true}, {Name: "e", Outside: true},
	}})
	list := func(a args) string {
		var out string
		for {
			body := ask(t, s, "conversations.list", a)
			for _, c := range body["channels"].([]any) {
				out += c.(map[string]any)["name"].(string)
			}
			next := body["response_metadata"].(map[string]any)["next_cursor"].(string)
			if next == "" {
				return out
			}
			a["cursor"] = next
		}
	}
	for want, a := range map[string]args{
		"abe": {"limit": 1}, "ae": {"exclude_archived": true}, "c": {"types": "private_channel"}, "abce": {"types": "public_channel,private_channel", "limit": 2},
	} {
		if got := list(a); got != want {
			t.Errorf("%v: %s, want %s", a, got, want)
		}
	}
	if got := ask(t, s, "conversations.join", args{"channel": channelID("a")})["warning"]; got != "already_in_channel" {
		t.Errorf("joining twice: %v", got)
	}
	if got := code(ask(t, s, "conversations.join", args{"channel": channelID("b")})); got != "is_archived" {
		t.Errorf("joining an archived channel: %s", got)
	}
}

func TestUsersAreTheApps(t *testing.T) {
	s := NewSlack(SlackOptions{})
	who := ask(t, s, "auth.test", nil)
	if body := ask(t, s, "users.info", args{"user": who["user_id"]}); code(body) != "ok" {
		t.Errorf("the app: %v", body)
	}
	if got := code(ask(t, s, "users.info", args{"user": "U0"})); got != "user_not_found" {
		t.Errorf("nobody: %s", got)
	}
}
