package web

// How to add an endpoint or a page, from a file of your own:
//
//	func Forecasts(o ForecastOptions) Part { // app gives it to web.Options.Parts
//		return func(w *Web) {
//			s := &forecasts{w, o}
//			w.add(Route{Method: "POST", Path: "/forecasts/{id}", Tag: "forecasts", Role: account.Editor, Summary: "Forecast a rule",
//				Query: []Query{{Name: "days", Kind: Integer, Text: "How far back, 14 without it."}},
//				Body: ForecastRequest{}, Answer: ForecastAnswer{}, Fails: []int{404}, Handle: s.create})
//			w.page(Page{Method: "GET", Path: "/forecasts", Role: account.Viewer, Handle: s.page})
//		}
//	}
//
// The table checks the login, the role and the query's parameters (an unknown or ill-formed one is a 400), and
// makes the OpenAPI document; 400, 401, 403 and 500 need not be listed. Handlers read the body with
// body[ForecastRequest](rw, r, most), answer with answer or fail, and know who asks from who(r). What is no GET
// and needs more than a viewer goes into the log of changes (noted(r, object, detail) says more), unless it Reads;
// a form of a page does when it ends in w.done.
// Schemas come from the Go types: json tags, `doc:"..."` for a description, `enum:"a,b"` for the values of a string.

import (
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"tocsin/internal/account"
)

// apiRoot stands before the path of every endpoint.
const apiRoot = "/api/v1"

// A Part adds the endpoints and pages of one subject. Files of this package make them; app chooses.
type Part func(*Web)

// Route is one endpoint of the API.
type Route struct {
	Method string
	// Path goes on after /api/v1; {name} is a parameter.
	Path string
	// Tag groups endpoints in the document; Summary is one line, Text may say more.
	Tag, Summary, Text string
	// Role is the least that is needed.
	Role account.Role
	// Query are the parameters there are; any other is refused.
	Query []Query
	// Body is a value of the type of the request's JSON; nil for none. Optional says it may be left out.
	Body     any
	Optional bool
	// Answer is a value of the type of the answer's JSON; nil where Content is no JSON.
	Answer any
	// Status is that of success; 200 where it is 0.
	Status int
	// Content is the answer's media type; application/json where it is empty.
	Content string
	// Fails are the other statuses beside 400, 401, 403 and 500. Failure is a value of the type of their JSON;
	// Failure{} where it is nil.
	Fails   []int
	Failure any
	// Reads says of a method other than GET that nothing is changed: it is not in the log of changes.
	Reads bool
	// Logged says that the handler, or a room behind it, writes the log of changes itself.
	Logged bool
	Handle http.HandlerFunc
}

// Kind is what a parameter of the query holds.
type Kind string

// The kinds of parameters.
const (
	Text    Kind = "string"
	Integer Kind = "integer"
	Number  Kind = "number"
	Boolean Kind = "boolean"
	Time    Kind = "time" // RFC 3339
)

// Query is a parameter of the query.
type Query struct {
	Name string
	Kind Kind // Text where it is empty
	Text string
	// Values are all there may be; empty for any.
	Values []string
	// Least and Most bound an Integer; 0 as Most is no bound.
	Least    int64
	Most     int64
	Needed   bool
	Repeated bool
}

// Page is something for browsers. Whoever is not signed in is sent to sign in first.
type Page struct {
	Method, Path string
	Role         account.Role
	// Open says that no login is needed: the login page, its style.
	Open bool
	// Logged says that a room behind the page writes the log of changes itself.
	Logged bool
	Handle http.HandlerFunc
}

// Routes are all endpoints, in the order they were added. The slice is the caller's.
func (w *Web) Routes() []Route { return slices.Clone(w.routes) }

// Pages are all pages, in the order they were added. The slice is the caller's.
func (w *Web) Pages() []Page { return slices.Clone(w.pages) }

// add puts an endpoint on the table.
func (w *Web) add(r Route) {
	if err := r.check(); err != nil {
		w.wrong = append(w.wrong, err)
		return
	}
	w.routes = append(w.routes, r)
	w.mux.Handle(r.Method+" "+apiRoot+r.Path, w.checked(r))
}

// page puts a page on the table.
func (w *Web) page(p Page) {
	if !p.Open && !slices.Contains(account.Roles, p.Role) || p.Handle == nil || p.Method == "" || !strings.HasPrefix(p.Path, "/") {
		w.wrong = append(w.wrong, fmt.Errorf("web: the page %s %s has no role, method, path or handler", p.Method, p.Path))
		return
	}
	w.pages = append(w.pages, p)
	handle := w.loggedForm(p, p.Handle)
	w.mux.HandleFunc(p.Method+" "+p.Path, func(rw http.ResponseWriter, r *http.Request) {
		if !p.Open && !w.admitPage(rw, r, p.Role) {
			return
		}
		handle(rw, r)
	})
}

func (r *Route) check() error {
	where := "web: " + r.Method + " " + r.Path
	switch {
	case !slices.Contains([]string{"GET", "POST", "PUT", "PATCH", "DELETE"}, r.Method) || !strings.HasPrefix(r.Path, "/"):
		return fmt.Errorf("%s: there is no such method or path", where)
	case !slices.Contains(account.Roles, r.Role):
		return fmt.Errorf("%s: it needs a role", where)
	case r.Summary == "" || r.Tag == "" || r.Handle == nil:
		return fmt.Errorf("%s: it needs a summary, a tag and a handler", where)
	case r.Answer == nil && r.Content == "":
		return fmt.Errorf("%s: it needs the type of its answer, or its media type", where)
	}
	for _, q := range r.Query {
		if q.Name == "" || q.Text == "" {
			return fmt.Errorf("%s: the parameter %q needs a name and a text", where, q.Name)
		}
	}
	return nil
}

// checked stands before a handler: who asks may, and the query is as the table says.
func (w *Web) checked(route Route) http.Handler {
	handle := w.logged(route, route.Handle)
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if !w.admit(rw, r, route.Role) {
			return
		}
		if err := checkQuery(route.Query, r); err != nil {
			fail(rw, http.StatusBadRequest, err.Error())
			return
		}
		handle(rw, r)
	})
}

// checkQuery refuses parameters that are not on the table or not of their kind.
func checkQuery(params []Query, r *http.Request) error {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return fmt.Errorf("the query of the URL is not well formed: %w", err)
	}
	for _, p := range params {
		if p.Needed && !values.Has(p.Name) {
			return fmt.Errorf("the parameter %s is missing: %s", p.Name, p.Text)
		}
	}
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		i := slices.IndexFunc(params, func(p Query) bool { return p.Name == name })
		if i < 0 {
			return unknownParameter(name, params)
		}
		p := params[i]
		if len(values[name]) > 1 && !p.Repeated {
			return fmt.Errorf("the parameter %s may be given once", name)
		}
		for _, value := range values[name] {
			if err := p.check(value); err != nil {
				return err
			}
		}
	}
	return nil
}

func unknownParameter(name string, params []Query) error {
	if len(params) == 0 {
		return fmt.Errorf("no parameter is called %q: there is none here", name)
	}
	known := make([]string, 0, len(params))
	for _, p := range params {
		known = append(known, p.Name)
	}
	list := known[0]
	if n := len(known); n > 1 {
		list = strings.Join(known[:n-1], ", ") + " and " + known[n-1]
	}
	return fmt.Errorf("no parameter is called %q: there are %s", name, list)
}

func (p *Query) check(value string) error {
	var err error
	what := ""
	switch p.Kind {
	case Integer:
		var n int64
		n, err = strconv.ParseInt(value, 10, 64)
		if err == nil && (n < p.Least || p.Most > 0 && n > p.Most) {
			err = errors.New("out of bounds")
		}
		what = fmt.Sprintf("a whole number of %d or more", p.Least)
		if p.Most > 0 {
			what = fmt.Sprintf("a whole number from %d to %d", p.Least, p.Most)
		}
	case Number:
		_, err = strconv.ParseFloat(value, 64)
		what = "a number"
	case Boolean:
		if value != "true" && value != "false" {
			err = errors.New("neither")
		}
		what = "true or false"
	case Time:
		_, err = time.Parse(time.RFC3339, value)
		what = "a time such as 2026-01-02T15:04:05Z"
	default:
		if len(p.Values) > 0 && !slices.Contains(p.Values, value) {
			err = errors.New("none of them")
		}
		what = "one of " + strings.Join(p.Values, ", ")
	}
	if err != nil {
		return fmt.Errorf("%s %q is not %s", p.Name, value, what)
	}
	return nil
}

// body reads the JSON of a request, at most so many bytes of it. Where it cannot, it has answered.
func body[T any](rw http.ResponseWriter, r *http.Request, most int64) (T, bool) {
	var in T
	if kind := r.Header.Get("Content-Type"); kind != "" {
		if media, _, err := mime.ParseMediaType(kind); err != nil || media != "application/json" {
			fail(rw, http.StatusUnsupportedMediaType, "the body must be JSON: send it with Content-Type: application/json")
			return in, false
		}
	}
	d := json.NewDecoder(http.MaxBytesReader(rw, r.Body, most))
	d.DisallowUnknownFields()
	err := d.Decode(&in)
	if err == nil && d.More() {
		err = errors.New("there is something after its end")
	}
	if err == nil {
		return in, true
	}
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		fail(rw, http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is larger than %d bytes", most))
		return in, false
	}
	fail(rw, http.StatusBadRequest, "the body is not the JSON asked for: "+strings.TrimPrefix(err.Error(), "json: "))
	return in, false
}

// who asks. Behind the table there is always someone.
func who(r *http.Request) account.Identity {
	id, _ := account.From(r.Context())
	return id
}

// unrouted answers for a path or a method of the API that is not on the table.
func (w *Web) unrouted(rw http.ResponseWriter, r *http.Request) {
	var (
		allowed []string
		fewest  int // parameters of the path: with fewer it is a closer one
	)
	for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
		other := &http.Request{Method: method, URL: r.URL, Host: r.Host}
		_, pattern := w.mux.Handler(other)
		if !strings.HasPrefix(pattern, method+" ") {
			continue
		}
		switch n := strings.Count(pattern, "{"); {
		case len(allowed) == 0 || n < fewest:
			allowed, fewest = []string{method}, n
		case n == fewest:
			allowed = append(allowed, method)
		}
	}
	if len(allowed) > 0 {
		rw.Header().Set("Allow", strings.Join(allowed, ", "))
		fail(rw, http.StatusMethodNotAllowed, fmt.Sprintf("%s is not answered here: there is %s", r.Method, strings.Join(allowed, ", ")))
		return
	}
	fail(rw, http.StatusNotFound, "no such path: "+apiRoot+"/openapi.json lists what the API has")
}
