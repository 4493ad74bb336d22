package app

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"tocsin/internal/alert"
	"tocsin/internal/web"
)

func TestTheMessageOfARuleIsWorded(t *testing.T) {
	h := newChannelHouse(t, "")
	if status, text := h.ask("POST", "/api/v1/rules", `{"content":"# mine\nname: A\nsearch: a:1\n"}`, nil); status != http.StatusOK {
		t.Fatalf("%d: %s", status, text)
	}
	h.take(alert.Alert{ID: "1", Rule: alert.Rule{Name: "A"}, Host: "<script>alert(1)</script>"})
	if status, page := h.ask("GET", "/rules/a/message", "", nil); status != http.StatusOK || !strings.Contains(page, "With the newest alert of the rule") || strings.Contains(page, "<script>alert") {
		t.Errorf("the page: %d", status)
	}
	if status, page := h.form("/rules/a/message", url.Values{"do": {"save"}, "base": {"1"}, "message": {"one\n{{.host.name"}}); status != http.StatusUnprocessableEntity ||
		!strings.Contains(page, "Line 2, column ") {
		t.Errorf("a wrong text: %d", status)
	}
	if status, page := h.form("/rules/a/message", url.Values{"do": {"preview"}, "base": {"1"}, "message": {"on {{.host.name}}!"}}); status != http.StatusOK || strings.Contains(page, "<script>alert") {
		t.Errorf("a preview: %d", status)
	}
	if status, text := h.form("/rules/a/message", url.Values{"do": {"save"}, "base": {"1"}, "message": {"on {{.host.name}}!\r\n"}}); status != http.StatusSeeOther {
		t.Fatalf("saving: %d %s", status, text)
	}
	var rule web.RuleDetail
	h.ask("GET", "/api/v1/rules/a", "", &rule)
	if rule.Version != 2 || !strings.Contains(rule.Content, `message: "on {{.host.name}}!"`) || !strings.HasPrefix(rule.Content, "# mine") {
		t.Errorf("%+v", rule)
	}
	if status, page := h.form("/rules/a/message", url.Values{"do": {"save"}, "base": {"1"}, "message": {"mine"}}); status != http.StatusConflict || !strings.Contains(page, "mine") {
		t.Errorf("saving over a change: %d", status)
	}
	if status, _ := h.form("/rules/a/message", url.Values{"do": {"save"}, "base": {"2"}, "message": {""}}); status != http.StatusSeeOther {
		t.Errorf("taking it out: %d", status)
	}
	rule = web.RuleDetail{}
	h.ask("GET", "/api/v1/rules/a", "", &rule)
	if strings.Contains(rule.Content, "message:") {
		t.Errorf("%s", rule.Content)
	}
	if status, _ := h.ask("GET", "/rules/nothing/message", "", nil); status != http.StatusNotFound {
		t.Errorf("a rule there is not: %d", status)
	}
}
