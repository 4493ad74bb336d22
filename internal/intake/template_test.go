package intake_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A route's template says its messages, alone, in groups, said again and as edits; one that cannot be made of an
// alert leaves the usual message.
func TestMessagesAreWordedByTheirRoute(t *testing.T) {
	strip := strings.NewReplacer("\x01", "", "\x02", "")
	for _, solo := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			c := &channel{}
			root := byRule()
			root.Template = "{{len .alerts}} of {{.rule.name}} on {{.host.name}}"
			if root.Solo = solo; solo {
				root.GroupBy, root.Wait = nil, 0
			}
			h := newHouse(t, t.TempDir(), c, root)
			defer h.db.Close()
			h.run(20*time.Minute, func(context.Context) {
				h.take(one("r", 1), one("r", 2))
				time.Sleep(time.Minute)
			})
			for _, m := range c.all() {
				want := "2 of r on h"
				if solo {
					want = "1 of r on h"
				}
				if got := strip.Replace(m.Body); got != want || m.BodyError != "" {
					t.Errorf("solo %t: said %q (%s), want %q", solo, got, m.BodyError, want)
				}
			}
			if want := map[bool]int{false: 1, true: 2}[solo]; len(c.all()) != want {
				t.Errorf("solo %t: %d messages, want %d", solo, len(c.all()), want)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		c := &channel{}
		root := byRule()
		root.Template = "{{range .host.name}}{{.x}}{{end}}"
		h := newHouse(t, t.TempDir(), c, root)
		defer h.db.Close()
		h.run(time.Minute, func(context.Context) { h.take(one("r", 1)) })
		all := c.all()
		if len(all) != 1 || all[0].Body != "" || !strings.Contains(all[0].BodyError, "1:23") || len(all[0].Items) != 1 {
			t.Errorf("said %+v", all)
		}
	})
}
