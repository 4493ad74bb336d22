package app

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/internal/alert"
	"tocsin/internal/config"
	"tocsin/internal/ledger"
	"tocsin/internal/tuning"
	"tocsin/internal/web"
)

func TestSeveralRulesAreChangedAtOnce(t *testing.T) {
	h := newChannelHouse(t, "")
	for _, content := range []string{`name: A\nsearch: a:1\ntags: [ssh]\n`, `name: B\nsearch: b:1\nchannel: \"#soc\"\n`} {
		if status, text := h.ask("POST", "/api/v1/rules", `{"content":"`+content+`"}`, nil); status != http.StatusOK {
			t.Fatalf("%d: %s", status, text)
		}
	}
	var out web.RulesChanged
	h.ask("POST", "/api/v1/rules-change", `{"rules":["a","b","nothing"],"channel":"#own","add_tags":["web"],"remove_tags":["ssh"],"enabled":"shadow","note":"a move"}`, &out)
	if !slices.Equal(out.Changed, []string{"a", "b"}) || len(out.Failed) != 1 || out.Failed[0].ID != "nothing" {
		t.Fatalf("%+v", out)
	}
	var list web.RuleList
	h.ask("GET", "/api/v1/rules", "", &list)
	for _, r := range list.Rules {
		if r.Channel != "#own" || !slices.Equal(r.Tags, []string{"web"}) || r.Enabled != "shadow" {
			t.Errorf("%+v", r)
		}
	}
	for body, want := range map[string]string{
		`{"rules":["a"]}`:                       "say what is to change",
		`{"rules":["a"],"enabled":"perhaps"}`:   "enabled must be",
		`{"rules":["a"],"channel":"#a and #b"}`: "is not a channel",
	} {
		if status, text := h.ask("POST", "/api/v1/rules-change", body, nil); !strings.Contains(text, want) {
			t.Errorf("%s: %d %s", body, status, text)
		}
	}
	// The form of the page does the same.
	if status, text := h.form("/rules", url.Values{"id": {"a", "b"}, "do": {"channel"}, "channel": {""}}); status != http.StatusSeeOther {
		t.Fatalf("%d: %s", status, text)
	}
	list = web.RuleList{}
	h.ask("GET", "/api/v1/rules", "", &list)
	for _, r := range list.Rules {
		if r.Channel != "" {
			t.Errorf("%+v", r)
		}
	}
}

// form posts a form of a page.
func (h *channelHouse) form(path string, values url.Values) (status int, text string) {
	h.t.Helper()
	return h.send("POST", path, "application/x-www-form-urlencoded", values.Encode())
}

func TestKibanasRulesAreForwardedOrNot(t *testing.T) {
	h := newChannelHouse(t, `
sources: [{name: siem, kind: elasticsearch, urls: ["http://127.0.0.1:1"]}]
detections: [{source: siem, name: siem/default, match: 'not rule.name: "Left out by the file"'}]
route: {group_wait: 0s}
`)
	now := time.Now().UTC()
	n := 0
	take := func(rule string) alert.ID {
		n++
		a := alert.Alert{ID: alert.ID(strings.Repeat("0", n)), Source: "siem/default", SourceID: strings.Repeat("0", n), Time: now, Updated: now, Status: alert.StatusOpen, Severity: alert.SeverityHigh, Rule: alert.Rule{Name: rule}}
		if _, err := h.intake.Commit(t.Context(), alert.Batch{Source: "siem/default", Alerts: []alert.Alert{a}}); err != nil {
			t.Fatal(err)
		}
		return a.ID
	}
	const hostile = `Noisy "rule" <script>alert(1)</script>`
	noisy := take(hostile)
	take(hostile)
	take("Left out by the file")
	if err := h.intake.Handle(t.Context(), tuning.Acknowledgement{Alert: noisy, Action: tuning.Close, Verdict: tuning.FalsePositive, Who: "ann"}); err != nil {
		t.Fatal(err)
	}
	of := func(name string) web.KibanaRule {
		t.Helper()
		var list web.KibanaRuleList
		h.ask("GET", "/api/v1/kibana-rules", "", &list)
		for _, k := range list.Rules {
			if k.Name == name {
				return k
			}
		}
		t.Fatalf("there is no %s in %+v", name, list)
		return web.KibanaRule{}
	}
	if k := of(hostile); !k.Forwarded || k.Alerts != 2 || k.Judged != 1 || k.False != 1 || k.Share() != 100 {
		t.Errorf("%+v", k)
	}
	if k := of("Left out by the file"); k.Forwarded || !strings.Contains(k.Reason, "does not match what is forwarded") {
		t.Errorf("%+v", k)
	}
	status, page := h.ask("GET", "/rules/kibana", "", nil)
	if status != http.StatusOK || strings.Contains(page, "<script>alert") {
		t.Errorf("the page: %d", status)
	}
	if status, text := h.form("/rules/kibana", url.Values{"do": {"stop:" + hostile}, "why": {"until it is mended"}}); status != http.StatusSeeOther {
		t.Fatalf("%d %s", status, text)
	}
	if k := of(hostile); k.Forwarded || k.Switch == "" || !strings.Contains(k.Reason, "until it is mended") {
		t.Errorf("stopped: %+v", k)
	}
	id := take(hostile)
	if e, _, err := h.ledger.List(t.Context(), ledger.Filter{IDs: []string{string(id)}, Limit: 1}); err != nil || e[0].Fate != alert.Excluded {
		t.Errorf("an alert of a rule that is stopped: %+v, %v", e, err)
	}
	for _, name := range []string{hostile, "Left out by the file"} {
		if status, text := h.form("/rules/kibana", url.Values{"do": {"resume"}, "rule": {name}}); status != http.StatusSeeOther {
			t.Fatalf("%d %s", status, text)
		}
		if k := of(name); !k.Forwarded {
			t.Errorf("resumed: %+v", k)
		}
	}
}

func TestTheShareOfFalsePositivesIsOnThePageOfRules(t *testing.T) {
	h := newChannelHouse(t, "")
	if status, text := h.ask("POST", "/api/v1/rules", `{"content":"name: A\nsearch: a:1\n"}`, nil); status != http.StatusOK {
		t.Fatalf("%d: %s", status, text)
	}
	for i, verdict := range []tuning.Verdict{tuning.FalsePositive, tuning.TruePositive, tuning.TruePositive} {
		id := alert.ID(strings.Repeat("a", i+1))
		h.take(alert.Alert{ID: id, Rule: alert.Rule{Name: "A"}})
		if err := h.intake.Handle(t.Context(), tuning.Acknowledgement{Alert: id, Action: tuning.Close, Verdict: verdict, Who: "ann"}); err != nil {
			t.Fatal(err)
		}
	}
	if _, page := h.ask("GET", "/rules", "", nil); !strings.Contains(page, "1 of 3 alerts closed in the last 30 days was a false positive") || !strings.Contains(page, "33 %") {
		t.Error("the page does not say it")
	}
	var list web.RuleList
	h.ask("GET", "/api/v1/rules", "", &list)
	if r := list.Rules[0]; r.Judged != 3 || r.False != 1 {
		t.Errorf("%+v", r)
	}
}

func TestChannelsAreKnownFromAllThatNamesThem(t *testing.T) {
	cfg := config.Default()
	cfg.Route.Channel = "#a"
	cfg.Notify = []config.Output{{Name: "oncall"}}
	cfg.Digests = []config.Digest{{Channel: "#daily"}, {Channel: "#a"}}
	if got := knownChannels(cfg, nil); !slices.Equal(got, []string{"#a", "notify:oncall", "#daily"}) {
		t.Errorf("%q", got)
	}
}

func TestARuleWithASlashInItsIdHasItsPages(t *testing.T) {
	h := newChannelHouse(t, "")
	if status, text := h.ask("POST", "/api/v1/rules", `{"content":"id: linux/ssh\nname: A\nsearch: a:1\n"}`, nil); status != http.StatusOK {
		t.Fatalf("%d: %s", status, text)
	}
	_, page := h.ask("GET", "/rules", "", nil)
	for _, link := range []string{"/rules/linux%2fssh", "/rules/linux%2fssh/edit"} {
		if !strings.Contains(strings.ToLower(page), `href="`+link+`"`) {
			t.Errorf("there is no link to %s", link)
		}
		if status, _ := h.ask("GET", link, "", nil); status != http.StatusOK {
			t.Errorf("%s: %d", link, status)
		}
	}
}
