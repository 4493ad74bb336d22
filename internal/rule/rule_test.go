package rule

import (
	"encoding/json"
	"testing"
	"time"

	"tocsin/internal/alert"
	"tocsin/internal/duration"
)

func TestSeverityAndRiskFollowTheirFields(t *testing.T) {
	r, err := Parse([]byte(`
name: a
search: b:c
severity: {field: level, values: {"8": critical, warn: low}, default: high}
risk_score: {field: score}
`), ParseOptions{})
	if err != nil {
		t.Fatal(err)
	}
	f := func(fields map[string][]any, severity alert.Severity, risk float64) {
		t.Helper()
		if got := r.Severity.Of(fields); got != severity {
			t.Errorf("%v: severity %s", fields, got)
		}
		if got := r.Risk.Of(fields); got != risk {
			t.Errorf("%v: risk %v", fields, got)
		}
	}
	f(nil, alert.SeverityHigh, 73)
	f(map[string][]any{"level": {"warn", json.Number("8")}, "score": {"12", 30.5, 101.0, true}}, alert.SeverityCritical, 30.5)
	f(map[string][]any{"level": {"warn"}, "score": {int64(0)}}, alert.SeverityLow, 0)
	f(map[string][]any{"level": {"other"}, "score": {"x", -1.0}}, alert.SeverityHigh, 73)
	r.Severity.Values = nil
	f(map[string][]any{"level": {"Critical", "low"}}, alert.SeverityCritical, 73)
}

func TestExceptionsEnd(t *testing.T) {
	r, err := Parse([]byte(`
name: a
search: b:c
exceptions:
  - {match: 'user.name: svc-*', until: 2026-03-01, reason: moved}
  - {match: 'source.ip: 10.0.0.0/8 and not user.name: root', reason: inside, who: ann}
`), ParseOptions{Now: testNow})
	if err != nil {
		t.Fatal(err)
	}
	f := func(user, ip string, now time.Time, want string) {
		t.Helper()
		got := ""
		if e := r.Excepted(map[string][]any{"user.name": {user}, "source.ip": {ip}}, now); e != nil {
			got = e.Reason
		}
		if got != want {
			t.Errorf("%s from %s at %s: %q", user, ip, now, got)
		}
	}
	f("svc-backup", "192.0.2.1", testNow, "moved")
	f("svc-backup", "192.0.2.1", testNow.Add(12*time.Hour-time.Nanosecond), "moved")
	f("svc-backup", "192.0.2.1", testNow.Add(12*time.Hour), "")
	f("svc-backup", "10.1.2.3", testNow.Add(12*time.Hour), "inside")
	f("root", "10.1.2.3", testNow, "")
}

func TestDurationsReadWhatTheyWrite(t *testing.T) {
	for written, want := range map[string]time.Duration{
		"5m": 5 * time.Minute, "1h30m": 90 * time.Minute, "2w1d": 15 * 24 * time.Hour, "1s500ms": 1500 * time.Millisecond, "90s": 90 * time.Second,
	} {
		got, err := duration.Parse(written)
		if err != nil || got != want {
			t.Errorf("%s is %v, %v", written, got, err)
		}
		if again, err := duration.Parse(duration.Format(got)); err != nil || again != got {
			t.Errorf("%s is written %s", written, duration.Format(got))
		}
	}
	if _, err := duration.Parse("99999999999999999999w"); err == nil {
		t.Error("a duration too long was read")
	}
}
