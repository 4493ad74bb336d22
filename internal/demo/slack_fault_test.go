package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// postOver posts over a real connection and says what the caller saw.
func postOver(t *testing.T, client *http.Client, base, text string) string {
	t.Helper()
	body, err := json.Marshal(args{"channel": "alerts", "text": text})
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+"/api/chat.postMessage", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	// Without GetBody the client cannot send the request again by itself.
	r.GetBody = nil
	r.Header.Set("Content-Type", "application/json; charset=utf-8")
	r.Header.Set("Authorization", "Bearer "+DemoToken)
	res, err := client.Do(r)
	if err != nil {
		if errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "Client.Timeout") {
			return "time-out"
		}
		return "no answer"
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return "answer cut off"
	}
	var parsed map[string]any
	if json.Unmarshal(answer, &parsed) != nil {
		return fmt.Sprint(res.StatusCode, " no json")
	}
	if parsed["ok"] == true {
		return "ok"
	}
	return strings.TrimSpace(fmt.Sprint(res.StatusCode, " ", parsed["error"], " ", res.Header.Get("Retry-After")))
}

func TestFaultsLookTheSameStoredOrNot(t *testing.T) {
	tests := []struct {
		fault SlackFault
		want  string
	}{
		{SlackFault{}, "ok"},
		{SlackFault{Kind: SlackDrop}, "no answer"},
		{SlackFault{Kind: SlackReset}, "no answer"},
		{SlackFault{Kind: SlackHang}, "time-out"},
		{SlackFault{Kind: SlackHTML}, "500 no json"},
		{SlackFault{Kind: SlackHTML, Status: 503}, "503 no json"},
		{SlackFault{Kind: SlackCutOff}, "answer cut off"},
		{SlackFault{Kind: SlackHalfJSON}, "200 no json"},
		{SlackFault{Kind: SlackError}, "200 internal_error"},
		{SlackFault{Kind: SlackError, Code: "fatal_error"}, "200 fatal_error"},
		{SlackFault{Kind: SlackLimited}, "429 ratelimited 1"},
		{SlackFault{Kind: SlackLimited, RetryAfter: 30}, "429 ratelimited 30"},
		{SlackFault{Kind: SlackQuota}, "429 message_limit_exceeded"},
		{SlackFault{Kind: SlackSlow, Delay: time.Millisecond}, "ok"},
	}
	for _, tt := range tests {
		for _, stored := range []bool{false, true} {
			tt.fault.Stored = stored
			s := NewSlack(SlackOptions{Fault: func(SlackCall) SlackFault { return tt.fault }})
			server := httptest.NewServer(s)
			client := server.Client()
			if tt.fault.Kind == SlackHang {
				client.Timeout = 50 * time.Millisecond
			}
			if got := postOver(t, client, server.URL, "x"); got != tt.want {
				t.Errorf("%+v: %s, want %s", tt.fault, got, tt.want)
			}
			server.CloseClientConnections()
			server.Close() // waits until the request is logged
			want := 0
			if stored || tt.fault.Kind == "" || tt.fault.Kind == SlackSlow {
				want = 1
			}
			if n := len(s.Messages("alerts")); n != want {
				t.Errorf("%+v: %d messages stored, want %d", tt.fault, n, want)
			}
			log := s.Requests()
			if len(log) != 1 || log[0].Fault != tt.fault.Kind || log[0].Stored != (want == 1) || log[0].Method != "chat.postMessage" {
				t.Errorf("%+v: log %+v", tt.fault, log)
			}
		}
	}
}

func TestALateFaultStoresWhenTheCallerHasGivenUp(t *testing.T) {
	posted := make(chan SlackEvent, 1)
	s := NewSlack(SlackOptions{
		Fault:     func(SlackCall) SlackFault { return SlackFault{Kind: SlackDrop, Stored: true, Late: time.Millisecond} },
		OnMessage: func(e SlackEvent) { posted <- e },
	})
	server := httptest.NewServer(s)
	defer server.Close()
	if got := postOver(t, server.Client(), server.URL, "late"); got != "no answer" {
		t.Errorf("the caller saw %s", got)
	}
	if e := <-posted; e.Kind != "post" || e.Message.Text != "late" {
		t.Errorf("%+v", e)
	}
}

func TestAFaultHookSeesTheRequest(t *testing.T) {
	var seen []SlackCall
	s := NewSlack(SlackOptions{Fault: func(c SlackCall) SlackFault { seen = append(seen, c); return SlackFault{} }})
	ask(t, s, "chat.postMessage", args{"channel": "#alerts", "text": "x", "metadata": args{"event_type": "e", "event_payload": args{"delivery_key": "k"}}})
	want := SlackCall{N: 1, Method: "chat.postMessage", Channel: "#alerts", Key: "k", Text: "x"}
	if len(seen) != 1 || seen[0] != want {
		t.Errorf("%+v", seen)
	}
}

func TestChancesAreTheSameForTheSameSeed(t *testing.T) {
	run := func(seed uint64) []SlackFaultKind {
		s := NewSlack(SlackOptions{Seed: seed, Chances: []SlackChance{
			{Fault: SlackFault{Kind: SlackError, Stored: true}, P: 0.3, Methods: []string{"chat.postMessage"}},
			{Fault: SlackFault{Kind: SlackLimited}, P: 0.3},
		}})
		for range 50 {
			ask(t, s, "chat.postMessage", args{"channel": "alerts", "text": "x"})
			ask(t, s, "auth.test", nil)
		}
		var kinds []SlackFaultKind
		for _, r := range s.Requests() {
			if r.Method == "auth.test" && r.Fault == SlackError {
				t.Error("a chance for posts hit another method")
			}
			kinds = append(kinds, r.Fault)
		}
		return kinds
	}
	a, b, c := run(1), run(1), run(2)
	if !slices.Equal(a, b) || slices.Equal(a, c) || !slices.Contains(a, SlackError) || !slices.Contains(a, SlackLimited) || !slices.Contains(a, "") {
		t.Errorf("seed 1: %v\nagain:  %v\nseed 2: %v", a, b, c)
	}
}

func TestDroppedUnreadIsNeverStored(t *testing.T) {
	s := NewSlack(SlackOptions{Chances: []SlackChance{{Fault: SlackFault{Kind: SlackDropUnread}, P: 1}}})
	server := httptest.NewServer(s)
	defer server.Close()
	if got := postOver(t, server.Client(), server.URL, strings.Repeat("x", 100_000)); got != "no answer" {
		t.Errorf("the caller saw %s", got)
	}
	if n := s.Counts(); n.Posts != 0 || n.Requests != 1 {
		t.Errorf("%+v", n)
	}
}

func TestALightRecordHoldsManyMessages(t *testing.T) {
	const writers, each = 8, 500
	s := NewSlack(SlackOptions{Light: true})
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() {
			for j := range each {
				body, err := json.Marshal(args{
					"channel": "alerts", "text": "x", "blocks": []any{section(100)},
					"metadata": args{"event_type": "e", "event_payload": args{"delivery_key": fmt.Sprint(i, "-", j)}},
				})
				if err != nil {
					t.Error(err)
					return
				}
				s.ServeHTTP(httptest.NewRecorder(), jsonRequest("chat.postMessage", DemoToken, body))
			}
		})
	}
	wg.Wait()
	all := s.Messages("alerts")
	if len(all) != writers*each || len(s.Keys()) != writers*each || len(s.Requests()) != 0 || s.Counts().Posts != writers*each {
		t.Fatalf("%d messages, %d keys, %d log lines", len(all), len(s.Keys()), len(s.Requests()))
	}
	if all[0].Blocks != nil || all[0].Key == "" {
		t.Errorf("kept: %+v", all[0])
	}
	id := channelID("alerts")
	if got, pages := readAll(t, s, "conversations.history", args{"channel": id, "limit": 999}); len(got) != writers*each || pages != 5 {
		t.Errorf("read %d in %d pages", len(got), pages)
	}
}

func BenchmarkPost(b *testing.B) {
	s := NewSlack(SlackOptions{Light: true})
	body, err := json.Marshal(args{
		"channel": "alerts", "text": "x", "attachments": []any{args{"color": "#d00000", "blocks": []any{section(300), section(300)}}},
		"metadata": args{"event_type": "e", "event_payload": args{"delivery_key": "k"}},
	})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		s.ServeHTTP(httptest.NewRecorder(), jsonRequest("chat.postMessage", DemoToken, body))
	}
}
