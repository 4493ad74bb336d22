package logstore

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/valyala/fastjson"

	"tocsin/internal/row"
)

const (
	// maxBody is what a request may have, decompressed; Elasticsearch's http.max_content_length.
	maxBody = 100 << 20
	// bodyTime is how long a client may take to send a body: a request under way holds one of maxBulks.
	bodyTime = 2 * time.Minute
	// maxBulks is how many bulk requests are held in memory at once; others wait.
	maxBulks = 4
)

// bulkItem is one action of a bulk request.
type bulkItem struct {
	action  string // as the request names it: index, create, update, delete
	index   string
	id      string
	source  []byte
	failure *Failure // it is refused whatever the document
}

// serveBulk answers POST /_bulk and /{index}/_bulk.
func (s *Store) serveBulk(w http.ResponseWriter, r *http.Request, index string) {
	began := time.Now()
	refresh, failure := refreshOf(r)
	if failure != nil {
		answerError(w, r, failure)
		return
	}
	select {
	case s.bulks <- struct{}{}:
		defer func() { <-s.bulks }()
	case <-r.Context().Done():
		panic(http.ErrAbortHandler) // no answer is none of success
	}
	body, failure := readBody(w, r)
	if failure != nil {
		answerError(w, r, failure)
		return
	}
	items, failure := parseBulk(body, index)
	if failure != nil {
		answerError(w, r, failure)
		return
	}
	operations := make([]Operation, 0, len(items))
	for _, item := range items {
		if item.failure == nil {
			operations = append(operations, Operation{Index: item.index, ID: item.id, Create: item.action == "create", Source: item.source})
		}
	}
	// What was read whole is stored and answered, though the process is told to stop meanwhile.
	outcomes, err := s.Ingest(context.WithoutCancel(r.Context()), operations, refresh)
	if err != nil {
		s.log.Error("bulk request not stored", "error", err)
		answerError(w, r, &Failure{
			http.StatusServiceUnavailable, "unavailable_shards_exception",
			"the log store could not write the events: its own log says why; send them again",
		})
		return
	}
	answerBulk(w, r, items, outcomes, time.Since(began))
}

func refreshOf(r *http.Request) (bool, *Failure) {
	values, given := r.URL.Query()["refresh"]
	if !given {
		return false, nil
	}
	switch values[0] {
	case "", "true", "wait_for":
		return true, nil
	case "false":
		return false, nil
	}
	return false, invalid("Unknown value for refresh: [" + clip(values[0], 80) + "].")
}

func invalid(reason string) *Failure {
	return &Failure{http.StatusBadRequest, "illegal_argument_exception", reason}
}

// readBody reads and decompresses the body of a request. What a browser's form can send is refused, so
// that no page can make its reader's browser store events.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, *Failure) {
	kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	kind = strings.ToLower(strings.TrimSpace(kind))
	if kind != "application/json" && kind != "application/x-ndjson" && !strings.HasPrefix(kind, "application/vnd.elasticsearch+") {
		return nil, &Failure{
			http.StatusNotAcceptable, "media_type_header_exception",
			"Content-Type header [" + clip(kind, 80) + "] is not supported: send application/x-ndjson",
		}
	}
	var body io.Reader = http.MaxBytesReader(w, r.Body, maxBody)
	switch encoding := r.Header.Get("Content-Encoding"); strings.ToLower(encoding) {
	case "", "identity":
	case "gzip":
		unzipped, err := gzip.NewReader(body)
		if err != nil {
			return nil, invalid("the body is not gzip: " + err.Error())
		}
		body = unzipped
	default:
		return nil, &Failure{
			http.StatusUnsupportedMediaType, "illegal_argument_exception",
			"Content-Encoding [" + clip(encoding, 80) + "] is not supported: send gzip, or the text as it is",
		}
	}
	// A writer that knows no deadline is a test's.
	connection := http.NewResponseController(w)
	_ = connection.SetReadDeadline(time.Now().Add(bodyTime))
	defer connection.SetReadDeadline(time.Time{}) //nolint:errcheck // as above
	b, err := io.ReadAll(io.LimitReader(body, maxBody+1))
	if tooLong := (*http.MaxBytesError)(nil); errors.As(err, &tooLong) || len(b) > maxBody {
		return nil, &Failure{
			http.StatusRequestEntityTooLarge, "content_too_long_exception",
			fmt.Sprintf("the request has more than %d bytes: send fewer events at once", maxBody),
		}
	}
	if err != nil {
		return nil, invalid("the body cannot be read: " + err.Error())
	}
	return b, nil
}

// parseBulk reads the actions of a bulk request. Where an action itself cannot be read, nothing that
// follows can be, and the whole request is refused, as Elasticsearch does; what is wrong with an action or
// a document that can be told apart is of its item.
func parseBulk(body []byte, index string) ([]bulkItem, *Failure) {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, &Failure{http.StatusBadRequest, "parse_exception", "request body is required"}
	}
	if body[len(body)-1] != '\n' {
		return nil, invalid(`The bulk request must be terminated by a newline [\n]`)
	}
	var items []bulkItem
	var parser fastjson.Parser
	number := 0
	next := func() ([]byte, bool) {
		i := bytes.IndexByte(body, '\n')
		if i < 0 {
			return nil, false
		}
		line := body[:i]
		body = body[i+1:]
		number++
		return bytes.Trim(line, " \t\r"), true
	}
	for {
		line, ok := next()
		if !ok {
			return items, nil
		}
		if len(line) == 0 {
			continue
		}
		item, failure := parseAction(&parser, line, index, number)
		if failure != nil {
			return nil, failure
		}
		if item.action != "delete" {
			at := number
			if item.source, ok = next(); !ok {
				return nil, invalid(fmt.Sprintf("Malformed action/metadata line [%d], its document is missing", at))
			}
		}
		items = append(items, item)
	}
}

func parseAction(parser *fastjson.Parser, line []byte, index string, number int) (bulkItem, *Failure) {
	malformed := func(why string) *Failure {
		return invalid(fmt.Sprintf("Malformed action/metadata line [%d], %s", number, why))
	}
	var item bulkItem
	if !json.Valid(line) {
		return item, malformed("it is not JSON: " + clip(strings.ToValidUTF8(string(line), "\uFFFD"), 80))
	}
	v, err := parser.ParseBytes(line)
	if err != nil || v.Type() != fastjson.TypeObject || v.GetObject().Len() != 1 {
		return item, malformed("expected an object with one of [index, create, update, delete]")
	}
	var meta *fastjson.Value
	v.GetObject().Visit(func(key []byte, value *fastjson.Value) { item.action, meta = string(key), value })
	switch item.action {
	case "index", "create":
	case "update", "delete":
		item.failure = invalid("the log store is append-only: " + item.action + " is not possible, only index and create")
	default:
		return item, malformed("expected field [create], [delete], [index] or [update] but found [" + clip(item.action, 80) + "]")
	}
	if meta.Type() != fastjson.TypeObject {
		return item, malformed("expected START_OBJECT after [" + item.action + "]")
	}
	item.index = index
	var failure *Failure
	meta.GetObject().Visit(func(key []byte, value *fastjson.Value) {
		if value.Type() == fastjson.TypeNull || failure != nil {
			return
		}
		text := string(value.GetStringBytes())
		if value.Type() != fastjson.TypeString {
			text = string(value.MarshalTo(nil))
		}
		switch name := string(key); name {
		case "_index":
			item.index = text
		case "_id":
			if item.id = text; text == "" && item.failure == nil {
				item.failure = invalid("if _id is specified it must not be empty")
			}
		case "op_type":
			if item.action == "index" && text == "create" {
				item.action = "create"
			}
		case "version", "_version", "if_seq_no", "if_primary_term":
			if item.failure == nil {
				item.failure = invalid("the log store is append-only: documents have no versions, leave out [" + name + "]")
			}
		case "_type", "routing", "_routing", "version_type", "_version_type", "pipeline", "require_alias", "require_data_stream",
			"dynamic_templates", "list_executed_pipelines", "retry_on_conflict", "_retry_on_conflict", "parent", "_parent":
			// They change nothing here.
		default:
			failure = invalid(fmt.Sprintf("Action/metadata line [%d] contains an unknown parameter [%s]", number, clip(name, 80)))
		}
	})
	return item, failure
}

type (
	shards struct {
		Total      int `json:"total"`
		Successful int `json:"successful"`
		Failed     int `json:"failed"`
	}
	cause struct {
		Type   string `json:"type"`
		Reason string `json:"reason"`
	}
)

// answerBulk writes Elasticsearch's answer: one item for each action, in its order.
func answerBulk(w http.ResponseWriter, r *http.Request, items []bulkItem, outcomes []Outcome, took time.Duration) {
	b := make([]byte, 0, 64+200*len(items))
	failed := false
	for i := range items {
		item := &items[i]
		outcome := Outcome{ID: item.id, Failure: item.failure}
		if item.failure == nil {
			outcome, outcomes = outcomes[0], outcomes[1:]
		}
		failed = failed || outcome.Failure != nil
		if i > 0 {
			b = append(b, ',')
		}
		b = appendItem(b, item, &outcome)
	}
	header(w, r)
	w.WriteHeader(http.StatusOK)
	// A client that went away does not hear it; what is stored is stored.
	_, _ = io.WriteString(w, `{"took":`+strconv.FormatInt(took.Milliseconds(), 10)+`,"errors":`+strconv.FormatBool(failed)+`,"items":[`)
	_, _ = w.Write(b)
	_, _ = io.WriteString(w, "]}")
}

// appendItem adds the answer to one action. It is written by hand: there is one for each event.
func appendItem(b []byte, item *bulkItem, o *Outcome) []byte {
	b = append(b, `{"`...)
	b = append(b, item.action...)
	b = append(b, `":{"_index":`...)
	b = row.AppendQuoted(b, item.index)
	b = append(b, `,"_id":`...)
	if o.ID == "" {
		b = append(b, "null"...)
	} else {
		b = row.AppendQuoted(b, o.ID)
	}
	if o.Failure != nil {
		b = append(b, `,"status":`...)
		b = strconv.AppendInt(b, int64(o.Failure.Status), 10)
		b = append(b, `,"error":{"type":`...)
		b = row.AppendQuoted(b, o.Failure.Type)
		b = append(b, `,"reason":`...)
		b = row.AppendQuoted(b, o.Failure.Reason)
		return append(b, "}}}"...)
	}
	result, status := "created", http.StatusCreated
	if o.Known {
		result, status = "noop", http.StatusOK
	}
	b = append(b, `,"_version":1,"result":"`...)
	b = append(b, result...)
	b = append(b, `","_shards":{"total":1,"successful":1,"failed":0}`...)
	if !o.Known {
		b = append(b, `,"_seq_no":`...)
		b = strconv.AppendInt(b, o.Seq, 10)
	}
	b = append(b, `,"_primary_term":1,"status":`...)
	b = strconv.AppendInt(b, int64(status), 10)
	return append(b, "}}"...)
}
