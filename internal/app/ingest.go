package app

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/sync/errgroup"

	"tocsin/internal/parse"
	"tocsin/internal/row"
)

// IngestOptions say what tocsin ingest reads, and how.
type IngestOptions struct {
	Path  string // a file, or - for Stdin
	Parse string // how to read lines, as parse.New; "" is json
	Zone  string // of times without one
	Year  int    // of times without one
	Index string
	// Again stores the lines of a file that were stored before a second time.
	Again    bool
	Stdin    io.Reader
	Stdout   io.Writer // gets the summary
	Stderr   io.Writer // gets what went wrong, with line numbers
	Progress bool      // show on Stderr, a terminal, how far it is
	Now      time.Time
}

const (
	ingestEvents  = 2000        // of a request
	ingestBytes   = 4 << 20     // of a request
	ingestSenders = 2           // requests at once
	ingestLine    = 16 << 20    // the longest line read
	ingestTold    = 10          // refused lines shown one by one
	unparsedTag   = "_unparsed" // of events that are a line of another form
)

// Ingest reads a file or a stream, and stores each line's events in the embedded engine. A line that is not
// of the form is stored as its message and tagged. An event of a file has an id made of the file's path, its
// place there and what it says, so that reading a file again stores what is new alone.
func Ingest(ctx context.Context, c *Client, o IngestOptions) error {
	if o.Parse == "" {
		o.Parse = "json"
	}
	zone, err := time.LoadLocation(o.Zone)
	if err != nil {
		return wrong("--tz %q: write a name such as UTC or Europe/Berlin", o.Zone)
	}
	in := &ingestion{IngestOptions: o, client: c, began: time.Now()}
	if in.parser, err = parse.New(o.Parse, parse.Options{Zone: zone, Year: o.Year, Now: o.Now}); err != nil {
		return wrong("--parse: %w", err)
	}
	if pattern, ok := strings.CutPrefix(o.Parse, "regex="); ok {
		in.pattern = regexp.MustCompile(pattern) // parse.New has compiled it
	}
	input, closeInput, err := in.open()
	if err != nil {
		return err
	}
	defer closeInput()
	err = in.run(ctx, input)
	if err == nil { // who searches next wants to find them
		err = c.Post(ctx, "/_refresh", new(json.RawMessage))
	}
	in.progress(true)
	in.summary()
	if err != nil {
		if o.Path != "-" && !o.Again {
			err = fmt.Errorf("%w\nWhat was stored stays; run the same command again to go on: nothing is stored twice", err)
		}
		return err
	}
	if in.refused > 0 {
		return fmt.Errorf("%s refused", counting(in.refused, "event was", "events were"))
	}
	return nil
}

// ingestion is one run.
type ingestion struct {
	IngestOptions
	client  *Client
	parser  *parse.Parser
	pattern *regexp.Regexp // of regex=
	file    string         // the absolute path, "" for a stream
	size    int64          // of the file, 0 where it is not known
	began   time.Time

	read     counted // bytes of the file
	lines    int
	unparsed int
	mended   int // lines with bytes that are not UTF-8
	stored   int
	known    int
	refused  int
	firstBad int
	shown    time.Time
	drawn    bool
}

// counted counts what is read through it.
type counted struct {
	io.Reader
	n int64
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.n += int64(n)
	return n, err
}

func (in *ingestion) open() (io.Reader, func(), error) {
	if in.Path == "-" {
		in.read.Reader = in.Stdin
		return &in.read, func() {}, nil
	}
	f, err := os.Open(in.Path)
	if err != nil {
		return nil, nil, wrong("read the file: %w", err)
	}
	done := func() { f.Close() } //nolint:errcheck // only read
	st, err := f.Stat()
	if err == nil && st.IsDir() {
		err = fmt.Errorf("%s is a directory: name a file", in.Path)
	}
	if err == nil {
		in.file, err = filepath.Abs(in.Path)
	}
	if err != nil {
		done()
		return nil, nil, wrong("read the file: %w", err)
	}
	if st.Mode().IsRegular() {
		in.size = st.Size()
	}
	in.read.Reader = f
	if !strings.HasSuffix(in.Path, ".gz") {
		return &in.read, done, nil
	}
	unzipped, err := gzip.NewReader(&in.read)
	if err != nil {
		done()
		return nil, nil, wrong("%s is not gzip: %w", in.Path, err)
	}
	return unzipped, done, nil
}

// batch is one request.
type batch struct {
	body  bytes.Buffer
	lines []int // of each event
}

func (in *ingestion) run(ctx context.Context, input io.Reader) error {
	g, ctx := errgroup.WithContext(ctx)
	batches := make(chan *batch)
	answers := make(chan bulkAnswer, ingestSenders)
	for range ingestSenders {
		g.Go(func() error {
			for b := range batches {
				a, err := in.client.bulk(ctx, in.Index, &b.body)
				if err != nil {
					return err
				}
				a.lines = b.lines
				answers <- a
			}
			return nil
		})
	}
	// This goroutine reads, parses and counts; the others only send. It takes an answer for each batch
	// beyond those that may be under way, so answers never fills up.
	under := 0
	take := func() error {
		select {
		case a := <-answers:
			under--
			return in.count(a)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	send := func(b *batch) error {
		for under >= ingestSenders {
			if err := take(); err != nil {
				return err
			}
		}
		select {
		case batches <- b:
			under++
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	err := in.batches(input, send)
	for under > 0 && err == nil {
		err = take()
	}
	close(batches)
	if sent := g.Wait(); sent != nil && (err == nil || errors.Is(err, context.Canceled)) {
		err = sent
	}
	return err
}

// batches reads the input to its end and hands on what it makes.
func (in *ingestion) batches(input io.Reader, send func(*batch) error) error {
	r := bufio.NewReaderSize(input, 256<<10)
	b := &batch{}
	offset := int64(0)
	for {
		line, size, err := readLine(r)
		if size > 0 {
			in.lines++
			if err := in.line(b, line, size, offset); err != nil {
				return err
			}
			offset += size
		}
		ended := errors.Is(err, io.EOF)
		if err != nil && !ended {
			return fmt.Errorf("read %s at line %d: %w", in.Path, in.lines+1, err)
		}
		if len(b.lines) > 0 && (ended || len(b.lines) >= ingestEvents || b.body.Len() >= ingestBytes) {
			if err := send(b); err != nil {
				return err
			}
			b = &batch{}
			in.progress(false)
		}
		if ended {
			return nil
		}
	}
}

// readLine reads one line, and says how many bytes it has; what is longer than ingestLine is cut.
func readLine(r *bufio.Reader) (line []byte, size int64, err error) {
	for {
		part, err := r.ReadSlice('\n')
		size += int64(len(part))
		if keep := ingestLine + 1 - len(line); keep > 0 {
			line = append(line, part[:min(keep, len(part))]...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, size, err
		}
	}
}

// line adds the events of a line.
func (in *ingestion) line(b *batch, raw []byte, size, offset int64) error {
	if len(raw) > ingestLine {
		in.refuse(in.lines, fmt.Sprintf("the line has %d bytes: the longest read is %d", size, ingestLine))
		return nil
	}
	if in.lines == 1 {
		raw = bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf"))
	}
	line := strings.TrimRight(string(raw), "\r\n")
	if !utf8.ValidString(line) {
		in.mended++
		line = strings.ToValidUTF8(line, "\uFFFD")
	}
	plain := string(append(row.AppendQuoted([]byte(`{"message":`), line), '}'))
	n := uint64(0)
	return in.parser.Line(line, func(doc string) error {
		if doc == plain && (in.pattern == nil || !in.pattern.MatchString(line)) {
			if in.unparsed++; in.unparsed == 1 {
				in.firstBad = in.lines
			}
			doc = doc[:len(doc)-1] + `,"tags":["` + unparsedTag + `"]}`
		}
		b.lines = append(b.lines, in.lines)
		if in.file == "" || in.Again {
			b.body.WriteString("{\"create\":{}}\n")
		} else {
			b.body.WriteString(`{"index":{"_id":"` + in.id(offset, n, doc) + "\"}}\n")
		}
		n++
		b.body.WriteString(doc)
		b.body.WriteByte('\n')
		return nil
	})
}

// id is that of the nth event of the line at an offset: a hash of the file's path, the offset, and a hash
// of n and the event. Ids of a file follow each other, as the index of ids grows faster at one place
// than all over.
func (in *ingestion) id(offset int64, n uint64, doc string) string {
	var id [4 + 8 + 6]byte
	file := sha256.Sum256([]byte(in.file))
	copy(id[:4], file[:])
	binary.BigEndian.PutUint64(id[4:], uint64(offset))
	event := sha256.Sum256(append(binary.BigEndian.AppendUint64(nil, n), doc...))
	copy(id[12:], event[:])
	// The first bytes of an offset tell nothing: what is longer than a terabyte is no log.
	return base32.HexEncoding.WithPadding(base32.NoPadding).EncodeToString(slices.Concat(id[:4], id[7:]))
}

// count adds up an answer. What is refused for now ends the run.
func (in *ingestion) count(a bulkAnswer) error {
	for i, item := range a.Items {
		for _, outcome := range item {
			switch {
			case outcome.Status == http.StatusCreated:
				in.stored++
			case outcome.Status == http.StatusOK:
				in.known++
			case outcome.Status == http.StatusTooManyRequests:
				return fmt.Errorf("line %d was not taken: %s", a.lines[i], outcome.Error.Reason)
			default:
				in.refuse(a.lines[i], outcome.Error.Reason)
			}
		}
	}
	return nil
}

// refuse tells of a line whose event is not stored.
func (in *ingestion) refuse(line int, reason string) {
	in.refused++
	in.wipe()
	switch {
	case in.refused <= ingestTold:
		fmt.Fprintf(in.Stderr, "%s:%d: refused: %s\n", in.Path, line, oneLine(reason))
	case in.refused == ingestTold+1:
		fmt.Fprintln(in.Stderr, "more lines were refused; the summary counts them")
	}
}

func (in *ingestion) summary() {
	took := time.Since(in.began)
	fmt.Fprintf(in.Stdout, "%s stored in %q from %s (%s) in %s, %.0f events/s\n",
		counting(in.stored, "event", "events"), in.Index, counting(in.lines, "line", "lines"), bytesText(in.read.n), took.Round(time.Millisecond), float64(in.stored)/took.Seconds())
	if in.known > 0 {
		fmt.Fprintf(in.Stdout, "%s there already, from an earlier run; --again stores them once more\n", counting(in.known, "event was", "events were"))
	}
	if in.refused > 0 {
		fmt.Fprintf(in.Stdout, "%s refused\n", counting(in.refused, "event was", "events were"))
	}
	if in.unparsed > 0 {
		fmt.Fprintf(in.Stderr, "warning: %s not of the form %s, the first is line %d: kept whole in the field message, with a tag: search tags:%s\n",
			counting(in.unparsed, "line is", "lines are"), in.Parse, in.firstBad, unparsedTag)
	}
	if in.mended > 0 {
		fmt.Fprintf(in.Stderr, "warning: %s bytes that are not UTF-8: they became U+FFFD\n", counting(in.mended, "line has", "lines have"))
	}
}

// progress draws how far it is, a few times a second.
func (in *ingestion) progress(last bool) {
	if !in.Progress {
		return
	}
	if last {
		in.wipe()
		return
	}
	now := time.Now()
	if now.Sub(in.shown) < 200*time.Millisecond {
		return
	}
	in.shown, in.drawn = now, true
	took := now.Sub(in.began).Seconds()
	text := fmt.Sprintf("%s  %.0f events/s", bytesText(in.read.n), float64(in.stored+in.known)/took)
	if in.size > 0 {
		const width = 30
		done := min(1, float64(in.read.n)/float64(in.size))
		bar := strings.Repeat("=", int(done*width))
		left := time.Duration(took * (1 - done) / max(done, 1e-9) * float64(time.Second))
		text = fmt.Sprintf("[%-*s] %3.0f%%  %s of %s  %.0f events/s  %s left", width, bar, 100*done, bytesText(in.read.n), bytesText(in.size),
			float64(in.stored+in.known)/took, left.Round(time.Second))
	}
	fmt.Fprintf(in.Stderr, "\r\x1b[K%s", text)
}

// wipe takes the bar away, for a line of text.
func (in *ingestion) wipe() {
	if in.drawn {
		fmt.Fprint(in.Stderr, "\r\x1b[K")
		in.drawn = false
	}
}

// counting is a number with its noun.
func counting(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// oneLine makes text fit for a terminal's line: control characters could be orders to it.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
}

// bytesText is a number of bytes for people.
func bytesText(n int64) string {
	switch {
	case n >= 1e9:
		return fmt.Sprintf("%.2f GB", float64(n)/1e9)
	case n >= 1e6:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	case n >= 1e3:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	}
	return fmt.Sprintf("%d B", n)
}

// bulkAnswer is what a bulk request is answered.
type bulkAnswer struct {
	Items []map[string]struct {
		Status int `json:"status"`
		Error  struct {
			Reason string `json:"reason"`
		} `json:"error"`
	} `json:"items"`
	lines []int
}

// bulk sends a bulk request.
func (c *Client) bulk(ctx context.Context, index string, body *bytes.Buffer) (bulkAnswer, error) {
	var out bulkAnswer
	events := bytes.Count(body.Bytes(), []byte{'\n'}) / 2
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://localhost/"+index+"/_bulk", body)
	if err != nil {
		return out, err
	}
	req.Header.Set("Content-Type", "application/x-ndjson")
	resp, err := c.http.Do(req)
	if err != nil {
		return out, fmt.Errorf("send events to tocsin: %w", err)
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return out, fmt.Errorf("send events to tocsin: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		var failure struct {
			Error struct {
				Reason string `json:"reason"`
			} `json:"error"`
		}
		if json.Unmarshal(answer, &failure) != nil || failure.Error.Reason == "" {
			failure.Error.Reason = resp.Status
		}
		return out, fmt.Errorf("send events to tocsin: %s", failure.Error.Reason)
	}
	if err := json.Unmarshal(answer, &out); err != nil {
		return out, fmt.Errorf("read the answer of tocsin: %w", err)
	}
	if len(out.Items) != events {
		return out, fmt.Errorf("tocsin answered for %d of %d events", len(out.Items), events)
	}
	return out, nil
}
