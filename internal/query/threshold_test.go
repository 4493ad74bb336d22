package query_test

import (
	"testing"
	"time"

	"tocsin/internal/query"
)

func TestThresholdIsFoundWithItsPlace(t *testing.T) {
	for text, want := range map[string]struct {
		number, column, op string
		window             time.Duration
	}{
		"event.outcome:failure | count by user.name | search count > 10":         {"10", "count", ">", 0},
		"a:b | count by user.name over 5m\n| search  count >= 3 and count < 100": {"3", "count", ">=", 5 * time.Minute},
		"* | stats sum(bytes) as total by host.name | where total > 1000.5":      {"1000.5", "total", ">", 0},
		"* | stats dc(user.name) as n by host.name | where n < 3 AND n > 0":      {"3", "n", "<", 0},
		"ä:ö and [from x *| fields a] | count | search count > 7":                {"7", "count", ">", 0},
		"* | count by a | sort - count | search count > 1":                       {"1", "count", ">", 0},
	} {
		q, err := query.Compile(text, query.Options{})
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		got, ok := q.Threshold(text)
		if !ok || text[got.Start:got.End] != want.number || got.Column != want.column || got.Op != want.op || got.Window != want.window {
			t.Errorf("%s: %+v, %v", text, got, ok)
		}
		for _, made := range []string{q.Groups(got, 5), q.PerWindow(got, 90*time.Second, nil)} {
			if _, err := query.Compile(made, query.Options{}); err != nil {
				t.Errorf("%s: made %s: %v", text, made, err)
			}
		}
	}
	for _, text := range []string{
		"a > 10", "* | count by a", "* | count by a | search count : 10", `* | count by a | search a > 5`, "* | count by a | rename count as n | search n > 5",
		"* | count by a | search count > 5 or a:b", "* | count by a | where count > a", `* | count by a | search count > "x"`,
	} {
		q, err := query.Compile(text, query.Options{})
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got, ok := q.Threshold(text); ok {
			t.Errorf("%s: found %+v", text, got)
		}
	}
}

func TestPerWindowNamesOnlyTheGroupsGiven(t *testing.T) {
	text := `a:b | count by user.name, host.name | search count > 10`
	q, err := query.Compile(text, query.Options{})
	if err != nil {
		t.Fatal(err)
	}
	limit, _ := q.Threshold(text)
	got := q.PerWindow(limit, 5*time.Minute, [][]string{{`al"ice) or *`, "h1"}, {"bob", `\`}})
	want := `a:b | search (user.name:"al\"ice) or *" and host.name:"h1") or (user.name:"bob" and host.name:"\\") | stats count by span(_time, 300000ms) as _window, user.name, host.name`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if _, err := query.Compile(got, query.Options{}); err != nil {
		t.Error(err)
	}
}
