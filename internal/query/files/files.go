// Package files owns reading rows from files: NDJSON, JSON, CSV, and logs by a parser. It is a backend
// that filters nothing: rows come in the order of the file. It compiles and runs no queries.
package files

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"tocsin/internal/parse"
	"tocsin/internal/query/plan"
	"tocsin/internal/row"
)

// Input is a file to read.
type Input struct {
	// Path is the file; - is Reader, which can be read once only.
	Path   string
	Reader io.Reader
	// Parser makes events of the file's lines; nil for NDJSON, JSON and CSV, which are told apart by
	// the name's ending and the first character.
	Parser *parse.Parser
}

// Backend reads files. It is not safe for concurrent use.
type Backend struct {
	// Main is what is read when a query names nothing.
	Main Input
	// Datasets are what `from NAME` reads.
	Datasets map[string]Input
	kept     []byte // what Main.Reader gave
}

// NameError says that what a query reads is not there.
type NameError struct{ text string }

func (e *NameError) Error() string { return e.text }

// Plan takes over nothing and refuses names that are no dataset.
func (b *Backend) Plan(_ context.Context, r plan.Read) (plan.Pushed, error) {
	inputs, err := b.inputs(r.From)
	if err != nil {
		return plan.Pushed{}, err
	}
	var p plan.Pushed
	for _, in := range inputs {
		p.Requests = append(p.Requests, "read "+in.Path)
	}
	return p, nil
}

func (b *Backend) inputs(from []string) ([]Input, error) {
	if from == nil {
		if b.Main.Path == "" {
			return nil, &NameError{"there is nothing to read: name a file with --input, or a dataset with from"}
		}
		return []Input{b.Main}, nil
	}
	var out []Input
	for _, pattern := range from {
		var names []string
		for name := range b.Datasets {
			if ok, err := filepath.Match(pattern, name); ok && err == nil || name == pattern {
				names = append(names, name)
			}
		}
		if len(names) == 0 {
			all := []string{}
			for name := range b.Datasets {
				all = append(all, name)
			}
			slices.Sort(all)
			there := "there are none"
			if len(all) > 0 {
				there = "there are " + strings.Join(all, ", ")
			}
			return nil, &NameError{fmt.Sprintf("there is no dataset %q: name it with --dataset %s=FILE.ndjson (%s)", pattern, pattern, there)}
		}
		slices.Sort(names)
		for _, n := range names {
			out = append(out, b.Datasets[n])
		}
	}
	return out, nil
}

// Rows reads the files of r one after the other.
func (b *Backend) Rows(ctx context.Context, r plan.Read, _ plan.Pushed, schema *row.Schema, emit func(*row.Row) error) (plan.Cost, error) {
	inputs, err := b.inputs(r.From)
	if err != nil {
		return plan.Cost{}, err
	}
	reader := &reader{ctx: ctx, extract: row.NewExtractor(schema, r.Fields), documents: r.Documents, emit: emit}
	reader.extract.TimeFields(r.TimeField)
	for _, in := range inputs {
		if err := b.read(in, reader); err != nil {
			return reader.cost, err
		}
	}
	return reader.cost, nil
}

func (b *Backend) read(in Input, r *reader) error {
	source := in.Reader
	if in.Path != "-" {
		f, err := os.Open(in.Path)
		if err != nil {
			return err
		}
		defer f.Close() //nolint:errcheck // only read
		source = f
	} else if b.kept == nil {
		all, err := io.ReadAll(in.Reader)
		if err != nil {
			return fmt.Errorf("read standard input: %w", err)
		}
		b.kept = all
	}
	if in.Path == "-" {
		source = bytes.NewReader(b.kept)
	}
	counted := &counter{r: source, n: &r.cost.Bytes}
	buf := bufio.NewReaderSize(counted, 64<<10)
	if magic, err := buf.Peek(2); err == nil && magic[0] == 0x1f && magic[1] == 0x8b {
		z, err := gzip.NewReader(buf)
		if err != nil {
			return fmt.Errorf("%s: %w", in.Path, err)
		}
		buf = bufio.NewReaderSize(z, 64<<10)
	}
	r.path, r.line, r.parser = in.Path, 0, in.Parser
	name := strings.TrimSuffix(strings.ToLower(in.Path), ".gz")
	switch {
	case in.Parser != nil:
		return r.lines(buf, r.parsed)
	case strings.HasSuffix(name, ".csv"):
		return r.csv(buf)
	}
	if first, err := firstByte(buf); err == nil && first == '[' {
		return r.array(buf)
	}
	return r.lines(buf, r.document)
}

// firstByte is the first byte that is no space, without moving past it, if it comes soon.
func firstByte(buf *bufio.Reader) (byte, error) {
	if bom, err := buf.Peek(3); err == nil && string(bom) == "\xef\xbb\xbf" {
		_, _ = buf.Discard(3)
	}
	for n := 1; ; n++ {
		head, err := buf.Peek(n)
		if err != nil {
			return 0, err
		}
		if !strings.ContainsRune(" \t\r\n", rune(head[n-1])) {
			return head[n-1], nil
		}
	}
}

// counter counts the bytes read.
type counter struct {
	r io.Reader
	n *int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	*c.n += int64(n)
	return n, err
}

// reader turns documents into rows.
type reader struct {
	ctx       context.Context
	extract   *row.Extractor
	documents bool
	emit      func(*row.Row) error
	cost      plan.Cost
	path      string
	line      int
	parser    *parse.Parser
	row       row.Row
	doc       row.Document
}

// maxLine is the longest line that is read.
const maxLine = 64 << 20

// lines calls each with every line. Lines are parts of a chunk, so that they are not copied one by one.
func (r *reader) lines(in io.Reader, each func(line string) error) error {
	buf := make([]byte, 256<<10)
	length := 0
	for {
		n, err := io.ReadFull(in, buf[length:])
		length += n
		last := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !last {
			return fmt.Errorf("read %s: %w", r.path, err)
		}
		end := length
		if !last {
			if end = bytes.LastIndexByte(buf[:length], '\n') + 1; end == 0 {
				if length >= maxLine {
					return fmt.Errorf("%s:%d: the line is longer than %d MB", r.path, r.line+1, maxLine>>20)
				}
				buf = slices.Concat(buf, make([]byte, len(buf)))
				continue
			}
		}
		for chunk := string(buf[:end]); chunk != ""; {
			line, rest, _ := strings.Cut(chunk, "\n")
			chunk = rest
			r.line++
			if err := each(line); err != nil {
				return err
			}
		}
		if last {
			return nil
		}
		if err := r.ctx.Err(); err != nil {
			return err
		}
		length = copy(buf, buf[end:length])
	}
}

func (r *reader) parsed(line string) error { return r.parser.Line(line, r.document) }

// document makes a row of one document.
func (r *reader) document(text string) error {
	if strings.TrimSpace(text) == "" {
		return nil
	}
	var err error
	if r.row.Vals, err = r.extract.Extract(text, r.row.Vals); err != nil {
		return fmt.Errorf("%s:%d: %w", r.path, r.line, err)
	}
	r.row.Doc = nil
	if r.documents {
		r.doc = row.Document{JSON: strings.TrimSpace(text)}
		r.row.Doc = &r.doc
	}
	r.cost.Rows++
	return r.emit(&r.row)
}

// array reads a file that is one JSON array.
func (r *reader) array(in io.Reader) error {
	all, err := io.ReadAll(io.LimitReader(in, 1<<30))
	if err != nil {
		return fmt.Errorf("read %s: %w", r.path, err)
	}
	if len(all) == 1<<30 {
		return fmt.Errorf("%s: a JSON array of 1 GB or more: write one document per line instead", r.path)
	}
	v, err := row.Parse(string(all))
	if err != nil {
		return fmt.Errorf("%s: %w", r.path, err)
	}
	for i, e := range v.Values() {
		r.line = i + 1
		if err := r.document(string(e.AppendJSON(nil))); err != nil {
			return err
		}
	}
	return nil
}

// csv reads a file with a header; all values are text, empty ones missing.
func (r *reader) csv(in io.Reader) error {
	c := csv.NewReader(in)
	header, err := c.Read()
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s: %w", r.path, err)
	}
	header = slices.Clone(header)
	for {
		record, err := c.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", r.path, err)
		}
		r.line, _ = c.FieldPos(0)
		vals := make([]row.Value, len(record))
		for i, s := range record {
			if s != "" {
				vals[i] = row.NewString(s)
			}
		}
		if err := r.document(string(row.AppendRow(nil, header, vals))); err != nil {
			return err
		}
	}
}

// Streams says that all of it is read, each time, and that standard input is read once.
func (b *Backend) Streams() bool { return true }
