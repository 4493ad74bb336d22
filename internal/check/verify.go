package check

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tocsin/internal/alert"
	"tocsin/internal/kibana"
	"tocsin/internal/ledger"
	"tocsin/internal/notice"
	"tocsin/internal/outbox"
)

// Verification is what a comparison of index, ledger and Slack found.
type Verification struct {
	OK      bool      `json:"ok"` // nothing is missing and nothing is doubled
	Since   time.Time `json:"since"`
	Missing []Named   `json:"missing"`
	Doubled []Named   `json:"doubled"`
	Summary []string  `json:"summary"`
	Notes   []string  `json:"notes"` // what could not be compared, and why
	ledger.Counts
}

// Named is one thing missing or doubled.
type Named struct {
	Text        string   `json:"text"`
	SourceIDs   []string `json:"source_ids,omitempty"` // the documents it is about
	DeliveryKey string   `json:"delivery_key,omitempty"`
	Channel     string   `json:"channel,omitempty"`
	MessageTS   []string `json:"message_ts,omitempty"`
}

// reading is how young a document may be to be still on its way into the ledger: a poll may be under way.
const reading = time.Minute

// Verify compares from since on. Errors are of the comparison itself; what it finds is in its answer.
func (c *Check) Verify(ctx context.Context, since time.Time) (*Verification, error) {
	if c.o.Ledger == nil || c.o.Outbox == nil {
		return nil, errors.New("verify: there is no ledger to compare with")
	}
	v := &Verification{Since: since.UTC(), Missing: []Named{}, Doubled: []Named{}, Notes: []string{}}
	counts, err := c.o.Ledger.Count(ctx)
	if err != nil {
		return nil, err
	}
	v.Counts = counts
	if err := counts.Check(); err != nil {
		v.Missing = append(v.Missing, Named{Text: err.Error()})
	}
	for _, d := range c.o.Detections {
		if err := c.compareIndex(ctx, d, since, v); err != nil {
			return nil, err
		}
	}
	if err := c.compareSlack(ctx, since, v); err != nil {
		return nil, err
	}
	var fates []string
	for _, f := range alert.Fates {
		if n := counts.ByFate[f]; n > 0 {
			fates = append(fates, fmt.Sprintf("%d %s", n, f))
		}
	}
	v.Summary = append(v.Summary, fmt.Sprintf("ledger: %d alerts seen in all: %s", counts.Seen, orNone(strings.Join(fates, ", "))))
	v.OK = len(v.Missing) == 0 && len(v.Doubled) == 0
	if v.OK {
		v.Summary = append(v.Summary, "nothing is missing, nothing is doubled")
	} else {
		v.Summary = append(v.Summary, fmt.Sprintf("%d missing, %d doubled", len(v.Missing), len(v.Doubled)))
	}
	return v, nil
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// compareIndex names the documents of the index that the ledger does not hold.
func (c *Check) compareIndex(ctx context.Context, d *kibana.Source, since time.Time, v *Verification) error {
	state, err := c.o.Ledger.SourceState(ctx, d.Name())
	if err != nil {
		return err
	}
	floor, begun, err := kibana.Floor(state)
	if err != nil {
		return err
	}
	if !begun {
		v.Notes = append(v.Notes, fmt.Sprintf("detections %s: not read yet", d.Name()))
		return nil
	}
	if since.Before(floor) {
		since = floor
		v.Notes = append(v.Notes, fmt.Sprintf("detections %s: what is older than %s was not taken in at the first start", d.Name(), floor.Format(time.RFC3339)))
	}
	var (
		chunk []kibana.Seen
		ids   = map[string]bool{}
		young = time.Now().Add(-reading)
	)
	flush := func() error {
		var ask []string
		byID := map[string]kibana.Seen{}
		for _, s := range chunk {
			ask = append(ask, s.SourceID)
			byID[s.SourceID] = s
		}
		chunk = chunk[:0]
		missing, err := c.o.Ledger.Missing(ctx, d.Name(), ask)
		if err != nil {
			return err
		}
		for _, id := range missing {
			s := byID[id]
			if s.Time.After(young) {
				v.Notes = append(v.Notes, fmt.Sprintf("detections %s: %s is only just written and not read yet", d.Name(), id))
				continue
			}
			v.Missing = append(v.Missing, Named{
				Text:      fmt.Sprintf("%s in %s: %q of %s is not in the ledger", id, s.Index, s.Rule, s.Time.Format(time.RFC3339)),
				SourceIDs: []string{id},
			})
		}
		return nil
	}
	for s, err := range d.IDs(ctx, since) {
		if err != nil {
			return err
		}
		if ids[s.SourceID] {
			continue
		}
		ids[s.SourceID] = true
		if chunk = append(chunk, s); len(chunk) == 500 {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	if err := flush(); err != nil {
		return err
	}
	v.Summary = append(v.Summary, fmt.Sprintf("detections %s: %d in the index since %s", d.Name(), len(ids), since.UTC().Format(time.RFC3339)))
	return nil
}

// compareSlack names the messages that the ledger calls said and Slack's history does not have, and
// those that it has more than once.
func (c *Check) compareSlack(ctx context.Context, since time.Time, v *Verification) error {
	records, err := c.o.Outbox.Records(ctx, since)
	if err != nil {
		return err
	}
	byChannel := map[string][]outbox.Record{}
	waiting := 0
	for _, r := range records {
		switch {
		case r.State == outbox.Failed:
			if err := c.name(ctx, &v.Missing, r, nil, "was not said in "+r.Channel+": "+r.Reason); err != nil {
				return err
			}
		case r.SaidAt.IsZero():
			waiting++
		default:
			byChannel[r.Channel] = append(byChannel[r.Channel], r)
		}
	}
	if waiting > 0 {
		v.Notes = append(v.Notes, fmt.Sprintf("%d messages wait to be sent", waiting))
	}
	if c.o.Slack == nil || !c.o.Slack.History("") {
		v.Notes = append(v.Notes, "Slack's history cannot be compared: it can be read with a bot token only")
		return nil
	}
	channels := make([]string, 0, len(byChannel))
	for channel := range byChannel {
		channels = append(channels, channel)
	}
	slices.Sort(channels)
	for _, channel := range channels {
		if err := c.compareChannel(ctx, channel, since, byChannel[channel], v); err != nil {
			return err
		}
	}
	return nil
}

// clockSkew is how far Slack's clock may be from ours.
const clockSkew = 5 * time.Minute

func (c *Check) compareChannel(ctx context.Context, channel string, since time.Time, records []outbox.Record, v *Verification) error {
	inSlack := map[notice.Key][]string{}
	total := 0
	for m, err := range c.o.Slack.Messages(ctx, channel, since.Add(-clockSkew)) {
		if errors.Is(err, notice.ErrNoHistory) {
			v.Notes = append(v.Notes, fmt.Sprintf("channel %s cannot be compared: %s", channel, err))
			return nil
		}
		if err != nil {
			return err
		}
		inSlack[m.Key] = append(inSlack[m.Key], m.TS)
		total++
	}
	known := map[notice.Key]bool{}
	for _, r := range records {
		known[r.Key] = true
		ts := inSlack[r.Key]
		switch {
		case len(ts) == 0 && r.PostedAt.Before(since):
			// It was posted before the time compared from, and only edited since.
		case len(ts) == 0:
			if err := c.name(ctx, &v.Missing, r, nil, "is said in the ledger and not in Slack's history of "+channel+" (it may have been deleted there)"); err != nil {
				return err
			}
		case len(ts) > 1:
			if err := c.name(ctx, &v.Doubled, r, ts, fmt.Sprintf("stands %d times in %s", len(ts), channel)); err != nil {
				return err
			}
		}
	}
	foreign := 0
	for key := range inSlack {
		if !known[key] {
			foreign++
		}
	}
	if foreign > 0 {
		v.Notes = append(v.Notes, fmt.Sprintf("channel %s: %d messages of another Tocsin or of an earlier data_dir", channel, foreign))
	}
	v.Summary = append(v.Summary, fmt.Sprintf("channel %s: %d messages said, %d in Slack's history", channel, len(records), total))
	return nil
}

func (c *Check) name(ctx context.Context, list *[]Named, r outbox.Record, ts []string, text string) error {
	ids, err := c.o.Ledger.Names(ctx, []string{string(r.Key)})
	if err != nil {
		return err
	}
	about := ids[string(r.Key)]
	shown := strings.Join(about[:min(5, len(about))], ", ")
	if len(about) > 5 {
		shown += fmt.Sprintf(" and %d more", len(about)-5)
	}
	*list = append(*list, Named{
		Text: fmt.Sprintf("message %s of %s %s %s", r.Key, shown, r.TS, text), SourceIDs: about, DeliveryKey: string(r.Key), Channel: r.Channel, MessageTS: ts,
	})
	return nil
}
