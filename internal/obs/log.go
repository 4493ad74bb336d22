// Package obs owns how Tocsin tells how it is doing: the logger, the health of its parts with
// /healthz and /readyz, and the registry of metrics with /metrics. It decides nothing and repairs
// nothing, and it hides no secret: what is given to it is shown.
package obs

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
)

// LogOptions say how a logger writes.
type LogOptions struct {
	// Output is where lines go; required.
	Output io.Writer
	// Format is text, json, or auto: text on a terminal and JSON elsewhere. Empty is auto.
	Format string
	// Level is the least level written: debug, info, warn or error. Empty is info.
	Level string
}

// NewLogger makes the program's logger.
func NewLogger(o LogOptions) (*slog.Logger, error) {
	level := slog.LevelInfo
	switch strings.ToLower(o.Level) {
	case "", "info":
	case "debug":
		level = slog.LevelDebug
	case "warn", "warning":
		level = slog.LevelWarn
	case "error":
		level = slog.LevelError
	default:
		return nil, fmt.Errorf("log level %q: write debug, info, warn or error", o.Level)
	}
	handler := &slog.HandlerOptions{Level: level}
	text := isTerminal(o.Output)
	switch strings.ToLower(o.Format) {
	case "", "auto":
	case "text":
		text = true
	case "json":
		text = false
	default:
		return nil, fmt.Errorf("log format %q: write auto, text or json", o.Format)
	}
	if text {
		return slog.New(slog.NewTextHandler(o.Output, handler)), nil
	}
	return slog.New(slog.NewJSONHandler(o.Output, handler)), nil
}

// isTerminal says whether w is a character device, as terminals are.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
