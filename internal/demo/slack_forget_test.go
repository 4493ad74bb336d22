package demo

import (
	"fmt"
	"testing"
)

func TestForgetLeavesTheNewestMessages(t *testing.T) {
	s := NewSlack(SlackOptions{Channels: []SlackChannel{{Name: "alerts"}, {Name: "soc"}}})
	var first string
	for i := range 20 {
		said := ask(t, s, "chat.postMessage", args{
			"channel": "alerts", "text": fmt.Sprint(i), "metadata": args{"event_type": "e", "event_payload": args{"delivery_key": fmt.Sprint("k", i)}},
		})
		if first == "" {
			first = said["ts"].(string)
		}
		ask(t, s, "chat.postMessage", args{"channel": "alerts", "text": "reply", "thread_ts": said["ts"]})
		for n := range 2 * forgetEdits {
			ask(t, s, "chat.update", args{"channel": said["channel"], "ts": said["ts"], "text": fmt.Sprint(i, " ", n)})
		}
	}
	ask(t, s, "chat.postMessage", args{"channel": "soc", "text": "x"})
	s.Forget(7)
	if n, soc := len(s.Messages("alerts")), len(s.Messages("soc")); n != 7 || soc != 1 {
		t.Fatalf("%d and %d messages are left", n, soc)
	}
	for _, m := range s.Messages("alerts") {
		if m.ThreadTS == "" && (len(m.Edits) != forgetEdits || m.EditCount != 2*forgetEdits || m.Edits[forgetEdits-1].Text == "") {
			t.Errorf("%d edits of %d are left", len(m.Edits), m.EditCount)
		}
	}
	if keys := s.Keys(); len(keys) != 3 || keys["k19"] != 1 || keys["k0"] != 0 {
		t.Errorf("the keys left are %v", keys)
	}
	if body := ask(t, s, "chat.update", args{"channel": channelID("alerts"), "ts": first, "text": "new"}); code(body) != "message_not_found" {
		t.Errorf("a message that is forgotten is changed: %v", body)
	}
	if n := len(s.Requests()); n > forgetRequests+1 {
		t.Errorf("%d requests are left", n)
	}
	if c := s.Counts(); c.Posts != 41 {
		t.Errorf("%+v", c)
	}
}
