package app

import (
	"sync"
	"time"

	"tocsin/internal/alert"
	"tocsin/internal/config"
	"tocsin/internal/rule"
)

// standIns are the rules that run here in the stead of rules of Kibana whose alerts have ids that nobody else can
// compute. What Kibana finds by those is kept, and excluded.
type standIns struct {
	rules   func() []rule.Entry
	sources []config.Source

	mu    sync.Mutex
	asked time.Time
	known []*rule.Rule
}

// standInsFor is for how long the rules are taken to be those they were.
const standInsFor = time.Second

// of gives why an alert that detections forward is kept back; nil where it is not.
func (s *standIns) of(detections string) func(alert.Rule) *alert.Held {
	return func(kibana alert.Rule) *alert.Held {
		for _, r := range s.running() {
			source := r.Source
			if source == "" && len(s.sources) == 1 {
				source = s.sources[0].Name
			}
			if r.Kibana.Of(source) == detections && r.Kibana.Is(kibana.UUID, kibana.ID) {
				return &alert.Held{As: alert.Excluded, Reason: "the rule " + r.Name + " runs here in the stead of Kibana's"}
			}
		}
		return nil
	}
}

func (s *standIns) running() []*rule.Rule {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := time.Now(); now.Sub(s.asked) >= standInsFor {
		s.asked, s.known = now, nil
		for _, e := range s.rules() {
			if e.Rule != nil && e.Rule.Enabled == rule.On && e.Rule.Kibana != nil && e.Rule.Kibana.Type == rule.KibanaThreshold {
				s.known = append(s.known, e.Rule)
			}
		}
	}
	return s.known
}
