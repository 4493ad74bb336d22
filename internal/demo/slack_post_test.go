package demo

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// repeat gives n blocks or other items made by f.
func repeat(n int, f func(i int) any) []any {
	out := make([]any, n)
	for i := range out {
		out[i] = f(i)
	}
	return out
}

func plain(n int) args { return args{"type": "plain_text", "text": strings.Repeat("x", n)} }

func mrkdwn(n int) args { return args{"type": "mrkdwn", "text": strings.Repeat("x", n)} }

func buttonBlock(button args) []any {
	b := args{"type": "button", "text": plain(3)}
	for k, v := range button {
		b[k] = v
	}
	return []any{args{"type": "actions", "elements": []any{b}}}
}

func section(n int) args { return args{"type": "section", "text": mrkdwn(n)} }

func TestBlocksKeepSlacksLimits(t *testing.T) {
	divider := func(int) any { return args{"type": "divider"} }
	button := func(id string) args { return args{"type": "button", "text": plain(3), "action_id": id} }
	text := strings.Repeat
	confirm := func(title, body, yes int) args {
		return args{"title": plain(title), "text": mrkdwn(body), "confirm": plain(yes), "deny": plain(2)}
	}
	tests := []struct {
		name   string
		blocks any
		want   string
	}{
		{"50 blocks", repeat(50, divider), "ok"},
		{"51 blocks", repeat(51, divider), "invalid_blocks"},
		{"section of 3000", []any{section(3000)}, "ok"},
		{"section of 3001", []any{section(3001)}, "invalid_blocks"},
		{"section of 0", []any{section(0)}, "invalid_blocks"},
		{"section of spaces", []any{args{"type": "section", "text": args{"type": "mrkdwn", "text": "  "}}}, "invalid_blocks"},
		{"section of 1501 characters outside the basic plane", []any{args{"type": "section", "text": args{"type": "mrkdwn", "text": text("🚨", 1501)}}}, "invalid_blocks"},
		{"section of 3000 two-byte characters", []any{args{"type": "section", "text": args{"type": "mrkdwn", "text": text("é", 3000)}}}, "ok"},
		{"section without text", []any{args{"type": "section"}}, "invalid_blocks"},
		{"section with text as a string", []any{args{"type": "section", "text": "x"}}, "invalid_blocks"},
		{"section with emoji on mrkdwn", []any{args{"type": "section", "text": args{"type": "mrkdwn", "text": "x", "emoji": true}}}, "invalid_blocks"},
		{"section with a key too many", []any{args{"type": "section", "text": mrkdwn(1), "colour": "red"}}, "invalid_blocks"},
		{"10 fields of 2000 are too long together", []any{args{"type": "section", "fields": repeat(10, func(int) any { return mrkdwn(2000) })}}, "msg_blocks_too_long"},
		{"10 fields", []any{args{"type": "section", "fields": repeat(10, func(int) any { return mrkdwn(20) })}}, "ok"},
		{"11 fields", []any{args{"type": "section", "fields": repeat(11, func(int) any { return mrkdwn(20) })}}, "invalid_blocks"},
		{"0 fields", []any{args{"type": "section", "fields": []any{}}}, "invalid_blocks"},
		{"field of 2000", []any{args{"type": "section", "fields": []any{mrkdwn(2000)}}}, "ok"},
		{"field of 2001", []any{args{"type": "section", "fields": []any{mrkdwn(2001)}}}, "invalid_blocks"},
		{"header of 150", []any{args{"type": "header", "text": plain(150)}}, "ok"},
		{"header of 151", []any{args{"type": "header", "text": plain(151)}}, "invalid_blocks"},
		{"header in mrkdwn", []any{args{"type": "header", "text": mrkdwn(5)}}, "invalid_blocks"},
		{"context of 10", []any{args{"type": "context", "elements": repeat(10, func(int) any { return mrkdwn(5) })}}, "ok"},
		{"context of 11", []any{args{"type": "context", "elements": repeat(11, func(int) any { return mrkdwn(5) })}}, "invalid_blocks"},
		{"context of 0", []any{args{"type": "context", "elements": []any{}}}, "invalid_blocks"},
		{"context with a button", []any{args{"type": "context", "elements": []any{button("a")}}}, "invalid_blocks"},
		{"context with an image", []any{args{"type": "context", "elements": []any{args{"type": "image", "image_url": "https://x.example/a.png", "alt_text": "a"}}}}, "ok"},
		{"25 buttons", []any{args{"type": "actions", "elements": repeat(25, func(i int) any { return button(fmt.Sprint(i)) })}}, "ok"},
		{"26 buttons", []any{args{"type": "actions", "elements": repeat(26, func(i int) any { return button(fmt.Sprint(i)) })}}, "invalid_blocks"},
		{"no buttons", []any{args{"type": "actions", "elements": []any{}}}, "invalid_blocks"},
		{"action_id twice in a block", []any{args{"type": "actions", "elements": []any{button("a"), button("a")}}}, "invalid_blocks"},
		{"action_id twice in two blocks", []any{args{"type": "actions", "elements": []any{button("a")}}, args{"type": "actions", "elements": []any{button("a")}}}, "ok"},
		{"action_id of 255", []any{args{"type": "actions", "elements": []any{button(text("a", 255))}}}, "ok"},
		{"action_id of 256", []any{args{"type": "actions", "elements": []any{button(text("a", 256))}}}, "invalid_blocks"},
		{"block_id twice", []any{args{"type": "divider", "block_id": "a"}, args{"type": "divider", "block_id": "a"}}, "invalid_blocks"},
		{"block_id of 256", []any{args{"type": "divider", "block_id": text("a", 256)}}, "invalid_blocks"},
		{"button text of 75", buttonBlock(args{"text": plain(75)}), "ok"},
		{"button text of 76", buttonBlock(args{"text": plain(76)}), "invalid_blocks"},
		{"button text in mrkdwn", buttonBlock(args{"text": mrkdwn(5)}), "invalid_blocks"},
		{"button value of 2000", buttonBlock(args{"value": text("v", 2000)}), "ok"},
		{"button value of 2001", buttonBlock(args{"value": text("v", 2001)}), "invalid_blocks"},
		{"button url of 3000", buttonBlock(args{"url": "https://x.example/" + text("u", 3000-18)}), "ok"},
		{"button url of 3001", buttonBlock(args{"url": "https://x.example/" + text("u", 3001-18)}), "invalid_blocks"},
		{"button url without a scheme", buttonBlock(args{"url": "x.example/a"}), "invalid_blocks"},
		{"button style", buttonBlock(args{"style": "danger"}), "ok"},
		{"button style of one's own", buttonBlock(args{"style": "warning"}), "invalid_blocks"},
		{"button label of 76", buttonBlock(args{"accessibility_label": text("l", 76)}), "invalid_blocks"},
		{"confirm", buttonBlock(args{"confirm": confirm(100, 300, 30)}), "ok"},
		{"confirm title of 101", buttonBlock(args{"confirm": confirm(101, 300, 30)}), "invalid_blocks"},
		{"confirm text of 301", buttonBlock(args{"confirm": confirm(100, 301, 30)}), "invalid_blocks"},
		{"confirm button of 31", buttonBlock(args{"confirm": confirm(100, 300, 31)}), "invalid_blocks"},
		{"overflow of 6", []any{args{"type": "actions", "elements": []any{args{"type": "overflow", "options": repeat(6, func(i int) any { return args{"text": plain(3), "value": fmt.Sprint(i)} })}}}}, "invalid_blocks"},
		{"multi select in actions", []any{args{"type": "actions", "elements": []any{args{"type": "multi_static_select"}}}}, "invalid_blocks"},
		{"select of 100", []any{args{"type": "actions", "elements": []any{args{"type": "static_select", "placeholder": plain(150), "options": repeat(100, func(i int) any { return args{"text": plain(75), "value": fmt.Sprint(i)} })}}}}, "ok"},
		{"select of 101", []any{args{"type": "actions", "elements": []any{args{"type": "static_select", "options": repeat(101, func(i int) any { return args{"text": plain(5), "value": fmt.Sprint(i)} })}}}}, "invalid_blocks"},
		{"image", []any{args{"type": "image", "image_url": "https://x.example/a.png", "alt_text": text("a", 2000)}}, "ok"},
		{"image without alt text", []any{args{"type": "image", "image_url": "https://x.example/a.png"}}, "invalid_blocks"},
		{"image with alt text of 2001", []any{args{"type": "image", "image_url": "https://x.example/a.png", "alt_text": text("a", 2001)}}, "invalid_blocks"},
		{"markdown of 12000", []any{args{"type": "markdown", "text": text("m", 12000)}}, "ok"},
		{"markdown of 12001", []any{args{"type": "markdown", "text": text("m", 12001)}}, "invalid_blocks"},
		{"rich text", []any{args{"type": "rich_text", "elements": []any{
			args{"type": "rich_text_preformatted", "elements": []any{args{"type": "text", "text": "x"}}},
			args{"type": "rich_text_list", "style": "bullet", "elements": []any{args{"type": "rich_text_section", "elements": []any{args{"type": "link", "url": "https://x.example"}}}}},
		}}}, "ok"},
		{"rich text with an empty text", []any{args{"type": "rich_text", "elements": []any{args{"type": "rich_text_section", "elements": []any{args{"type": "text", "text": ""}}}}}}, "invalid_blocks"},
		{"rich text that is none", []any{args{"type": "rich_text", "elements": []any{args{"type": "text", "text": "x"}}}}, "invalid_blocks"},
		{"unknown block", []any{args{"type": "banner"}}, "invalid_blocks"},
		{"block without type", []any{args{"text": mrkdwn(1)}}, "invalid_blocks"},
		{"block that is a text", []any{"section"}, "invalid_blocks"},
		{"blocks as an object", args{"type": "divider"}, "invalid_blocks_format"},
		{"blocks as text", `[{"type":"divider"}]`, "ok"},
		{"blocks as broken text", `[{"type":`, "invalid_blocks_format"},
		{"13,200 characters", append(repeat(4, func(int) any { return section(3000) }), section(1200)), "ok"},
		{"13,201 characters", append(repeat(4, func(int) any { return section(3000) }), section(1201)), "msg_blocks_too_long"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := NewSlack(SlackOptions{})
			for _, method := range []string{"chat.postMessage", "chat.update"} {
				ts := ""
				if method == "chat.update" {
					ts = ask(t, s, "chat.postMessage", args{"channel": "alerts", "text": "x"})["ts"].(string)
				}
				body := ask(t, s, method, args{"channel": channelID("alerts"), "text": "fallback", "blocks": tt.blocks, "ts": ts})
				if code(body) != tt.want {
					t.Fatalf("%s: %v, want %s", method, body, tt.want)
				}
				if meta, _ := body["response_metadata"].(map[string]any); tt.want == "invalid_blocks" && !strings.Contains(fmt.Sprint(meta["messages"]), "json-pointer:/blocks") {
					t.Errorf("%s does not say where: %v", method, body)
				}
			}
		})
	}
}

func TestAttachmentsKeepSlacksLimits(t *testing.T) {
	with := func(a args) []any { return []any{a} }
	tests := []struct {
		name        string
		attachments any
		want        string
	}{
		{"coloured blocks", with(args{"color": "#d00000", "blocks": []any{section(10)}}), "ok"},
		{"old style", with(args{"color": "danger", "title": "x", "text": "y", "footer": strings.Repeat("f", 300), "fields": []any{args{"title": "a", "value": "b", "short": true}}}), "ok"},
		{"100", repeat(100, func(int) any { return args{"text": "x"} }), "ok"},
		{"101", repeat(101, func(int) any { return args{"text": "x"} }), "too_many_attachments"},
		{"51 blocks in one", with(args{"blocks": repeat(51, func(int) any { return args{"type": "divider"} })}), "invalid_attachments"},
		{"a bad block in one", with(args{"blocks": []any{section(3001)}}), "invalid_attachments"},
		{"a bad colour", with(args{"color": "reddish", "text": "x"}), "invalid_attachments"},
		{"a footer of 301", with(args{"text": "x", "footer": strings.Repeat("f", 301)}), "invalid_attachments"},
		{"one that says nothing", with(args{"color": "good"}), "invalid_attachments"},
		{"an unknown key", with(args{"text": "x", "colour": "good"}), "invalid_attachments"},
		{"no list", args{"text": "x"}, "invalid_attachments"},
		{"too much text over all", with(args{"blocks": repeat(5, func(int) any { return section(3000) })}), "msg_blocks_too_long"},
	}
	for _, tt := range tests {
		if body := ask(t, NewSlack(SlackOptions{}), "chat.postMessage", args{"channel": "alerts", "attachments": tt.attachments}); code(body) != tt.want {
			t.Errorf("%s: %v, want %s", tt.name, body, tt.want)
		}
	}
}

func TestMetadataIsJudged(t *testing.T) {
	payload := args{"delivery_key": "k"}
	tests := []struct {
		metadata any
		want     string
	}{
		{args{"event_type": "tocsin_notice", "event_payload": payload}, "ok"},
		{`{"event_type":"tocsin_notice","event_payload":{"delivery_key":"k"}}`, "ok"},
		{args{"event_payload": payload}, "invalid_metadata_schema"},
		{args{"event_type": "x"}, "invalid_metadata_schema"},
		{args{"event_type": "x", "event_payload": "k"}, "invalid_metadata_schema"},
		{[]any{1}, "invalid_metadata_format"},
		{"no json", "invalid_metadata_format"},
		{args{"event_type": "x", "event_payload": args{"k": strings.Repeat("v", metadataMost)}}, "metadata_too_large"},
	}
	for _, tt := range tests {
		s := NewSlack(SlackOptions{})
		if body := ask(t, s, "chat.postMessage", args{"channel": "alerts", "text": "x", "metadata": tt.metadata}); code(body) != tt.want {
			t.Errorf("%v: %v, want %s", tt.metadata, body, tt.want)
		}
		if want := map[bool]int{true: 1}[tt.want == "ok"]; len(s.ByKey("k")) != want || s.Keys()["k"] != want {
			t.Errorf("%v: found by key: %+v", tt.metadata, s.ByKey("k"))
		}
	}
}

func TestMessagesWithNothingToSayAreRefused(t *testing.T) {
	s := NewSlack(SlackOptions{})
	for _, a := range []args{{}, {"text": ""}, {"text": " \n"}, {"blocks": []any{}}, {"text": "", "blocks": []any{}, "attachments": []any{}}} {
		a["channel"] = "alerts"
		if got := code(ask(t, s, "chat.postMessage", a)); got != "no_text" {
			t.Errorf("%v: %s", a, got)
		}
	}
	if got := code(ask(t, s, "chat.postMessage", args{"channel": "alerts", "blocks": []any{section(3)}})); got != "ok" {
		t.Errorf("blocks without text: %s", got)
	}
}

func TestLongTextsAreSplitAndVeryLongOnesCut(t *testing.T) {
	tests := []struct {
		text  string
		parts int
	}{
		{strings.Repeat("x", 4000), 1},
		{strings.Repeat("x", 4001), 2},
		{strings.Repeat("word ", 1601), 3},
		{strings.Repeat("🚨", 2001), 2},
		{strings.Repeat("y", 40000), 10},
		{strings.Repeat("y", 50000), 10},
	}
	for _, tt := range tests {
		s := NewSlack(SlackOptions{})
		body := ask(t, s, "chat.postMessage", args{
			"channel": "alerts", "text": tt.text, "blocks": []any{section(3)},
			"metadata": args{"event_type": "e", "event_payload": args{"delivery_key": "k"}},
		})
		said := s.Messages("alerts")
		var whole strings.Builder
		for i, m := range said {
			if m.Part != i+1 || m.Parts != tt.parts || chars(m.Text) > textMost || m.Blocks == nil || m.Key != "k" {
				t.Errorf("part %d of %d characters: %+v", i+1, len(tt.text), m)
			}
			whole.WriteString(m.Text)
		}
		if len(said) != tt.parts || body["ts"] != said[0].TS || whole.String() != cutTo(tt.text, textTruncated) {
			t.Errorf("%d characters became %d messages, want %d", chars(tt.text), len(said), tt.parts)
		}
		if cut := body["warning"] == "message_truncated"; cut != (chars(tt.text) > textTruncated) {
			t.Errorf("%d characters: warning %v", chars(tt.text), body["warning"])
		}
	}
}

func TestChannelsTakeOrRefuse(t *testing.T) {
	small := []string{"chat:write"}
	s := NewSlack(SlackOptions{
		Tokens: []SlackToken{{Token: DemoToken}, {Token: "xoxb-small", Scopes: small}},
		Channels: []SlackChannel{
			{Name: "alerts"},
			{ID: "C0OLD", Name: "old", Archived: true},
			{Name: "public", Outside: true},
			{Name: "secret", Private: true, Outside: true},
			{Name: "ours", Private: true},
			{Name: "town", Error: "restricted_action"},
		},
	})
	tests := []struct{ token, channel, want string }{
		{DemoToken, "alerts", "ok"},
		{DemoToken, "#alerts", "ok"},
		{DemoToken, channelID("alerts"), "ok"},
		{DemoToken, "#nowhere", "channel_not_found"},
		{DemoToken, "C0NOWHERE", "channel_not_found"},
		{DemoToken, "old", "is_archived"},
		{DemoToken, "C0OLD", "is_archived"},
		{DemoToken, "public", "ok"},
		{"xoxb-small", "public", "not_in_channel"},
		{DemoToken, "secret", "channel_not_found"},
		{DemoToken, "ours", "ok"},
		{DemoToken, "town", "restricted_action"},
	}
	post := func(token, channel string) string {
		var last map[string]any
		text, err := json.Marshal(args{"channel": channel, "text": "x"})
		if err != nil {
			t.Fatal(err)
		}
		last, _ = send(t, s, jsonRequest("chat.postMessage", token, text))
		return code(last)
	}
	for _, tt := range tests {
		if got := post(tt.token, tt.channel); got != tt.want {
			t.Errorf("%s to %s: %s, want %s", tt.token, tt.channel, got, tt.want)
		}
	}
	s.SetChannel("town", func(c *SlackChannel) { c.Error = "" })
	s.SetChannel("new", func(*SlackChannel) {})
	if post(DemoToken, "town") != "ok" || post(DemoToken, "new") != "ok" {
		t.Error("channels changed by the test still refuse")
	}
	if got := code(ask(t, s, "conversations.join", args{"channel": channelID("public")})); got != "ok" {
		t.Errorf("join: %s", got)
	}
	if got := post("xoxb-small", "public"); got != "ok" {
		t.Errorf("after joining: %s", got)
	}
}

func TestRepliesAreForMessagesThatCanHaveThem(t *testing.T) {
	s := NewSlack(SlackOptions{})
	post := func(a args) (string, string) {
		a["channel"], a["text"] = "alerts", "x"
		body := ask(t, s, "chat.postMessage", a)
		ts, _ := body["ts"].(string)
		return code(body), ts
	}
	_, parent := post(args{})
	got, reply := post(args{"thread_ts": parent})
	if got != "ok" {
		t.Fatalf("reply: %s", got)
	}
	for ts, want := range map[string]string{reply: "cannot_reply_to_message", "17": "invalid_thread_ts", "1700000000.000001": "thread_not_found"} {
		if got, _ := post(args{"thread_ts": ts}); got != want {
			t.Errorf("reply to %s: %s, want %s", ts, got, want)
		}
	}
}

func TestTimestampsAreUniqueAndGrow(t *testing.T) {
	s := NewSlack(SlackOptions{})
	for range 300 {
		ask(t, s, "chat.postMessage", args{"channel": "alerts", "text": "x"})
	}
	var all []string
	for _, m := range s.Messages("") {
		all = append(all, m.TS)
		if _, ok := parseTS(m.TS); !ok {
			t.Fatalf("ts %q", m.TS)
		}
	}
	if len(all) != 300 || !slices.IsSorted(all) || len(slices.Compact(all)) != 300 {
		t.Errorf("%d timestamps, sorted %v", len(all), slices.IsSorted(all))
	}
}

func TestARepeatedClientIDIsADuplicateOnlyWhereAskedFor(t *testing.T) {
	for _, dedupe := range []bool{false, true} {
		s := NewSlack(SlackOptions{Dedupe: dedupe})
		a := args{"channel": "alerts", "text": "x", "client_msg_id": "7d1f0d5e"}
		first, second := ask(t, s, "chat.postMessage", a), ask(t, s, "chat.postMessage", a)
		if same := first["ts"] == second["ts"] && second["is_duplicate"] == true; same != dedupe {
			t.Errorf("dedupe %v: %v then %v", dedupe, first, second)
		}
	}
}
