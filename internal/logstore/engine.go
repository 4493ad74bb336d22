package logstore

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/VictoriaMetrics/VictoriaLogs/lib/logstorage"
	"github.com/VictoriaMetrics/VictoriaMetrics/lib/logger"
)

// farFuture is what the engine may hold ahead of the clock. At its start the engine deletes days beyond
// this; a clock that went back must not delete what was acknowledged, so our own limit is the narrow one.
const farFuture = 100 * 365 * 24 * time.Hour

var engineOnce sync.Once

// engineMemory is what the engine reckons its caches and parts in memory by, instead of by the machine's
// memory: it is a guest in this process.
const engineMemory = "1GiB"

// prepareEngine makes the process fit for the engine, once. The engine reads its settings from the global
// flag set and panics when that was never parsed; this program has other flags, so an empty command line
// is parsed, which leaves the settings at their defaults. Its log goes to the logger of the first store.
func prepareEngine(log *slog.Logger) error {
	var err error
	engineOnce.Do(func() {
		if !flag.Parsed() {
			if err = flag.CommandLine.Parse(nil); err != nil {
				return
			}
		}
		if err = flag.Set("loggerLevel", "ERROR"); err != nil {
			return
		}
		if err = flag.Set("memory.allowedBytes", engineMemory); err != nil {
			return
		}
		logger.SetOutputForTests(&engineLog{log: log})
	})
	if err != nil {
		return fmt.Errorf("prepare the embedded engine: %w", err)
	}
	return nil
}

// engineLog passes the engine's lines on. They may quote events, so only errors come this far.
type engineLog struct{ log *slog.Logger }

func (e *engineLog) Write(line []byte) (int, error) {
	e.log.Log(context.Background(), slog.LevelError, "embedded engine", "line", string(bytes.TrimSpace(line)))
	return len(line), nil
}

// openEngine opens the engine's directory. The caller holds the lock of the store's directory: the engine
// panics on a second opener.
func openEngine(dir string, retention time.Duration) *logstorage.Storage {
	if retention == 0 {
		retention = farFuture
	}
	return logstorage.MustOpenStorage(dir, &logstorage.StorageConfig{
		// One day more than promised: the engine drops whole days, and silently drops rows that are too
		// old when they arrive, which were then already acknowledged.
		Retention:              retention + 24*time.Hour,
		FutureRetention:        farFuture,
		FlushInterval:          time.Second,
		DefaultParallelReaders: 2,
	})
}
