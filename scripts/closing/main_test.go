package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestClosing(t *testing.T) {
	for _, c := range []struct {
		name, in, report, unavailable string
		ok                            bool
		want                          string
	}{
		{
			name: "passed, with a skipped subtest and what was used",
			in: `{"Action":"start","Package":"p"}
{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestA","Output":"=== RUN   TestA\n"}
{"Action":"run","Package":"p","Test":"TestA/one"}
{"Action":"output","Package":"p","Test":"TestA/one","Output":"    a_test.go:7: X is not set\n"}
{"Action":"output","Package":"p","Test":"TestA/one","Output":"    --- SKIP: TestA/one (0.00s)\n"}
{"Action":"skip","Package":"p","Test":"TestA/one"}
{"Action":"run","Package":"p","Test":"TestA/two"}
{"Action":"output","Package":"p","Test":"TestA/two","Output":"    a_test.go:9: chatter\n"}
{"Action":"pass","Package":"p","Test":"TestA/two"}
{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Output":"PASS\n"}
{"Action":"output","Package":"p","Output":"ok  \tp\t0.1s\n"}
{"Action":"pass","Package":"p"}
{"Action":"output","Package":"q","Output":"?   \tq\t[no test files]\n"}
{"Action":"skip","Package":"q"}
`,
			report: "server\tused\tOpenSearch 3\t3.5.0\tTestA\n" +
				"server\tused\tOpenSearch 3\t3.5.0\tTestA\n" +
				"server\tused\tOpenSearch 3\t3.5.0\tTestB\n" +
				"server\tnot used\tElasticsearch 7.17\tTOCSIN_TEST_ES7 is not set\tTestA\n" +
				"documents\tused\treal documents\t/data\tTestA\n" +
				"shipper\tused\topensearch-go 4\t4.8.1\tTestGo\n" +
				"shipper\tnot used\telasticsearch-py 8\tits environment is not there\tTestPython\n",
			unavailable: "TOCSIN_TEST_ES7\telastic7 did not start: no Java\n",
			ok:          true,
			want: "ok  \tp\t0.1s\n?   \tq\t[no test files]\n" + `
Real servers and documents:
  OpenSearch 3        used      3.5.0 (2 tests)
  OpenSearch secured  not used  no test asked for it
  OpenSearch 2        not used  no test asked for it
  Elasticsearch 8     not used  no test asked for it
  Elasticsearch 7.17  NOT USED  elastic7 did not start: no Java (1 test asked for it)
  Elasticsearch 7.10  not used  no test asked for it
  Real documents      used      /data (1 test)

Shippers that events were sent with:
  elasticsearch-py 8  NOT USED  its environment is not there
  opensearch-go 4     used      4.8.1

Tests skipped, and why:
  1: X is not set
     p.TestA/one

1 passed, 0 failed, 1 skipped
`,
		},
		{
			name: "failed: the output of what failed, counted once",
			in: `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"run","Package":"p","Test":"TestA/one"}
{"Action":"output","Package":"p","Test":"TestA/one","Output":"    a_test.go:7: got 1\n"}
{"Action":"fail","Package":"p","Test":"TestA/one"}
{"Action":"output","Package":"p","Test":"TestA","Output":"--- FAIL: TestA (0.00s)\n"}
{"Action":"fail","Package":"p","Test":"TestA"}
{"Action":"run","Package":"p","Test":"TestB"}
{"Action":"pass","Package":"p","Test":"TestB"}
{"Action":"output","Package":"p","Output":"FAIL\tp\t0.1s\n"}
{"Action":"fail","Package":"p"}
`,
			want: "    a_test.go:7: got 1\n--- FAIL: TestA (0.00s)\nFAIL\tp\t0.1s\n" + nothing + "\n1 passed, 1 failed, 0 skipped\n",
		},
		{
			name: "a package that does not build, and one that leaks after its tests",
			in: `{"ImportPath":"p","Action":"build-output","Output":"p/a.go:1:1: expected declaration\n"}
{"ImportPath":"p","Action":"build-fail"}
{"Action":"output","Package":"p","Output":"FAIL\tp [build failed]\n"}
{"Action":"fail","Package":"p","FailedBuild":"p"}
{"Action":"run","Package":"q","Test":"TestB"}
{"Action":"pass","Package":"q","Test":"TestB"}
{"Action":"output","Package":"q","Output":"goleak: found unexpected goroutines\n"}
{"Action":"fail","Package":"q"}
`,
			want: "p/a.go:1:1: expected declaration\nFAIL\tp [build failed]\ngoleak: found unexpected goroutines\n" + nothing +
				"\n1 passed, 2 failed, 0 skipped\n",
		},
		{
			name: "a test that never ended",
			in: `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestA","Output":"panic: test timed out\n"}
{"Action":"fail","Package":"p"}
`,
			want: "panic: test timed out\n" + nothing + "\n0 passed, 1 failed, 0 skipped\n",
		},
		{
			name: "nothing ran",
			in:   "go: no packages\n",
			want: "go: no packages\n" + nothing + "\nNo test ran.\n\n0 passed, 0 failed, 0 skipped\n",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out bytes.Buffer
			ok, err := run(strings.NewReader(c.in), &out, file(t, c.report), file(t, c.unavailable))
			if err != nil {
				t.Fatal(err)
			}
			if ok != c.ok {
				t.Errorf("ok is %v, want %v", ok, c.ok)
			}
			if d := cmp.Diff(c.want, out.String()); d != "" {
				t.Errorf("printed (-want +got):\n%s", d)
			}
		})
	}
}

const nothing = `
Real servers and documents:
  OpenSearch 3        not used  no test asked for it
  OpenSearch secured  not used  no test asked for it
  OpenSearch 2        not used  no test asked for it
  Elasticsearch 8     not used  no test asked for it
  Elasticsearch 7.17  not used  no test asked for it
  Elasticsearch 7.10  not used  no test asked for it
  Real documents      not used  no test asked for them
`
