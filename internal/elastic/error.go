package elastic

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// ErrExpired means a point in time or a scroll ended before all pages were read. What was read so far is
// a part; start the scan again.
var ErrExpired = errors.New("the cluster gave up the open search before it was read to its end: start again")

// Error is an answer that is an error.
type Error struct {
	Source     string // the source's name
	Status     int    // of HTTP
	Type       string // the cluster's word for it, such as index_not_found_exception; of the root cause
	Reason     string // the cluster's sentence, or the beginning of what was answered
	Index      string // the index concerned, where the cluster says it
	Method     string
	Path       string        // without parameters
	RetryAfter time.Duration // what the answer asked for; 0 where it did not ask
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(prefix(e.Source))
	fmt.Fprintf(&b, "%s %s: %d", e.Method, e.Path, e.Status)
	switch {
	case e.Type != "" && e.Reason != "":
		fmt.Fprintf(&b, " %s: %s", e.Type, e.Reason)
	case e.Type != "" || e.Reason != "":
		b.WriteString(" " + e.Type + e.Reason)
	default:
		b.WriteString(" " + http.StatusText(e.Status))
	}
	if hint := e.hint(); hint != "" {
		b.WriteString(" (try: " + hint + ")")
	}
	return b.String()
}

func (e *Error) hint() string {
	switch {
	case e.Status == http.StatusUnauthorized:
		return "check api_key, or username and password; a key can have expired"
	case e.Status == http.StatusForbidden:
		return "give the user or key read and view_index_metadata on the indices"
	case e.Status == http.StatusProxyAuthRequired:
		return "put the proxy's user and password into proxy_url"
	case e.Status == http.StatusTooManyRequests:
		return "the cluster is busy; it is asked again later"
	case e.Status == http.StatusNotFound && e.Type == "index_not_found_exception":
		return "check the index names, and that the key may see them"
	}
	return ""
}

func prefix(source string) string {
	if source == "" {
		return ""
	}
	return source + ": "
}

// ConnectError means no answer came: the node was not reached, was not who it should be, or broke off.
type ConnectError struct {
	Source string
	Node   string // scheme, host and port
	Method string
	Path   string
	Hint   string // what to do about it, or ""
	Err    error
}

func (e *ConnectError) Error() string {
	s := fmt.Sprintf("%s%s %s at %s: %s", prefix(e.Source), e.Method, e.Path, e.Node, e.Err)
	if e.Hint != "" {
		s += " (try: " + e.Hint + ")"
	}
	return s
}

// Unwrap gives the cause.
func (e *ConnectError) Unwrap() error { return e.Err }

// PartialError is an answer that lacks a part: shards failed or were not there, the time was up, a limit
// ended it early, or a remote cluster was skipped. The answer is never used.
type PartialError struct {
	Source, Method, Path string

	Failed, Total   int // shards; Failed includes those that were not there
	TimedOut        bool
	TerminatedEarly bool
	ClustersMissing int // remote clusters skipped, failed or partial

	Type, Reason, Index string // of the first failure told
}

func (e *PartialError) Error() string {
	var what []string
	if e.Failed > 0 {
		what = append(what, fmt.Sprintf("%d of %d shards failed", e.Failed, e.Total))
	}
	if e.TimedOut {
		what = append(what, "the search timed out")
	}
	if e.TerminatedEarly {
		what = append(what, "the search was ended early")
	}
	if e.ClustersMissing > 0 {
		what = append(what, fmt.Sprintf("%d remote clusters did not answer in full", e.ClustersMissing))
	}
	s := fmt.Sprintf("%s%s %s: the answer is incomplete: %s", prefix(e.Source), e.Method, e.Path, strings.Join(what, ", "))
	if e.Type != "" || e.Reason != "" {
		s += "; first: " + strings.TrimPrefix(e.Type+": "+e.Reason, ": ")
		if e.Index != "" {
			s += " [" + e.Index + "]"
		}
	}
	return s
}

// IsNotFound reports whether the cluster answered 404: no such index, document or open search.
func IsNotFound(err error) bool { return hasStatus(err, http.StatusNotFound) }

// IsForbidden reports whether the cluster knows us and refuses.
func IsForbidden(err error) bool { return hasStatus(err, http.StatusForbidden) }

// IsUnauthorized reports whether the cluster does not know us.
func IsUnauthorized(err error) bool { return hasStatus(err, http.StatusUnauthorized) }

// IsBusy reports whether the cluster asks to come again later; RetryAfter of the [Error] may say when.
func IsBusy(err error) bool {
	return hasStatus(err, http.StatusTooManyRequests) || hasStatus(err, http.StatusServiceUnavailable)
}

func hasStatus(err error, status int) bool {
	var e *Error
	return errors.As(err, &e) && e.Status == status
}

// cause is how Elasticsearch and OpenSearch tell of an error.
type cause struct {
	Type         string        `json:"type"`
	Reason       string        `json:"reason"`
	Index        string        `json:"index"`
	CausedBy     *cause        `json:"caused_by"`
	RootCause    []cause       `json:"root_cause"`
	FailedShards []shardFailed `json:"failed_shards"`
}

type shardFailed struct {
	Shard  int    `json:"shard"`
	Index  string `json:"index"`
	Reason cause  `json:"reason"`
}

// root goes from the wrapping errors down to the one that says what is wrong.
func (c cause) root() cause {
	out := c
	switch {
	case len(c.FailedShards) > 0:
		out = c.FailedShards[0].Reason
		if out.Index == "" {
			out.Index = c.FailedShards[0].Index
		}
	case len(c.RootCause) > 0:
		out = c.RootCause[0]
	}
	if out.Type == "" && out.Reason == "" {
		out = c
	}
	deepest := c.CausedBy
	if out.CausedBy != nil {
		deepest = out.CausedBy
	}
	for deepest != nil && deepest.CausedBy != nil {
		deepest = deepest.CausedBy
	}
	if deepest != nil && deepest.Reason != "" && !strings.Contains(out.Reason, deepest.Reason) {
		out.Reason = strings.TrimSpace(out.Reason + ": " + deepest.Reason)
	}
	return out
}

// readError makes an Error of an answer's status and body.
func readError(status int, header http.Header, body []byte, now time.Time) *Error {
	e := &Error{Status: status, RetryAfter: readRetryAfter(header.Get("Retry-After"), now)}
	var answer struct {
		Error   json.RawMessage `json:"error"`
		Message string          `json:"message"` // Kibana and cloud proxies
		OK      *bool           `json:"ok"`      // Elastic Cloud's proxy
	}
	if json.Unmarshal(body, &answer) == nil {
		var c cause
		var text string
		switch {
		case json.Unmarshal(answer.Error, &c) == nil:
			c = c.root()
			e.Type, e.Reason, e.Index = c.Type, c.Reason, c.Index
		case json.Unmarshal(answer.Error, &text) == nil:
			e.Reason = text
		}
		if e.Reason == "" || answer.Message != "" && e.Type == "" {
			e.Reason = strings.Trim(e.Reason+": "+answer.Message, ": ")
		}
	} else {
		e.Reason = excerpt(body)
	}
	switch {
	case header.Get("Kbn-Name") != "" || header.Get("Kbn-License-Sig") != "":
		e.Reason = "this is Kibana, not Elasticsearch: use the address of Elasticsearch, mostly port 9200"
	case status >= 300 && status < 400:
		e.Reason = "answered with a redirect to " + withoutUser(header.Get("Location")) + ": use the address of the cluster itself"
	}
	return e
}

func readRetryAfter(value string, now time.Time) time.Duration {
	if value == "" {
		return 0
	}
	if n, err := strconv.Atoi(value); err == nil {
		return time.Duration(min(max(n, 0), 24*60*60)) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return min(max(at.Sub(now), 0), 24*time.Hour)
	}
	return 0
}

// excerpt gives the readable beginning of something that is not the JSON it should be.
func excerpt(body []byte) string {
	const most = 200
	text := strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(string(body[:min(len(body), 4*most)]), "?"))), " ")
	if r := []rune(text); len(r) > most {
		text = string(r[:most]) + "…"
	}
	return text
}
