package outbox_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"tocsin/internal/notice"
	"tocsin/internal/outbox"
)

func TestChannelsTellHowTheyStand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := openDB(t, t.TempDir())
		defer db.Close()
		s := &service{fault: func(n notice.Notice, _ bool) fault {
			switch n.Channel {
			case "#refusing":
				return fault{err: &notice.RejectedError{Scope: notice.ScopeMessage, Code: "msg_too_long", Hint: "shorten it"}}
			case "#slow":
				return fault{err: &notice.RetryError{Code: "ratelimited", After: time.Hour, Scope: notice.ScopeChannel}}
			}
			return fault{stored: true}
		}}
		put(t, db, note("a1", "#a"), note("a2", "#a"), note("g", "#refusing"), note("s", "#slow"))
		summary := note("d", "#a")
		summary.Kind, summary.Until = notice.KindSummary, time.Now()
		put(t, db, summary)
		running(t, outbox.Options{DB: db, Sender: s}, time.Minute)
		r, err := outbox.NewReader(outbox.ReaderOptions{DB: db})
		if err != nil {
			t.Fatal(err)
		}
		ctx := context.Background()
		all, err := r.Channels(ctx, time.Now())
		if err != nil || len(all) != 3 {
			t.Fatalf("%d channels, %v", len(all), err)
		}
		if a := all["#a"]; a.Last == nil || a.Last.Key != "d" || a.Last.TS != "3" || a.Queued+a.Failed != 0 || !a.Until.IsZero() {
			t.Errorf("#a: %+v", a)
		}
		if gone := all["#refusing"]; gone.Failed != 1 || gone.Refused == "" || gone.RefusedAt.IsZero() || gone.Last != nil {
			t.Errorf("#refusing: %+v", gone)
		}
		if slow := all["#slow"]; slow.Queued != 1 || slow.Waits == "" || !slow.Until.After(time.Now()) {
			t.Errorf("#slow: %+v", slow)
		}
		if posted, unsaid, err := r.Posted(ctx, "#a", time.Now().Add(-time.Hour)); err != nil || posted != 3 || unsaid != 0 {
			t.Errorf("#a had %d, %d wait, %v", posted, unsaid, err)
		}
		if newest, err := r.Newest(ctx, notice.KindSummary, 5); err != nil || len(newest) != 1 || newest[0].State != outbox.Said {
			t.Errorf("digests: %+v, %v", newest, err)
		}
		if m, ok, err := r.Message(ctx, "a2"); err != nil || !ok || m.PostedAt.IsZero() || m.Said != 1 {
			t.Errorf("a2: %+v, %v, %v", m, ok, err)
		}
		if _, ok, err := r.Message(ctx, "nothing"); err != nil || ok {
			t.Error(ok, err)
		}
	})
}
