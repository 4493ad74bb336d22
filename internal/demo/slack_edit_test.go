package demo

import (
	"strings"
	"testing"
)

func TestUpdateReplacesWhatItIsGiven(t *testing.T) {
	meta := func(key string) args { return args{"event_type": "e", "event_payload": args{"delivery_key": key}} }
	tests := []struct {
		name                      string
		update                    args
		text, key                 string
		blocks, attachments, mark bool
	}{
		{"text alone takes the blocks away", args{"text": "new"}, "new", "k", false, true, true},
		{"text and blocks", args{"text": "new", "blocks": []any{section(5)}}, "new", "k", true, true, false},
		{"blocks alone", args{"blocks": []any{section(5)}}, "", "k", true, true, false},
		{"attachments alone keep text and blocks", args{"attachments": []any{args{"text": "b"}}}, "old", "k", true, true, true},
		{"an empty list of attachments", args{"text": "new", "attachments": []any{}}, "new", "k", false, false, true},
		{"other metadata", args{"text": "new", "metadata": meta("k2")}, "new", "k2", false, true, true},
		{"empty metadata removes it", args{"text": "new", "metadata": args{}}, "new", "", false, true, true},
	}
	for _, tt := range tests {
		s := NewSlack(SlackOptions{})
		said := ask(t, s, "chat.postMessage", args{"channel": "alerts", "text": "old", "blocks": []any{section(3)}, "attachments": []any{args{"text": "a"}}, "metadata": meta("k")})
		tt.update["channel"], tt.update["ts"] = said["channel"], said["ts"]
		body := ask(t, s, "chat.update", tt.update)
		if code(body) != "ok" || body["ts"] != said["ts"] {
			t.Errorf("%s: %v", tt.name, body)
			continue
		}
		m := s.Messages("alerts")[0]
		if m.Text != tt.text || m.Key != tt.key || (m.Blocks != nil) != tt.blocks || (m.Attachments != nil) != tt.attachments {
			t.Errorf("%s: %+v", tt.name, m)
		}
		if m.EditCount != 1 || m.Edits[0].Text != "old" || m.Edits[0].Blocks == nil {
			t.Errorf("%s: what it was: %+v", tt.name, m.Edits)
		}
		if _, mark := body["message"].(map[string]any)["edited"]; mark != tt.mark {
			t.Errorf("%s: edited mark %v", tt.name, mark)
		}
	}
}

func TestUpdateAndDeleteRefuse(t *testing.T) {
	s := NewSlack(SlackOptions{
		Channels: []SlackChannel{{Name: "alerts"}, {Name: "other"}},
		Tokens:   []SlackToken{{Token: DemoToken}, {Token: "xoxb-other", App: "Other"}},
	})
	id := channelID("alerts")
	ours := ask(t, s, "chat.postMessage", args{"channel": "alerts", "text": "x"})["ts"].(string)
	theirs, _ := send(t, s, jsonRequest("chat.postMessage", "xoxb-other", []byte(`{"channel":"alerts","text":"x"}`)))
	persons := s.Post("alerts", "maria", "hello")
	tests := []struct {
		name    string
		channel string
		ts      any
		text    string
		update  string
		remove  string
	}{
		{"by the channel's name", "alerts", ours, "y", "channel_not_found", "channel_not_found"},
		{"in another channel", channelID("other"), ours, "y", "message_not_found", "message_not_found"},
		{"a ts nobody has", id, "1700000000.000001", "y", "message_not_found", "message_not_found"},
		{"a ts in fewer digits", id, strings.TrimRight(ours, "0123456789"), "y", "message_not_found", "message_not_found"},
		{"of another app", id, theirs["ts"], "y", "cant_update_message", "cant_delete_message"},
		{"of a person", id, persons, "y", "cant_update_message", "cant_delete_message"},
		{"4001 characters", id, ours, strings.Repeat("y", 4001), "msg_too_long", ""},
		{"nothing to say", id, ours, "", "no_text", ""},
		{"4000 characters", id, ours, strings.Repeat("y", 4000), "ok", "ok"},
		{"deleted before", id, ours, "y", "message_not_found", "message_not_found"},
	}
	for _, tt := range tests {
		if got := code(ask(t, s, "chat.update", args{"channel": tt.channel, "ts": tt.ts, "text": tt.text})); got != tt.update {
			t.Errorf("update %s: %s, want %s", tt.name, got, tt.update)
		}
		if tt.remove == "" {
			continue
		}
		if got := code(ask(t, s, "chat.delete", args{"channel": tt.channel, "ts": tt.ts})); got != tt.remove {
			t.Errorf("delete %s: %s, want %s", tt.name, got, tt.remove)
		}
	}
	again := ask(t, s, "chat.postMessage", args{"channel": "alerts", "text": "x"})["ts"].(string)
	s.SetChannel("alerts", func(c *SlackChannel) { c.Archived = true })
	if got := code(ask(t, s, "chat.update", args{"channel": id, "ts": again, "text": "y"})); got != "is_inactive" {
		t.Errorf("update in an archived channel: %s", got)
	}
	if !s.Delete("alerts", again) || s.Delete("alerts", again) {
		t.Error("a person deletes a message once")
	}
}

func TestReactionsAreAddedOnce(t *testing.T) {
	s := NewSlack(SlackOptions{})
	said := ask(t, s, "chat.postMessage", args{"channel": "alerts", "text": "x"})
	for _, tt := range []struct{ name, ts, want string }{
		{"eyes", said["ts"].(string), "ok"},
		{"eyes", said["ts"].(string), "already_reacted"},
		{":eyes:", said["ts"].(string), "invalid_name"},
		{"eyes", "1700000000.000001", "message_not_found"},
	} {
		if got := code(ask(t, s, "reactions.add", args{"channel": said["channel"], "timestamp": tt.ts, "name": tt.name})); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
	if m := s.Messages("alerts")[0]; len(m.Reactions) != 1 || m.Reactions[0] != "eyes" {
		t.Errorf("reactions: %v", m.Reactions)
	}
}
