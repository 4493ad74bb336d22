package web_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/internal/alert"
	"tocsin/internal/check"
	"tocsin/internal/ledger"
	"tocsin/internal/outbox"
	"tocsin/internal/store"
	"tocsin/internal/web"
)

// previewing serves previews of messages over a ledger with these alerts, first to last.
func previewing(t *testing.T, alerts ...alert.Alert) func(body string) (int, map[string]any) {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	db, err := store.Open(t.Context(), store.Options{Dir: t.TempDir(), Migrations: slices.Concat(ledger.Migrations, outbox.Migrations)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	err = db.Update(t.Context(), func(tx *store.Tx) error {
		for i := range alerts {
			c, err := ledger.Prepare(&alerts[i])
			if err != nil {
				return err
			}
			if _, err := ledger.Add(tx, c, ledger.Standing{Decision: ledger.Forward, Group: "g"}, alerts[i].Time); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	o := over(t, db, log)
	o.Parts = []web.Part{web.Messages(web.MessagesOptions{})}
	o.Verify = func(context.Context, time.Time) (*check.Verification, error) { return &check.Verification{}, nil }
	w, err := web.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return func(body string) (int, map[string]any) {
		t.Helper()
		r := httptest.NewRequest("POST", "/api/v1/messages/preview", strings.NewReader(body))
		r.Host = "127.0.0.1:7171"
		r.Header.Set("Content-Type", "application/json")
		rec := httptest.NewRecorder()
		w.Loopback().ServeHTTP(rec, r)
		var out map[string]any
		if err := json.Unmarshal(rec.Body.Bytes(), &out); err != nil {
			t.Fatalf("%s: %d %s", body, rec.Code, rec.Body)
		}
		return rec.Code, out
	}
}

func seen(id, rule, document string) alert.Alert {
	at := time.Date(2026, 3, 25, 8, 0, 0, 0, time.UTC)
	return alert.Alert{
		ID: alert.ID(strings.Repeat(id, 32)), Source: "siem", SourceID: "doc-" + id, Time: at, Updated: at, Rule: alert.Rule{Name: rule}, Severity: alert.SeverityHigh,
		Reason: "it fired", Host: "web-01", Document: json.RawMessage(document),
	}
}

func TestMessagesAreShownWithTheNewestAlert(t *testing.T) {
	ask := previewing(t, seen("a", "Old", `{"source":{"ip":"10.0.0.1"}}`), seen("b", "New", `{"source":{"ip":"10.0.0.2"},"user_agent":{"original":"<!channel> <script>alert(1)</script>"}}`))
	status, got := ask(`{"template":"*{{.rule.name}}* from {{.source.ip}}: {{.user_agent.original}}"}`)
	if status != 200 {
		t.Fatalf("%d %v", status, got)
	}
	html := got["html"].(string)
	if !strings.Contains(html, "<b>New</b> from 10.0.0.2: ") || strings.Contains(html, "<script>") || strings.Contains(html, `class="mention"`) {
		t.Errorf("html %s", html)
	}
	if got["alert"] != strings.Repeat("b", 32) || got["failed"] != nil || !strings.Contains(got["text"].(string), "10.0.0.2") {
		t.Errorf("got %v", got)
	}
	if blocks := got["blocks"].([]any); len(blocks) < 2 {
		t.Errorf("blocks %v", blocks)
	}
	for body, want := range map[string]string{
		`{"rule":"Old","template":"{{.source.ip}}"}`:                      "10.0.0.1",
		`{"alert":"doc-a"}`:                                               "it fired",
		`{"message":"{{.rule.name}} of {{.source.ip}}"}`:                  "New of 10.0.0.2",
		`{"count":2,"template":"{{len .alerts}} alerts: {{.source.ip}}"}`: "2 alerts: 10.0.0.1, 10.0.0.2",
	} {
		if status, got := ask(body); status != 200 || !strings.Contains(got["html"].(string), want) {
			t.Errorf("%s: %d %v, want %s in it", body, status, got, want)
		}
	}
}

func TestWrongMessagesArePlaced(t *testing.T) {
	ask := previewing(t, seen("a", "Old", `{"source":{"ip":["10.0.0.1","10.0.0.2"]}}`))
	for body, want := range map[string][3]any{
		`{"template":"a\nb {{.x"}`:                {400, 2.0, 3.0},
		`{"message":"{{upper}}"}`:                 {400, 1.0, 3.0},
		`{"template":"x","alert":"a","rule":"b"}`: {400, nil, nil},
		`{"count":21}`:                            {400, nil, nil},
		`{"rule":"None"}`:                         {404, nil, nil},
		`{"tmpl":"x"}`:                            {400, nil, nil},
	} {
		status, got := ask(body)
		if status != want[0] || got["line"] != want[1] || got["column"] != want[2] || got["error"] == "" {
			t.Errorf("%s: %d %v, want %v", body, status, got, want)
		}
	}
	status, got := ask(`{"template":"{{range .source.ip}}{{.age}}{{end}}"}`)
	failed, _ := got["failed"].(map[string]any)
	if status != 200 || failed["line"] != 1.0 || failed["column"] != 23.0 || !strings.Contains(got["html"].(string), "The route&#39;s template failed at 1:23") || !strings.Contains(got["html"].(string), "it fired") {
		t.Errorf("%d %v", status, got)
	}
	if status, _ := previewing(t)(`{}`); status != 404 {
		t.Errorf("without an alert: %d", status)
	}
}

func TestTheMessageOfARuleThatIsBeingWritten(t *testing.T) {
	ask := previewing(t)
	body := func(content, document string) string {
		b, err := json.Marshal(map[string]any{"content": content, "format": "json", "document": json.RawMessage(document)})
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	row := `{"user.name":"<b>bob</b>","count":12}`
	search := `"search":"a:1 | count by user.name | search count > 3"`
	status, got := ask(body(`{"name":"Logins",`+search+`,"severity":"high","message":"{{.user.name}} failed {{.count}} times"}`, row))
	html, _ := got["html"].(string)
	if status != 200 || !strings.Contains(html, "Logins") || !strings.Contains(html, "failed 12 times") || strings.Contains(html, "<b>bob") {
		t.Errorf("%d %v", status, got)
	}
	if fields, ok := got["fields"].([]any); !ok || len(fields) < 2 {
		t.Errorf("the fields are %v", got["fields"])
	}
	if status, got := ask(body(`{"name":"Logins",`+search+`}`, row)); status != 200 || !strings.Contains(got["html"].(string), "Logins") {
		t.Errorf("without a message: %d %v", status, got)
	}
	if status, got := ask(body(`{"name":"Logins","search":"a:("}`, row)); status != 400 || got["problems"] == nil {
		t.Errorf("a rule that is wrong: %d %v", status, got)
	}
	for _, wrong := range []string{`{"content":"name: a\nsearch: b:1\n"}`, `{"document":{}}`, body(`{"name":"a","search":"b:1"}`, `3`)} {
		if status, got := ask(wrong); status != 400 {
			t.Errorf("%s: %d %v", wrong, status, got)
		}
	}
}
