package web_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/internal/alert"
	"tocsin/internal/check"
	"tocsin/internal/ledger"
	"tocsin/internal/notice"
	"tocsin/internal/obs"
	"tocsin/internal/outbox"
	"tocsin/internal/store"
	"tocsin/internal/web"
)

// newWeb serves a ledger with three alerts: one sent, one excluded, and one whose text is an attack.
func newWeb(t *testing.T) *web.Web {
	t.Helper()
	return newWebOf(t, nil, nil)
}

// newWebOf is newWeb with a log store and handlers for the socket.
func newWebOf(t *testing.T, logs http.Handler, local map[string]http.Handler) *web.Web {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	db, err := store.Open(t.Context(), store.Options{Dir: t.TempDir(), Migrations: slices.Concat(ledger.Migrations, outbox.Migrations)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	at := time.Date(2026, 11, 24, 6, 0, 0, 0, time.UTC)
	err = db.Update(t.Context(), func(tx *store.Tx) error {
		for i, s := range []ledger.Standing{
			{Decision: ledger.Forward, Reason: "sent", Channel: "#a", Notice: "k1", Revision: 1},
			{Decision: ledger.Exclude, Reason: "closed before it was said"},
			{Decision: ledger.Forward, Reason: "waits in its group", Channel: "#a", Group: "g"},
		} {
			a := &alert.Alert{
				ID: alert.ID(strings.Repeat("abc"[i:i+1], 32)), Source: "s", SourceID: []string{"doc-1", "doc-2", "doc-22"}[i], Time: at, Updated: at,
				Rule: alert.Rule{Name: `<script>alert(1)</script>`}, Severity: alert.SeverityHigh, Document: json.RawMessage(`{"host":{"name":"h"}}`),
			}
			c, err := ledger.Prepare(a)
			if err != nil {
				return err
			}
			if _, err := ledger.Add(tx, c, s, at); err != nil {
				return err
			}
		}
		if err := outbox.Put(tx, notice.Notice{Key: "k1", Revision: 1, Channel: "#a", Kind: notice.KindAlert}, at); err != nil {
			return err
		}
		return tx.Exec(`UPDATE notices SET state = 'said', said_revision = 1, said_channel = 'C1', ts = '17.1'`)
	})
	if err != nil {
		t.Fatal(err)
	}
	o := over(t, db, log)
	o.Health.Set("source s", errors.New("<b>401</b>"), "make a new key")
	o.Logs = logs
	o.Local = local
	o.Verify = func(_ context.Context, since time.Time) (*check.Verification, error) {
		return &check.Verification{OK: true, Since: since}, nil
	}
	w, err := web.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func ask(t *testing.T, h http.Handler, method, path string, header ...string) (int, string) {
	t.Helper()
	r := httptest.NewRequest(method, path, nil)
	r.Host = "127.0.0.1:7171"
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			r.Host = header[i+1]
		} else {
			r.Header.Set(header[i], header[i+1])
		}
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	body, err := io.ReadAll(rec.Result().Body)
	if err != nil {
		t.Fatal(err)
	}
	return rec.Code, string(body)
}

func TestLoopbackLetsNoOtherSiteIn(t *testing.T) {
	h := newWeb(t).Loopback()
	verify := "/api/v1/verify?since=2026-11-24T00:00:00Z"
	for _, tc := range []struct {
		name, method, path string
		header             []string
		want               int
	}{
		{"a program", "GET", "/api/v1/alerts", nil, 200},
		{"localhost", "GET", "/healthz", []string{"Host", "localhost"}, 200},
		{"a name under localhost", "GET", "/healthz", []string{"Host", "tocsin.localhost:7171"}, 200},
		{"IPv6", "GET", "/healthz", []string{"Host", "[::1]:7171"}, 200},
		{"a rebound name", "GET", "/api/v1/alerts", []string{"Host", "evil.example:7171"}, 403},
		{"a name that only begins well", "GET", "/api/v1/alerts", []string{"Host", "127.0.0.1.evil.example"}, 403},
		{"no host", "GET", "/api/v1/alerts", []string{"Host", ""}, 403},
		{"a proxy", "GET", "/healthz", []string{"X-Forwarded-For", "10.0.0.1"}, 403},
		{"a newer proxy", "GET", "/healthz", []string{"Forwarded", "for=10.0.0.1"}, 403},
		{"a program writes", "POST", verify, nil, 200},
		{"our page writes", "POST", verify, []string{"Origin", "http://127.0.0.1:7171", "Sec-Fetch-Site", "same-origin"}, 200},
		{"another site writes", "POST", verify, []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"an old browser writes for another site", "POST", verify, []string{"Origin", "https://evil.example"}, 403},
		{"a sandboxed page writes", "POST", verify, []string{"Origin", "null"}, 403},
	} {
		if got, body := ask(t, h, tc.method, tc.path, tc.header...); got != tc.want {
			t.Errorf("%s: %d, want %d: %s", tc.name, got, tc.want, body)
		}
	}
}

func TestAlertsAreListedWithTheirFates(t *testing.T) {
	h := newWeb(t).Local()
	var got web.List
	_, body := ask(t, h, "GET", "/api/v1/alerts")
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatal(err)
	}
	if got.Seen != 3 || got.ByFate[alert.Sent] != 1 || got.ByFate[alert.Pending] != 1 || got.ByFate[alert.Excluded] != 1 || len(got.Alerts) != 3 {
		t.Fatalf("got %s", body)
	}
	sent := got.Alerts[2]
	if sent.Fate != alert.Sent || *sent.Channel != "C1" || *sent.MessageTS != "17.1" {
		t.Errorf("the sent alert is %+v", sent)
	}
	if excluded := got.Alerts[1]; excluded.Channel != nil || excluded.MessageTS != nil || excluded.Reason == "" {
		t.Errorf("the excluded alert is %+v", excluded)
	}
	for path, want := range map[string]int{
		"/api/v1/alerts?fate=sent,pending": 200, "/api/v1/alerts?fate=lost": 400, "/api/v1/alerts?limit=-1": 400, "/api/v1/alerts?since=yesterday": 400,
		"/api/v1/alerts?colour=red": 400, "/api/v1/alerts/doc-1": 200, "/api/v1/alerts/" + strings.Repeat("a", 32): 200, "/api/v1/alerts/aaa/why": 200,
		"/api/v1/alerts/doc-2": 200, "/api/v1/alerts/doc": 404, "/api/v1/alerts/zzz": 404, "/api/v2": 404, "/nothing": 404,
	} {
		if code, body := ask(t, h, "GET", path); code != want {
			t.Errorf("%s: %d, want %d: %s", path, code, want, body)
		}
	}
	if _, body := ask(t, h, "GET", "/api/v1/alerts?limit=2"); !strings.Contains(body, `"before":2`) {
		t.Errorf("no next page: %s", body)
	}
	if _, body := ask(t, h, "GET", "/api/v1/alerts?limit=2&before=2"); !strings.Contains(body, "doc-1") || strings.Contains(body, `"before"`) {
		t.Errorf("the next page: %s", body)
	}
}

func TestThePageShowsAttacksAsText(t *testing.T) {
	h := newWeb(t).Loopback()
	code, body := ask(t, h, "GET", "/delivery", "Accept", "text/html")
	if code != 200 || strings.Contains(body, "<script>") || strings.Contains(body, "<b>401") {
		t.Errorf("%d: text became markup:\n%s", code, body)
	}
	if !strings.Contains(body, "&lt;script&gt;") || !strings.Contains(body, "make a new key") {
		t.Errorf("the alert or the trouble is not shown:\n%s", body)
	}
	if _, body := ask(t, h, "GET", "/"); !strings.Contains(body, `"name":"tocsin"`) {
		t.Errorf("a program gets %s", body)
	}
}

func TestWhyTellsTheWay(t *testing.T) {
	h := newWeb(t).Local()
	for id, want := range map[string]string{"doc-1": "message 17.1", "doc-2": "closed before", "doc-22": "waits in its group"} {
		if _, body := ask(t, h, "GET", "/api/v1/alerts/"+id+"/why"); !strings.Contains(body, want) {
			t.Errorf("%s: no %q in %s", id, want, body)
		}
	}
}

// over are the options of a web that reads a database, and serves nothing else yet.
func over(t *testing.T, db *store.DB, log *slog.Logger) web.Options {
	t.Helper()
	l, err := ledger.New(ledger.Options{DB: db})
	if err != nil {
		t.Fatal(err)
	}
	o, err := outbox.NewReader(outbox.ReaderOptions{DB: db})
	if err != nil {
		t.Fatal(err)
	}
	h, err := obs.NewHealth(obs.HealthOptions{Log: log})
	if err != nil {
		t.Fatal(err)
	}
	return web.Options{Ledger: l, Outbox: o, Health: h, Metrics: http.NotFoundHandler(), Version: "v1", Log: log}
}
