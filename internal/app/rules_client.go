package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
)

// StatusError is an answer of the API that says no.
type StatusError struct {
	Status int
	Text   string
}

func (e *StatusError) Error() string { return e.Text }

// ConnectNew is Connect for commands that may be the first: it makes the data directory where there is none.
func ConnectNew(ctx context.Context, o Options) (*Client, error) {
	if err := os.MkdirAll(o.Config.DataDir, 0o700); err != nil {
		return nil, fmt.Errorf("make data_dir: %w", err)
	}
	return Connect(ctx, o)
}

// Send sends a body as JSON and reads the answer's JSON into out. What the user can mend is an *InputError;
// any other answer but 200 is a *StatusError.
func (c *Client) Send(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		written, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(written)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://localhost"+path, body)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("ask tocsin: %w", err)
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return fmt.Errorf("ask tocsin: %w", err)
	}
	if resp.StatusCode == http.StatusOK {
		if err := json.Unmarshal(answer, out); err != nil {
			return fmt.Errorf("read the answer of tocsin: %w", err)
		}
		return nil
	}
	return refused(resp, answer)
}

// refused is the error of an answer that says no.
func refused(resp *http.Response, answer []byte) error {
	var failure struct {
		Error string `json:"error"`
	}
	if json.Unmarshal(answer, &failure) != nil || failure.Error == "" {
		failure.Error = resp.Status + ": " + string(bytes.TrimSpace(answer[:min(200, len(answer))]))
	}
	if resp.StatusCode == http.StatusBadRequest {
		return &InputError{Err: errors.New(failure.Error)}
	}
	return &StatusError{Status: resp.StatusCode, Text: failure.Error}
}
