package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// packages names the directory with what drives Chromium: scripts/browser/install.sh prints it.
const packages = "TOCSIN_BROWSER_PACKAGES"

// tabsSaw is what bench/page/chromium.mjs says of open tabs.
type tabsSaw struct {
	Tabs    int     `json:"tabs"`
	Answers int     `json:"answers"`
	P95     float64 `json:"p95_ms"`
	Rows    int     `json:"rows"`
}

// firstSaw is what it says of the first page, each time with nothing in the browser's cache.
type firstSaw struct {
	Bytes  float64 `json:"bytes"`
	Files  int     `json:"files"`
	Median float64 `json:"median_ms"`
	P95    float64 `json:"p95_ms"`
}

// first measures the first page in Chromium, where there is one.
func (b *bench) first(ctx context.Context, runs int) error {
	if os.Getenv(packages) == "" {
		fmt.Fprintf(b.out, "first page: not measured, as %s is not set: run export %s=\"$(scripts/browser/install.sh)\"\n", packages, packages)
		return nil
	}
	var saw firstSaw
	if err := b.chromium(ctx, "first", &saw, fmt.Sprint(runs)); err != nil {
		return err
	}
	fmt.Fprintf(b.out, "first page: %.0f KB in %d files, the box can be typed in after %.0f ms median, %.0f ms p95 of %d\n", saw.Bytes/1000, saw.Files, saw.Median, saw.P95, runs)
	return nil
}

// chromium runs chromium.mjs and reads the JSON it prints.
func (b *bench) chromium(ctx context.Context, what string, out any, args ...string) error {
	cmd := exec.CommandContext(ctx, "node", append([]string{filepath.Join("bench", "page", "chromium.mjs"), what}, args...)...)
	cmd.Env = append(os.Environ(), "TOCSIN_URL="+b.base)
	var printed, failed bytes.Buffer
	cmd.Stdout, cmd.Stderr = &printed, &failed
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("drive Chromium: %w\n%s", err, failed.String())
	}
	if err := json.Unmarshal(printed.Bytes(), out); err != nil {
		return fmt.Errorf("read what Chromium saw: %w", err)
	}
	return nil
}
