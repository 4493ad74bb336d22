package app

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"tocsin/internal/config"
)

func TestCheckAsksTheOpenIDProvider(t *testing.T) {
	var issuer string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(map[string]any{"issuer": issuer, "authorization_endpoint": issuer + "/a", "token_endpoint": issuer + "/t", "jwks_uri": issuer + "/k"}) //nolint:errcheck // the client of the test is there
	}))
	defer s.Close()
	for says, want := range map[string]bool{s.URL: false, "https://other.example.com": true} {
		issuer = says
		cfg := config.Default()
		cfg.Login.Required, cfg.Login.OIDC = true, &config.OIDC{Issuer: s.URL, ClientID: "tocsin", ClientSecret: "hush"}
		found := checkLogin(t.Context(), cfg)
		if len(found) != 2 || found[1].Problem != want || !strings.Contains(found[0].Text, "a login is required") || want == (found[1].Hint == "") {
			t.Errorf("it says it is %s: %+v", says, found)
		}
	}
	if found := checkLogin(t.Context(), config.Default()); len(found) != 1 || found[0].Problem || !strings.Contains(found[0].Text, "no login is required") {
		t.Errorf("without a login: %+v", found)
	}
}
