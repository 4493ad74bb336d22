package detect

import "time"

// Brought tells when the newest event was of each source that rules run on and that answered lately: the zero time
// for one that has had none for a week.
func (d *Detector) Brought() map[string]time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.now()
	out := map[string]time.Time{}
	for _, s := range d.states {
		if s.set == nil {
			continue
		}
		name := s.set.source.Name
		if h := d.health[name]; h != nil && !h.reached.IsZero() && now.Sub(h.reached) < 3*watchEvery {
			out[name] = h.seen
		}
	}
	return out
}
