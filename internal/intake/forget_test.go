package intake_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"tocsin/internal/alert"
	"tocsin/internal/intake"
)

// What is old is forgotten while the house lives on: it stays counted, and a source that hands it over again brings
// nothing new.
func TestWhatIsForgottenIsNotSaidAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &channel{}
		reporting = func(o *intake.Options) { o.Keep = intake.Keep{Alerts: 3 * 24 * time.Hour, Documents: 24 * time.Hour} }
		defer func() { reporting = nil }()
		h := newHouse(t, t.TempDir(), c, byRule())
		defer h.db.Close()
		old, going := one("r", 1), one("open", 1)
		going.Ongoing = true
		h.run(5*24*time.Hour, func(context.Context) {
			h.take(old, going)
			time.Sleep(2 * 24 * time.Hour)
			if doc, err := h.ledger.Document(context.Background(), old.ID); err != nil || doc != nil {
				t.Errorf("its document is %s, %v", doc, err)
			}
			if doc, err := h.ledger.Document(context.Background(), going.ID); err != nil || doc == nil {
				t.Errorf("the document of what goes on is %s, %v", doc, err)
			}
			h.entry(old.ID)
			time.Sleep(2 * 24 * time.Hour)
			counts, err := h.ledger.Count(context.Background())
			if err != nil || counts.Forgotten != 1 {
				t.Errorf("%+v, %v", counts, err)
			}
			old.Updated, old.Status = time.Now(), alert.StatusAcknowledged
			h.take(old)
			h.entry(going.ID)
		})
		want(t, len(c.all()), 2)
		want(t, h.fates(), map[alert.Fate]int{alert.Sent: 2})
	})
}
