package logstore

import (
	"bytes"
	"encoding/json"
	"fmt"
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
	columnOdd     = "_odd"     // the names whose values are not of the class they have in most rows
	columnUndated = "_undated" // 1 where the document has no @timestamp
)

// oddAll is a list of odd names that is too long to be written.
const oddAll = "*"

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
	shapes  []shaped           // what the document has, by columnsOf
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

// timestamp reads @timestamp as rows do: an ISO 8601 time, or milliseconds since 1970 (seconds where it is
// below 1e11). It has one value.
func timestamp(v *fastjson.Value) (nanos int64, dated, ok bool) {
	count := 0
	v.GetObject().Visit(func(key []byte, member *fastjson.Value) {
		if string(key) == clockField && member.Type() != fastjson.TypeNull {
			count++
			v = member
		}
	})
	if count != 1 {
		return 0, false, count == 0
	}
	var stamp row.Value
	switch v.Type() {
	case fastjson.TypeString:
		stamp = row.StampTime(row.NewString(string(v.GetStringBytes())))
	case fastjson.TypeNumber:
		stamp = row.StampTime(row.NewNumber(string(v.MarshalTo(nil))))
	}
	return stamp.Nanos(), true, stamp.Kind() == row.Time
}

// columnsOf makes the columns of an event: ours, and one for each path of the document. The first is the
// index, which is the engine's stream, the second the place of _seq. A document too wide for columns has
// only ours, and says so. It sets the event's shapes, for the census.
func columnsOf(e *event, v *fastjson.Value) []logstorage.Field {
	columns := make([]logstorage.Field, 0, 32)
	columns = append(columns,
		logstorage.Field{Name: columnIndex, Value: e.index},
		logstorage.Field{Name: columnSeq, Value: ""},
		logstorage.Field{Name: columnSource, Value: string(e.source)},
	)
	f := flattener{shapes: make([]shaped, 0, 32)}
	f.note(indexPrefix+e.index, isText)
	if e.id != "" {
		columns = append(columns, logstorage.Field{Name: columnID, Value: e.id})
	}
	if !e.dated {
		columns = append(columns, logstorage.Field{Name: columnUndated, Value: "1"})
		f.note(undatedName, isText)
	}
	own := len(columns)
	f.fields, f.size = columns, logstorage.EstimatedJSONRowLen(columns)
	if loneSurrogate(e.source) {
		f.strings = isOdd
	}
	f.object("", v.GetObject(), 0)
	if f.overflow {
		f.note(tooWide, isText)
		f.fields = append(f.fields[:own:own], logstorage.Field{Name: columnPartial, Value: "1"})
	}
	e.shapes = f.shapes
	return f.fields
}

// flattener turns a document into columns: objects become dotted names, arrays their JSON text, and two
// values of one name a text that begins with a bracket, as an array's does.
type flattener struct {
	fields   []logstorage.Field
	shapes   []shaped
	strings  shape // what is true of each text
	size     int
	seen     map[string]int // where each name is, once there are more fields than are quickly looked through
	overflow bool
}

// fewFields are looked through faster than a map of them is made.
const fewFields = 48

// find is where a name is, or -1.
func (f *flattener) find(name string) int {
	if f.seen == nil {
		for i := range f.fields {
			if f.fields[i].Name == name {
				return i
			}
		}
		return -1
	}
	if i, ok := f.seen[name]; ok {
		return i
	}
	return -1
}

// append adds a field whose name is new.
func (f *flattener) append(name, value string) {
	f.fields = append(f.fields, logstorage.Field{Name: name, Value: value})
	switch {
	case f.seen != nil:
		f.seen[name] = len(f.fields) - 1
	case len(f.fields) > fewFields:
		f.seen = make(map[string]int, 4*fewFields)
		for i := range f.fields {
			f.seen[f.fields[i].Name] = i
		}
	}
}

func (f *flattener) note(name string, s shape) { f.shapes = append(f.shapes, shaped{name, s}) }

// object adds the members of an object; also is what is true of all of them.
func (f *flattener) object(prefix string, o *fastjson.Object, also shape) {
	o.Visit(func(key []byte, v *fastjson.Value) {
		name := prefix + string(key)
		also := also
		if len(key) == 0 || key[0] == '.' || key[len(key)-1] == '.' {
			also |= isOdd // rows do not read such names as the engine's are made
		}
		f.member(name, v, also)
	})
}

func (f *flattener) member(name string, v *fastjson.Value, also shape) {
	switch v.Type() {
	case fastjson.TypeNull:
	case fastjson.TypeObject:
		if o := v.GetObject(); o.Len() > 0 {
			f.note(name, isObject|also)
			f.object(name+".", o, also)
		}
	case fastjson.TypeArray:
		f.note(name, isArray|also)
		for _, e := range v.GetArray() {
			f.member(name, e, also|isArray)
		}
		if also&isArray == 0 {
			f.add(name, string(v.MarshalTo(nil)))
		}
	case fastjson.TypeString:
		text := v.GetStringBytes()
		if also&isArray != 0 {
			f.note(name, textShape(string(text))|also)
			return
		}
		own := string(text)
		f.note(name, textShape(own)|f.strings|also)
		f.add(name, own)
	default:
		text := string(v.MarshalTo(nil))
		s := isBool
		if v.Type() == fastjson.TypeNumber {
			s = numberShape(text)
		}
		f.note(name, s|also)
		if also&isArray == 0 {
			f.add(name, text)
		}
	}
}

func (f *flattener) add(name, value string) {
	if !hasColumn(name) {
		f.note(name, isOdd)
		return
	}
	if value == "" || f.overflow {
		return
	}
	f.size += len(name) + len(value) + len(`,"":""`)
	if len(f.fields) >= maxColumns || f.size > maxRow {
		f.overflow = true
		return
	}
	if i := f.find(name); i >= 0 {
		f.fields[i].Value = "[" + f.fields[i].Value + "," + value + "]"
		f.note(name, isArray)
		return
	}
	f.append(name, value)
}

// loneSurrogate reports whether an escape in JSON is half of a pair: readers make different texts of it.
func loneSurrogate(source []byte) bool {
	for {
		i := bytes.IndexByte(source, '\\')
		if i < 0 || i+1 >= len(source) {
			return false
		}
		source = source[i+1:]
		if !surrogate(source, "89abAB") && !surrogate(source, "cdefCDEF") {
			source = source[1:]
			continue
		}
		if !surrogate(source, "89abAB") || len(source) < 11 || source[5] != '\\' || !surrogate(source[6:], "cdefCDEF") {
			return true
		}
		source = source[11:]
	}
}

// surrogate reports whether b begins with udX, X one of some digits, and two more digits.
func surrogate(b []byte, digits string) bool {
	return len(b) >= 5 && b[0] == 'u' && b[1]|0x20 == 'd' && strings.IndexByte(digits, b[2]) >= 0
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
