package web

import (
	"errors"
	"net/http"
	"strconv"

	"tocsin/internal/account"
)

// Session is who asks.
type Session struct {
	Name string       `json:"name"`
	Role account.Role `json:"role"`
	Via  string       `json:"via" enum:"session,token,socket,loopback" doc:"How they are known."`
	// Required tells whether a login is required here; where none is, everyone on this machine is admin.
	Required bool `json:"login_required"`
}

// PasswordChange is someone's new password.
type PasswordChange struct {
	Old string `json:"old_password"`
	New string `json:"new_password"`
}

// Done answers what has nothing more to say.
type Done struct {
	Done bool `json:"done"`
}

// mostAccount bounds the bodies and forms about accounts.
const mostAccount = 64 << 10

// routeAccounts adds who is let in: sessions, users, tokens and the log of changes.
func (w *Web) routeAccounts() {
	w.add(Route{
		Method: "GET", Path: "/session", Tag: "accounts", Role: account.Viewer, Summary: "Tell who asks and what they may do",
		Answer: Session{}, Handle: func(rw http.ResponseWriter, r *http.Request) {
			id := who(r)
			answer(rw, http.StatusOK, Session{Name: id.Name, Role: id.Role, Via: id.Via, Required: w.access.Required})
		},
	})
	w.add(Route{
		Method: "POST", Path: "/session/password", Tag: "accounts", Role: account.Viewer, Summary: "Change one's own password", Logged: true,
		Text: "Only for someone who signed in with a browser. Their other sessions end.", Body: PasswordChange{}, Answer: Done{}, Fails: []int{404, 429},
		Handle: func(rw http.ResponseWriter, r *http.Request) {
			in, ok := body[PasswordChange](rw, r, mostAccount)
			if !ok {
				return
			}
			if err := w.accounts.ChangePassword(r.Context(), who(r), in.Old, in.New); err != nil {
				w.refuseAccount(rw, r, err)
				return
			}
			answer(rw, http.StatusOK, Done{true})
		},
	})
	w.routeLogin()
	w.routeUsers()
	w.routeTokens()
	w.routeAudit()
}

// accountFault is the status of an error of accounts, and what to say.
func accountFault(err error) (status int, said string, known bool) {
	var (
		input   *account.InputError
		missing *account.NotFoundError
		taken   *account.TakenError
		limit   *account.LimitError
		refused *account.RefusedError
	)
	switch {
	case errors.As(err, &input):
		return http.StatusBadRequest, input.Text, true
	case errors.As(err, &missing):
		return http.StatusNotFound, missing.Text, true
	case errors.As(err, &taken):
		return http.StatusConflict, taken.Text, true
	case errors.As(err, &limit):
		return http.StatusTooManyRequests, limit.Error(), true
	case errors.As(err, &refused):
		return http.StatusForbidden, refused.Text, true
	case errors.Is(err, account.ErrPassword):
		return http.StatusUnauthorized, account.ErrPassword.Error(), true
	}
	return http.StatusInternalServerError, "", false
}

// refuseAccount answers the API for an error of accounts.
func (w *Web) refuseAccount(rw http.ResponseWriter, r *http.Request, err error) {
	status, said, known := accountFault(err)
	if !known {
		w.broken(rw, r, err)
		return
	}
	waitHeader(rw, err)
	fail(rw, status, said)
}

func waitHeader(rw http.ResponseWriter, err error) {
	var limit *account.LimitError
	if errors.As(err, &limit) {
		rw.Header().Set("Retry-After", strconv.Itoa(int(limit.Wait.Seconds())+1))
	}
}
