package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tocsin/internal/testkit"
)

// engineConfig writes a configuration with the embedded engine alone.
func engineConfig(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tocsin.yaml")
	if err := os.WriteFile(path, []byte("listen: 127.0.0.1:0\ndata_dir: data\nsources: [{name: logs, kind: embedded, min_free: 64MiB}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// sender sends bulk requests until one gets no answer, and gives the names that were acknowledged.
func sender(url string, who int) (acknowledged []string) {
	for batch := 0; ; batch++ {
		var body bytes.Buffer
		var names []string
		for i := range 1 + rand.IntN(80) {
			name := fmt.Sprintf("%d-%d-%d", who, batch, i)
			names = append(names, name)
			if i%5 == 0 {
				fmt.Fprintf(&body, `{"create":{"_id":%q}}`+"\n", name)
			} else {
				body.WriteString(`{"create":{}}` + "\n")
			}
			fmt.Fprintf(&body, `{"@timestamp":%q,"name":%q}`+"\n", time.Now().Add(-time.Duration(rand.IntN(48))*time.Hour).UTC().Format(time.RFC3339Nano), name)
		}
		resp, err := http.Post(url+"crash/_bulk", "application/x-ndjson", &body)
		if err != nil {
			return acknowledged
		}
		answer, err := io.ReadAll(resp.Body)
		resp.Body.Close() //nolint:errcheck // only read
		var said struct {
			Errors *bool            `json:"errors"`
			Items  []map[string]any `json:"items"`
		}
		if err != nil || json.Unmarshal(answer, &said) != nil || said.Errors == nil || *said.Errors || len(said.Items) != len(names) {
			return acknowledged
		}
		acknowledged = append(acknowledged, names...)
	}
}

// What a bulk request was acknowledged for is there after kill -9 at any moment, once.
func TestKillsOfServeLoseAndDoubleNoEvent(t *testing.T) {
	kills := 10
	if testing.Short() {
		kills = 2
	}
	config := engineConfig(t)
	acknowledged := map[string]bool{}
	for kill := range kills {
		p := testkit.Serve(t, config)
		var mu sync.Mutex
		var all sync.WaitGroup
		for client := range 3 {
			all.Go(func() {
				names := sender(p.URL, 3*kill+client)
				mu.Lock()
				defer mu.Unlock()
				for _, n := range names {
					acknowledged[n] = true
				}
			})
		}
		time.Sleep(time.Duration(rand.IntN(1500)) * time.Millisecond)
		p.Kill()
		all.Wait()
	}
	if len(acknowledged) == 0 {
		t.Fatal("nothing was acknowledged")
	}
	p := testkit.Serve(t, config)
	out, err := exec.Command(testkit.Binary(t), "search", "--config", config, "--source", "logs", "--all", "--format", "ndjson", "* | fields name").Output()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]int{}
	for line := range strings.Lines(string(out)) {
		var row struct{ Name string }
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		found[row.Name]++
	}
	lost, doubled := 0, 0
	for name := range acknowledged {
		if found[name] == 0 {
			lost++
		}
	}
	for _, n := range found {
		if n > 1 {
			doubled++
		}
	}
	t.Logf("%d kills, %d events acknowledged, %d found", kills, len(acknowledged), len(found))
	if lost > 0 || doubled > 0 {
		t.Errorf("%d lost, %d doubled", lost, doubled)
	}
	p.Stop()
}

// Told to stop, the process answers the requests it has read, and what it answered is kept.
func TestStoppingAnswersWhatWasRead(t *testing.T) {
	config := engineConfig(t)
	acknowledged := 0
	for round := range 3 {
		p := testkit.Serve(t, config)
		done := make(chan []string)
		go func() { done <- sender(p.URL, round) }()
		time.Sleep(300 * time.Millisecond)
		p.Stop()
		acknowledged += len(<-done)
	}
	out, err := exec.Command(testkit.Binary(t), "search", "--config", config, "--source", "logs", "--all", "--format", "ndjson", "* | stats count, dc(name) as different").Output()
	if err != nil {
		t.Fatal(err)
	}
	var got struct{ Count, Different int }
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	if got.Count < acknowledged || got.Count != got.Different {
		t.Errorf("%d events acknowledged, %d found of %d names", acknowledged, got.Count, got.Different)
	}
}

// Below the free-space floor each event is refused with 429, and /readyz says why.
func TestBelowTheFloorEventsAreRefusedForNow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tocsin.yaml")
	if err := os.WriteFile(path, []byte("listen: 127.0.0.1:0\nsources: [{name: logs, kind: embedded, min_free: 8000000TB}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := testkit.Serve(t, path)
	resp, err := http.Post(p.URL+"logs/_bulk", "application/x-ndjson", strings.NewReader("{\"create\":{}}\n{\"a\":1}\n{\"create\":{}}\n{\"a\":2}\n"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	var said struct {
		Errors bool
		Items  []map[string]struct {
			Status int
			Error  struct{ Type, Reason string }
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&said); err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK || !said.Errors || len(said.Items) != 2 {
		t.Fatalf("status %d, %+v", resp.StatusCode, said)
	}
	for _, item := range said.Items {
		if c := item["create"]; c.Status != http.StatusTooManyRequests || c.Error.Type != "es_rejected_execution_exception" || !strings.Contains(c.Error.Reason, "free") {
			t.Errorf("%+v", item)
		}
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		ready, err := http.Get(p.URL + "readyz")
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(ready.Body)
		ready.Body.Close() //nolint:errcheck // only read
		if err != nil {
			t.Fatal(err)
		}
		if ready.StatusCode == http.StatusOK && strings.Contains(string(text), `"log store"`) && strings.Contains(string(text), "MiB free") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("readyz is %d %s", ready.StatusCode, text)
		}
	}
	log := filepath.Join(filepath.Dir(path), "lines.log")
	if err := os.WriteFile(log, []byte("{\"a\":1}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(testkit.Binary(t), "ingest", "--config", path, log).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "line 1 was not taken") || !strings.Contains(string(out), "run the same command again") {
		t.Errorf("ingest: %v\n%s", err, out)
	}
}
