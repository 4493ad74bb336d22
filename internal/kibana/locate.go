package kibana

import (
	"context"
	"fmt"

	"tocsin/internal/elastic"
)

// access is what may be done with one of the aliases.
type access string

const (
	readable access = "readable"
	absent   access = "absent"
	refused  access = "refused"
)

// aliases are the names detections of a space may be read by.
func aliases(space string) []string { return []string{alertsPrefix + space, signalsPrefix + space} }

// probe asks for one alias by the very search that will read it: no other privilege tells as much.
func probe(ctx context.Context, c *elastic.Client, alias string) (access, *elastic.Response, error) {
	r, err := c.Search(ctx, elastic.Search{Indices: []string{alias}, Body: clockBody})
	switch {
	case err == nil && r.Shards.Total == 0:
		return absent, nil, nil
	case err == nil:
		return readable, r, nil
	case elastic.IsNotFound(err):
		return absent, nil, nil
	case elastic.IsForbidden(err):
		return refused, nil, nil
	}
	return "", nil, err
}

// locate finds which aliases can be read, and decides the floor at the first sight of one. Both are
// searched in one request, so what is behind both is read once. ready is false while there is none.
func (s *Source) locate(ctx context.Context) (ready bool, err error) {
	names := aliases(s.o.Space)
	if s.state.Begun && (len(s.located) == len(names) || len(s.located) > 0 && s.now().Sub(s.locatedAt).Abs() < relocateEvery) {
		return true, nil
	}
	var found, missing, forbidden []string
	var clockOf *elastic.Response
	for _, name := range names {
		a, r, err := probe(ctx, s.o.Client, name)
		if err != nil {
			return false, err
		}
		switch a {
		case readable:
			found, clockOf = append(found, name), r
		case absent:
			missing = append(missing, name)
		case refused:
			forbidden = append(forbidden, name)
		}
	}
	s.tell(found, missing, forbidden)
	s.located, s.locatedAt = found, s.now()
	switch {
	case len(found) == 0 && len(missing) == 0:
		return false, unreadable(forbidden)
	case len(found) == 0:
		return false, nil
	}
	if !s.state.Begun {
		now, _, err := clock(clockOf)
		if err != nil {
			return false, err
		}
		s.state.begin(now, s.o.Since, s.o.All)
	}
	return true, nil
}

// tell logs which aliases are read whenever that changes.
func (s *Source) tell(found, missing, forbidden []string) {
	news := fmt.Sprint(found, missing, forbidden)
	if news == s.told {
		return
	}
	s.told = news
	if len(found) == 0 && len(missing) == 0 {
		return // refused is an error, and told as such
	}
	if len(found) == 0 {
		s.log.Info("no index of detections yet, waiting for it", "absent", missing, "refused", forbidden)
		return
	}
	s.log.Info("detections found", "read", found, "absent", missing, "refused", forbidden)
}
