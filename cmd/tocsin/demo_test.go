package main

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"tocsin/internal/testkit"
)

// The demo as a newcomer starts it: messages of detections that were forwarded, and of what rules found in logs,
// on its page; and nothing is left behind.
func TestDemoShowsForwardedDetectionsAndWhatRulesFind(t *testing.T) {
	if testing.Short() {
		t.Skip("starts the program: make test runs it")
	}
	temp, err := os.MkdirTemp("", "demo") // short: a socket lies in it
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(temp) //nolint:errcheck // it is only space
	cmd := exec.Command(testkit.Binary(t), "demo")
	cmd.Env = append(os.Environ(), "TMPDIR="+temp, "SLACK_WEBHOOK_URL=", "SLACK_BOT_TOKEN=")
	var log strings.Builder
	cmd.Stderr = &log
	said, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	defer func() {
		if cmd.ProcessState == nil {
			_ = cmd.Process.Kill()
			<-ended
		}
	}()
	lines := bufio.NewReader(said)
	address := ""
	for address == "" {
		line, err := lines.ReadString('\n')
		if err != nil {
			ended <- cmd.Wait()
			t.Fatalf("it ended without telling the address of its page: %v\n%s", err, log.String())
		}
		address = regexp.MustCompile(`http://127\.0\.0\.1:\d+/|$`).FindString(line)
	}
	go func() { ended <- cmd.Wait() }()

	forwarded := regexp.MustCompile(`Open in Kibana`)
	found := regexp.MustCompile(`answered \S+ with 200 on|failed to log in over SSH \d+ times within 5 minutes`)
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(500 * time.Millisecond) {
		page := fetch(t, address+"messages?channel=alerts")
		if forwarded.MatchString(page) && found.MatchString(page) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("forwarded: %t, found in logs: %t", forwarded.MatchString(page), found.MatchString(page))
		}
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			t.Fatal(err)
		}
		t.Errorf("it ended with %v", err)
	}
	left, err := filepath.Glob(filepath.Join(temp, "*"))
	if err != nil || len(left) > 0 {
		t.Errorf("it left %s: %v", strings.Join(left, ", "), err)
	}
}

func fetch(t *testing.T, address string) string {
	t.Helper()
	resp, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %v", address, resp.Status, err)
	}
	return string(text)
}
