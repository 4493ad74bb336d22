package intake

import (
	"context"
	"fmt"
	"strings"
	"time"

	"tocsin/internal/alert"
	"tocsin/internal/ledger"
	"tocsin/internal/notice"
	"tocsin/internal/outbox"
	"tocsin/internal/policy"
	"tocsin/internal/store"
)

// Commit takes in one batch and flushes what is due, all in one transaction, and tells when something
// is due next (zero: nothing is open). A crash before it returns changes nothing; after it nothing is lost.
func (i *Intake) Commit(ctx context.Context, b alert.Batch) (next time.Time, err error) {
	contents := make([]ledger.Content, 0, len(b.Alerts))
	for n := range b.Alerts {
		c, err := ledger.Prepare(&b.Alerts[n])
		if err != nil {
			return time.Time{}, fmt.Errorf("take in batch of %s: %w", b.Source, err)
		}
		contents = append(contents, c)
	}
	return i.commit(ctx, b, contents, nil)
}

// commit takes in a batch, made ready, and whatever else is to happen in its transaction.
func (i *Intake) commit(ctx context.Context, b alert.Batch, contents []ledger.Content, also func(*commit) error) (next time.Time, err error) {
	i.once.Lock()
	defer i.once.Unlock()
	began := time.Now()
	var c *commit
	err = i.db.Update(ctx, func(tx *store.Tx) error {
		now := time.Now().Round(0) // by the wall alone, as everything stored is
		c = &commit{Intake: i, tx: tx, now: now, stepped: now.Before(i.last) || i.last.IsZero(), open: newOpen(tx), revised: map[notice.Key]bool{}}
		var err error
		if c.policy, c.set, c.changes, err = i.tuned.with(tx, i.policy, now); err != nil {
			return err
		}
		for _, content := range contents {
			if err := c.inhibit(content); err != nil {
				return err
			}
		}
		for _, content := range contents {
			if err := c.take(content); err != nil {
				return err
			}
		}
		if also != nil {
			if err := also(c); err != nil {
				return err
			}
		}
		if err := c.turn(); err != nil {
			return err
		}
		if err := c.flush(); err != nil {
			return err
		}
		if err := c.repay(); err != nil {
			return err
		}
		if err := c.escalations(); err != nil {
			return err
		}
		if err := c.reports(); err != nil {
			return err
		}
		if err := c.keep(b); err != nil {
			return err
		}
		if b.State != nil {
			if err := ledger.SetSourceState(tx, b.Source, b.State, c.now); err != nil {
				return err
			}
		}
		next, err = c.soonest()
		return err
	})
	if err != nil {
		if also != nil {
			return time.Time{}, err
		}
		if b.Source == "" {
			return time.Time{}, fmt.Errorf("flush groups: %w", err)
		}
		return time.Time{}, fmt.Errorf("take in batch of %s: %w", b.Source, err)
	}
	i.last = c.now
	if c.wrote(b) {
		i.state(nil)
	}
	i.metrics.observe(b, c, time.Since(began))
	if c.queued > 0 {
		i.wake()
	}
	if !next.Equal(i.next) {
		i.next = next
		select {
		case i.timer <- struct{}{}:
		default:
		}
	}
	return next, nil
}

// wrote reports whether the transaction had anything to write: one that had not proves nothing about the
// disk.
func (c *commit) wrote(b alert.Batch) bool {
	return c.fresh+c.updated+c.queued+len(c.open.groups)+len(c.open.digests) > 0 || b.State != nil
}

// soonest keeps what is open, and tells when something is due next.
func (c *commit) soonest() (time.Time, error) {
	next, err := c.open.save()
	if err != nil {
		return next, err
	}
	for _, of := range []func() (time.Time, error){c.nextTurn, c.nextEscalation, c.nextOwed} {
		at, err := of()
		if err != nil {
			return next, err
		}
		next = sooner(next, at)
	}
	return sooner(next, c.due), nil
}

// commit is one transaction under way.
type commit struct {
	*Intake
	tx      *store.Tx
	now     time.Time
	policy  *policy.Policy // with what people set
	set     *policy.Set
	changes int64     // of what people set
	due     time.Time // when a report is due next; zero for never
	turned  bool      // something began or ended that silences or hides alerts
	open    *open
	revised map[notice.Key]bool // notices that name an alert whose content changed
	fresh   int
	updated int
	queued  int  // notices put or revised
	stepped bool // the clock may have stepped back since the last commit
}

// take records one alert, with what is decided about it.
func (c *commit) take(a ledger.Content) error {
	change, stands, err := ledger.Look(c.tx, a)
	if err != nil || change == ledger.Same {
		return err
	}
	verdict, err := c.judge(a.Alert)
	if err != nil {
		return err
	}
	if change == ledger.Fresh {
		c.fresh++
		return c.add(a, verdict)
	}
	c.updated++
	if err := ledger.Update(c.tx, a, stands.Seq); err != nil {
		return err
	}
	if a.Status == alert.StatusClosed || !a.Ended.IsZero() || stands.Ongoing && !a.Ongoing {
		if err := c.uninhibit(a.ID); err != nil {
			return err
		}
	}
	if a.MergedInto != "" {
		return c.merge(a, stands)
	}
	return c.redecide(a, stands, verdict)
}

func (c *commit) add(a ledger.Content, v policy.Verdict) error {
	stands := decided(v)
	if v.AtOnce() {
		n := c.alone(policy.SoloKey(a.ID), v, a.Alert)
		stands.Notice, stands.Revision, stands.Reason = n.Key, n.Revision, "sent to "+v.Channel+" on its own"
		stands.Cause = alert.NewCause(alert.CauseSent, "route", v.Path, "channel", v.Channel)
		if err := outbox.Put(c.tx, n, c.now); err != nil {
			return err
		}
		c.queued++
	}
	seq, err := ledger.Add(c.tx, a, stands, c.now)
	if err != nil || stands.Decision != ledger.Forward {
		return err
	}
	if err := c.copies(seq, a.Alert, v.Also); err != nil || stands.Notice != "" {
		return err
	}
	return c.open.enter(c.policy, c.now, v, a.Severity)
}

// alone is the notice of one alert as its route words it.
func (c *commit) alone(key notice.Key, v policy.Verdict, a *alert.Alert) notice.Notice {
	n := notice.Alone(key, v.Channel, a)
	n.Prefix, n.Rate = c.prefix, limit(v.Rate())
	if n.Template = c.policy.Template(v.Path); n.Template != "" {
		n.Fill([]alert.Alert{*a})
	}
	return n
}

// decided is how an alert stands after a verdict, before a notice names it.
func decided(v policy.Verdict) ledger.Standing {
	return ledger.Standing{Decision: decision(v), Reason: v.Reason, Cause: v.Cause, Channel: v.Channel, Group: v.Group}
}

// redecide follows a change of an alert's content: one that waits may now be kept back or belong to
// another group, one that was kept back may now be forwarded, and a message that names it is revised.
func (c *commit) redecide(a ledger.Content, stands ledger.Standing, v policy.Verdict) error {
	if stands.Notice != "" {
		c.revised[stands.Notice] = true
		if err := c.recopy(stands.Seq, a.Alert, v.Also, false); err != nil {
			return err
		}
		return c.again(a, stands, v)
	}
	return c.decide(a.Alert, stands, v)
}

// decide gives an alert that no notice names a new verdict.
func (c *commit) decide(a *alert.Alert, stands ledger.Standing, v policy.Verdict) error {
	now := decided(v)
	if err := c.recopy(stands.Seq, a, v.Also, now.Decision == ledger.Forward); err != nil {
		return err
	}
	if stands.Waiting() && now.Decision == ledger.Forward && now.Group == stands.Group {
		return nil
	}
	if stands.Waiting() {
		if err := c.open.leave(stands.Group); err != nil {
			return err
		}
	}
	if err := ledger.Decide(c.tx, stands.Seq, now); err != nil {
		return err
	}
	if now.Decision != ledger.Forward {
		return nil
	}
	return c.open.enter(c.policy, c.now, v, a.Severity)
}

func decision(v policy.Verdict) ledger.Decision {
	switch v.Kept {
	case policy.Excluded:
		return ledger.Exclude
	case policy.Silenced:
		return ledger.Silence
	case policy.Suppressed:
		return ledger.Suppress
	case policy.Shadow:
		return ledger.Shadow
	default:
		return ledger.Forward
	}
}

// flush steps every group and digest that is due, the worst first, then revises the messages whose
// alerts changed.
func (c *commit) flush() error {
	for key := range c.revised {
		if err := c.answer(key); err != nil {
			return err
		}
	}
	groups, err := c.open.dueGroups(c.now, c.stepped)
	if err != nil {
		return err
	}
	for _, g := range groups {
		if err := c.step(g); err != nil {
			return fmt.Errorf("flush group of %s: %w", g.Channel, err)
		}
	}
	digests, err := c.open.dueDigests(c.now)
	if err != nil {
		return err
	}
	for _, d := range digests {
		if err := c.stepDigest(d); err != nil {
			return fmt.Errorf("flush digest of %s: %w", d.Channel, err)
		}
	}
	for key := range c.revised {
		if err := c.refresh(key); err != nil {
			return err
		}
	}
	return nil
}

func (c *commit) step(g *policy.Group) error {
	traffic, err := c.traffic(g.Channel, g.Rate)
	if err != nil {
		return err
	}
	stillOpen := 0
	if g.Repeat > 0 {
		if stillOpen, err = ledger.OpenCount(c.tx, g.Key); err != nil {
			return err
		}
	}
	switch c.policy.Step(c.now, g, traffic, stillOpen) {
	case policy.ActPost:
		err = c.post(g)
	case policy.ActEdit:
		err = c.edit(g)
	case policy.ActDigest:
		err = c.hold(g)
	case policy.ActRepeat:
		err = c.repeat(g)
		g.Live = "" // it names alerts of other messages: what comes next is a message of its own
	case policy.ActEnd:
		c.open.end(g.Key)
	case policy.ActWait:
	}
	if g.Solo && g.Waiting == 0 && g.Repeat == 0 {
		c.open.end(g.Key)
	}
	return err
}

func (c *commit) traffic(channel string, rate policy.Rate) (policy.Traffic, error) {
	if rate.Count == 0 {
		return policy.Traffic{}, nil
	}
	said, unsaid, err := outbox.Traffic(c.tx, channel, c.now.Add(-rate.Per-time.Second))
	return policy.Traffic{Said: said, Unsaid: unsaid}, err
}

func (c *commit) post(g *policy.Group) error {
	key := g.Live
	why := ledger.Why{Reason: "sent to " + g.Channel + " by " + g.Path, Cause: alert.NewCause(alert.CauseSent, "route", g.Path, "channel", g.Channel)}
	if _, err := ledger.Assign(c.tx, g.Key, key, 1, true, why); err != nil {
		return err
	}
	n := notice.Notice{Key: key, Revision: 1, Channel: g.Channel, Kind: notice.KindAlert, GroupBy: g.By, Prefix: c.prefix, Template: c.policy.Template(g.Path), Rate: limit(g.Rate)}
	if err := c.fill(&n); err != nil {
		return err
	}
	c.queued++
	if err := outbox.Put(c.tx, n, c.now); err != nil {
		return err
	}
	return c.escalate(g, key)
}

func (c *commit) edit(g *policy.Group) error {
	return c.extend(g.Live, func(n *notice.Notice) error {
		_, err := ledger.Assign(c.tx, g.Key, n.Key, n.Revision, false, ledger.Why{
			Reason: "added to the message of its group in " + g.Channel + " by " + g.Path,
			Cause:  alert.NewCause(alert.CauseAdded, "route", g.Path, "channel", g.Channel),
		})
		return err
	})
}

// extend revises a notice so that it takes in more alerts.
func (c *commit) extend(key notice.Key, assign func(*notice.Notice) error) error {
	n, _, ok, err := outbox.Get(c.tx, key)
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("the live notice %s is not in the outbox", key)
	}
	n.Revision++
	if err := assign(&n); err != nil {
		return err
	}
	if err := c.fill(&n); err != nil {
		return err
	}
	if len(n.Tops) > 0 && n.Kind == notice.KindAlert { // a storm names in its thread what it only counts
		if err := c.detail(&n); err != nil {
			return err
		}
	}
	delete(c.revised, key)
	c.queued++
	return outbox.Revise(c.tx, n, true)
}

// detail has a notice name in its thread what is new in this revision of it.
func (c *commit) detail(n *notice.Notice) error {
	fresh, count, err := ledger.NewIn(c.tx, n.Key, n.Revision, notice.NamedMost)
	if err != nil {
		return err
	}
	for k := range fresh {
		n.Thread = append(n.Thread, notice.ItemOf(&fresh[k]))
	}
	n.ThreadMore = count - len(fresh)
	return nil
}

// hold moves what waits in a group to its channel's digest.
func (c *commit) hold(g *policy.Group) error {
	d, err := c.open.digest(g.Channel)
	if err != nil {
		return err
	}
	serial, err := c.open.serial(g.Channel)
	if err != nil {
		return err
	}
	d = c.policy.Collect(c.now, d, g, serial)
	why := ledger.Why{
		Reason: fmt.Sprintf("held back by rate_limit %s of %s: in its digest", g.Rate, g.Channel),
		Cause:  alert.NewCause(alert.CauseRateLimit, "route", g.Path, "channel", g.Channel, "limit", g.Rate.String()),
	}
	if g.Quiet != "" {
		why = ledger.Why{
			Reason: fmt.Sprintf("held back by %s of %s: in the digest of %s after them", g.Quiet, g.Path, g.Channel),
			Cause:  alert.NewCause(alert.CauseMorning, "route", g.Path, "channel", g.Channel, "hours", g.Quiet),
		}
		g.Quiet = ""
	}
	revision := 1
	if n, _, ok, err := outbox.Get(c.tx, d.Key); err != nil {
		return err
	} else if ok {
		revision = n.Revision + 1
	}
	count, err := ledger.Assign(c.tx, g.Key, d.Key, revision, false, why)
	if err != nil {
		return err
	}
	d.Waiting += count
	c.open.setDigest(d)
	return c.escalate(g, d.Key)
}

func (c *commit) stepDigest(d *policy.Digest) error {
	traffic, err := c.traffic(d.Channel, d.Rate)
	if err != nil {
		return err
	}
	switch c.policy.StepDigest(c.now, d, traffic) {
	case policy.ActPost:
		n := notice.Notice{
			Key: d.Key, Revision: 1, Channel: d.Channel, Kind: notice.KindDigest, Prefix: c.prefix,
			Note: note(d), Rate: limit(d.Rate),
		}
		if err := c.fill(&n); err != nil {
			return err
		}
		c.queued++
		return outbox.Put(c.tx, n, c.now)
	case policy.ActEdit:
		return c.extend(d.Key, func(*notice.Notice) error { return nil })
	case policy.ActEnd:
		c.open.endDigest(d.Channel)
	default:
	}
	return nil
}

// note says why a digest is one.
func note(d *policy.Digest) string {
	var parts []string
	if d.Quiet != "" {
		parts = append(parts, fmt.Sprintf("This waited for the end of %s.", d.Quiet))
	}
	if d.Limited || d.Quiet == "" {
		parts = append(parts, fmt.Sprintf("More than %s came for %s. What is over the limit is collected here.", words(d.Rate), d.Channel))
	}
	return strings.Join(parts, " ")
}

// limit is a rate as a notice carries it.
func limit(r policy.Rate) notice.Rate { return notice.Rate{Count: r.Count, Per: r.Per} }

// words writes a rate as a person says it.
func words(r policy.Rate) string {
	per := r.Per.String()
	switch r.Per {
	case time.Second:
		per = "second"
	case time.Minute:
		per = "minute"
	case time.Hour:
		per = "hour"
	case 24 * time.Hour:
		per = "day"
	}
	if r.Count == 1 {
		return "1 message a " + per
	}
	return fmt.Sprintf("%d messages a %s", r.Count, per)
}

func (c *commit) repeat(g *policy.Group) error {
	alerts, err := ledger.Open(c.tx, g.Key, notice.NamedMost)
	if err != nil {
		return err
	}
	count, err := ledger.OpenCount(c.tx, g.Key)
	if err != nil {
		return err
	}
	n := notice.Notice{
		Key: g.Live, Revision: 1, Channel: g.Channel, Kind: notice.KindAlert, GroupBy: g.By, Prefix: c.prefix, Repeat: true, Count: count,
		Template: c.policy.Template(g.Path), Rate: limit(g.Rate),
	}
	for k := range alerts {
		a := &alerts[k]
		n.Severity = max(n.Severity, a.Severity)
		if n.Since.IsZero() || a.Time.Before(n.Since) {
			n.Since = a.Time
		}
		if a.Time.After(n.Until) {
			n.Until = a.Time
		}
	}
	n.Fill(alerts)
	c.queued++
	return outbox.Put(c.tx, n, c.now)
}

// fill makes the notice say what the ledger assigned to it.
func (c *commit) fill(n *notice.Notice) error {
	sum, err := ledger.SumUp(c.tx, n.Key)
	if err != nil {
		return err
	}
	named, by, err := ledger.Named(c.tx, n.Key, notice.NamedMost)
	if err != nil {
		return err
	}
	n.Standing, n.Tops = sum.Standing, nil
	if sum.Count > notice.NamedMost { // too many to read: what most of them share tells more
		if n.Tops, err = ledger.Tops(c.tx, n.Key, topMost); err != nil {
			return err
		}
	}
	n.Count, n.Severity, n.Since, n.Until, n.Tallies = sum.Count, sum.Severity, sum.Since, sum.Until, sum.Tallies
	n.Fill(named)
	for k := range n.Items {
		if done, ok := by[n.Items[k].Alert]; ok {
			it := &n.Items[k]
			it.By, it.ByAt = done.By, done.At
		}
	}
	return nil
}

// refresh revises a message whose alerts changed, if it would read differently.
func (c *commit) refresh(key notice.Key) error {
	n, tried, ok, err := outbox.Get(c.tx, key)
	if err != nil || !ok || tried && !c.edits(n.Channel) {
		return err
	}
	before, stood := n.Items, n.Standing
	if err := c.fill(&n); err != nil {
		return err
	}
	if same(before, n.Items) && (stood == n.Standing || stood == notice.Standing{}) {
		return nil
	}
	n.Revision++
	c.queued++
	return outbox.Revise(c.tx, n, !tried)
}
