package notify

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"
	"time"

	"tocsin/internal/alert"
	"tocsin/internal/notice"
)

// webhook posts each notice as JSON. With a secret, a request is signed as Slack and Stripe sign theirs:
// X-Tocsin-Signature is "v1=" and the HMAC-SHA256, in hex, of "v1:<X-Tocsin-Timestamp>:<body>".
type webhook struct {
	service
	secret string
}

func newWebhook(o Options) (output, error) {
	u, err := address(o.URL)
	if err != nil {
		return nil, err
	}
	w := &webhook{service: service{client: o.Client, url: u.String(), header: basic(o)}, secret: o.Secret}
	return w, nil
}

// basic is the header of basic authentication; nil without a user.
func basic(o Options) http.Header {
	if o.Username == "" {
		return nil
	}
	r := http.Request{Header: http.Header{}}
	r.SetBasicAuth(o.Username, o.Password)
	return r.Header
}

// payload is the body of a webhook: the notice as it stands, and a text for those who only show it. A receiver
// tells repeats by key and revision: a higher revision replaces what was said under the key.
type payload struct {
	Version  int            `json:"version"`
	Key      notice.Key     `json:"key"`
	Revision int            `json:"revision"`
	Title    string         `json:"title"`
	Text     string         `json:"text"`
	Severity alert.Severity `json:"severity"`
	Count    int            `json:"count"`
	Notice   notice.Notice  `json:"notice"`
}

func (w *webhook) post(ctx context.Context, n notice.Notice) error {
	b, err := encode(payload{
		Version: 1, Key: n.Key, Revision: n.Revision, Title: title(n), Text: body(lines(n), bodyMost), Severity: n.Severity,
		Count: max(n.Count, len(n.Items)), Notice: n,
	})
	if err != nil {
		return err
	}
	h := http.Header{"Idempotency-Key": {string(n.Key) + "." + strconv.Itoa(n.Revision)}}
	if w.secret != "" {
		at := strconv.FormatInt(time.Now().Unix(), 10)
		h["X-Tocsin-Timestamp"] = []string{at}
		h["X-Tocsin-Signature"] = []string{sign(w.secret, at, b)}
	}
	return w.send(ctx, b, h)
}

func sign(secret, at string, body []byte) string {
	m := hmac.New(sha256.New, []byte(secret))
	m.Write([]byte("v1:" + at + ":"))
	m.Write(body)
	return "v1=" + hex.EncodeToString(m.Sum(nil))
}

func (*webhook) edits() bool { return true }
