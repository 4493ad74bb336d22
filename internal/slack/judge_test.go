package slack

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	slackgo "github.com/slack-go/slack"
	"pgregory.net/rapid"

	"tocsin/internal/alert"
	"tocsin/internal/notice"
)

// tester is what both kinds of test are.
type tester interface {
	Helper()
	Errorf(string, ...any)
	Fatalf(string, ...any)
}

var (
	angled     = regexp.MustCompile(`<[^<>]*>`)
	ourDate    = regexp.MustCompile(`^<!date\^\d+\^[a-z_{} ]+\|[0-9: UTC-]+>$`)
	ourLink    = regexp.MustCompile(`^<https?://[^\s<>|]+\|[^<>]+>$`)
	entity     = regexp.MustCompile(`&(amp|lt|gt);`)
	bareURL    = regexp.MustCompile(`[a-z]://`)
	ourMention = regexp.MustCompile(`^<(!(here|channel|everyone)|@[UW][A-Z0-9]+|!subteam\^S[A-Z0-9]+)>$`)
	ourOrigin  = regexp.MustCompile(`^<https://((kibana|tocsin|wiki)\.example|attack\.mitre\.org)(:5601)?/`)
)

// judge holds a message against Slack's limits, against an outside reading of Block Kit, and against
// what nobody may smuggle into it.
// What rings for an escalation may stand in the first line of the text and in the first block alone.
func judge(t tester, r rendering, rings ...string) {
	t.Helper()
	for _, ring := range rings {
		if !ourMention.MatchString(ring) {
			continue
		}
		first, rest, _ := strings.Cut(r.text, "\n")
		r.text = strings.ReplaceAll(first, ring, "ring") + "\n" + rest
		if len(r.blocks) > 0 && r.blocks[0].Text != nil {
			copied := *r.blocks[0].Text
			copied.Text = strings.ReplaceAll(copied.Text, ring, "ring")
			r.blocks = append([]block{{Type: r.blocks[0].Type, Text: &copied}}, r.blocks[1:]...)
		}
	}
	if width(r.text) >= 4000 || len(r.text) == 0 {
		t.Errorf("text has %d characters", width(r.text))
	}
	judgeMarkup(t, r.text)
	if n := len(r.blocks); n > 50 {
		t.Errorf("%d blocks", n)
	}
	total := r.width()
	if total > totalMost {
		t.Errorf("the blocks have %d characters, at most %d are safe", total, totalMost)
	}
	all := r.blocks
	for _, a := range r.attachments {
		all = append(all[:len(all):len(all)], a.Blocks...)
		if len(a.Blocks) == 0 || len(a.Blocks) > 50 {
			t.Errorf("%d blocks in an attachment", len(a.Blocks))
		}
	}
	for _, b := range all {
		judgeBlock(t, b)
	}
	judgeOutside(t, r)
}

func judgeBlock(t tester, b block) {
	t.Helper()
	if len(b.Fields) > 10 || len(b.Elements) > 10 {
		t.Errorf("%d fields, %d elements", len(b.Fields), len(b.Elements))
	}
	switch b.Type {
	case "section":
		if b.Text == nil && len(b.Fields) == 0 {
			t.Errorf("an empty section")
		}
	case "context":
		if len(b.Elements) == 0 {
			t.Errorf("an empty context")
		}
	default:
		t.Errorf("a block of type %q", b.Type)
	}
	if b.Text != nil {
		judgeText(t, b.Text, 3000)
	}
	for _, f := range b.Fields {
		judgeText(t, f, 2000)
	}
	for _, e := range b.Elements {
		judgeText(t, e, 3000)
	}
}

func judgeText(t tester, x *text, most int) {
	t.Helper()
	if n := width(x.Text); n == 0 || n > most || strings.TrimSpace(x.Text) == "" {
		t.Errorf("a text of %d characters, want 1 to %d: %.80q", n, most, x.Text)
	}
	switch x.Type {
	case "mrkdwn":
		if !x.Verbatim || x.Emoji != nil {
			t.Errorf("mrkdwn that is not verbatim: %.80q", x.Text)
		}
		judgeMarkup(t, x.Text)
	case "plain_text":
		if x.Verbatim || x.Emoji == nil || *x.Emoji {
			t.Errorf("plain_text with wrong flags: %+v", x)
		}
		if strings.ContainsAny(x.Text, "<>") || strings.Contains(entity.ReplaceAllString(x.Text, ""), "&") {
			t.Errorf("not escaped: %.80q", x.Text)
		}
		judgeRunes(t, x.Text)
	default:
		t.Errorf("a text of type %q", x.Type)
	}
}

// judgeMarkup lets only our dates and links stand in angle brackets.
func judgeMarkup(t tester, s string) {
	t.Helper()
	judgeRunes(t, s)
	rest := angled.ReplaceAllStringFunc(s, func(m string) string {
		switch {
		case ourDate.MatchString(m):
		case ourLink.MatchString(m) && ourOrigin.MatchString(m):
			_, label, _ := strings.Cut(m, "|")
			if bareURL.MatchString(label) {
				t.Errorf("a link whose label is a URL: %q", m)
			}
		default:
			t.Errorf("not ours: %q", m)
		}
		return ""
	})
	if strings.ContainsAny(rest, "<>") || strings.Contains(entity.ReplaceAllString(rest, ""), "&") {
		t.Errorf("not escaped: %.200q", rest)
	}
	outside := regexp.MustCompile("`[^`]*`").ReplaceAllString(rest, "")
	if bareURL.MatchString(outside) {
		t.Errorf("a bare URL: %.200q", outside)
	}
	if regexp.MustCompile(`[[:alnum:]]@[[:alnum:]]`).MatchString(outside) {
		t.Errorf("a bare address: %.200q", outside)
	}
}

func judgeRunes(t tester, s string) {
	t.Helper()
	if !utf8.ValidString(s) {
		t.Errorf("not UTF-8: %.80q", s)
	}
	for _, r := range s {
		if r != '\n' && unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			t.Errorf("%U in %.80q", r, s)
			return
		}
	}
}

// judgeOutside reads the message as another client of Slack does, which knows all of Block Kit.
func judgeOutside(t tester, r rendering) {
	t.Helper()
	raw, err := json.Marshal(map[string]any{"text": r.text, "blocks": r.blocks, "attachments": r.attachments})
	if err != nil {
		t.Fatalf("%v", err)
	}
	var m slackgo.Msg
	if err := json.Unmarshal(raw, &m); err != nil {
		t.Fatalf("slack-go cannot read it: %v", err)
	}
	sets := [][]slackgo.Block{m.Blocks.BlockSet}
	if len(m.Blocks.BlockSet) != len(r.blocks) || len(m.Attachments) != len(r.attachments) {
		t.Errorf("slack-go reads %d blocks of %d, %d attachments of %d", len(m.Blocks.BlockSet), len(r.blocks), len(m.Attachments), len(r.attachments))
	}
	for i, a := range m.Attachments {
		sets = append(sets, a.Blocks.BlockSet)
		if len(a.Blocks.BlockSet) != len(r.attachments[i].Blocks) || a.Color != r.attachments[i].Color {
			t.Errorf("slack-go reads another attachment: %+v", a)
		}
	}
	for _, set := range sets {
		for _, b := range set {
			switch b := b.(type) {
			case *slackgo.SectionBlock:
				for _, x := range append([]*slackgo.TextBlockObject{b.Text}, b.Fields...) {
					judgeOutsideText(t, x)
				}
			case *slackgo.ContextBlock:
				for _, e := range b.ContextElements.Elements {
					x, ok := e.(*slackgo.TextBlockObject)
					if !ok {
						t.Errorf("slack-go reads a %T in a context", e)
						continue
					}
					judgeOutsideText(t, x)
				}
			default:
				t.Errorf("slack-go reads a %T", b)
			}
		}
	}
}

func judgeOutsideText(t tester, x *slackgo.TextBlockObject) {
	t.Helper()
	if x == nil {
		return
	}
	if err := x.Validate(); err != nil {
		t.Errorf("slack-go: %v in %+v", err, x)
	}
}

// hostile are texts that log lines can hold.
var hostile = []string{
	"", " ", "\n", "<!channel>", "<!here|x>", "<@U0123456>", "<#C0123456>", "<https://evil.example|https://bank.example>",
	"https://evil.example/login", "admin@evil.example", "@here", "*bold* _it_ ~s~ `code` ```block```", ":skull: :+1:",
	"&lt;!channel&gt;", "a\x00b\x1b[31m", "\xff\xfe", "abc\u202egpj.exe", "\u2066x\u2069", "z\u0300\u0301\u0302\u0303\u0304\u0305",
	"```\n<!channel>\n```", "\u200b<!here>\u200b", "\x01<!channel>\x02", "<!subteam^S0123456>", "tel:+1234", "www.evil.example", "[x](https://evil.example)",
	"> quote", "a|b>c", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "日本語のテキスト", "line one\nline two\r\n\tthree", "]]>", "<", "&", ">",
	strings.Repeat("A", 3000), strings.Repeat("&", 3000), strings.Repeat("💥", 3000), strings.Repeat("<!channel>", 1000), strings.Repeat(" ", 10000) + "x",
}

var anyText = rapid.OneOf(rapid.SampledFrom(hostile), rapid.String(), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }),
	rapid.Map(rapid.SliceOfN(rapid.SampledFrom(hostile), 1, 5), func(s []string) string { return strings.Join(s, "") }))

var anyURL = rapid.SampledFrom([]string{
	"", "https://kibana.example/app/security/alerts/1?x=1&y=2", "https://kibana.example:5601/a|b><!channel>", "javascript:alert(1)", "https://kibana.example/" + strings.Repeat("x", 5000),
	"https://user:pw@kibana.example/", "ftp://kibana.example/", "https://kibana.example/ a", "://", "https://kibana.example/\x00", "https:///x", "\xff", "https://kibana.example/'\"`{}^",
	"https://kib|ana.example/", "https://kibana.example/" + strings.Repeat("&", 400),
})

var anyTime = rapid.SampledFrom([]time.Time{
	{}, time.Unix(0, 0), time.Unix(-1<<40, 0), time.Unix(1<<40, 0), time.Date(2026, 3, 25, 8, 0, 0, 0, time.UTC), time.Date(2026, 3, 27, 8, 0, 0, 5, time.UTC),
})

var anySeverity = rapid.SampledFrom([]alert.Severity{-1, 0, 1, 2, 3, 4, 9})

var anyFacts = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) alert.Fact {
	return alert.Fact{Name: anyText.Draw(t, "name"), Value: anyText.Draw(t, "value")}
}), 0, 4)

var anyItem = rapid.Custom(func(t *rapid.T) notice.Item {
	return notice.Item{
		Alert: alert.ID(anyText.Draw(t, "id")), Rule: anyText.Draw(t, "rule"), RuleURL: anyURL.Draw(t, "rule url"), Severity: anySeverity.Draw(t, "severity"),
		Risk: rapid.OneOf(rapid.Float64(), rapid.SampledFrom([]float64{0, 73, 21.55})).Draw(t, "risk"), Reason: anyText.Draw(t, "reason"),
		Host: anyText.Draw(t, "host"), User: anyText.Draw(t, "user"), Time: anyTime.Draw(t, "time"), Count: rapid.Int().Draw(t, "count"),
		Attack: rapid.SliceOfN(rapid.Custom(func(t *rapid.T) alert.Threat {
			return alert.Threat{
				TacticID: anyText.Draw(t, "tactic"), TacticName: anyText.Draw(t, "tactic name"),
				TechniqueID: rapid.OneOf(anyText, rapid.SampledFrom([]string{"T1110", "T1110.001"})).Draw(t, "technique"), TechniqueName: anyText.Draw(t, "technique name"),
			}
		}), 0, 3).Draw(t, "attack"),
		Facts: anyFacts.Draw(t, "facts"), Status: alert.Status(rapid.SampledFrom([]string{"", "open", "acknowledged", "closed", "<!channel>"}).Draw(t, "status")),
		URL: anyURL.Draw(t, "url"), Late: rapid.Bool().Draw(t, "late"),
		First: anyTime.Draw(t, "first"), Last: anyTime.Draw(t, "last"), Owner: anyText.Draw(t, "owner"), Runbook: anyURL.Draw(t, "runbook"),
		State: notice.State(rapid.SampledFrom([]string{"", "", "resolved", "withdrawn", "merged", "<!here>"}).Draw(t, "state")), StateAt: anyTime.Draw(t, "state at"),
		By: anyText.Draw(t, "by"), ByAt: anyTime.Draw(t, "by at"), Table: rapid.OneOf(rapid.Just[*notice.Table](nil), anyTable).Draw(t, "table"), Chart: rapid.OneOf(rapid.Just[*notice.Chart](nil), anyChart).Draw(t, "chart"),
	}
})

var anyTable = rapid.Custom(func(t *rapid.T) *notice.Table {
	return &notice.Table{
		Columns: rapid.SliceOfN(anyText, 0, 10).Draw(t, "columns"), Total: rapid.Int().Draw(t, "total"),
		Rows: rapid.SliceOfN(rapid.SliceOfN(anyText, 0, 10), 0, 20).Draw(t, "rows"),
	}
})

var anyChart = rapid.Custom(func(t *rapid.T) *notice.Chart {
	c := &notice.Chart{Title: anyText.Draw(t, "title"), Below: rapid.Bool().Draw(t, "below")}
	c.Points = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) notice.Point {
		return notice.Point{At: anyTime.Draw(t, "at"), Value: rapid.Float64().Draw(t, "value")}
	}), 0, 50).Draw(t, "points")
	if rapid.Bool().Draw(t, "bound") {
		f := rapid.Float64().Draw(t, "threshold")
		c.Threshold = &f
	}
	if rapid.Bool().Draw(t, "fired") {
		c.Fired = &notice.Point{At: anyTime.Draw(t, "fired at"), Value: rapid.Float64().Draw(t, "fired value")}
	}
	return c
})

var anyTop = rapid.Custom(func(t *rapid.T) notice.Top {
	return notice.Top{
		Field: anyText.Draw(t, "field"), Distinct: rapid.Int().Draw(t, "distinct"), Over: rapid.Int().Draw(t, "over"),
		Values: rapid.SliceOfN(rapid.Custom(func(t *rapid.T) notice.Share {
			return notice.Share{Value: anyText.Draw(t, "value"), Count: rapid.Int().Draw(t, "count")}
		}), 0, 20).Draw(t, "values"),
	}
})

var anyCount = rapid.OneOf(rapid.IntRange(0, 1000), rapid.Int())

var anySummary = rapid.Custom(func(t *rapid.T) *notice.Summary {
	texts := rapid.SliceOfN(anyText, 0, 20)
	s := &notice.Summary{
		Period: notice.Period(rapid.SampledFrom([]string{"daily", "weekly", "<!channel>", ""}).Draw(t, "period")), From: anyTime.Draw(t, "from"), To: anyTime.Draw(t, "to"),
		Seen: anyCount.Draw(t, "seen"), Before: anyCount.Draw(t, "before"), False: anyCount.Draw(t, "false"), Judged: anyCount.Draw(t, "judged"),
		Tops: rapid.SliceOfN(anyTop, 0, 5).Draw(t, "tops"), Never: texts.Draw(t, "never"), Waited: anyCount.Draw(t, "waited"), URL: anyURL.Draw(t, "url"),
	}
	for _, name := range texts.Draw(t, "rules") {
		s.Rules = append(s.Rules, notice.RuleOf{Rule: name, URL: anyURL.Draw(t, "url"), Severity: anySeverity.Draw(t, "severity"), Count: anyCount.Draw(t, "count"), Said: anyCount.Draw(t, "said"), False: anyCount.Draw(t, "false")})
		s.Held = append(s.Held, notice.Held{Fate: alert.Fate(rapid.SampledFrom([]string{"silenced", "<!here>"}).Draw(t, "fate")), Reason: name, Count: anyCount.Draw(t, "held")})
		s.Silent = append(s.Silent, notice.Silent{Source: name, Since: anyTime.Draw(t, "silent")})
		s.Tune = append(s.Tune, notice.Tune{Rule: name, URL: anyURL.Draw(t, "url"), Reason: anyText.Draw(t, "why"), Try: anyText.Draw(t, "try")})
	}
	for _, f := range alert.Fates {
		s.Fates = append(s.Fates, notice.FateOf{Fate: f, Count: anyCount.Draw(t, "count")})
	}
	return s
})

var anyEscalation = rapid.Custom(func(t *rapid.T) *notice.Escalation {
	return &notice.Escalation{
		Mentions: rapid.SliceOfN(rapid.OneOf(anyText, rapid.SampledFrom([]string{"@here", "U0123456", "<!subteam^S0123456|x>", "ops", "<@U0123456>", "channel"})), 0, 12).Draw(t, "mentions"),
		Step:     rapid.Int().Draw(t, "step"), After: time.Duration(rapid.Int64().Draw(t, "after")), From: anyText.Draw(t, "from"), Link: anyURL.Draw(t, "link"),
		Answer: notice.Answer(rapid.SampledFrom([]string{"", "", "acknowledged", "closed", "over", "<!here>"}).Draw(t, "answer")), By: anyText.Draw(t, "answered by"), At: anyTime.Draw(t, "answered at"),
	}
})

// anyBody is what a template can make: our own text with its marks, and any values between.
var anyBody = rapid.Map(rapid.SliceOfN(rapid.Custom(func(t *rapid.T) string {
	if rapid.Bool().Draw(t, "own") {
		return rapid.SampledFrom([]string{"*bold* ", "`", "```\n", "\n", "see https://kibana.example/x now", " a < b & c > d ", "<!channel>", "@here ", "https://kibana.example/?q=", "• "}).Draw(t, "text")
	}
	return "\x01" + strings.NewReplacer("\x01", "", "\x02", "").Replace(anyText.Draw(t, "value")) + "\x02"
}), 0, 12), func(s []string) string { return strings.Join(s, "") })

func rungBy(n notice.Notice) []string {
	if n.Escalation == nil || n.Escalation.Answer != notice.Unanswered { // then it asks for nobody
		return nil
	}
	var out []string
	for _, who := range n.Escalation.Mentions {
		out = append(out, mention(who))
	}
	return out
}

var anyNotice = rapid.Custom(func(t *rapid.T) notice.Notice {
	n := notice.Notice{
		Key: notice.Key(anyText.Draw(t, "key")), Revision: rapid.IntRange(0, 9).Draw(t, "revision"),
		Kind: notice.Kind(rapid.SampledFrom([]string{"alert", "digest", ""}).Draw(t, "kind")), Severity: anySeverity.Draw(t, "severity"),
		Items: rapid.SliceOfN(anyItem, 0, 25).Draw(t, "items"), GroupBy: anyFacts.Draw(t, "group by"),
		Since: anyTime.Draw(t, "since"), Until: anyTime.Draw(t, "until"), Note: anyText.Draw(t, "note"), Prefix: anyText.Draw(t, "prefix"),
		Repeat: rapid.Bool().Draw(t, "repeat"), Plain: rapid.Bool().Draw(t, "plain"),
		Tallies: rapid.SliceOfN(rapid.Custom(func(t *rapid.T) notice.Tally {
			return notice.Tally{Rule: anyText.Draw(t, "rule"), Severity: anySeverity.Draw(t, "severity"), Count: rapid.Int().Draw(t, "count")}
		}), 0, 16).Draw(t, "tallies"),
	}
	n.Count = rapid.OneOf(rapid.IntRange(0, 40), rapid.Int()).Draw(t, "count")
	switch rapid.IntRange(0, 6).Draw(t, "more") {
	case 0:
		n.Tops = rapid.SliceOfN(anyTop, 1, 4).Draw(t, "tops")
	case 1:
		n.Kind, n.Summary = notice.KindSummary, anySummary.Draw(t, "summary")
	case 2:
		n.Kind = notice.KindHealth
		n.Health = &notice.Health{Part: anyText.Draw(t, "part"), Text: anyText.Draw(t, "text"), Hint: anyText.Draw(t, "hint"), Since: anyTime.Draw(t, "since"), Ended: anyTime.Draw(t, "ended")}
	case 3:
		n.Escalation = anyEscalation.Draw(t, "escalation")
	case 4:
		n.Body = anyBody.Draw(t, "body")
	case 5:
		n.BodyError = anyText.Draw(t, "body error")
		n.Standing = notice.Standing{Open: anyCount.Draw(t, "open"), Acknowledged: anyCount.Draw(t, "acknowledged"), Closed: anyCount.Draw(t, "closed"), Resolved: anyCount.Draw(t, "resolved")}
	}
	return n
})

// Whatever a notice holds, its message is one that Slack takes and that nobody has smuggled anything into.
func TestAnyNoticeMakesAMessage(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := anyNotice.Draw(t, "notice")
		judge(t, render(n, anyText.Draw(t, "prefix")), rungBy(n)...)
	})
}

func TestTheWorstNoticeFits(t *testing.T) {
	for _, s := range []string{hostile[3], hostile[11], strings.Repeat("&", 3000), strings.Repeat("💥", 3000), strings.Repeat("<!channel>", 5000)} {
		it := notice.Item{
			Rule: s, RuleURL: "https://kibana.example/" + strings.Repeat("&", 250), URL: "https://kibana.example/" + strings.Repeat("&", 80) + strings.Repeat("x", 200),
			Severity: alert.SeverityHigh, Risk: 99.9, Reason: s, Host: s, User: s, Time: time.Date(2026, 3, 25, 8, 0, 0, 0, time.UTC), Count: 1 << 40,
			Status: alert.StatusAcknowledged, Late: true,
		}
		for i := range 12 {
			it.Facts = append(it.Facts, alert.Fact{Name: s + string(rune('a'+i)), Value: s})
			it.Attack = append(it.Attack, alert.Threat{TechniqueID: s + string(rune('a'+i)), TechniqueName: s})
		}
		n := notice.Notice{Kind: notice.KindAlert, Severity: alert.SeverityCritical, Note: s, Prefix: s, Repeat: true, GroupBy: it.Facts, Count: 1}
		for i := range 20 {
			n.Items = append(n.Items, it)
			n.Tallies = append(n.Tallies, notice.Tally{Rule: string(rune('a'+i)) + s, Severity: it.Severity, Count: 1 << 40})
			n.Items[i].Host = string(rune('a'+i)) + s
			n.Items[i].User = string(rune('a'+i)) + s
			n.Items[i].Rule = string(rune('a'+i)) + s
			n.Items[i].Severity = alert.Severity(i % 5)
		}
		for _, kind := range []notice.Kind{notice.KindAlert, notice.KindDigest} {
			for _, count := range []int{1, 20, 1 << 40} {
				for _, items := range [][]notice.Item{n.Items, n.Items[:1], nil} {
					for _, plain := range []bool{false, true} {
						m := n
						m.Kind, m.Count, m.Items, m.Plain = kind, count, items, plain
						judge(t, render(m, ""))
					}
				}
			}
		}
	}
}

func FuzzRender(f *testing.F) {
	for _, s := range hostile {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		it := notice.Item{Rule: s, Reason: s, Host: s, User: s, Facts: []alert.Fact{{Name: s, Value: s}}, Attack: []alert.Threat{{TechniqueID: s, TechniqueName: s}}}
		for _, n := range []notice.Notice{
			{Kind: notice.KindAlert, Items: []notice.Item{it}, Count: 1, Note: s, Prefix: s},
			{Kind: notice.KindAlert, Items: []notice.Item{it, it}, Count: 30, Note: s, GroupBy: it.Facts},
			{Kind: notice.KindDigest, Items: []notice.Item{it}, Count: 30, Tallies: []notice.Tally{{Rule: s, Count: 2}, {Rule: s + "x", Count: 3}}},
		} {
			judge(t, render(n, ""))
			n.Plain = true
			judge(t, render(n, ""))
		}
	})
}

// samples are notices as they come.
func samples() []notice.Notice {
	at := time.Date(2026, 3, 25, 8, 0, 0, 0, time.UTC)
	it := notice.Item{
		Alert: "a1", Rule: "SSH brute force", RuleURL: "https://kibana.example/app/security/rules/id/7", Severity: alert.SeverityHigh, Risk: 73,
		Reason: "authentication event with source 203.0.113.7 by root on web-01 created high alert SSH brute force.", Host: "web-01", User: "root", Time: at,
		Attack: []alert.Threat{{TacticID: "TA0006", TacticName: "Credential Access", TechniqueID: "T1110", TechniqueName: "Brute Force"}},
		Facts:  []alert.Fact{{Name: "source.ip", Value: "203.0.113.7"}}, Status: alert.StatusOpen, URL: "https://kibana.example/app/security/alerts/redirect/a1?index=x&timestamp=y",
	}
	other := it
	other.Alert, other.Host, other.User, other.Time = "a2", "db_1", "backup", at.Add(90*time.Second)
	odd := it
	odd.Rule, odd.Severity = "Odd process", alert.SeverityLow
	return []notice.Notice{
		{Key: "k1", Revision: 1, Channel: "#alerts", Kind: notice.KindAlert, Severity: alert.SeverityHigh, Items: []notice.Item{it}, Count: 1, Since: at, Until: at},
		{Key: "k2", Revision: 1, Channel: "#alerts", Kind: notice.KindAlert, Severity: alert.SeverityHigh, Items: []notice.Item{it, other}, Count: 2, Since: at, Until: other.Time, GroupBy: []alert.Fact{{Name: "rule.name", Value: it.Rule}}},
		{Key: "k3", Revision: 2, Channel: "#alerts", Kind: notice.KindDigest, Severity: alert.SeverityHigh, Items: []notice.Item{it, odd}, Count: 57, Since: at, Until: other.Time, Note: "held back by the limit of 6/m", Tallies: []notice.Tally{{Rule: it.Rule, Severity: it.Severity, Count: 50}, {Rule: odd.Rule, Severity: odd.Severity, Count: 7}}},
	}
}

func TestTheWorstOfEveryKindFits(t *testing.T) {
	at := time.Date(2026, 3, 25, 8, 0, 0, 0, time.UTC)
	for _, s := range []string{hostile[3], strings.Repeat("&", 3000), strings.Repeat("💥", 3000), strings.Repeat("`<!channel>", 2000), strings.Repeat("é界", 2000)} {
		var (
			values  []notice.Share
			columns []string
			rows    [][]string
			points  []notice.Point
			items   []notice.Item
			sum     = &notice.Summary{Period: notice.Weekly, From: at, To: at.Add(time.Hour), Seen: 1 << 40, Before: 1, False: 3, Judged: 1 << 40, Waited: 9, URL: "https://kibana.example/" + strings.Repeat("&", 200)}
		)
		for i := range 30 {
			letter := string(rune('a' + i))
			values = append(values, notice.Share{Value: letter + s, Count: 1<<40 - i})
			columns = append(columns, letter+s)
			points = append(points, notice.Point{At: at.Add(time.Duration(i) * time.Minute), Value: float64(i) * 1e300})
			items = append(items, notice.Item{Rule: letter + s, Host: letter + s, User: letter + s, Reason: s, Time: at, URL: "https://kibana.example/" + strings.Repeat("&", 80)})
			sum.Rules = append(sum.Rules, notice.RuleOf{Rule: letter + s, Count: 1 << 40, Said: 1 << 40, False: 1 << 40, Severity: alert.SeverityCritical})
			sum.Held = append(sum.Held, notice.Held{Fate: alert.Silenced, Reason: s, Count: 1 << 40})
			sum.Silent = append(sum.Silent, notice.Silent{Source: letter + s, Since: at})
			sum.Never = append(sum.Never, letter+s)
			sum.Tune = append(sum.Tune, notice.Tune{Rule: s, URL: "https://kibana.example/" + strings.Repeat("&", 80), Reason: s, Try: s})
		}
		for range 30 {
			rows = append(rows, columns)
		}
		for _, f := range alert.Fates {
			sum.Fates = append(sum.Fates, notice.FateOf{Fate: f, Count: 1 << 40})
		}
		for range 4 {
			sum.Tops = append(sum.Tops, notice.Top{Field: s, Values: values, Distinct: 1 << 40})
		}
		facts := []alert.Fact{{Name: s, Value: s}, {Name: s, Value: s}, {Name: s, Value: s}, {Name: s, Value: s}, {Name: s, Value: s}, {Name: s, Value: s}, {Name: s, Value: s}, {Name: s, Value: s}}
		limit := 1e308
		one := notice.Item{
			Rule: s, Host: s, User: s, Reason: s, Facts: facts, Owner: s, By: s, ByAt: at.AddDate(0, 0, 3), Status: alert.StatusAcknowledged, State: notice.StateResolved, StateAt: at, First: at, Last: at.Add(time.Hour), Count: 1 << 40,
			Table: &notice.Table{Columns: columns, Rows: rows, Total: 1 << 40}, Chart: &notice.Chart{Title: s, Points: points, Threshold: &limit},
			Runbook: "https://kibana.example/" + strings.Repeat("&", 200), URL: "https://kibana.example/" + strings.Repeat("&", 200), RuleURL: "https://kibana.example/" + strings.Repeat("&", 199),
		}
		escalated := &notice.Escalation{Mentions: columns, Step: 1 << 40, After: 1 << 60, From: s, Link: "https://kibana.example/" + strings.Repeat("&", 80)}
		long := strings.Repeat("*a* ", 200) + "\n" + strings.Repeat("\x01"+strings.NewReplacer("\x01", "").Replace(s[:min(len(s), 300)])+"\x02 b\n", 50)
		for _, n := range []notice.Notice{
			{Kind: notice.KindSummary, Summary: sum, Items: items[:20], Count: 1 << 40, Note: s, Prefix: s},
			{Kind: notice.KindAlert, Items: items[:20], Tops: sum.Tops, Count: 1 << 40, Note: s, Prefix: s, Escalation: escalated, Thread: items[:1], BodyError: s},
			{Kind: notice.KindAlert, Items: []notice.Item{one}, Count: 1, Note: s, Prefix: s, Escalation: escalated, BodyError: s, Repeat: true},
			{Kind: notice.KindAlert, Items: []notice.Item{one}, Count: 1, Body: long, Note: s},
			{Kind: notice.KindAlert, Items: items[:20], Count: 30, Body: long, Note: s},
			{Kind: notice.KindHealth, Health: &notice.Health{Part: s, Text: s, Hint: s, Since: at, Ended: at.Add(time.Hour)}, Note: s},
		} {
			judge(t, render(n, s), rungBy(n)...)
			n.Plain = true
			judge(t, render(n, s), rungBy(n)...)
		}
	}
}
