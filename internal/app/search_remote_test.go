package app

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// handled makes a client whose requests a handler answers.
func handled(h http.HandlerFunc) *Client {
	return &Client{http: &http.Client{Transport: transport(h)}, close: func() error { return nil }}
}

type transport http.HandlerFunc

// RoundTrip implements http.RoundTripper.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	t(w, r)
	return w.Result(), nil
}

func TestAnAnswerThatIsCutOffIsAnError(t *testing.T) {
	whole := func(end frameEnding) []byte {
		w := httptest.NewRecorder()
		f := &frames{w: w}
		for _, part := range []struct {
			kind byte
			text string
		}{{frameOut, "{\"a\":1}\n"}, {frameErr, "warning: w\n"}, {frameOut, strings.Repeat("x", 100_000)}} {
			if _, err := (stream{f, part.kind}).Write([]byte(part.text)); err != nil {
				t.Fatal(err)
			}
		}
		text := `{}`
		if end.Error != "" {
			text = `{"error":"` + end.Error + `","input":true}`
		}
		if err := f.write(frameEnd, []byte(text)); err != nil {
			t.Fatal(err)
		}
		return w.Body.Bytes()
	}
	ask := func(answer []byte) (stdout, stderr bytes.Buffer, err error) {
		c := handled(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != searchPath {
				t.Errorf("asked for %s", r.URL.Path)
			}
			w.Write(answer)
		})
		err = SearchEmbedded(t.Context(), c, nil, SearchOptions{Query: "a:1", Stdout: &stdout, Stderr: &stderr})
		return stdout, stderr, err
	}
	good := whole(frameEnding{})
	stdout, stderr, err := ask(good)
	if err != nil || stdout.String() != "{\"a\":1}\n"+strings.Repeat("x", 100_000) || stderr.String() != "warning: w\n" {
		t.Errorf("%d bytes, %q, %v", stdout.Len(), stderr.String(), err)
	}
	for _, n := range []int{0, 1, 5, 12, 20, 30, len(good) - 3, len(good) - 1} {
		if _, _, err := ask(good[:n]); err == nil {
			t.Errorf("the first %d of %d bytes are taken for a whole answer", n, len(good))
		}
	}
	var input *InputError
	if _, _, err := ask(whole(frameEnding{Error: "mend it"})); !errors.As(err, &input) || err.Error() != "mend it" {
		t.Errorf("a mistake of the user is %v", err)
	}
	c := handled(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) })
	if err := SearchEmbedded(t.Context(), c, nil, SearchOptions{Query: "a:1", Stdout: io.Discard, Stderr: io.Discard}); err == nil || !strings.Contains(err.Error(), "no embedded source") {
		t.Errorf("a process without the engine gives %v", err)
	}
}
