package kibana

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"tocsin/internal/elastic"
)

// change is one alert on its way.
type change struct {
	Unwritten
	document document
	update   bool // the document is there
	bare     bool // without its evidence
	tries    int  // in this round
}

// mostTries is how often one alert is sent in a round: create, found there, refused, without its evidence.
const mostTries = 5

// write sends a batch and puts into done what is settled: written, or refused for good. Its error means that
// something was not settled and is to be tried again.
func (w *WriteBack) write(ctx context.Context, batch []Unwritten, done map[int64]string) error {
	var waiting []*change
	for _, u := range batch {
		c := &change{Unwritten: u, update: u.Before}
		var err error
		if c.document, err = documentOf(&c.Alert, w.o.Space); err != nil {
			c.leaveEvidence(err.Error())
		}
		waiting = append(waiting, c)
	}
	var failed error
	for len(waiting) > 0 {
		again, err := w.send(ctx, waiting, done)
		if err != nil {
			failed = errors.Join(failed, err)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		waiting = again
	}
	return failed
}

// leaveEvidence makes the document anew without its evidence.
func (c *change) leaveEvidence(why string) {
	a := c.Alert
	a.Document = nil
	c.document, _ = documentOf(&a, c.document.space) // fails by the evidence only
	c.document.bare(&c.Alert, why)
	c.bare = true
}

// send makes one bulk request of all, or two halves of it where it is too large for the cluster. It gives what
// has to be sent again in another form; err is what was not settled.
func (w *WriteBack) send(ctx context.Context, all []*change, done map[int64]string) (again []*change, err error) {
	writes := make([]elastic.Write, 0, len(all))
	for _, c := range all {
		body, err := c.document.json(c.update)
		if err != nil {
			return nil, fmt.Errorf("write alert %s: %w", c.Alert.ID, err)
		}
		op := "create"
		if c.update {
			op = "update"
		}
		writes = append(writes, elastic.Write{Op: op, Index: w.index, ID: string(c.Alert.ID), Doc: body})
	}
	written, err := w.o.Client.Bulk(ctx, writes, "")
	var e *elastic.Error
	if errors.As(err, &e) && (e.Status == http.StatusRequestEntityTooLarge || e.Status == http.StatusBadRequest) {
		if len(all) > 1 {
			one, err1 := w.send(ctx, all[:len(all)/2], done)
			two, err2 := w.send(ctx, all[len(all)/2:], done)
			return append(one, two...), errors.Join(err1, err2)
		}
		return w.refuse(all[0], e.Error(), done), nil
	}
	if err != nil {
		return nil, fmt.Errorf("write alerts to %s: %w", w.index, err)
	}
	for i, item := range written {
		c := all[i]
		c.tries++
		switch {
		case item.OK():
			w.settle(c, done)
		case c.tries >= mostTries:
			err = unsettled(err, w.index, c, item)
		case item.Status == http.StatusConflict && !c.update, item.Status == http.StatusNotFound && c.update && item.Type == "document_missing_exception":
			c.update = !c.update
			again = append(again, c)
		case item.Status == http.StatusBadRequest, item.Status == http.StatusRequestEntityTooLarge:
			again = append(again, w.refuse(c, item.Type+": "+item.Reason, done)...)
		default:
			err = unsettled(err, w.index, c, item)
		}
	}
	return again, err
}

// unsettled keeps the first of several failures: the rest mostly says the same.
func unsettled(first error, index string, c *change, item elastic.Written) error {
	if first != nil {
		return first
	}
	kind := errors.New("failed")
	if item.Status == http.StatusForbidden || item.Status == http.StatusUnauthorized {
		kind = errRefused
	}
	return fmt.Errorf("alert %s %w to %s: %d %s: %s", c.Alert.ID, kind, index, item.Status, item.Type, item.Reason)
}

// refuse is for a content that the cluster will never take: without its evidence it is sent again, and if that
// is refused too, it is told and given up.
func (w *WriteBack) refuse(c *change, why string, done map[int64]string) []*change {
	if !c.bare {
		w.o.Log.Warn("alert written back without its fields, which the index refused", "alert", c.Alert.ID, "index", w.index, "error", why)
		c.leaveEvidence(why)
		return []*change{c}
	}
	w.o.Log.Error("alert refused by the index", "alert", c.Alert.ID, "index", w.index, "error", why)
	w.refused.Inc()
	w.refusals[c.Alert.ID] = true
	w.last = fmt.Sprintf("%s: %s", c.Alert.ID, why)
	done[c.Seq] = c.Revision
	return nil
}

func (w *WriteBack) settle(c *change, done map[int64]string) {
	w.written.Inc()
	delete(w.refusals, c.Alert.ID)
	done[c.Seq] = c.Revision
}
