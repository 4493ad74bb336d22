package demo

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// SlackFaultKind names a way for a request to go wrong.
type SlackFaultKind string

// The kinds. What the caller sees is the same whether the message was stored or not: that is the point.
const (
	// SlackDropUnread closes the connection before the body is read. As it comes before the request is
	// known it works in Chances only, and never stores.
	SlackDropUnread SlackFaultKind = "drop-unread"
	SlackDrop       SlackFaultKind = "drop"      // the connection is closed, no answer
	SlackReset      SlackFaultKind = "reset"     // the connection is reset
	SlackHang       SlackFaultKind = "hang"      // no answer until the caller goes away
	SlackSlow       SlackFaultKind = "slow"      // the true answer, after Delay
	SlackHTML       SlackFaultKind = "html"      // HTTP 500 (or Status) with a page of HTML
	SlackCutOff     SlackFaultKind = "cut-off"   // half of the answer, then the connection is closed
	SlackHalfJSON   SlackFaultKind = "half-json" // an answer of the right length that is half of the JSON
	SlackError      SlackFaultKind = "error"     // HTTP 200, ok false, Code
	SlackLimited    SlackFaultKind = "429"       // HTTP 429 with Retry-After
	SlackQuota      SlackFaultKind = "quota"     // HTTP 429 without Retry-After, message_limit_exceeded
)

// SlackFault is one thing that goes wrong with one request.
type SlackFault struct {
	Kind   SlackFaultKind
	Stored bool // the request does its work all the same
	// Late stores only after this time, when the caller has its fault already: the request that was
	// still under way in Slack. Only with Stored.
	Late       time.Duration
	Delay      time.Duration // before the answer, or the lack of it
	RetryAfter int           // seconds, for SlackLimited; 0 is 1
	Status     int           // for SlackHTML; 0 is 500
	Code       string        // for SlackError; "" is internal_error
}

// SlackChance is a fault that comes by chance.
type SlackChance struct {
	Fault   SlackFault
	P       float64  // 0 to 1
	Methods []string // none: all
}

// draw counts a request and throws the dice for it.
func (s *Slack) draw(method string) (int, SlackFault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	for _, c := range s.opts.Chances {
		if len(c.Methods) > 0 && !slices.Contains(c.Methods, method) {
			continue
		}
		if s.dice.Float64() < c.P {
			return s.calls, c.Fault
		}
	}
	return s.calls, SlackFault{}
}

// play runs a call under a fault. It gives the answer there was or would have been, for the log; its
// status is 0 where none is written; and what to do to the caller.
func (s *Slack) play(r *http.Request, c *call, f SlackFault, run func(*call) answer) (answer, func(http.ResponseWriter)) {
	if f.Kind == "" {
		a := run(c)
		return a, a.write
	}
	a := answer{code: string(f.Kind)}
	switch {
	case f.Kind == SlackSlow:
		a = run(c)
	case f.Stored && f.Late > 0:
		later := *c
		time.AfterFunc(f.Late, func() {
			later.at = s.now()
			run(&later)
		})
	case f.Stored:
		a = run(c)
	}
	seen := a
	var act func(http.ResponseWriter)
	switch f.Kind {
	case SlackDrop, SlackReset:
		seen.status = 0
		act = func(w http.ResponseWriter) { hangUp(w, f.Kind == SlackReset) }
	case SlackHang:
		seen.status = 0
		act = func(http.ResponseWriter) { <-r.Context().Done() }
	case SlackSlow:
		act = seen.write
	case SlackHTML:
		seen = htmlAnswer(f.Status)
		act = seen.write
	case SlackCutOff:
		seen = a.orOK()
		act = func(w http.ResponseWriter) { cutOff(w, seen) }
	case SlackHalfJSON:
		seen = a.orOK()
		seen.body = seen.body[:len(seen.body)/2]
		act = seen.write
	case SlackError:
		seen = refuse(c, &refusal{code: cmp.Or(f.Code, "internal_error")})
		act = seen.write
	case SlackLimited:
		seen = limitedAnswer(c, max(f.RetryAfter, 1))
		act = seen.write
	case SlackQuota:
		seen = refuse(c, &refusal{code: "message_limit_exceeded", status: http.StatusTooManyRequests})
		act = seen.write
	default:
		panic("demo: no such fault: " + string(f.Kind))
	}
	seen.ts, seen.stored = a.ts, a.stored
	return seen, func(w http.ResponseWriter) {
		if f.Delay > 0 {
			wait(r, f.Delay)
		}
		act(w)
	}
}

func htmlAnswer(status int) answer {
	return answer{
		status: cmp.Or(status, http.StatusInternalServerError),
		header: http.Header{"Content-Type": {"text/html; charset=utf-8"}},
		body:   []byte("<!DOCTYPE html><html><head><title>Server Error | Slack</title></head><body><h1>Server Error</h1></body></html>"),
	}
}

// orOK is the answer itself, or one that says ok where the call did not run.
func (a answer) orOK() answer {
	if a.body == nil {
		a.status = http.StatusOK
		a.header = http.Header{"Content-Type": {"application/json; charset=utf-8"}}
		a.body = []byte(`{"ok":true,"channel":"C0","ts":"1.000000","message":{}}`)
	}
	return a
}

// limitedAnswer is Slack's 429, in the form the Web API or a webhook gives it.
func limitedAnswer(c *call, seconds int) answer {
	if c.method != "webhook" {
		return refuse(c, rateLimited(time.Duration(seconds)*time.Second))
	}
	body, err := json.Marshal(map[string]any{"retry_after": seconds, "ok": false, "error": "rate_limited"})
	if err != nil {
		panic(err) // constants only
	}
	return answer{
		status: http.StatusTooManyRequests, code: "rate_limited", body: body,
		header: http.Header{"Content-Type": {"application/json; charset=utf-8"}, "Retry-After": {strconv.Itoa(seconds)}},
	}
}

// wait lets time pass, unless the caller goes away.
func wait(r *http.Request, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-r.Context().Done():
	}
}

// hangUp closes the connection without an answer; with reset the caller gets a TCP reset.
func hangUp(w http.ResponseWriter, reset bool) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // HTTP/2 and recorders: the server's own way to cut off
	}
	if tcp, ok := conn.(*net.TCPConn); ok && reset {
		_ = tcp.SetLinger(0) // without it the caller sees a close, which will do
	}
	_ = conn.Close()
}

// cutOff promises the whole answer and sends half.
func cutOff(w http.ResponseWriter, a answer) {
	conn, buf, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	fmt.Fprintf(buf, "HTTP/1.1 %d OK\r\nDate: %s\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: %d\r\n\r\n",
		a.status, w.Header().Get("Date"), len(a.body))
	_, _ = buf.Write(a.body[:len(a.body)/2]) // the caller may be gone already
	_ = buf.Flush()
	_ = conn.Close()
}
