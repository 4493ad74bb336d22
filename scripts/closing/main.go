// Command closing reads what `go test -json` prints and shows it as `go test` does, with the output of
// failed tests only. At the end it says how many tests passed, failed and were skipped, why each was
// skipped, and which real servers and documents the tests used. `make test` ends with it.
//
// It exits 1 when a test or a package failed, and when no test ran at all.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"os"
)

func main() {
	report := flag.String("report", "", "file that the tests wrote what they used to (TOCSIN_TEST_REPORT)")
	unavailable := flag.String("unavailable", "", "file of variables and why there is no server behind them")
	flag.Parse()
	ok, err := run(os.Stdin, os.Stdout, *report, *unavailable)
	if err != nil {
		fmt.Fprintln(os.Stderr, "closing:", err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}

// run reports whether tests ran and none failed.
func run(in io.Reader, out io.Writer, report, unavailable string) (ok bool, err error) {
	w := bufio.NewWriter(out)
	defer func() {
		if flushed := w.Flush(); err == nil {
			err = flushed
		}
	}()
	s := newSession(w)
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			s.read(line)
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return false, fmt.Errorf("read the output of go test: %w", err)
		}
		if lines.Buffered() == 0 {
			if err := w.Flush(); err != nil {
				return false, err
			}
		}
	}
	used, err := readUse(report, unavailable)
	if err != nil {
		return false, err
	}
	used.print(w)
	s.print(w)
	return s.failed == 0 && s.passed > 0, nil
}
