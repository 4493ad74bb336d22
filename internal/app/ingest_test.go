package app

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func ingestOf(t *testing.T, c *Client, o IngestOptions) (stdout, stderr string, err error) {
	t.Helper()
	var out, told bytes.Buffer
	o.Index, o.Stdout, o.Stderr, o.Now, o.Zone = "logs", &out, &told, time.Now(), "UTC"
	err = Ingest(t.Context(), c, o)
	return out.String(), told.String(), err
}

// taking is a process that takes all events; each gets the bodies.
func taking(each func(body string)) *Client {
	return handled(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/_refresh" {
			io.WriteString(w, "{}")
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(err)
		}
		each(string(body))
		items := strings.Repeat(`,{"create":{"status":201}}`, strings.Count(string(body), "\n")/2)
		io.WriteString(w, `{"items":[`+strings.TrimPrefix(items, ",")+`]}`)
	})
}

func TestIdsTellPlaceAndContent(t *testing.T) {
	dir := t.TempDir()
	ids := func(name, text string) map[string]bool {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		out := map[string]bool{}
		_, _, err := ingestOf(t, taking(func(body string) {
			for i, line := range strings.Split(strings.TrimSpace(body), "\n") {
				if i%2 == 0 {
					out[line] = true
				}
			}
		}), IngestOptions{Path: path})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	lines := "{\"a\":1}\n{\"a\":1}\n{\"a\":2}\n"
	first := ids("a.log", lines)
	if len(first) != 3 {
		t.Fatalf("equal lines at two places have one id: %v", first)
	}
	grown := ids("a.log", lines+"{\"a\":3}\n")
	for id := range first {
		if !grown[id] {
			t.Errorf("%s is another when the file has grown", id)
		}
	}
	for id := range ids("b.log", lines) {
		if first[id] {
			t.Errorf("%s is of two files", id)
		}
	}
}

func TestARefusalForNowEndsTheRun(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.log")
	if err := os.WriteFile(path, []byte("{\"a\":1}\n{\"a\":2}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := handled(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, `{"items":[{"index":{"status":201}},{"index":{"status":429,"error":{"reason":"the disk is full"}}}]}`)
	})
	_, _, err := ingestOf(t, c, IngestOptions{Path: path})
	if err == nil || !strings.Contains(err.Error(), "line 2 was not taken: the disk is full") || !strings.Contains(err.Error(), "run the same command again") {
		t.Errorf("%v", err)
	}
	down := handled(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
		io.WriteString(w, `{"error":{"reason":"it is being opened"},"status":503}`)
	})
	if _, _, err := ingestOf(t, down, IngestOptions{Path: "-", Stdin: strings.NewReader("{}\n")}); err == nil || !strings.Contains(err.Error(), "it is being opened") {
		t.Errorf("%v", err)
	}
	short := handled(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `{"items":[]}`) })
	if _, _, err := ingestOf(t, short, IngestOptions{Path: path}); err == nil || !strings.Contains(err.Error(), "answered for 0 of 2 events") {
		t.Errorf("%v", err)
	}
}

func TestLinesOfEveryLengthAreReadOrTold(t *testing.T) {
	events := 0
	var text strings.Builder
	for i := range 5000 { // several requests
		fmt.Fprintf(&text, "{\"n\":%d}\r\n\n", i)
	}
	text.WriteString(`{"long":"` + strings.Repeat("x", 1<<20) + "\"}\n")
	text.WriteString(`{"toolong":"` + strings.Repeat("x", ingestLine) + "\"}\n")
	text.WriteString(`{"last":"without an end"}`)
	counted := make(chan int, 100)
	stdout, stderr, err := ingestOf(t, taking(func(body string) { counted <- strings.Count(body, "\n") / 2 }), IngestOptions{Path: "-", Stdin: strings.NewReader(text.String())})
	close(counted)
	for n := range counted {
		events += n
	}
	if err == nil || events != 5002 || !strings.Contains(stderr, "-:10002: refused: the line has 16777231 bytes") || !strings.Contains(stdout, "5002 events stored") {
		t.Errorf("%d events\n%s\n%s\n%v", events, stdout, stderr, err)
	}
}
