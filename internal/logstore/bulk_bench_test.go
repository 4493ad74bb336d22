package logstore

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// BenchmarkBulk stores requests of a thousand events of about 330 bytes each, over HTTP.
func BenchmarkBulk(b *testing.B) { bulk(b, false) }

// BenchmarkBulkNamed is BenchmarkBulk with ids that the client chose.
func BenchmarkBulkNamed(b *testing.B) { bulk(b, true) }

func bulk(b *testing.B, named bool) {
	s, err := New(b.Context(), Options{Dir: b.TempDir(), FreeSpaceFloor: 1})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	server := httptest.NewServer(s.Handler())
	defer server.Close()
	const perRequest = 1000
	began := time.Now()
	size, n := 0, 0
	for b.Loop() {
		var body strings.Builder
		for range perRequest {
			n++
			if named {
				fmt.Fprintf(&body, `{"create":{"_index":"logs-bench","_id":"%x"}}`+"\n", sha256.Sum256(fmt.Append(nil, n)))
			} else {
				body.WriteString(`{"create":{"_index":"logs-bench"}}` + "\n")
			}
			fmt.Fprintf(&body, `{"@timestamp":%q,"event":{"action":"ssh_login","outcome":"failure","category":["authentication"]},"host":{"name":"host-%d","ip":"10.0.%d.%d"},`+
				`"user":{"name":"user-%d"},"source":{"ip":"192.0.2.%d","port":%d},"process":{"name":"sshd","pid":%d},"message":"Failed password for user-%d from 192.0.2.%d port %d ssh2"}`+"\n",
				began.Add(-time.Duration(n)*time.Millisecond).UTC().Format(time.RFC3339Nano), n%200, n%256, n%200, n%5000, n%254, n%60000, n%32768, n%5000, n%254, n%60000)
		}
		size += body.Len()
		answer, err := http.Post(server.URL+"/_bulk", "application/x-ndjson", strings.NewReader(body.String()))
		if err != nil {
			b.Fatal(err)
		}
		if err := answer.Body.Close(); err != nil || answer.StatusCode != http.StatusOK {
			b.Fatalf("status %d, %v", answer.StatusCode, err)
		}
	}
	b.ReportMetric(float64(n)/time.Since(began).Seconds(), "events/s")
	s.handing.Lock()
	for !s.flush() {
	}
	s.handing.Unlock()
	b.ReportMetric(100*float64(s.bytes())/float64(size), "%disk")
}
