package demo

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// bodyMost is the longest request body read.
const bodyMost = 4 << 20

// SlackCall is a request as a fault hook sees it.
type SlackCall struct {
	N       int    // counts requests from 1
	Method  string // such as chat.postMessage; "webhook" for an incoming webhook
	Channel string // as the caller named it; empty for webhooks
	TS      string // the message meant by chat.update and the like
	Key     string // the delivery_key in the message's metadata
	Text    string
}

// call is one request while it is served.
type call struct {
	n       int
	at      time.Time
	method  string
	path    string
	origin  string // scheme and host, as the caller wrote them
	secret  string
	token   *SlackToken
	args    map[string]arg
	isJSON  bool
	warning string
	cached  *string // the delivery key, once read
}

// arg is one argument: text from a form or a query, or a JSON value.
type arg struct {
	text string
	raw  json.RawMessage // nil for text
}

// refusal is a call refused.
type refusal struct {
	code       string
	messages   []string // details, for response_metadata.messages
	needed     string   // missing_scope
	provided   string
	status     int // 0: 200, as Slack does
	retryAfter int // seconds; 0: no header
}

// argName is what an argument may be called.
var argName = regexp.MustCompile(`^[A-Za-z0-9_]{1,64}$`)

// readCall reads a request. The call is never nil; the refusal says what is wrong with the request.
func readCall(w http.ResponseWriter, r *http.Request, method string) (*call, *refusal) {
	c := &call{method: method, path: r.URL.Path, origin: origin(r), args: map[string]arg{}}
	if bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		c.secret = strings.TrimSpace(bearer)
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, bodyMost))
	if tooLong := (*http.MaxBytesError)(nil); errors.As(err, &tooLong) {
		return c, &refusal{code: "request_too_large", status: http.StatusRequestEntityTooLarge}
	}
	if err != nil {
		return c, &refusal{code: "request_timeout", status: http.StatusRequestTimeout}
	}
	bad := c.readArgs(r, body)
	for name := range c.args {
		if bad == nil && !argName.MatchString(name) {
			bad = &refusal{code: "invalid_arg_name"}
			if strings.HasSuffix(name, "]") {
				bad.code = "invalid_array_arg"
			}
		}
	}
	return c, bad
}

func origin(r *http.Request) string {
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

func (c *call) readArgs(r *http.Request, body []byte) *refusal {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return &refusal{code: "invalid_form_data"}
	}
	c.takeForm(query)
	if r.Method != http.MethodPost || len(body) == 0 {
		return nil
	}
	kind := r.Header.Get("Content-Type")
	if kind == "" {
		return &refusal{code: "missing_post_type"}
	}
	media, params, err := mime.ParseMediaType(kind)
	if err != nil {
		return &refusal{code: "invalid_post_type"}
	}
	charset := strings.ToLower(params["charset"])
	if charset != "" && charset != "utf-8" && charset != "iso-8859-1" {
		return &refusal{code: "invalid_charset"}
	}
	switch media {
	case "application/json":
		c.isJSON = true
		if charset == "" {
			c.warning = "missing_charset"
		}
		return c.takeJSON(body)
	case "application/x-www-form-urlencoded":
		if charset != "" {
			c.warning = "superfluous_charset"
		}
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return &refusal{code: "invalid_form_data"}
		}
		return c.takeForm(form)
	case "multipart/form-data":
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		if err := r.ParseMultipartForm(bodyMost); err != nil {
			return &refusal{code: "invalid_form_data"}
		}
		return c.takeForm(r.MultipartForm.Value)
	case "text/plain":
		return nil
	default:
		return &refusal{code: "invalid_post_type"}
	}
}

func (c *call) takeForm(form url.Values) *refusal {
	for name, values := range form {
		if len(values) > 1 {
			return &refusal{code: "invalid_form_data", messages: []string{"[ERROR] argument given twice: " + name}}
		}
		if !utf8.ValidString(values[0]) {
			return &refusal{code: "invalid_form_data", messages: []string{"[ERROR] not utf-8: " + name}}
		}
		if name == "token" {
			if c.secret == "" {
				c.secret = values[0]
			}
			continue
		}
		c.args[name] = arg{text: values[0]}
	}
	return nil
}

// takeJSON takes arguments from a JSON body. A token in it is not looked at: with JSON it goes into
// the Authorization header.
func (c *call) takeJSON(body []byte) *refusal {
	if !utf8.Valid(body) {
		return &refusal{code: "invalid_json"}
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(body, &fields); err != nil {
		if json.Valid(body) {
			return &refusal{code: "json_not_object"}
		}
		return &refusal{code: "invalid_json"}
	}
	for name, raw := range fields {
		if string(raw) != "null" && name != "token" {
			c.args[name] = arg{raw: raw}
		}
	}
	return nil
}

// text gives an argument that must be a text; a JSON number is none.
func (c *call) text(name string) (string, *refusal) {
	a := c.args[name]
	if a.raw == nil {
		return a.text, nil
	}
	var s string
	if json.Unmarshal(a.raw, &s) != nil {
		return "", wrongArg(name, "must be a string")
	}
	return s, nil
}

// flag gives an argument that must be a boolean.
func (c *call) flag(name string) (bool, *refusal) {
	a, given := c.args[name]
	if !given {
		return false, nil
	}
	switch strings.Trim(a.text+string(a.raw), `"`) {
	case "true", "1":
		return true, nil
	case "false", "0", "":
		return false, nil
	}
	return false, wrongArg(name, "must be a boolean")
}

// number gives an argument that must be a whole number, or its default where it is not given.
func (c *call) number(name string, otherwise int) (int, *refusal) {
	a, given := c.args[name]
	if !given || a.text+string(a.raw) == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(strings.Trim(a.text+string(a.raw), `"`))
	if err != nil {
		return 0, wrongArg(name, "must be an integer")
	}
	return n, nil
}

// value gives an argument that is JSON: itself, or, as forms have it, a text holding JSON. It is nil
// where the argument is not given.
func (c *call) value(name string) (json.RawMessage, bool) {
	a, given := c.args[name]
	if !given {
		return nil, true
	}
	if a.raw == nil {
		a.raw = json.RawMessage(a.text)
		if a.text == "" {
			return nil, true
		}
	} else if a.raw[0] == '"' {
		var inner string
		if json.Unmarshal(a.raw, &inner) != nil {
			return nil, false
		}
		a.raw = json.RawMessage(inner)
	}
	return a.raw, json.Valid(a.raw)
}

func wrongArg(name, what string) *refusal {
	return &refusal{code: "invalid_arguments", messages: []string{"[ERROR] " + what + " [json-pointer:/" + name + "]"}}
}

// need asks for a scope of the caller's token.
func (c *call) need(scope string) *refusal {
	if c.token.Scopes == nil || slices.Contains(c.token.Scopes, scope) {
		return nil
	}
	return &refusal{code: "missing_scope", needed: scope, provided: strings.Join(c.token.Scopes, ",")}
}

func (c *call) channelAsked() string {
	name, _ := c.text("channel")
	return name
}

func (c *call) appName() string {
	if c.token == nil {
		return ""
	}
	return c.token.App
}

// key gives the delivery key in the call's metadata, or nothing.
func (c *call) key() string {
	if c.cached == nil {
		raw, _ := c.value("metadata")
		key := deliveryKey(raw)
		c.cached = &key
	}
	return *c.cached
}

func deliveryKey(metadata json.RawMessage) string {
	var m struct {
		Payload struct {
			Key string `json:"delivery_key"`
		} `json:"event_payload"`
	}
	if len(metadata) == 0 || json.Unmarshal(metadata, &m) != nil {
		return ""
	}
	return m.Payload.Key
}

func (c *call) public() SlackCall {
	ts, _ := c.text("ts")
	text, _ := c.text("text")
	return SlackCall{N: c.n, Method: c.method, Channel: c.channelAsked(), TS: ts, Key: c.key(), Text: text}
}

// answer is what a call is answered.
type answer struct {
	status int
	header http.Header
	body   []byte
	code   string // the error, empty for success
	ts     string // the message stored or changed
	stored bool
}

// accept answers a call that did what it should.
func accept(c *call, body map[string]any, ts string) answer {
	a := answer{status: http.StatusOK, header: http.Header{}, ts: ts, stored: ts != ""}
	c.finish(&a, body, nil)
	return a
}

// refuse answers a call that did nothing.
func refuse(c *call, r *refusal) answer {
	a := answer{status: http.StatusOK, header: http.Header{}, code: r.code}
	if r.status != 0 {
		a.status = r.status
	}
	if r.retryAfter > 0 {
		a.header.Set("Retry-After", strconv.Itoa(r.retryAfter))
	}
	body := map[string]any{"ok": false, "error": r.code}
	if r.needed != "" {
		body["needed"], body["provided"] = r.needed, r.provided
	}
	if len(r.messages) > 0 {
		body["errors"] = plainErrors(r.messages)
	}
	c.finish(&a, body, r.messages)
	return a
}

func plainErrors(messages []string) []string {
	out := make([]string, len(messages))
	for i, m := range messages {
		out[i] = strings.TrimPrefix(m, "[ERROR] ")
	}
	return out
}

func (c *call) finish(a *answer, body map[string]any, messages []string) {
	meta := map[string]any{}
	if old, ok := body["response_metadata"].(map[string]any); ok {
		maps.Copy(meta, old)
	}
	if warning, ok := body["warning"].(string); ok {
		meta["warnings"] = []string{warning}
	} else if c.warning != "" {
		body["warning"] = c.warning
		meta["warnings"] = []string{c.warning}
	}
	if len(messages) > 0 {
		meta["messages"] = messages
	}
	if len(meta) > 0 {
		body["response_metadata"] = meta
	}
	if c.token != nil && c.token.Scopes != nil {
		a.header.Set("X-OAuth-Scopes", strings.Join(c.token.Scopes, ","))
	}
	a.header.Set("Content-Type", "application/json; charset=utf-8")
	text, err := json.Marshal(body)
	if err != nil {
		// Only values decoded from JSON and texts go in.
		panic(err)
	}
	a.body = text
}

// write sends an answer.
func (a answer) write(w http.ResponseWriter) {
	maps.Copy(w.Header(), a.header)
	w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body) // a caller that went away is no concern of Slack's
}
