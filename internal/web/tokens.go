package web

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"tocsin/internal/account"
	"tocsin/internal/duration"
)

// TokenList are the tokens.
type TokenList struct {
	Tokens []account.Token `json:"tokens"`
}

// TokenRequest is a token to be made.
type TokenRequest struct {
	Name string       `json:"name" doc:"What it is for."`
	Role account.Role `json:"role"`
	// Life is a duration; empty for ever.
	Life string `json:"expires_in,omitempty" doc:"How long it is good, such as 90d; for ever without it."`
}

// routeTokens adds the API tokens.
func (w *Web) routeTokens() {
	for _, r := range []Route{
		{Method: "GET", Path: "/tokens", Summary: "List the API tokens, newest first, without what makes them good", Answer: TokenList{}, Handle: w.tokens},
		{
			Method: "POST", Path: "/tokens", Summary: "Make an API token, and tell it this once", Body: TokenRequest{}, Answer: account.NewToken{},
			Handle: w.addToken,
		},
		{Method: "DELETE", Path: "/tokens/{id}", Summary: "Revoke an API token", Answer: account.Token{}, Fails: []int{404}, Handle: w.revokeToken},
	} {
		r.Tag, r.Role, r.Logged = "accounts", account.Admin, true
		w.add(r)
	}
	w.page(Page{Method: "GET", Path: "/tokens", Role: account.Admin, Handle: w.tokensPage})
	w.page(Page{Method: "POST", Path: "/tokens", Role: account.Admin, Logged: true, Handle: w.tokensForm})
}

func (w *Web) tokens(rw http.ResponseWriter, r *http.Request) {
	tokens, err := w.accounts.Tokens(r.Context())
	w.answerAccount(rw, r, TokenList{tokens}, err)
}

func (w *Web) addToken(rw http.ResponseWriter, r *http.Request) {
	in, ok := body[TokenRequest](rw, r, mostAccount)
	if !ok {
		return
	}
	t, err := w.makeToken(r, in)
	w.answerAccount(rw, r, t, err)
}

func (w *Web) makeToken(r *http.Request, in TokenRequest) (account.NewToken, error) {
	var life time.Duration
	if text := strings.TrimSpace(in.Life); text != "" {
		var err error
		if life, err = duration.Parse(text); err != nil || life <= 0 {
			return account.NewToken{}, &account.InputError{Text: fmt.Sprintf("expires_in %q is not how long a token is good: write it as 90d or 12h, or leave it out", text)}
		}
	}
	return w.accounts.AddToken(r.Context(), who(r), in.Name, in.Role, life)
}

func (w *Web) revokeToken(rw http.ResponseWriter, r *http.Request) {
	t, err := w.accounts.RevokeToken(r.Context(), who(r), r.PathValue("id"))
	w.answerAccount(rw, r, t, err)
}

// tokenRow is a token as the page lists it.
type tokenRow struct {
	account.Token
	State string // good, ended or revoked
}

func (w *Web) tokensPage(rw http.ResponseWriter, r *http.Request) { w.showTokens(rw, r, nil) }

// showTokens shows the tokens, and the one just made: it is never seen again, so no redirect carries it.
func (w *Web) showTokens(rw http.ResponseWriter, r *http.Request, made *account.NewToken) {
	tokens, err := w.accounts.Tokens(r.Context())
	if err != nil {
		w.broken(rw, r, err)
		return
	}
	rows := make([]tokenRow, 0, len(tokens))
	for _, t := range tokens {
		row := tokenRow{t, "good"}
		switch {
		case !t.Revoked.IsZero():
			row.State = "revoked"
		case !t.Expires.IsZero() && !time.Now().Before(t.Expires):
			row.State = "ended"
		}
		rows = append(rows, row)
	}
	w.render(rw, r, http.StatusOK, "tokens", struct {
		Tokens []tokenRow
		Roles  []account.Role
		Made   *account.NewToken
		Name   string
	}{rows, []account.Role{account.Ingest, account.Viewer, account.Editor, account.Admin}, made, r.URL.Query().Get("name")})
}

func (w *Web) tokensForm(rw http.ResponseWriter, r *http.Request) {
	if !w.form(rw, r) {
		return
	}
	switch r.PostFormValue("do") {
	case "add":
		in := TokenRequest{Name: r.PostFormValue("name"), Role: account.Role(r.PostFormValue("role")), Life: r.PostFormValue("expires_in")}
		t, err := w.makeToken(r, in)
		if err != nil {
			w.accountDone(rw, r, "/tokens", "", err)
			return
		}
		w.showTokens(rw, r, &t)
	case "revoke":
		t, err := w.accounts.RevokeToken(r.Context(), who(r), r.PostFormValue("id"))
		w.accountDone(rw, r, "/tokens", fmt.Sprintf("The token %s is revoked.", t.Name), err)
	default:
		w.sorry(rw, r, http.StatusBadRequest, "This form cannot be read", "Go back, reload the page, and send it again.")
	}
}
