package rule

import (
	"strings"
	"testing"
)

func TestASearchThatDropsItsTimesIsAProblemOfTheRule(t *testing.T) {
	got := said(t, "name: r\nsearch: event.action:ssh_login | count by user.name | search count > 3 | fields user.name, count\nevery: 5m\n")
	if want := "r.yaml:2:"; !strings.HasPrefix(got, want) || !strings.Contains(got, "search: fields drops the column first") {
		t.Error(got)
	}
	if got := said(t, "name: r\nsearch: event.action:ssh_login | count by user.name | search count > 3 | fields user.name, count, first, last\nevery: 5m\n"); got != "" {
		t.Error(got)
	}
}
