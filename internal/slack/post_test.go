package slack

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"pgregory.net/rapid"

	"tocsin/internal/demo"
	"tocsin/internal/notice"
)

// standIn is a strict Slack, and a Sender that talks to it.
func standIn(t *testing.T, opts demo.SlackOptions, change ...func(*Options)) (*demo.Slack, *Sender) {
	t.Helper()
	slack := demo.NewSlack(opts)
	server := httptest.NewServer(slack)
	t.Cleanup(server.Close)
	return slack, bot(t, server.URL, append([]func(*Options){func(o *Options) { o.BotToken = demo.DemoToken }}, change...)...)
}

func TestPostThenEdit(t *testing.T) {
	slack, s := standIn(t, demo.SlackOptions{})
	n := samples()[0]
	said, err := s.Post(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	got := slack.Messages("alerts")
	if len(got) != 1 || got[0].TS != said.TS || got[0].ChannelID != said.Channel || got[0].Key != string(n.Key) || got[0].Parts != 1 {
		t.Fatalf("slack has %+v, the receipt says %+v", got, said)
	}
	if want := `{"event_type":"tocsin_notice","event_payload":{"delivery_key":"k1","revision":1}}`; string(got[0].Metadata) != want {
		t.Errorf("metadata %s, want %s", got[0].Metadata, want)
	}
	if d := said.At.Sub(got[0].At).Abs(); d > time.Second {
		t.Errorf("said at %s, slack has it at %s", said.At, got[0].At)
	}
	n.Revision, n.Count = 2, 40
	n.Items = append(n.Items, samples()[1].Items[1])
	for range 2 { // saying it again is harmless
		if err := s.Edit(t.Context(), n, said); err != nil {
			t.Fatal(err)
		}
	}
	got = slack.Messages("alerts")
	if len(got) != 1 || !strings.Contains(got[0].Text, "40 alerts") || !strings.Contains(string(got[0].Metadata), `"revision":2`) {
		t.Errorf("slack has %+v", got)
	}
	n.Plain = true
	if err := s.Edit(t.Context(), n, said); err != nil {
		t.Fatal(err)
	}
	if got = slack.Messages("alerts"); got[0].Blocks != nil || got[0].Attachments != nil {
		t.Errorf("a plain edit leaves blocks %s and attachments %s", got[0].Blocks, got[0].Attachments)
	}
}

func TestAnEditOfWhatIsGoneSaysSo(t *testing.T) {
	slack, s := standIn(t, demo.SlackOptions{})
	said, err := s.Post(t.Context(), samples()[0])
	if err != nil {
		t.Fatal(err)
	}
	slack.Delete("alerts", said.TS)
	if err := s.Edit(t.Context(), samples()[0], said); meaning(err) != "gone" {
		t.Errorf("got %v", err)
	}
	said.TS = ""
	if err := s.Edit(t.Context(), samples()[0], said); meaning(err) != "gone" {
		t.Errorf("a message without an id: %v", err)
	}
}

func TestANoticeWithoutChannelGoesToTheDefault(t *testing.T) {
	slack, s := standIn(t, demo.SlackOptions{Channels: []demo.SlackChannel{{Name: "alerts"}, {Name: "soc"}}}, func(o *Options) { o.DefaultChannel = "#soc" })
	n := samples()[0]
	n.Channel = ""
	if _, err := s.Post(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	if len(slack.Messages("soc")) != 1 {
		t.Error("the default channel has no message")
	}
}

func TestThroughAWebhook(t *testing.T) {
	slack := demo.NewSlack(demo.SlackOptions{})
	server := httptest.NewServer(slack)
	defer server.Close()
	s := hook(t, server.URL, func(o *Options) { o.WebhookURL = server.URL + demo.DemoWebhook })
	for _, n := range samples() {
		said, err := s.Post(t.Context(), n)
		if err != nil {
			t.Fatal(err)
		}
		if said.TS != "" || said.Channel != n.Channel || said.At.IsZero() {
			t.Errorf("receipt %+v", said)
		}
		if err := s.Edit(t.Context(), n, said); meaning(err) != "gone" {
			t.Errorf("edit: %v", err)
		}
	}
	if got := slack.Messages("alerts"); len(got) != len(samples()) {
		t.Errorf("slack has %d messages", len(got))
	}
	if s.Edits("#alerts") || s.History("#alerts") {
		t.Error("a webhook neither edits nor looks up")
	}
	if _, err := s.Find(t.Context(), "#alerts", time.Now(), []notice.Key{"k"}); meaning(err) != "no history" {
		t.Errorf("find: %v", err)
	}
}

func TestAPublicChannelIsJoinedWhereItMustBe(t *testing.T) {
	scopes := []string{"chat:write", "channels:read", "groups:read", "channels:join"}
	channels := []demo.SlackChannel{{Name: "alerts", Outside: true}, {Name: "secret", Private: true, Outside: true}}
	slack, s := standIn(t, demo.SlackOptions{Channels: channels, Tokens: []demo.SlackToken{{Token: demo.DemoToken, Scopes: scopes}}})
	if _, err := s.Post(t.Context(), samples()[0]); err != nil {
		t.Fatal(err)
	}
	n := samples()[1]
	n.Channel = "#secret"
	if _, err := s.Post(t.Context(), n); meaning(err) != "rejected channel" {
		t.Errorf("a private channel: %v", err)
	}
	if got := slack.Counts(); got.Posts != 1 {
		t.Errorf("%d posts, want 1", got.Posts)
	}
	_, s = standIn(t, demo.SlackOptions{Channels: channels, Tokens: []demo.SlackToken{{Token: demo.DemoToken, Scopes: []string{"chat:write"}}}})
	if _, err := s.Post(t.Context(), samples()[0]); meaning(err) != "rejected channel" || !strings.Contains(err.Error(), "/invite") {
		t.Errorf("without the scope: %v", err)
	}
}

// What leaves is looked at whole, since a lenient service would forgive much.
func TestRequestsAreAsSlackWantsThem(t *testing.T) {
	var head http.Header
	var body map[string]json.RawMessage
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		head, body = r.Header, nil
		if r.Method != http.MethodPost || r.URL.Path != "/api/chat.postMessage" || r.URL.RawQuery != "" {
			t.Errorf("%s %s", r.Method, r.URL)
		}
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			t.Error(err)
		}
		_, _ = w.Write([]byte(okAnswer))
	}))
	defer server.Close()
	s := bot(t, server.URL)
	if _, err := s.Post(t.Context(), samples()[0]); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"Content-Type": "application/json; charset=utf-8", "Authorization": "Bearer " + testToken, "User-Agent": "tocsin", "Idempotency-Key": "",
	} {
		if got := head.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	for name, want := range map[string]string{
		"channel": `"#alerts"`, "unfurl_links": "false", "unfurl_media": "false", "link_names": "false", "parse": `"none"`,
		"client_msg_id": `"` + s.clientMsgID("k1") + `"`, "token": "", "as_user": "", "thread_ts": "",
	} {
		if got := string(body[name]); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

func TestClientMsgIDIsAUUIDOfTheKey(t *testing.T) {
	s := bot(t, "http://127.0.0.1:1")
	a, again, b := s.clientMsgID("a"), s.clientMsgID("a"), s.clientMsgID("b")
	if a != again || a == b {
		t.Errorf("%s %s %s", a, again, b)
	}
	if len(a) != 36 || a[14] != '5' || !strings.ContainsRune("89ab", rune(a[19])) {
		t.Errorf("%s is no UUID of version 5", a)
	}
}

// Where Slack knows the client_msg_id of a message that was deleted, the notice is said without one.
func TestASpentClientMsgIDIsNotSentAgain(t *testing.T) {
	var ids []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var m message
		_ = json.NewDecoder(r.Body).Decode(&m)
		if ids = append(ids, m.ClientMsgID); m.ClientMsgID != "" {
			_, _ = w.Write([]byte(`{"ok":false,"error":"duplicate_message_not_found"}`))
			return
		}
		_, _ = w.Write([]byte(okAnswer))
	}))
	defer server.Close()
	s := bot(t, server.URL)
	if _, err := s.Post(t.Context(), samples()[0]); meaning(err) != "retry message 0s" {
		t.Fatalf("got %v", err)
	}
	if _, err := s.Post(t.Context(), samples()[0]); err != nil || len(ids) != 2 {
		t.Errorf("got %v with %q", err, ids)
	}
}

func TestARepeatThatSlackNoticesIsASuccess(t *testing.T) {
	slack, s := standIn(t, demo.SlackOptions{Dedupe: true})
	first, err := s.Post(t.Context(), samples()[0])
	if err != nil {
		t.Fatal(err)
	}
	again, err := s.Post(t.Context(), samples()[0])
	if err != nil || again.TS != first.TS {
		t.Errorf("got %+v, %v; the first was %+v", again, err, first)
	}
	if n := slack.Counts().Posts; n != 1 {
		t.Errorf("%d posts", n)
	}
}

func TestFaultsOfTheStandIn(t *testing.T) {
	for kind, want := range map[demo.SlackFaultKind]string{
		demo.SlackDrop: "unknown", demo.SlackReset: "unknown", demo.SlackHang: "unknown", demo.SlackHTML: "unknown",
		demo.SlackCutOff: "unknown", demo.SlackHalfJSON: "unknown", demo.SlackError: "unknown",
		demo.SlackLimited: "retry channel doubtful 1s", demo.SlackQuota: "retry service 1h0m0s", demo.SlackSlow: "ok",
	} {
		for _, stored := range []bool{false, true} {
			_, s := standIn(t, demo.SlackOptions{Fault: func(demo.SlackCall) demo.SlackFault {
				return demo.SlackFault{Kind: kind, Stored: stored}
			}}, func(o *Options) {
				if kind == demo.SlackHang {
					o.Timeout = 300 * time.Millisecond
				}
			})
			if _, err := s.Post(t.Context(), samples()[0]); meaning(err) != want {
				t.Errorf("%s, stored %t: %v, want %s", kind, stored, err, want)
			}
		}
	}
}

// Any notice is one that the strict Slack takes whole: as one message, with its layout.
func TestSlackTakesAnyNotice(t *testing.T) {
	slack, s := standIn(t, demo.SlackOptions{})
	rapid.Check(t, func(r *rapid.T) {
		n := anyNotice.Draw(r, "notice")
		n.Channel, n.Key = "#alerts", "k"
		before := len(slack.Messages("alerts"))
		said, err := s.Post(t.Context(), n)
		if err != nil {
			r.Fatalf("post: %v", err)
		}
		if after := len(slack.Messages("alerts")); after != before+1 {
			r.Fatalf("%d messages", after-before)
		}
		if err := s.Edit(t.Context(), n, said); err != nil {
			r.Fatalf("edit: %v", err)
		}
	})
}

func TestAnswersAreCounted(t *testing.T) {
	reg := prometheus.NewRegistry()
	_, s := standIn(t, demo.SlackOptions{}, func(o *Options) { o.Registerer = reg })
	said, _ := s.Post(t.Context(), samples()[0])
	_ = s.Edit(t.Context(), samples()[0], said)
	_ = s.Edit(t.Context(), samples()[0], notice.Receipt{Channel: said.Channel, TS: "1.000001"})
	n := samples()[0]
	n.Channel = "#nowhere"
	_, _ = s.Post(t.Context(), n)
	_, _ = s.Find(t.Context(), "#alerts", time.Time{}, []notice.Key{"k1"})
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		if f.GetName() == "tocsin_slack_answers_total" {
			for _, m := range f.GetMetric() {
				var labels []string
				for _, l := range m.GetLabel() {
					labels = append(labels, l.GetValue())
				}
				got[strings.Join(labels, " ")] = m.GetCounter().GetValue()
			}
		}
	}
	want := map[string]float64{
		"chat.postMessage ok": 1, "chat.postMessage rejected": 1, "chat.update ok": 1, "chat.update gone": 1, "conversations.history ok": 1,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// A server's error is no refusal, whatever it says: nothing is posted after it.
func TestOnlyAClearRefusalIsFollowedByASecondPost(t *testing.T) {
	posts := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, methodPost) {
			posts++
			w.WriteHeader(http.StatusBadGateway)
			_, _ = w.Write([]byte(`{"ok":false,"error":"not_in_channel"}`))
			return
		}
		_, _ = w.Write([]byte(`{"ok":true,"channels":[{"id":"C0123456789","name":"alerts"}]}`))
	}))
	defer server.Close()
	if _, err := bot(t, server.URL).Post(t.Context(), samples()[0]); meaning(err) != "unknown" || posts != 1 {
		t.Errorf("%v after %d posts", err, posts)
	}
}
