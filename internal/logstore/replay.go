package logstore

import (
	"context"
	"fmt"

	"github.com/valyala/fastjson"
)

// replay gives the engine and the id index the events of a segment that they lack, and answers how many
// the engine lacked. A crash during it changes nothing: the next start asks again.
func (s *Store) replay(ctx context.Context, events []event) (int, error) {
	found, err := s.present(ctx, events[0].seq, events[len(events)-1].seq)
	if err != nil {
		return 0, err
	}
	var parser fastjson.Parser
	missing := make([]event, 0, len(events)-len(found))
	oldest := oldestKept(s.now(), s.options.Retention).UnixNano()
	named := false
	for i := range events {
		if events[i].id != "" {
			named = true
			events[i].digest = digestOf(events[i].source)
		}
		e := events[i]
		if found[e.seq] || e.time < oldest {
			continue
		}
		v, err := parser.ParseBytes(e.source)
		if err != nil {
			return 0, fmt.Errorf("replay the log: event %d: %w", e.seq, err)
		}
		e.columns = columnsOf(&e, v)
		missing = append(missing, e)
	}
	if named {
		if err := s.ids.add(ctx, events); err != nil {
			return 0, err
		}
	}
	if len(missing) > 0 {
		if err := s.insert(missing); err != nil {
			return 0, err
		}
		s.engine.DebugFlush()
	}
	return len(missing), nil
}

// present answers which seq of a range the engine has.
func (s *Store) present(ctx context.Context, first, last int64) (map[int64]bool, error) {
	out := map[int64]bool{}
	err := s.seqs(ctx, seqFilter(first, last), everything, func(seq int64) {
		if seq >= first && seq <= last {
			out[seq] = true
		}
	})
	return out, err
}
