package logstore

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/VictoriaMetrics/VictoriaLogs/lib/logstorage"
	"github.com/valyala/fastjson"

	"tocsin/internal/row"
)

// The columns of ours in the engine. A document's own fields that begin with an underscore get no
// column, so the two never clash.
const (
	columnIndex   = "_index"
	columnID      = "_id"     // only where the client chose the id; others follow from _seq
	columnSeq     = "_seq"    // nanoseconds of ingestion, made unique
	columnSource  = "_source" // the document as it came
	columnPartial = "_partial"
	columnUndated = "_undated" // 1 where the document has no @timestamp
)

const (
	// maxRow is below the engine's limit of 2 MiB for a row, which it enforces by dropping the row.
	maxRow = 2_000_000
	// maxColumns is below the engine's 2,000, and leaves room for our own.
	maxColumns    = 1_900
	maxColumnName = 128
	// maxDepth is how deep a document may be nested; Elasticsearch's parser has the same limit.
	maxDepth = 250
)

// event is a document on its way into the store.
type event struct {
	index  string
	id     string // empty: generated
	seq    int64
	time   int64 // nanoseconds; the time of ingestion where the document has no @timestamp
	dated  bool
	source []byte
	digest digest // of source, only where the client chose the id

	columns []logstorage.Field // as columnsOf made them; _seq is set when it is known
}

// parseEvent checks a document and reads its time. parser is the caller's own; the event keeps source.
func parseEvent(parser *fastjson.Parser, index, id string, source []byte) (event, *Failure) {
	e := event{index: index, id: id, source: source}
	if f := checkIndex(index); f != nil {
		return e, f
	}
	if len(id) > 512 {
		return e, &Failure{
			http.StatusBadRequest, "illegal_argument_exception",
			fmt.Sprintf("id is too long, must be no longer than 512 bytes but was: %d", len(id)),
		}
	}
	if !utf8.Valid(source) {
		return e, unreadable("the document is not valid UTF-8")
	}
	if !json.Valid(source) {
		var sink any
		return e, unreadable(fmt.Sprintf("the document is not JSON: %v", json.Unmarshal(source, &sink)))
	}
	v, err := parser.ParseBytes(source)
	if err != nil || tooDeep(v, maxDepth) {
		return e, unreadable(fmt.Sprintf("the document is nested deeper than %d levels", maxDepth))
	}
	if v.Type() != fastjson.TypeObject {
		return e, unreadable("the document must be a JSON object, it is " + v.Type().String())
	}
	stamp, dated, ok := timestamp(v)
	if !ok {
		return e, unreadable("failed to parse field [@timestamp] of type [date]: " +
			clip(string(v.Get("@timestamp").MarshalTo(nil)), 80) + " is neither an ISO 8601 time nor milliseconds since 1970")
	}
	e.time, e.dated = stamp, dated
	e.columns = columnsOf(&e, v)
	if logstorage.EstimatedJSONRowLen(e.columns) > maxRow {
		return e, &Failure{
			http.StatusRequestEntityTooLarge, "illegal_argument_exception",
			fmt.Sprintf("the document has %d bytes, too many for the log store (about 2,000,000)", len(source)),
		}
	}
	return e, nil
}

// tooDeep reports whether v is nested deeper than left levels.
func tooDeep(v *fastjson.Value, left int) bool {
	switch v.Type() {
	case fastjson.TypeObject:
		if left == 0 {
			return true
		}
		deep := false
		v.GetObject().Visit(func(_ []byte, v *fastjson.Value) { deep = deep || tooDeep(v, left-1) })
		return deep
	case fastjson.TypeArray:
		if left == 0 {
			return true
		}
		for _, v := range v.GetArray() {
			if tooDeep(v, left-1) {
				return true
			}
		}
	}
	return false
}

func unreadable(reason string) *Failure {
	return &Failure{http.StatusBadRequest, "document_parsing_exception", reason}
}

// timestamp reads @timestamp: strict_date_optional_time or milliseconds since 1970, as Elasticsearch's
// default format for dates.
func timestamp(v *fastjson.Value) (nanos int64, dated, ok bool) {
	t := v.Get("@timestamp")
	if t == nil || t.Type() == fastjson.TypeNull {
		return 0, false, true
	}
	var text string
	switch t.Type() {
	case fastjson.TypeString:
		text = string(t.GetStringBytes())
		if nanos, ok := row.ParseTime(text); ok {
			return nanos, true, true
		}
	case fastjson.TypeNumber:
		text = string(t.MarshalTo(nil))
	default:
		return 0, false, false
	}
	if ms, err := strconv.ParseInt(text, 10, 64); err == nil {
		if ms > math.MaxInt64/1_000_000 || ms < math.MinInt64/1_000_000 {
			return 0, false, false
		}
		return ms * 1e6, true, true
	}
	ms, err := strconv.ParseFloat(text, 64)
	if err != nil || math.Abs(ms) > math.MaxInt64/1e6 || math.IsNaN(ms) {
		return 0, false, false
	}
	return int64(math.Round(ms * 1e6)), true, true
}

// columnsOf makes the columns of an event: ours, and one for each path of the document. The first is the
// index, which is the engine's stream, the second the place of _seq. A document too wide for columns has
// only ours, and says so.
func columnsOf(e *event, v *fastjson.Value) []logstorage.Field {
	columns := make([]logstorage.Field, 0, 32)
	columns = append(columns,
		logstorage.Field{Name: columnIndex, Value: e.index},
		logstorage.Field{Name: columnSeq, Value: ""},
		logstorage.Field{Name: columnSource, Value: string(e.source)},
	)
	if e.id != "" {
		columns = append(columns, logstorage.Field{Name: columnID, Value: e.id})
	}
	if !e.dated {
		columns = append(columns, logstorage.Field{Name: columnUndated, Value: "1"})
	}
	own := len(columns)
	f := flattener{fields: columns, size: logstorage.EstimatedJSONRowLen(columns)}
	f.object("", v.GetObject())
	if f.overflow {
		return append(f.fields[:own:own], logstorage.Field{Name: columnPartial, Value: "1"})
	}
	return f.fields
}

// flattener turns a document into columns: objects become dotted names, arrays their JSON text, and two
// values of one name a text that begins with a bracket, as an array's does.
type flattener struct {
	fields   []logstorage.Field
	size     int
	seen     map[string]int
	overflow bool
}

func (f *flattener) object(prefix string, o *fastjson.Object) {
	o.Visit(func(key []byte, v *fastjson.Value) {
		if f.overflow {
			return
		}
		name := prefix + string(key)
		switch v.Type() {
		case fastjson.TypeObject:
			f.object(name+".", v.GetObject())
		case fastjson.TypeNull:
		case fastjson.TypeString:
			f.add(name, string(v.GetStringBytes()))
		default:
			f.add(name, string(v.MarshalTo(nil)))
		}
	})
}

func (f *flattener) add(name, value string) {
	if value == "" || !hasColumn(name) {
		return
	}
	f.size += len(name) + len(value) + len(`,"":""`)
	if len(f.fields) >= maxColumns || f.size > maxRow {
		f.overflow = true
		return
	}
	if f.seen == nil {
		f.seen = make(map[string]int, 32)
	}
	if i, twice := f.seen[name]; twice {
		f.fields[i].Value = "[" + f.fields[i].Value + "," + value + "]"
		return
	}
	f.seen[name] = len(f.fields)
	f.fields = append(f.fields, logstorage.Field{Name: name, Value: value})
}

// hasColumn reports whether a document's field of this name has a column in the engine.
func hasColumn(name string) bool {
	return name != "" && name[0] != '_' && name[0] != '.' && len(name) <= maxColumnName && !strings.Contains(name, "*")
}

// checkIndex applies Elasticsearch's rules for names of indices.
func checkIndex(name string) *Failure {
	why := ""
	switch {
	case name == "":
		return &Failure{http.StatusBadRequest, "action_request_validation_exception", "Validation Failed: 1: index is missing;"}
	case len(name) > 255:
		why = "index name is too long, (" + strconv.Itoa(len(name)) + " > 255)"
	case name == "." || name == "..":
		why = "must not be '.' or '..'"
	case strings.ContainsAny(name[:1], "_-+"):
		why = "must not start with '_', '-', or '+'"
	case strings.ContainsAny(name, "\\/*?\"<>| ,#:"):
		why = `must not contain the following characters ['\','/','*','?','"','<','>','|',' ',',','#',':']`
	case strings.ToLower(name) != name:
		why = "must be lowercase"
	case !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }):
		why = "must not contain control characters"
	default:
		return nil
	}
	return &Failure{http.StatusBadRequest, "invalid_index_name_exception", "Invalid index name [" + clip(name, 300) + "], " + why}
}

// clip shortens a text for an error message.
func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	cut := most
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}

// oldestKept is the time before which events are not kept: now less the retention, and never before 1970,
// as the engine's days count from there.
func oldestKept(now time.Time, retention time.Duration) time.Time {
	epoch := time.Unix(0, 0)
	if retention == 0 {
		return epoch
	}
	if oldest := now.Add(-retention); oldest.After(epoch) {
		return oldest
	}
	return epoch
}

// checkTime refuses an event the engine would drop.
func (e *event) checkTime(now time.Time, retention time.Duration) *Failure {
	oldest, newest := oldestKept(now, retention), now.Add(24*time.Hour)
	at := time.Unix(0, e.time).UTC()
	switch {
	case at.Before(oldest) && at.Year() < 1970:
		return unreadable(fmt.Sprintf("@timestamp %s is before 1970", at.Format(time.RFC3339)))
	case at.Before(oldest):
		return unreadable(fmt.Sprintf("@timestamp %s is older than the retention of the log store allows (%s)",
			at.Format(time.RFC3339), oldest.UTC().Format(time.RFC3339)))
	case at.After(newest):
		return unreadable(fmt.Sprintf("@timestamp %s is more than a day ahead of the clock of the log store", at.Format(time.RFC3339)))
	}
	return nil
}
