package logstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/VictoriaMetrics/VictoriaLogs/lib/logstorage"
)

// tidy moves the log on, deletes what the log need not keep, and applies MaxBytes.
func (s *Store) tidy(ctx context.Context) error {
	done, err := s.use()
	if err != nil {
		return err
	}
	defer done()
	if err := s.journal.rotate(s.lastSeq.Load, true); err != nil {
		return err
	}
	return errors.Join(s.shorten(ctx, s.now().Add(-segmentLife)), s.drop(ctx))
}

// shorten deletes the segments sealed before a time, after making sure that the engine has all of them
// on the disk: no row is handed over while the engine writes out what it holds in memory.
func (s *Store) shorten(ctx context.Context, before time.Time) error {
	segments := s.journal.removable(before)
	if len(segments) == 0 {
		return nil
	}
	s.handing.Lock()
	flushed := s.flush()
	s.handing.Unlock()
	if !flushed {
		return nil // a merge was under way: next time
	}
	if err := s.ids.settle(ctx); err != nil {
		return err
	}
	return s.journal.remove(segments)
}

// flush puts the engine's memory on the disk and answers whether all of it is there. The engine's way to
// do that is a snapshot of a day, which is not kept. The caller holds handing.
func (s *Store) flush() bool {
	s.engine.DebugFlush()
	for range 5 {
		var stats logstorage.StorageStats
		s.engine.UpdateStats(&stats)
		if stats.PendingRows == 0 && stats.InmemoryRowsCount == 0 {
			s.touching.Lock()
			clear(s.touched)
			s.touching.Unlock()
			return true
		}
		s.touching.Lock()
		days := make([]string, 0, len(s.touched))
		for d := range s.touched {
			days = append(days, d)
		}
		s.touching.Unlock()
		for _, d := range days {
			for _, path := range s.engine.PartitionSnapshotMustCreate(d) {
				if err := s.engine.PartitionSnapshotDelete(path); err != nil {
					s.log.Warn("engine snapshot not deleted", "error", err)
				}
			}
		}
	}
	return false
}

// drop removes the days that are older than Retention, then the oldest ones while the engine holds more
// than MaxBytes, and forgets the ids of what is gone. The engine has an eye on the retention itself, a day
// later and without a word, so it finds nothing to do.
func (s *Store) drop(ctx context.Context) error {
	var gone string
	for {
		days := s.engine.PartitionList()
		if len(days) == 0 {
			break
		}
		oldest := slices.Min(days)
		begins, err := time.Parse(dayLayout, oldest)
		if err != nil {
			return fmt.Errorf("read the name of a day: %w", err)
		}
		reason := ""
		switch {
		case !begins.Add(24 * time.Hour).After(oldestKept(s.now(), s.options.Retention)):
			reason = "age"
		case s.options.MaxBytes > 0 && len(days) > 2 && s.bytes() > s.options.MaxBytes:
			reason = "size"
		}
		if reason == "" {
			break
		}
		if err := s.dropDay(oldest); err != nil {
			return fmt.Errorf("drop the day %s: %w", oldest, err)
		}
		gone = oldest
		s.metrics.dropped.WithLabelValues(reason).Inc()
		s.log.Info("oldest day dropped from the log store", "day", begins.Format(time.DateOnly), "reason", reason)
	}
	if gone == "" && (s.options.Retention == 0 || s.now().Sub(s.forgotten) < forgetEvery) {
		return nil
	}
	s.forgotten = s.now()
	oldest := oldestKept(s.now(), s.options.Retention).Add(-48 * time.Hour)
	if gone != "" {
		day, err := time.Parse(dayLayout, gone)
		if err != nil {
			return fmt.Errorf("read the name of a day: %w", err)
		}
		if next := day.Add(24 * time.Hour); next.After(oldest) {
			oldest = next
		}
	}
	return s.ids.forget(ctx, oldest.UnixNano())
}

// forgetEvery is how often the ids of old events are looked for although no day was dropped: those of a
// crash between the two.
const forgetEvery = 6 * time.Hour

// dayLayout is how the engine names its days.
const dayLayout = "20060102"

// dropDay removes a day of the engine. No row is handed over meanwhile: between the two steps the engine
// would drop rows of that day silently.
func (s *Store) dropDay(day string) error {
	s.handing.Lock()
	defer s.handing.Unlock()
	if err := s.engine.PartitionDetach(day); err != nil {
		return err
	}
	if err := os.RemoveAll(filepath.Join(s.options.Dir, "engine", "partitions", day)); err != nil {
		return err
	}
	return s.census.keep(s.engine.PartitionList())
}

// bytes is what the engine holds on the disk. The caller keeps the store open.
func (s *Store) bytes() int64 {
	var stats logstorage.StorageStats
	s.engine.UpdateStats(&stats)
	return int64(stats.IndexdbSizeBytes + stats.CompressedSmallPartSize + stats.CompressedBigPartSize)
}
