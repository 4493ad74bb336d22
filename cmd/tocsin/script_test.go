package main

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"tocsin": func() {
			os.Exit(run(&process{ctx: context.Background(), stdout: os.Stdout, stderr: os.Stderr, getenv: os.LookupEnv}, os.Args[1:]))
		},
	})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata/script", Cmds: map[string]func(*testscript.TestScript, bool, []string){"waitready": waitReady}})
}

// waitReady waits until the data directory served, or the one named, is served: its socket is there.
func waitReady(ts *testscript.TestScript, _ bool, args []string) {
	dir := "served"
	if len(args) > 0 {
		dir = args[0]
	}
	path := ts.MkAbs(filepath.Join(dir, "tocsin.sock"))
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if _, err := os.Stat(path); err == nil {
			return
		}
	}
	ts.Fatalf("%s is not served", dir)
}
