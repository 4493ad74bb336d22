package rule

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"tocsin/internal/alert"
	"tocsin/internal/query"
	"tocsin/internal/wording"
)

// Tester runs the tests of rules. It is safe for concurrent use if Backend is.
type Tester struct {
	// Backend makes a source of a test's documents, NDJSON or a JSON array.
	Backend func(documents []byte) query.Backend
	// Lookups gives the tables searches may name; nil for none.
	Lookups func() map[string]*query.Table
}

// TestResult is what came of a test.
type TestResult struct {
	Test   string `json:"test"`
	Passed bool   `json:"passed"`
	// Want is how many alerts were expected, Got how many there were.
	Want int `json:"want"`
	Got  int `json:"got"`
	// Differences say what is not as expected, and why where that is known; empty where the test passed.
	Differences []string `json:"differences,omitempty"`
	// Alerts are what there was, as fields.
	Alerts []map[string]any `json:"alerts"`
}

// Run runs all tests of a rule. The error is of ctx or of a file that cannot be read; a test that fails is
// none.
func (t *Tester) Run(ctx context.Context, e *Entry) ([]TestResult, error) {
	if e.Rule == nil {
		return nil, &Problems{List: e.Problems}
	}
	out := make([]TestResult, 0, len(e.Rule.Tests))
	for _, test := range e.Rule.Tests {
		documents, err := e.Events(test)
		if err != nil {
			return nil, err
		}
		result, err := t.run(ctx, e.Rule, test, t.Backend(documents))
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			result = TestResult{Test: test.Name, Want: test.Alerts, Differences: []string{"the search failed: " + err.Error()}}
		}
		out = append(out, result)
	}
	return out, nil
}

func (t *Tester) run(ctx context.Context, r *Rule, test Test, b query.Backend) (TestResult, error) {
	out := TestResult{Test: test.Name, Want: test.Alerts}
	now, documents, err := t.newest(ctx, r, b)
	if err != nil {
		return out, err
	}
	if !test.Now.IsZero() {
		now = test.Now
	}
	judged, err := t.judge(ctx, r, now, b)
	if err != nil {
		return out, err
	}
	out.Alerts, out.Got = judged.alerts, len(judged.alerts)
	out.Differences = compareAlerts(test, judged.alerts)
	if out.Passed = len(out.Differences) == 0; out.Passed {
		return out, nil
	}
	out.Differences = append(out.Differences, fmt.Sprintf("%s read, %s found", counted(documents, "document"), counted(judged.rows, "row")))
	for _, why := range slices.Sorted(maps.Keys(judged.kept)) {
		out.Differences = append(out.Differences, fmt.Sprintf("%s: %s", why, counted(judged.kept[why], "row")))
	}
	return out, nil
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// newest is when a test runs: just after its newest document. Without one it is 2024.
func (t *Tester) newest(ctx context.Context, r *Rule, b query.Backend) (time.Time, int, error) {
	now := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	q, err := query.Compile("| stats count, max(_time) as newest", query.Options{Now: now, TimeField: r.TimestampField})
	if err != nil {
		return now, 0, err
	}
	result, err := q.Run(ctx, query.RunOptions{Backend: b})
	if err != nil {
		return now, 0, err
	}
	count := 0
	for i := range result.Rows {
		count = int(result.Rows[i].Get(0).Int())
		if ns, ok := result.Rows[i].Get(1).AsTime(); ok {
			now = time.Unix(0, ns).UTC().Add(time.Millisecond)
		}
	}
	return now, count, nil
}

// alertOf is what a test sees of an alert: its fields, its severity, its score, and its sentence where the rule
// has one.
func alertOf(r *Rule, c candidate) (map[string]any, error) {
	out := map[string]any{}
	for name, values := range c.fields {
		out[name] = wording.Values(values)
	}
	severity, risk := r.Severity.Of(c.fields), r.Risk.Of(c.fields)
	if c.rows != nil { // of all rows the worst counts
		out["rows"] = int64(len(c.rows))
		severity, risk = alert.SeverityUnknown, 0
		for _, row := range c.rows {
			severity, risk = max(severity, r.Severity.Of(row)), max(risk, r.Risk.Of(row))
		}
	}
	out["severity"], out["risk_score"] = severity.String(), risk
	if r.Message != nil {
		data := MessageData{Rule: r, Severity: severity, Risk: risk, Count: max(1, len(c.rows)), Time: c.at, Fields: c.fields, Rows: c.rows}
		said, err := r.Message.Render(data)
		if err != nil {
			return nil, err
		}
		out["message"] = said
	}
	return out, nil
}

// compareAlerts says what is not as expected.
func compareAlerts(test Test, alerts []map[string]any) []string {
	var out []string
	if test.Keys == nil {
		if test.Alerts != len(alerts) {
			out = append(out, fmt.Sprintf("expected %s, there were %d", counted(test.Alerts, "alert"), len(alerts)))
			for i, a := range alerts {
				if i == mostShown {
					out = append(out, fmt.Sprintf("and %d more", len(alerts)-i))
					break
				}
				out = append(out, "there was "+shown(a))
			}
		}
		return out
	}
	taken := match(test.Keys, alerts)
	for i, want := range test.Keys {
		if !slices.Contains(taken, i) {
			out = append(out, "missing "+shown(want))
		}
	}
	for i, a := range alerts {
		if taken[i] < 0 {
			out = append(out, "not expected "+shown(a))
		}
	}
	return out
}

const mostShown = 10

// match gives for each alert the index of what was expected and is this one, -1 for none: as many as can be.
func match(wanted, alerts []map[string]any) []int {
	taken := make([]int, len(alerts))
	for i := range taken {
		taken[i] = -1
	}
	var place func(want int, tried []bool) bool
	place = func(want int, tried []bool) bool {
		for i, a := range alerts {
			if tried[i] || !matches(wanted[want], a) {
				continue
			}
			tried[i] = true
			if taken[i] < 0 || place(taken[i], tried) {
				taken[i] = want
				return true
			}
		}
		return false
	}
	for i := range wanted {
		place(i, make([]bool, len(alerts)))
	}
	return taken
}

// matches reports whether an alert has all the fields wanted; null is a field it lacks.
func matches(want, a map[string]any) bool {
	for name, value := range want {
		got := wording.Each(a[name])
		switch values := value.(type) {
		case nil:
			if got != nil {
				return false
			}
		case []any: // these values and no others, in any order
			if len(values) != len(got) || slices.ContainsFunc(values, func(v any) bool { return !holds(got, v) }) {
				return false
			}
		default:
			if !holds(got, value) {
				return false
			}
		}
	}
	return true
}

func holds(got []any, v any) bool {
	return slices.ContainsFunc(got, func(g any) bool { return wording.Compare(g, v) == 0 })
}

// shown is an alert in one line, its fields in order.
func shown(fields map[string]any) string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if fields[name] == nil {
			continue
		}
		value, err := marshal(fields[name])
		if err != nil {
			value = []byte("?")
		}
		out = append(out, name+": "+wording.Truncate(120, string(value)))
	}
	return strings.Join(out, ", ")
}
