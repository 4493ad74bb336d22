package app

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"tocsin/internal/query/files"
)

// searchPath is where a process answers searches of its embedded engine, on its socket alone.
const searchPath = "/api/v1/local/search"

// remoteSearch is a search or an explanation as it is sent to the process that has the embedded engine.
// Files come with it: they are the caller's, not the process's.
type remoteSearch struct {
	Query     string                `json:"query"`
	Index     []string              `json:"index,omitempty"`
	From      string                `json:"from,omitempty"`
	To        string                `json:"to,omitempty"`
	All       bool                  `json:"all,omitempty"`
	TimeField string                `json:"time_field,omitempty"`
	Lookups   map[string]inlineFile `json:"lookups,omitempty"`
	GeoIP     *inlineFile           `json:"geoip,omitempty"`
	MaxMemory int64                 `json:"max_memory,omitempty"`
	Format    string                `json:"format,omitempty"`
	Flat      bool                  `json:"flat,omitempty"`
	Profile   bool                  `json:"profile,omitempty"`
	Now       time.Time             `json:"now"`
	// Explain asks for the explanation instead; what is explained of it is in the rest.
	Explain bool        `json:"explain,omitempty"`
	AST     bool        `json:"ast,omitempty"`
	DSL     bool        `json:"dsl,omitempty"`
	Plan    bool        `json:"plan,omitempty"`
	Fields  *inlineFile `json:"fields,omitempty"`
}

// inlineFile is a file sent along. Name is its base name: the ending tells what it is.
type inlineFile struct {
	Name    string `json:"name"`
	Content []byte `json:"content"`
}

func readInline(path string) (*inlineFile, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return &inlineFile{Name: filepath.Base(path), Content: b}, nil
}

// remote makes what is sent of the options.
func (o *ExplainOptions) remote(explain bool, index []string) (*remoteSearch, error) {
	r := &remoteSearch{
		Query: o.Query, Index: index, From: o.From, To: o.To, All: o.All, TimeField: o.TimeField, MaxMemory: o.MaxMemory, Format: o.Format,
		Flat: o.Flat, Profile: o.Profile, Now: o.Now, Explain: explain, AST: o.AST, DSL: o.DSL, Plan: o.Plan, Lookups: map[string]inlineFile{},
	}
	for name, path := range o.Lookups {
		// Read here, so that what is wrong with it is told with its own name.
		if _, _, err := files.ReadTable(path); err != nil {
			return nil, wrong("--lookup %s: %w", name, err)
		}
		f, err := readInline(path)
		if err != nil {
			return nil, wrong("--lookup %s: %w", name, err)
		}
		r.Lookups[name] = *f
	}
	var err error
	if o.GeoIP != "" {
		if r.GeoIP, err = readInline(o.GeoIP); err != nil {
			return nil, wrong("--geoip: %w", err)
		}
	}
	if o.Fields != "" {
		if r.Fields, err = readInline(o.Fields); err != nil {
			return nil, wrong("--fields: %w", err)
		}
	}
	return r, nil
}

// The kinds of frames of an answer: a byte, the length as a varint, and the text. The end comes last, and
// without it the answer is not whole.
const (
	frameOut = 'o'
	frameErr = 'e'
	frameEnd = 'x'
)

// frameEnding is what the last frame says: how the search failed, if it did.
type frameEnding struct {
	Error string `json:"error,omitempty"`
	Input bool   `json:"input,omitempty"` // the user can mend it
}

// frames writes an answer.
type frames struct {
	mu sync.Mutex
	w  http.ResponseWriter
}

func (f *frames) write(kind byte, text []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	head := binary.AppendUvarint([]byte{kind}, uint64(len(text)))
	if _, err := f.w.Write(append(head, text...)); err != nil {
		return err
	}
	return http.NewResponseController(f.w).Flush()
}

// stream is one of the two outputs.
type stream struct {
	to   *frames
	kind byte
}

// Write implements io.Writer.
func (s stream) Write(b []byte) (int, error) {
	if err := s.to.write(s.kind, b); err != nil {
		return 0, err
	}
	return len(b), nil
}

// ServeSearch answers a search of the embedded engine.
func (a *App) serveSearch(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/octet-stream")
	out := &frames{w: w}
	err := a.search(r, out)
	if r.Context().Err() != nil {
		panic(http.ErrAbortHandler) // told to stop, or nobody listens: the answer must not look whole
	}
	end := frameEnding{}
	if err != nil {
		var input *InputError
		end = frameEnding{Error: err.Error(), Input: errors.As(err, &input)}
	}
	text, err := json.Marshal(end)
	if err == nil {
		err = out.write(frameEnd, text)
	}
	if err != nil {
		panic(http.ErrAbortHandler)
	}
}

func (a *App) search(r *http.Request, out *frames) error {
	var in remoteSearch
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		return fmt.Errorf("read the search: %w", err)
	}
	o := ExplainOptions{
		SearchOptions: SearchOptions{
			Query: in.Query, From: in.From, To: in.To, All: in.All, TimeField: in.TimeField, MaxMemory: in.MaxMemory, Format: in.Format,
			Flat: in.Flat, Profile: in.Profile, Now: in.Now, Lookups: map[string]string{},
			Stdout: stream{out, frameOut}, Stderr: stream{out, frameErr},
		},
		AST: in.AST, DSL: in.DSL, Plan: in.Plan,
	}
	dir, err := os.MkdirTemp("", "tocsin-search-")
	if err != nil {
		return fmt.Errorf("keep the tables of the search: %w", err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // it is only space
	keep := func(key string, f inlineFile) (string, error) {
		path := filepath.Join(dir, key+filepath.Ext(filepath.Base(f.Name)))
		if err := os.WriteFile(path, f.Content, 0o600); err != nil {
			return "", fmt.Errorf("keep the tables of the search: %w", err)
		}
		return path, nil
	}
	n := 0
	for name, f := range in.Lookups {
		if o.Lookups[name], err = keep(fmt.Sprintf("lookup-%d", n), f); err != nil {
			return err
		}
		n++
	}
	if in.GeoIP != nil {
		if o.GeoIP, err = keep("geoip", *in.GeoIP); err != nil {
			return err
		}
	}
	if in.Fields != nil {
		if o.Fields, err = keep("fields", *in.Fields); err != nil {
			return err
		}
	}
	if o.Backend, err = a.engine.backend(r.Context(), in.Index); err != nil {
		return err
	}
	if in.Explain {
		return Explain(r.Context(), o)
	}
	return Search(r.Context(), o.SearchOptions)
}

// SearchEmbedded runs a search in the process that has the embedded engine and prints its answer.
func SearchEmbedded(ctx context.Context, c *Client, index []string, o SearchOptions) error {
	e := ExplainOptions{SearchOptions: o}
	r, err := e.remote(false, index)
	if err != nil {
		return err
	}
	return c.search(ctx, r, o.Stdout, o.Stderr)
}

// ExplainEmbedded explains a search of the embedded engine.
func ExplainEmbedded(ctx context.Context, c *Client, index []string, o ExplainOptions) error {
	r, err := o.remote(true, index)
	if err != nil {
		return err
	}
	return c.search(ctx, r, o.Stdout, o.Stderr)
}

// maxFrame bounds a frame that is no output: those are copied.
const maxFrame = 16 << 20

func (c *Client) search(ctx context.Context, r *remoteSearch, stdout, stderr io.Writer) error {
	body, err := json.Marshal(r)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://localhost"+searchPath, bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("ask tocsin: %w", err)
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	if resp.StatusCode == http.StatusNotFound {
		return errors.New("the process that serves data_dir has no embedded source, or is another version of tocsin: start it again")
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("ask tocsin: %s", resp.Status)
	}
	in := bufio.NewReaderSize(resp.Body, 64<<10)
	for {
		kind, err := in.ReadByte()
		var size uint64
		if err == nil {
			size, err = binary.ReadUvarint(in)
		}
		if err != nil {
			return fmt.Errorf("the answer ends too early: tocsin was stopped, or its log says why: %w", err)
		}
		to := stdout
		switch kind {
		case frameOut:
		case frameErr:
			to = stderr
		case frameEnd:
			text, err := io.ReadAll(io.LimitReader(in, int64(min(size, maxFrame))))
			if err != nil {
				return fmt.Errorf("ask tocsin: %w", err)
			}
			return ending(text)
		default:
			return fmt.Errorf("ask tocsin: the answer has a part of unknown kind %q", kind)
		}
		if _, err := io.CopyN(to, in, int64(size)); err != nil {
			return fmt.Errorf("print the answer: %w", err)
		}
	}
}

// ending is how the search failed, if it did.
func ending(text []byte) error {
	var end frameEnding
	if err := json.Unmarshal(text, &end); err != nil {
		return fmt.Errorf("ask tocsin: %w", err)
	}
	switch {
	case end.Error == "":
		return nil
	case end.Input:
		return &InputError{errors.New(end.Error)}
	}
	return errors.New(end.Error)
}
