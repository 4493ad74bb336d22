package notify

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/alert"
	"tocsin/internal/notice"
)

// said is a notice as an e-mail or a webhook says it.
func said(n notice.Notice) string { return title(n) + "\n" + body(lines(n), bodyMost) }

func TestEveryKindOfNoticeSaysWhatItIs(t *testing.T) {
	at := time.Date(2026, 3, 25, 8, 0, 0, 0, time.UTC)
	item := notice.Item{
		Alert: "a1", Rule: "SSH brute force", Severity: alert.SeverityHigh, User: "bob", Host: "web-1", Time: at, Count: 12, Reason: "12 failed logins",
		Facts: []alert.Fact{{Name: "source.ip", Value: "10.0.0.1"}},
	}
	of := func(change func(*notice.Item), more func(*notice.Notice)) notice.Notice {
		it := item
		if change != nil {
			change(&it)
		}
		n := notice.Notice{Key: "k", Kind: notice.KindAlert, Severity: alert.SeverityHigh, Items: []notice.Item{it}, Count: 1}
		if more != nil {
			more(&n)
		}
		return n
	}
	limit := 10.0
	for name, c := range map[string]struct {
		n    notice.Notice
		want string
	}{
		"acknowledged": {
			of(func(it *notice.Item) { it.Status, it.By, it.ByAt = alert.StatusAcknowledged, "ann", at.Add(time.Hour) }, nil),
			"[HIGH] SSH brute force bob on web-1\n" +
				"• 2026-03-25T08:00:00Z SSH brute force bob on web-1 (12 events) (acknowledged by ann at 2026-03-25 09:00:00 UTC)\n  12 failed logins\n  source.ip: 10.0.0.1",
		},
		"closed": {
			of(func(it *notice.Item) { it.Status, it.By = alert.StatusClosed, "ann\n<b>\u202e" }, nil),
			"Closed: [HIGH] SSH brute force bob on web-1\n" +
				"• 2026-03-25T08:00:00Z SSH brute force bob on web-1 (12 events) (closed by ann <b>)\n  12 failed logins\n  source.ip: 10.0.0.1",
		},
		"resolved": {
			of(func(it *notice.Item) { it.State, it.StateAt = notice.StateResolved, at.Add(time.Minute) }, nil),
			"Resolved: [HIGH] SSH brute force bob on web-1\n" +
				"• 2026-03-25T08:00:00Z SSH brute force bob on web-1 (12 events) (resolved at 2026-03-25 08:01:00 UTC)\n  12 failed logins\n  source.ip: 10.0.0.1",
		},
		"a table and a chart": {
			of(func(it *notice.Item) {
				it.Facts = nil
				it.Table = &notice.Table{Columns: []string{"host.name", "count"}, Rows: [][]string{{"web-1", "3"}, {"web-2", "9"}}, Total: 4}
				it.Chart = &notice.Chart{Title: "count in 5 minutes", Points: []notice.Point{{At: at, Value: 3}, {At: at.Add(time.Minute), Value: 12}}, Fired: &notice.Point{At: at, Value: 12}, Threshold: &limit}
			}, nil),
			"[HIGH] SSH brute force bob on web-1\n" +
				"• 2026-03-25T08:00:00Z SSH brute force bob on web-1 (12 events)\n  12 failed logins\n  host.name | count\n  web-1 | 3\n  web-2 | 9\n  and 2 more\n" +
				"  count in 5 minutes: 12 at 2026-03-25 08:00:00 UTC, limit 10",
		},
		"a text of the route": {
			of(nil, func(n *notice.Notice) { n.Body = "Look at \x01web-1\x02 now\n\nand \x01<!channel>\x02" }),
			"[HIGH] SSH brute force bob on web-1\nLook at web-1 now\nand <!channel>\n• 2026-03-25T08:00:00Z SSH brute force bob on web-1 (12 events)",
		},
		"a text that failed": {
			of(func(it *notice.Item) { it.Facts = nil }, func(n *notice.Notice) { n.BodyError = "1:4: no field x" }),
			"[HIGH] SSH brute force bob on web-1\n• 2026-03-25T08:00:00Z SSH brute force bob on web-1 (12 events)\n  12 failed logins\n" +
				"The route's template failed at 1:4: no field x. This is the usual message.",
		},
		"an escalation": {
			of(func(it *notice.Item) { it.Facts = nil }, func(n *notice.Notice) {
				n.Escalation = &notice.Escalation{Mentions: []string{"@here"}, Step: 2, After: 30 * time.Minute, From: "#alerts"}
			}),
			"Nobody came: [HIGH] SSH brute force bob on web-1\nNobody has acknowledged this for 30m0s (asked 2 times), said first in #alerts\n" +
				"• 2026-03-25T08:00:00Z SSH brute force bob on web-1 (12 events)\n  12 failed logins",
		},
		"an escalation that was answered": {
			of(func(it *notice.Item) { it.Facts, it.Status, it.By = nil, alert.StatusAcknowledged, "ann" }, func(n *notice.Notice) {
				n.Escalation = &notice.Escalation{Step: 1, From: "#alerts", Answer: notice.AnswerAcknowledged, By: "ann", At: at}
			}),
			"[HIGH] SSH brute force bob on web-1\nAcknowledged by ann at 2026-03-25 08:00:00 UTC, said first in #alerts\n" +
				"• 2026-03-25T08:00:00Z SSH brute force bob on web-1 (12 events) (acknowledged by ann)\n  12 failed logins",
		},
		"trouble of ours": {
			notice.Notice{Kind: notice.KindHealth, Health: &notice.Health{Part: "source siem", Text: "It brings no events.", Hint: "Look at its agents.", Since: at}},
			"Tocsin: source siem\nIt brings no events.\nLook at its agents.\nsince 2026-03-25 08:00:00 UTC",
		},
		"a digest": {
			notice.Notice{Kind: notice.KindSummary, Count: 1, Items: []notice.Item{item}, Summary: &notice.Summary{
				Period: notice.Daily, From: at.Add(-24 * time.Hour), To: at, Seen: 52, Before: 40, Fates: []notice.FateOf{{Fate: alert.Sent, Count: 12}, {Fate: alert.Silenced, Count: 40}},
				Rules: []notice.RuleOf{{Rule: "SSH brute force", Severity: alert.SeverityHigh, Count: 52, False: 3}},
				Tops:  []notice.Top{{Field: "host.name", Values: []notice.Share{{Value: "web-1", Count: 50}}}},
				Held:  []notice.Held{{Fate: alert.Silenced, Reason: "silence of web-1 by ann", Count: 40}}, Judged: 4, False: 3,
				Silent: []notice.Silent{{Source: "siem", Since: at.Add(-time.Hour)}, {Source: "logs"}}, Never: []string{"Password spray"},
				Tune: []notice.Tune{{Rule: "SSH brute force", Reason: "3 of 4 closed as false positives", Try: "an exception"}}, Waited: 1,
			}},
			"Daily digest: 52 alerts\n2026-03-24 08:00:00 UTC to 2026-03-25 08:00:00 UTC, 40 before that\n12 sent, 40 silenced\nRules:\n  52 × SSH brute force (high), 3 false positives\n" +
				"host.name: web-1 (50)\nHeld back:\n  40 silenced: silence of web-1 by ann\nFalse positives: 3 of 4 closed\nTo tune:\n  SSH brute force: 3 of 4 closed as false positives (an exception)\n" +
				"Silent sources:\n  siem since 2026-03-25 07:00:00 UTC\n  logs\nRules that never fired:\n  Password spray\n1 waited for this digest through the quiet hours:\n" +
				"• 2026-03-25T08:00:00Z SSH brute force bob on web-1 (12 events)\n  12 failed logins\n  source.ip: 10.0.0.1",
		},
	} {
		if diff := cmp.Diff(c.want, said(c.n)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// What is over is resolved where alerts have a state of their own, however it came to an end.
func TestWhatIsOverIsResolvedElsewhereToo(t *testing.T) {
	for _, state := range []notice.State{notice.StateResolved, notice.StateWithdrawn, notice.StateMerged} {
		n := notice.Notice{Items: []notice.Item{{State: state}, {Status: alert.StatusClosed}}, Count: 2}
		if got := over(n); got != alert.StatusClosed {
			t.Errorf("%s: %s", state, got)
		}
		n.Items = append(n.Items, notice.Item{Status: alert.StatusAcknowledged})
		n.Count++
		if got := over(n); got != alert.StatusAcknowledged {
			t.Errorf("%s and acknowledged: %s", state, got)
		}
	}
}

func TestALongDigestIsCutWithACount(t *testing.T) {
	s := &notice.Summary{Period: notice.Weekly, Seen: 1 << 40}
	for range 500 {
		s.Never = append(s.Never, strings.Repeat("x", 300))
		s.Held = append(s.Held, notice.Held{Fate: alert.Silenced, Reason: strings.Repeat("y", 3000)})
	}
	text := said(notice.Notice{Kind: notice.KindSummary, Summary: s})
	if strings.Count(text, "and 492 more") != 2 || len(text) > bodyMost+titleMost {
		t.Errorf("%d characters: %s", len(text), text)
	}
}
