package web

import (
	"fmt"
	"net/http"
	"net/url"

	"tocsin/internal/account"
)

// UserList are the users.
type UserList struct {
	Users []account.User `json:"users"`
}

// NewUser is a user to be made.
type NewUser struct {
	Name     string       `json:"name" doc:"Up to 64 letters, digits and . _ - @ +."`
	Password string       `json:"password" doc:"At least 10 characters."`
	Role     account.Role `json:"role"`
}

// UserPassword is another password of a user.
type UserPassword struct {
	Password string `json:"password" doc:"At least 10 characters."`
}

// UserRole is another role of a user.
type UserRole struct {
	Role account.Role `json:"role"`
}

// routeUsers adds the users.
func (w *Web) routeUsers() {
	for _, r := range []Route{
		{Method: "GET", Path: "/users", Summary: "List the users", Answer: UserList{}, Handle: w.users},
		{Method: "POST", Path: "/users", Summary: "Make a user with a password", Body: NewUser{}, Answer: account.User{}, Fails: []int{409}, Handle: w.addUser},
		{Method: "GET", Path: "/users/{name}", Summary: "Show a user", Answer: account.User{}, Fails: []int{404}, Handle: w.user},
		{Method: "DELETE", Path: "/users/{name}", Summary: "Remove a user and end their sessions", Answer: account.User{}, Fails: []int{404}, Handle: w.removeUser},
		{
			Method: "PUT", Path: "/users/{name}/password", Summary: "Give a user another password and end their sessions", Body: UserPassword{},
			Answer: account.User{}, Fails: []int{404}, Handle: w.setPassword,
		},
		{
			Method: "PUT", Path: "/users/{name}/role", Summary: "Give a user another role", Body: UserRole{}, Answer: account.User{}, Fails: []int{404},
			Handle: w.setRole,
		},
	} {
		r.Tag, r.Role, r.Logged = "accounts", account.Admin, true
		w.add(r)
	}
	w.page(Page{Method: "GET", Path: "/users", Role: account.Admin, Handle: w.usersPage})
	w.page(Page{Method: "POST", Path: "/users", Role: account.Admin, Logged: true, Handle: w.usersForm})
}

func (w *Web) users(rw http.ResponseWriter, r *http.Request) {
	users, err := w.accounts.Users(r.Context())
	w.answerAccount(rw, r, UserList{users}, err)
}

// answerAccount answers what accounts gave.
func (w *Web) answerAccount(rw http.ResponseWriter, r *http.Request, out any, err error) {
	if err != nil {
		w.refuseAccount(rw, r, err)
		return
	}
	answer(rw, http.StatusOK, out)
}

func (w *Web) user(rw http.ResponseWriter, r *http.Request) {
	u, err := w.accounts.User(r.Context(), r.PathValue("name"))
	w.answerAccount(rw, r, u, err)
}

func (w *Web) addUser(rw http.ResponseWriter, r *http.Request) {
	in, ok := body[NewUser](rw, r, mostAccount)
	if !ok {
		return
	}
	u, err := w.accounts.AddUser(r.Context(), who(r), in.Name, in.Password, in.Role)
	w.answerAccount(rw, r, u, err)
}

func (w *Web) removeUser(rw http.ResponseWriter, r *http.Request) {
	u, err := w.accounts.RemoveUser(r.Context(), who(r), r.PathValue("name"))
	w.answerAccount(rw, r, u, err)
}

func (w *Web) setPassword(rw http.ResponseWriter, r *http.Request) {
	in, ok := body[UserPassword](rw, r, mostAccount)
	if !ok {
		return
	}
	u, err := w.accounts.SetPassword(r.Context(), who(r), r.PathValue("name"), in.Password)
	w.answerAccount(rw, r, u, err)
}

func (w *Web) setRole(rw http.ResponseWriter, r *http.Request) {
	in, ok := body[UserRole](rw, r, mostAccount)
	if !ok {
		return
	}
	u, err := w.accounts.SetRole(r.Context(), who(r), r.PathValue("name"), in.Role)
	w.answerAccount(rw, r, u, err)
}

// accountDone ends a form about accounts: the page again, with what was done or what is wrong.
func (w *Web) accountDone(rw http.ResponseWriter, r *http.Request, page, said string, err error) {
	if err == nil {
		w.done(rw, r, page, said)
		return
	}
	_, fault, known := accountFault(err)
	if !known {
		w.broken(rw, r, err)
		return
	}
	w.setFlash(rw, "bad", fault)
	to := page
	if name := r.PostFormValue("name"); name != "" {
		to += "?" + url.Values{"name": {name}}.Encode()
	}
	http.Redirect(rw, r, to, http.StatusSeeOther)
}

func (w *Web) usersPage(rw http.ResponseWriter, r *http.Request) {
	users, err := w.accounts.Users(r.Context())
	if err != nil {
		w.broken(rw, r, err)
		return
	}
	w.render(rw, r, http.StatusOK, "users", struct {
		Users    []account.User
		Roles    []account.Role
		Name     string
		Required bool
	}{users, account.Roles, r.URL.Query().Get("name"), w.access.Required})
}

// usersForm does what the buttons of the page say.
func (w *Web) usersForm(rw http.ResponseWriter, r *http.Request) {
	if !w.form(rw, r) {
		return
	}
	var (
		err  error
		said string
		name = r.PostFormValue("name")
		role = account.Role(r.PostFormValue("role"))
	)
	switch r.PostFormValue("do") {
	case "add":
		var u account.User
		u, err = w.accounts.AddUser(r.Context(), who(r), name, r.PostFormValue("password"), role)
		said = fmt.Sprintf("%s can sign in as %s.", u.Name, role)
	case "role":
		_, err = w.accounts.SetRole(r.Context(), who(r), name, role)
		said = fmt.Sprintf("%s is now %s.", name, role)
	case "password":
		_, err = w.accounts.SetPassword(r.Context(), who(r), name, r.PostFormValue("password"))
		said = fmt.Sprintf("%s has another password, and their sessions have ended.", name)
	case "remove":
		_, err = w.accounts.RemoveUser(r.Context(), who(r), name)
		said = fmt.Sprintf("%s is removed.", name)
	default:
		w.sorry(rw, r, http.StatusBadRequest, "This form cannot be read", "Go back, reload the page, and send it again.")
		return
	}
	w.accountDone(rw, r, "/users", said, err)
}
