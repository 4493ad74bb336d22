package app

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tocsin/internal/alert"
	"tocsin/internal/config"
	"tocsin/internal/demo"
	"tocsin/internal/web"
)

// channelHouse is a whole program on a Slack that is a stand-in.
type channelHouse struct {
	*App
	t     *testing.T
	slack *demo.Slack
}

func newChannelHouse(t *testing.T, more string) *channelHouse {
	t.Helper()
	slack := demo.NewSlack(demo.SlackOptions{Channels: []demo.SlackChannel{{Name: "alerts"}, {Name: "soc"}, {Name: "own"}, {Name: "daily"}}})
	at, stop, err := standIn(slog.New(slog.DiscardHandler), slack)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	cfg, err := config.Parse("tocsin.yaml", []byte(`
listen: 127.0.0.1:0
data_dir: `+t.TempDir()+`
slack: {bot_token: `+demo.DemoToken+`, channel: "#alerts", api_url: "`+at.String()+`/api/", pace: off}
`+more), nil)
	if err != nil {
		t.Fatal(err)
	}
	a, err := New(t.Context(), Options{Config: cfg, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- a.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ran; err != nil {
			t.Error(err)
		}
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return &channelHouse{a, t, slack}
}

// ask asks a path as a program on this machine would, and reads the answer into out where it is not nil.
func (h *channelHouse) ask(method, path, body string, out any) (status int, text string) {
	h.t.Helper()
	status, text = h.send(method, path, "application/json", body)
	if out != nil {
		if err := json.Unmarshal([]byte(text), out); err != nil {
			h.t.Fatalf("%s %s: %d %s", method, path, status, text)
		}
	}
	return status, text
}

func (h *channelHouse) send(method, path, kind, body string) (status int, text string) {
	h.t.Helper()
	r := httptest.NewRequest(method, strings.TrimSuffix(h.URL(), "/")+path, strings.NewReader(body))
	r.Host, r.RemoteAddr = h.listener.Addr().String(), "127.0.0.1:1"
	if body != "" {
		r.Header.Set("Content-Type", kind)
	}
	if !strings.HasPrefix(path, "/api/") {
		r.Header.Set("Accept", "text/html")
	}
	rec := httptest.NewRecorder()
	h.web.Public().ServeHTTP(rec, r)
	return rec.Code, rec.Body.String()
}

func (h *channelHouse) take(alerts ...alert.Alert) {
	h.t.Helper()
	for i := range alerts {
		a := &alerts[i]
		a.Source, a.SourceID, a.Time, a.Updated = "s", string(a.ID), time.Now(), time.Now()
		a.Status = alert.StatusOpen
	}
	if _, err := h.intake.Commit(h.t.Context(), alert.Batch{Source: "s", Alerts: alerts}); err != nil {
		h.t.Fatal(err)
	}
}

func (h *channelHouse) eventually(what string, is func() bool) {
	h.t.Helper()
	for range 1200 {
		if is() {
			return
		}
		time.Sleep(25 * time.Millisecond)
	}
	h.t.Fatalf("it did not come to this: %s", what)
}

func TestChannelsTellWhatGoesThereAndAreTested(t *testing.T) {
	h := newChannelHouse(t, `
notify: [{name: gone, kind: webhook, url: "http://127.0.0.1:1/"}]
route:
  group_wait: 0s
  group_by: ['...']
  routes: [{match: 'severity: critical', channel: "#soc"}]
digests: [{name: morning, channel: "#daily", every: daily, at: "08:00"}]
`)
	if status, text := h.ask("POST", "/api/v1/rules", `{"content":"name: A\nsearch: a:1\nchannel: \"#own\"\n"}`, nil); status != http.StatusOK {
		t.Fatalf("%d: %s", status, text)
	}
	hostile := `<script>alert(1)</script>`
	h.take(
		alert.Alert{ID: "1", Rule: alert.Rule{Name: "r"}, Host: hostile}, alert.Alert{ID: "2", Rule: alert.Rule{Name: "A", Channel: "#own"}},
		alert.Alert{ID: "3", Rule: alert.Rule{Name: "A", Channel: "#own"}, Severity: alert.SeverityCritical},
	)
	var list web.ChannelList
	of := func(name string) *web.ChannelRow {
		for i := range list.Channels {
			if list.Channels[i].Name == name {
				return &list.Channels[i]
			}
		}
		t.Fatalf("there is no %s in %+v", name, list.Channels)
		return nil
	}
	h.eventually("all is said", func() bool {
		list = web.ChannelList{}
		h.ask("GET", "/api/v1/channels", "", &list)
		return of("#alerts").Last != nil && of("#own").Last != nil && of("#soc").Last != nil
	})
	if c := of("#alerts"); !c.Default || c.RateLimit != "6/m" || c.Used != 1 || c.Kind != "slack" || strings.Contains(c.Last.HTML, "<script") {
		t.Errorf("#alerts: %+v", c)
	}
	if c := of("#own"); len(c.Rules) != 1 || c.Rules[0].Name != "A" || c.Used != 1 {
		t.Errorf("#own: %+v", c)
	}
	if c := of("#soc"); len(c.Routes) != 1 || c.Routes[0].Route != "route.routes[0]" || c.Used != 1 {
		t.Errorf("#soc: %+v", c)
	}
	if c := of("#daily"); len(c.Digests) != 1 || c.Digests[0] != "morning" {
		t.Errorf("#daily: %+v", c)
	}
	if c := of("notify:gone"); c.Kind != "webhook" || c.Last != nil {
		t.Errorf("notify:gone: %+v", c)
	}
	var tested web.ChannelTested
	if h.ask("POST", "/api/v1/channels/test", `{"channel":"#daily"}`, &tested); !tested.OK {
		t.Errorf("the test message: %+v", tested)
	}
	tested = web.ChannelTested{}
	if h.ask("POST", "/api/v1/channels/test", `{"channel":"notify:gone"}`, &tested); tested.OK || tested.Error == "" || tested.Hint == "" {
		t.Errorf("a test message to nobody: %+v", tested)
	}
	if status, _ := h.ask("POST", "/api/v1/channels/test", `{"channel":"#elsewhere"}`, nil); status != http.StatusNotFound {
		t.Errorf("a channel that nothing names: %d", status)
	}
	status, page := h.ask("GET", "/channels", "", nil)
	if status != http.StatusOK || !strings.Contains(page, "#own") || strings.Contains(page, hostile) {
		t.Errorf("the page: %d", status)
	}
}

func TestDigestsAreShownAsTheyWouldBe(t *testing.T) {
	h := newChannelHouse(t, `
route: {group_wait: 0s}
digests:
  - {name: morning, channel: "#daily", every: daily, at: "08:00", location: Europe/Berlin}
  - {name: bad, channel: "#soc", every: weekly, weekday: tuesday, match: 'severity: critical'}
`)
	var list web.DigestList
	h.eventually("they have begun", func() bool {
		h.ask("GET", "/api/v1/digests", "", &list)
		return len(list.Digests) == 2 && !list.Digests[0].Told.IsZero()
	})
	h.take(alert.Alert{ID: "1", Rule: alert.Rule{Name: "a rule & <b>more</b>"}}, alert.Alert{ID: "2", Rule: alert.Rule{Name: "worse"}, Severity: alert.SeverityCritical})
	if d := list.Digests[0]; d.When != "every day at 08:00 Europe/Berlin" || !d.Next.After(time.Now()) {
		t.Errorf("%+v", d)
	}
	if d := list.Digests[1]; d.Match != "severity:critical" || !strings.HasPrefix(d.When, "every Tuesday at ") {
		t.Errorf("%+v", d)
	}
	var morning, bad web.DigestDetail
	h.ask("GET", "/api/v1/digests/morning", "", &morning)
	h.ask("GET", "/api/v1/digests/bad", "", &bad)
	if morning.Preview.Seen != 2 || bad.Preview.Seen != 1 || len(morning.Past) != 0 {
		t.Errorf("%+v, %+v", morning.Preview, bad.Preview)
	}
	if !strings.Contains(morning.Preview.HTML, "worse") || strings.Contains(morning.Preview.HTML, "<b>more</b>") {
		t.Errorf("the preview is %s", morning.Preview.HTML)
	}
	if status, _ := h.ask("GET", "/api/v1/digests/nothing", "", nil); status != http.StatusNotFound {
		t.Errorf("a digest there is not: %d", status)
	}
	for path, want := range map[string]int{"/digests": http.StatusOK, "/digests/bad": http.StatusOK, "/digests/nothing": http.StatusNotFound} {
		if status, text := h.ask("GET", path, "", nil); status != want || want == http.StatusOK && !strings.Contains(text, "if it were said now") {
			t.Errorf("%s: %d", path, status)
		}
	}
}
