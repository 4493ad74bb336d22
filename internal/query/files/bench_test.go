package files_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"tocsin/internal/query"
	"tocsin/internal/query/files"
)

// writeEvents writes n ECS-like events of about 330 bytes each.
func writeEvents(tb testing.TB, n int) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "events.ndjson")
	f, err := os.Create(path)
	if err != nil {
		tb.Fatal(err)
	}
	start := time.Date(2024, 7, 1, 0, 0, 0, 0, time.UTC)
	for i := range n {
		outcome := "failure"
		if i%3 == 0 {
			outcome = "success"
		}
		fmt.Fprintf(f, `{"@timestamp":"%s","event":{"action":"ssh_login","outcome":"%s","category":["authentication"],"dataset":"system.auth"},`+
			`"host":{"name":"web-%d","os":{"family":"debian"}},"user":{"name":"user%d"},"source":{"ip":"10.%d.%d.%d","port":%d},`+
			`"process":{"name":"sshd","pid":%d},"message":"Failed password for user%d from 10.0.0.1 port 22 ssh2","tags":["a","b"]}`+"\n",
			start.Add(time.Duration(i)*time.Second).Format(time.RFC3339), outcome, i%200, i*i%5003, i%256, i%7, i%11, 1024+i%60000, i%32768, i%5000)
	}
	if err := f.Close(); err != nil {
		tb.Fatal(err)
	}
	return path
}

func BenchmarkFilterEvalStats(b *testing.B) {
	const n = 100_000
	path := writeEvents(b, n)
	q, err := query.Compile(`event.outcome:failure | eval p = source.port % 1000 | stats count, avg(p) by user.name | search count > 10`, query.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for b.Loop() {
		if _, err := q.Run(context.Background(), query.RunOptions{Backend: &files.Backend{Main: files.Input{Path: path}}}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
