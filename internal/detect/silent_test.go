package detect_test

import (
	"context"
	"maps"
	"testing"
	"testing/synctest"
	"time"

	"tocsin/internal/detect"
)

func TestWhatSourcesOfRulesBroughtIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProcess(t, t.TempDir(), []event{minute(10, 0, "ann", 1), minute(20, 0, "ann", 1)}, "name: r\nevery: 1m\nsource: logs\nsearch: 'event.action: ssh_login'")
		empty, unused, down := &stream{}, &stream{}, &stream{down: true}
		p.others = []detect.Source{{Name: "empty", Open: empty.open}, {Name: "unused", Open: unused.open}, {Name: "down", Open: down.open}}
		for _, source := range []string{"empty", "down"} {
			e := parseRule(t, "name: r\nevery: 1m\nsource: "+source+"\nsearch: 'event.action: ssh_login'")
			r := *e.Rule
			r.ID = source
			e.ID, e.Rule = r.ID, &r
			p.rules = append(p.rules, e)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Hour)
		defer cancel()
		var got map[string]time.Time
		go func() {
			time.Sleep(119 * time.Minute)
			p.mu.Lock()
			defer p.mu.Unlock()
			got = p.running.Brought()
		}()
		p.run(ctx)
		want := map[string]time.Time{"logs": bubbleStart.Add(20 * time.Minute), "empty": {}}
		if !maps.EqualFunc(got, want, time.Time.Equal) {
			t.Errorf("they brought %v, want %v", got, want)
		}
	})
}
