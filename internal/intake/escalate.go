package intake

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"tocsin/internal/alert"
	"tocsin/internal/ledger"
	"tocsin/internal/notice"
	"tocsin/internal/outbox"
	"tocsin/internal/policy"
	"tocsin/internal/store"
)

// escalate begins to wait for somebody to take up what a group just said.
func (c *commit) escalate(g *policy.Group, by notice.Key) error {
	e := c.policy.Escalate(c.now, g, by)
	if e == nil {
		return nil
	}
	return c.keepEscalation(e)
}

func (c *commit) keepEscalation(e *policy.Escalating) error {
	body, err := json.Marshal(e)
	if err != nil {
		return err
	}
	err = c.tx.Exec(`INSERT INTO escalations (notice, grp, due, body) VALUES (?, ?, ?, ?)
		ON CONFLICT (notice, grp) DO UPDATE SET due = excluded.due, body = excluded.body`, e.Notice, e.Group, store.Micros(e.Due), body)
	if err != nil {
		return fmt.Errorf("keep escalation: %w", err)
	}
	return nil
}

// escalations steps what nobody took up in time.
func (c *commit) escalations() error {
	latest := store.Micros(c.now)
	if c.stepped {
		latest = 1<<63 - 1
	}
	var due []*policy.Escalating
	err := c.tx.Query(func(r *sql.Rows) error {
		var body []byte
		if err := r.Scan(&body); err != nil {
			return err
		}
		e := &policy.Escalating{}
		due = append(due, e)
		return json.Unmarshal(body, e)
	}, `SELECT body FROM escalations WHERE due <= ? ORDER BY due, notice, grp`, latest)
	if err != nil {
		return fmt.Errorf("read escalations: %w", err)
	}
	for _, e := range due {
		if err := c.stepEscalation(e); err != nil {
			return fmt.Errorf("escalate in %s: %w", e.Channel, err)
		}
	}
	return nil
}

func (c *commit) stepEscalation(e *policy.Escalating) error {
	answered, err := ledger.Answered(c.tx, e.Notice, e.Group)
	if err != nil {
		return err
	}
	channel, rate := c.policy.Target(e)
	traffic, err := c.traffic(channel, rate)
	if err != nil {
		return err
	}
	act, step := c.policy.StepEscalation(c.now, e, answered, traffic)
	switch act {
	case policy.ActEnd:
		if err := c.tx.Exec(`DELETE FROM escalations WHERE notice = ? AND grp = ?`, e.Notice, e.Group); err != nil {
			return fmt.Errorf("end escalation: %w", err)
		}
		return nil
	case policy.ActPost:
		if err := c.sayEscalation(e, step, rate); err != nil {
			return err
		}
	default:
	}
	return c.keepEscalation(e)
}

// sayEscalation says once more what a message says, to whom a step names, in a channel with a rate.
func (c *commit) sayEscalation(e *policy.Escalating, step policy.Escalation, rate policy.Rate) error {
	n, _, ok, err := outbox.Get(c.tx, e.Notice)
	if err != nil || !ok {
		return err
	}
	if err := c.fill(&n); err != nil {
		return err
	}
	n.Rate = limit(rate)
	n.Key, n.Revision, n.Channel, n.Repeat, n.Plain, n.Thread = policy.EscalationKey(e), 1, step.Channel, false, false, nil
	n.Kind = notice.KindAlert
	n.Escalation = &notice.Escalation{Mentions: step.Mentions, Step: e.Step, After: c.now.Sub(e.Since).Round(time.Second)}
	if step.Channel != e.Channel {
		n.Escalation.From = e.Channel
	}
	c.queued++
	err = c.tx.Exec(`INSERT INTO escalated (notice, grp, key) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`, e.Notice, e.Group, n.Key)
	if err != nil {
		return fmt.Errorf("keep what escalated: %w", err)
	}
	return outbox.Put(c.tx, n, c.now)
}

// answer revises what asked for somebody about a message of which alerts changed: it says what became of them, and
// once somebody took them up, or they ended, it asks for nobody any more.
func (c *commit) answer(key notice.Key) error {
	type asked struct {
		group string
		key   notice.Key
	}
	var all []asked
	err := c.tx.Query(func(r *sql.Rows) error {
		all = append(all, asked{})
		return r.Scan(&all[len(all)-1].group, &all[len(all)-1].key)
	}, `SELECT grp, key FROM escalated WHERE notice = ? ORDER BY grp, key`, key)
	if err != nil {
		return fmt.Errorf("read what escalated: %w", err)
	}
	for _, a := range all {
		n, tried, ok, err := outbox.Get(c.tx, a.key)
		if err != nil {
			return err
		}
		if !ok || n.Escalation == nil || tried && !c.edits(n.Channel) {
			continue
		}
		answered, err := ledger.Answered(c.tx, key, a.group)
		if err != nil {
			return err
		}
		before, stood, asks := n.Items, n.Standing, *n.Escalation
		n.Key = key
		err = c.fill(&n)
		n.Key = a.key
		if err != nil {
			return err
		}
		now := asks
		now.Answer, now.By, now.At = notice.Unanswered, "", time.Time{}
		if answered {
			now.Mentions = nil
			now.Answer, now.By, now.At = answerOf(n.Items)
		}
		if same(before, n.Items) && stood == n.Standing && asks.Answer == now.Answer && asks.By == now.By && asks.At.Equal(now.At) {
			continue
		}
		n.Escalation = &now
		n.Revision++
		c.queued++
		if err := outbox.Revise(c.tx, n, !tried); err != nil {
			return err
		}
	}
	return nil
}

// answerOf is what the first to do something about alerts did.
func answerOf(items []notice.Item) (what notice.Answer, by string, at time.Time) {
	what = notice.AnswerOver
	for i := range items {
		it := &items[i]
		did := map[alert.Status]notice.Answer{alert.StatusAcknowledged: notice.AnswerAcknowledged, alert.StatusClosed: notice.AnswerClosed}[it.Status]
		if did == notice.Unanswered || what != notice.AnswerOver && !it.ByAt.Before(at) {
			continue
		}
		what, by, at = did, it.By, it.ByAt
	}
	return what, by, at
}

// nextEscalation is when the first is due; zero for never.
func (c *commit) nextEscalation() (next time.Time, err error) {
	var due sql.NullInt64
	if err := c.tx.Row(`SELECT MIN(due) FROM escalations`, nil, &due); err != nil {
		return next, fmt.Errorf("read escalations: %w", err)
	}
	if due.Valid {
		next = store.Time(due.Int64)
	}
	return next, nil
}
