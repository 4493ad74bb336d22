package intake

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

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
		if err := c.sayEscalation(e, step); err != nil {
			return err
		}
	default:
	}
	return c.keepEscalation(e)
}

// sayEscalation says once more what a message says, to whom a step names.
func (c *commit) sayEscalation(e *policy.Escalating, step policy.Escalation) error {
	n, _, ok, err := outbox.Get(c.tx, e.Notice)
	if err != nil || !ok {
		return err
	}
	if err := c.fill(&n); err != nil {
		return err
	}
	n.Key, n.Revision, n.Channel, n.Repeat, n.Plain, n.Thread = policy.EscalationKey(e), 1, step.Channel, false, false, nil
	n.Kind = notice.KindAlert
	n.Escalation = &notice.Escalation{Mentions: step.Mentions, Step: e.Step, After: c.now.Sub(e.Since).Round(time.Second)}
	if step.Channel != e.Channel {
		n.Escalation.From = e.Channel
	}
	c.queued++
	return outbox.Put(c.tx, n, c.now)
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
