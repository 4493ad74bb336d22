package testkit

import (
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// outcome is a test that writes down how it ended instead of ending.
type outcome struct {
	testing.TB
	failed, skipped string
}

func (o *outcome) Helper() {}

func (o *outcome) Fatalf(format string, args ...any) {
	o.failed = fmt.Sprintf(format, args...)
	panic(o)
}

func (o *outcome) Skipf(format string, args ...any) {
	o.skipped = fmt.Sprintf(format, args...)
	panic(o)
}

// try runs Server and says how the test that asked for it ended. The nodes here are stand-ins, so it
// insists that they are not written into the report of the whole run.
func try(t *testing.T, kind Kind) (node Node, end *outcome) {
	t.Helper()
	if path := os.Getenv(reportFile); path != "" && path == wholeRun {
		t.Fatal("call report first: a stand-in is no real server")
	}
	end = &outcome{TB: t}
	defer func() {
		if r := recover(); r != nil && r != any(end) {
			panic(r)
		}
	}()
	return Server(end, kind), end
}

// claim serves a node that says it is of this product and version.
func claim(t *testing.T, distribution, version string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"version":{"number":%q,"distribution":%q}}`, version, distribution)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// wholeRun is the report of the whole run, if one is kept.
var wholeRun = os.Getenv(reportFile)

// report keeps a report of this test's own and gives what it says so far.
func report(t *testing.T) func() string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "report")
	t.Setenv(reportFile, path)
	return func() string {
		text, err := os.ReadFile(path)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		return string(text)
	}
}

func notShort(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("Server answers otherwise under -short")
	}
}

func TestServerIsWhatTheEnvironmentNames(t *testing.T) {
	notShort(t)
	said := report(t)
	t.Setenv("TOCSIN_TEST_OPENSEARCH", claim(t, "opensearch", "3.5.0")+"/")
	node, end := try(t, OpenSearch)
	if end.failed+end.skipped != "" {
		t.Fatal(end.failed, end.skipped)
	}
	if node.Version != "3.5.0" || strings.HasSuffix(node.URL, "/") {
		t.Errorf("got %+v", node)
	}
	if want := "server\tused\tOpenSearch 3\t3.5.0\t" + t.Name() + "\n"; said() != want {
		t.Errorf("the report says %q, want %q", said(), want)
	}
}

func TestServerMissingIsSkippedAndSaid(t *testing.T) {
	notShort(t)
	said := report(t)
	t.Setenv("TOCSIN_TEST_ES7", "")
	t.Setenv("TOCSIN_TEST_SERVERS", "")
	if _, end := try(t, Elastic7); !strings.Contains(end.skipped, "TOCSIN_TEST_ES7 is not set") {
		t.Errorf("skipped %q, failed %q", end.skipped, end.failed)
	}
	if !strings.HasPrefix(said(), "server\tnot used\tElasticsearch 7.17\tTOCSIN_TEST_ES7 is not set\t") {
		t.Errorf("the report says %q", said())
	}
}

func TestServerMissingFailsWhereRequired(t *testing.T) {
	notShort(t)
	report(t)
	t.Setenv("TOCSIN_TEST_ES7", "")
	t.Setenv("TOCSIN_TEST_SERVERS", "required")
	if _, end := try(t, Elastic7); !strings.Contains(end.failed, "required") {
		t.Errorf("skipped %q, failed %q", end.skipped, end.failed)
	}
}

func TestServerOfAnotherKindIsRefused(t *testing.T) {
	notShort(t)
	for _, c := range []struct {
		kind                            Kind
		variable, distribution, version string
	}{
		{OpenSearch, "TOCSIN_TEST_OPENSEARCH", "opensearch", "2.19.1"},
		{OpenSearch2, "TOCSIN_TEST_OPENSEARCH2", "opensearch", "3.5.0"},
		{Elastic8, "TOCSIN_TEST_ES8", "", "7.17.29"},
		{Elastic7, "TOCSIN_TEST_ES7", "opensearch", "7.10.2"},
	} {
		t.Run(string(c.kind), func(t *testing.T) {
			said := report(t)
			t.Setenv(c.variable, claim(t, c.distribution, c.version))
			if _, end := try(t, c.kind); !strings.Contains(end.failed, c.version) {
				t.Errorf("skipped %q, failed %q", end.skipped, end.failed)
			}
			if said() != "" {
				t.Errorf("the report says %q", said())
			}
		})
	}
}

func TestServerThatDoesNotAnswerFailsAndKeepsThePassword(t *testing.T) {
	notShort(t)
	report(t)
	for name, address := range map[string]string{
		"nobody there": fmt.Sprintf("http://elastic:hunter2@127.0.0.1:%d", FreePort(t)),
		"no scheme":    "elastic:hunter2@127.0.0.1:9200",
		"bad port":     "http://elastic:hunter2@127.0.0.1:port",
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("TOCSIN_TEST_ES8", address)
			_, end := try(t, Elastic8)
			if end.failed == "" {
				t.Errorf("not failed; skipped %q", end.skipped)
			}
			if strings.Contains(end.failed, "hunter2") {
				t.Errorf("the password is in %q", end.failed)
			}
		})
	}
}

func TestServerIsTrustedByItsAuthorityOnly(t *testing.T) {
	notShort(t)
	report(t)
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "elastic" || password != "p@ss" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		fmt.Fprint(w, `{"version":{"number":"8.19.21"}}`)
	}))
	t.Cleanup(s.Close)
	address := strings.Replace(s.URL, "https://", "https://elastic:p%40ss@", 1)

	t.Setenv("TOCSIN_TEST_ES8", address)
	t.Setenv("TOCSIN_TEST_ES8_CA", "")
	if _, end := try(t, Elastic8); !strings.Contains(end.failed, "certificate") {
		t.Errorf("without the authority: skipped %q, failed %q", end.skipped, end.failed)
	}

	ca := filepath.Join(t.TempDir(), "ca.crt")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	if err := os.WriteFile(ca, block, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TOCSIN_TEST_ES8_CA", ca)
	node, end := try(t, Elastic8)
	if end.failed+end.skipped != "" {
		t.Fatal(end.failed, end.skipped)
	}
	if node.Username != "elastic" || node.Password != "p@ss" || strings.Contains(node.URL, "@") || node.CAFile != ca {
		t.Errorf("got %+v", node)
	}
}

func TestDocumentsSayWhetherTheyAreReal(t *testing.T) {
	said := report(t)
	dir := t.TempDir()
	t.Setenv("TOCSIN_TEST_DOCUMENTS", dir)
	if got, ok := Documents(t); got != dir || !ok {
		t.Errorf("got %q, %v", got, ok)
	}
	if !strings.HasPrefix(said(), "documents\tused\treal documents\t"+dir+"\t") {
		t.Errorf("the report says %q", said())
	}

	said = report(t)
	t.Setenv("TOCSIN_TEST_DOCUMENTS", "")
	if got, ok := Documents(t); got != "" || ok {
		t.Errorf("got %q, %v", got, ok)
	}
	if !strings.HasPrefix(said(), "documents\tnot used\treal documents\t") {
		t.Errorf("the report says %q", said())
	}
}
