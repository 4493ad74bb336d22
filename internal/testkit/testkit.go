// Package testkit owns what the tests of several rooms need from the machine they run on: real
// search clusters, sample documents, free ports, and the record of which of these a run used. It
// does not start clusters (`make servers` and `make test` do) and production code never imports it.
package testkit

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// reportFile is the environment variable that names the file `make test` prints its closing list from.
const reportFile = "TOCSIN_TEST_REPORT"

var reporting sync.Mutex

// record appends one tab-separated line to the report, if one is kept. A line is one write to a
// file opened for appending, so that the test binaries of several packages may share it.
func record(t testing.TB, what, use, name, detail string) {
	t.Helper()
	path := os.Getenv(reportFile)
	if path == "" {
		return
	}
	reporting.Lock()
	defer reporting.Unlock()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatalf("keep the record of what tests use: %v", err)
	}
	_, err = fmt.Fprintf(f, "%s\t%s\t%s\t%s\t%s\n", what, use, name, detail, t.Name())
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		t.Fatalf("keep the record of what tests use: %v", err)
	}
}

// Root returns the directory of go.mod, the root of the repository.
func Root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("no go.mod above the working directory of the test")
		}
		dir = parent
	}
}

// Documents returns the directory of the real documents that may lie beside the repository
// (../shared/data, or where TOCSIN_TEST_DOCUMENTS says). Where there is none ok is false and the test
// goes on with generated documents alone. Either way the closing list of `make test` says it.
func Documents(t testing.TB) (dir string, ok bool) {
	t.Helper()
	dir, given := os.LookupEnv("TOCSIN_TEST_DOCUMENTS")
	if !given {
		dir = filepath.Join(Root(t), "..", "shared", "data")
	}
	switch info, err := os.Stat(dir); {
	case err == nil && info.IsDir():
		record(t, "documents", "used", "real documents", dir)
		return dir, true
	case given && dir != "":
		t.Fatalf("TOCSIN_TEST_DOCUMENTS names %s, which is no directory; unset it or name one", dir)
	}
	record(t, "documents", "not used", "real documents", "there is no ../shared/data: generated documents only")
	return "", false
}

// FreePort returns a port of 127.0.0.1 that was free a moment ago. Something else may take it, so
// listen on port 0 wherever the code under test can say which port it got.
func FreePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return port
}
