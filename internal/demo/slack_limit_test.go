package demo

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestAChannelTakesOneMessageASecondAfterABurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSlack(SlackOptions{Channels: []SlackChannel{{Name: "a"}, {Name: "b"}}, Limits: SlackLimits{PostEvery: time.Second, PostBurst: 3}})
		post := func(channel string) string {
			body, res := askFull(t, s, "chat.postMessage", args{"channel": channel, "text": "x"})
			if body["ok"] == true {
				return "ok"
			}
			return fmt.Sprint(res.StatusCode, body["error"], res.Header.Get("Retry-After"))
		}
		const full = "429ratelimited1"
		steps := []struct {
			wait    time.Duration
			channel string
			want    string
		}{
			{0, "a", "ok"},
			{0, "a", "ok"},
			{0, "#a", "ok"},
			{0, channelID("a"), full},
			{0, "b", "ok"},
			{400 * time.Millisecond, "a", full},
			{600 * time.Millisecond, "a", "ok"},
			{0, "a", full},
			{time.Second, "a", "ok"},
			{time.Second, "a", "ok"},
			{10 * time.Second, "a", "ok"},
			{0, "a", "ok"},
			{0, "a", "ok"},
			{0, "a", full},
		}
		for i, step := range steps {
			time.Sleep(step.wait)
			if got := post(step.channel); got != step.want {
				t.Errorf("step %d to %s: %s, want %s", i, step.channel, got, step.want)
			}
		}
		if n := len(s.Messages("a")); n != 9 {
			t.Errorf("%d messages stored", n)
		}
	})
}

func TestMethodsAreLimitedPerMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSlack(SlackOptions{Limits: SlackRealLimits()})
		id := channelID("alerts")
		ts := ask(t, s, "chat.postMessage", args{"channel": id, "text": "x"})["ts"]
		for method, most := range map[string]int{
			"chat.update": 50, "conversations.history": 50, "conversations.replies": 50, "conversations.info": 50,
			"conversations.join": 50, "conversations.list": 20, "users.info": 100,
		} {
			call := func() (string, string) {
				body, res := askFull(t, s, method, args{"channel": id, "ts": ts, "text": "y", "user": "U" + botID("Tocsin")[1:]})
				return code(body), res.Header.Get("Retry-After")
			}
			for i := range most {
				if got, _ := call(); got != "ok" {
					t.Fatalf("%s, call %d: %s", method, i, got)
				}
			}
			time.Sleep(20 * time.Second)
			if got, after := call(); got != "ratelimited" || after != "40" {
				t.Errorf("%s, call %d: %s, Retry-After %s", method, most, got, after)
			}
			time.Sleep(40 * time.Second)
			if got, _ := call(); got != "ok" {
				t.Errorf("%s in the next minute: %s", method, got)
			}
		}
	})
}

func TestTheWorkspaceHasACeiling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSlack(SlackOptions{Limits: SlackLimits{PostsPerMinute: 5}})
		var got []string
		for range 6 {
			got = append(got, code(ask(t, s, "chat.postMessage", args{"channel": "alerts", "text": "x"})))
		}
		if want := "ok ok ok ok ok ratelimited"; strings.Join(got, " ") != want {
			t.Errorf("%v", got)
		}
	})
}

func TestWebhooksAreLimitedToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSlack(SlackOptions{Limits: SlackLimits{PostEvery: time.Second}})
		post := func() *httptest.ResponseRecorder {
			r := httptest.NewRequest(http.MethodPost, DemoWebhook, strings.NewReader(`{"text":"x"}`))
			r.Header.Set("Content-Type", "application/json")
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			return w
		}
		if w := post(); w.Code != 200 || w.Body.String() != "ok" {
			t.Errorf("first: %d %s", w.Code, w.Body)
		}
		w := post()
		if w.Code != 429 || w.Header().Get("Retry-After") != "1" || w.Body.String() != `{"error":"rate_limited","ok":false,"retry_after":1}` {
			t.Errorf("second: %d %v %s", w.Code, w.Header(), w.Body)
		}
		time.Sleep(time.Second)
		if w := post(); w.Code != 200 {
			t.Errorf("a second later: %d", w.Code)
		}
	})
}
