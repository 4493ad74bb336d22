package elastic

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/netip"
	"slices"
	"strings"

	"tocsin/internal/query/plan"
	"tocsin/internal/row"
)

const (
	scanPage = 5000
	// documentPage is the size of pages of whole documents.
	documentPage = 1000
	// tieBytes is how much of documents of one millisecond is put in order by id at a time.
	tieBytes = 256 << 20
)

// scan is the search for the documents of the read.
func (o *outlook) scan(top bool) Scan {
	s := Scan{Indices: o.indices, Size: scanPage, AllowNoIndices: true}
	if o.wide != nil {
		s.Query = o.wide
	}
	desc := true
	if top && o.read.Top != nil && len(o.read.Top.Keys) > 0 {
		desc = o.read.Top.Keys[0].Desc
	}
	if o.timed {
		order := map[string]any{"order": "asc", "unmapped_type": "date", "missing": "_last"}
		if desc {
			order["order"] = "desc"
		}
		s.Sort = []any{map[string]any{o.read.TimeField: order}}
	}
	s.Source = o.projection()
	if o.read.Documents || o.read.Fields == nil {
		s.Size = documentPage
	}
	if top && o.read.Top != nil {
		s.Size = max(10, min(s.Size, o.read.Top.Limit+1))
	}
	return s
}

// projection is the _source filter: all of it where documents are wanted.
func (o *outlook) projection() any {
	if o.read.Documents || o.read.Fields == nil || slices.ContainsFunc(o.read.Fields, func(f string) bool { return strings.ContainsAny(f, "*,") }) {
		return nil
	}
	if len(o.read.Fields) == 0 && !o.timed {
		return false
	}
	var includes []string
	for _, f := range o.read.Fields {
		includes = append(includes, f)
		if parent := o.multiOf(f); parent != "" {
			includes = append(includes, parent)
		}
	}
	if o.timed {
		includes = append(includes, o.read.TimeField)
	}
	slices.Sort(includes)
	return slices.Compact(includes)
}

// multiOf is the field whose multi-field f is, in every index that has it; else "".
func (o *outlook) multiOf(f string) string {
	if o.schemas == nil {
		return ""
	}
	parent := ""
	for i := range o.schemas.indices {
		m, absent, ok := o.schemas.indices[i].find(f)
		if !ok || !absent && m.multi == "" {
			return ""
		}
		if !absent {
			parent = m.multi
		}
	}
	return parent
}

// Rows reads documents or, with p.Aggregate, groups.
func (b *Backend) Rows(ctx context.Context, r plan.Read, p plan.Pushed, schema *row.Schema, emit func(*row.Row) error) (plan.Cost, error) {
	o, err := b.look(ctx, r)
	if err != nil {
		return plan.Cost{}, err
	}
	if p.Aggregate {
		g := o.groups(r.Aggregate)
		if g == nil {
			return plan.Cost{}, errors.New("the mappings changed while the search began: try again")
		}
		return o.aggregate(ctx, g, schema, emit)
	}
	reader := newDocumentReader(o, schema, emit)
	if p.Top && r.Top != nil && len(r.Top.Keys) > 0 {
		reader.most = r.Top.Limit
	}
	if o.bounds.None() {
		return reader.cost, nil
	}
	if b.seat != nil && r.Top == nil {
		if whole, err := reader.few(ctx, o.scan(false)); whole || err != nil {
			return reader.cost, err
		}
	}
	if b.seat != nil {
		done, err := b.seat.scan(ctx)
		if err != nil {
			return reader.cost, err
		}
		defer done()
	}
	pages := b.client.Scan(o.scan(p.Top))
	err = reader.all(ctx, pages)
	if closed := pages.Close(ctx); closed != nil {
		b.client.log.Debug("open search not freed", "source", b.client.name, "error", closed.Error())
	}
	if errors.Is(err, errEnough) {
		err = nil
	}
	return reader.cost, err
}

// errEnough says that the rows asked for were given.
var errEnough = errors.New("all rows asked for were given")

// documentReader makes rows of documents, in the order newest first, ties by id.
type documentReader struct {
	outlook  *outlook
	schema   *row.Schema
	extract  *row.Extractor
	converts []conversion // by slot
	copies   []copied
	times    *row.Extractor // only the time field
	timeSlot int
	emit     func(*row.Row) error
	most     int // rows; 0 is all
	cost     plan.Cost
	row      row.Row
	doc      row.Document
	ties     []Hit
	held     int
	desc     bool
}

// conversion makes values what the type of their field makes of them.
type conversion struct {
	convert func(row.Value) row.Value // nil leaves them
	text    bool
}

// copied is a multi-field that is given the values of the field above it.
type copied struct{ from, to int }

func newDocumentReader(o *outlook, schema *row.Schema, emit func(*row.Row) error) *documentReader {
	d := &documentReader{outlook: o, schema: schema, emit: emit, desc: true}
	if t := o.read.Top; t != nil && len(t.Keys) > 0 {
		d.desc = t.Keys[0].Desc
	}
	fields := o.read.Fields
	for _, f := range o.read.Fields {
		if parent := o.multiOf(f); parent != "" {
			if !slices.Contains(fields, parent) {
				fields = append(slices.Clone(fields), parent)
			}
			d.copies = append(d.copies, copied{schema.Slot(parent), schema.Slot(f)})
		}
	}
	d.extract = row.NewExtractor(schema, fields)
	times := row.NewSchema()
	d.times, d.timeSlot = row.NewExtractor(times, []string{o.read.TimeField}), 0
	return d
}

// How many documents are read without an open search: of some fields, and whole.
const (
	fewMost  = 500
	fewWhole = 50
)

// few reads the documents if they are few, in one search, which many runs can share. It reports false, and has
// given none, where they may be more.
func (d *documentReader) few(ctx context.Context, s Scan) (bool, error) {
	o := d.outlook
	most := fewMost
	if s.Source == nil {
		most = fewWhole
	}
	body := map[string]any{"size": most, "track_total_hits": false}
	if s.Query != nil {
		body["query"] = s.Query
	}
	if len(s.Sort) > 0 {
		body["sort"] = s.Sort
	}
	if s.Source != nil {
		body["_source"] = s.Source
	}
	a, err := o.backend.search(ctx, Search{Indices: s.Indices, Body: body, AllowNoIndices: s.AllowNoIndices, IgnoreUnavailable: s.IgnoreUnavailable})
	d.cost.Requests++
	if err != nil {
		return false, fmt.Errorf("read documents of %s: %w", strings.Join(o.indices, ","), err)
	}
	if len(a.Hits) >= most {
		return false, nil
	}
	if err := d.take(a.Hits); err != nil {
		return true, err
	}
	return true, d.flush()
}

// take adds documents, and hands over those of each millisecond that is past.
func (d *documentReader) take(hits []Hit) error {
	for _, h := range hits {
		if len(d.ties) > 0 && (d.held > tieBytes || !d.tied(d.ties[0], h)) {
			if err := d.flush(); err != nil {
				return err
			}
		}
		d.ties = append(d.ties, h)
		d.held += len(h.Source) + 256
	}
	return nil
}

// all reads the pages. While one is read the cluster works at the next, unless few rows are wanted.
func (d *documentReader) all(ctx context.Context, pages *Pages) error {
	next := begin(ctx, pages.Next)
	defer func() { next.end() }()
	for {
		hits, err := next.wait()
		d.cost.Requests++
		if errors.Is(err, io.EOF) {
			return d.flush()
		}
		if err != nil {
			return fmt.Errorf("read documents of %s: %w", strings.Join(d.outlook.indices, ","), err)
		}
		if d.outlook.read.Top == nil {
			next = begin(ctx, pages.Next)
		}
		if err := d.take(hits); err != nil {
			return err
		}
		if d.outlook.read.Top != nil {
			next = begin(ctx, pages.Next)
		}
	}
}

// tied reports whether the cluster sees no order between two documents.
func (d *documentReader) tied(a, b Hit) bool {
	return !d.outlook.timed || len(a.Sort) > 0 && len(b.Sort) > 0 && bytes.Equal(a.Sort[0], b.Sort[0])
}

// flush hands over the documents of one millisecond: the newest first, ties by id.
func (d *documentReader) flush() error {
	if len(d.ties) > 1 {
		times := make(map[*Hit]int64, len(d.ties))
		list := make([]*Hit, len(d.ties))
		for i := range d.ties {
			list[i] = &d.ties[i]
			at, err := d.time(list[i])
			if err != nil {
				return err
			}
			times[list[i]] = at
		}
		slices.SortFunc(list, func(a, b *Hit) int {
			order := cmp.Compare(times[a], times[b])
			if d.desc {
				order = -order
			}
			return cmp.Or(order, cmp.Compare(a.ID, b.ID), cmp.Compare(a.Index, b.Index))
		})
		for _, h := range list {
			if err := d.give(h); err != nil {
				return err
			}
		}
	} else if len(d.ties) == 1 {
		if err := d.give(&d.ties[0]); err != nil {
			return err
		}
	}
	clear(d.ties)
	d.ties, d.held = d.ties[:0], 0
	return nil
}

// time is the greatest time of a document.
func (d *documentReader) time(h *Hit) (int64, error) {
	if !d.outlook.timed {
		return 0, nil
	}
	vals, err := d.times.Extract(source(h), nil)
	if err != nil {
		return 0, fmt.Errorf("document %s of %s: %w", h.ID, h.Index, err)
	}
	at := int64(math.MinInt64)
	for _, v := range vals[d.timeSlot].Values() {
		if v = toTime(v); v.Kind() == row.Time {
			at = max(at, v.Nanos())
		}
	}
	return at, nil
}

func source(h *Hit) string {
	if len(h.Source) == 0 {
		return "{}"
	}
	return string(h.Source)
}

func (d *documentReader) give(h *Hit) error {
	text := source(h)
	var err error
	if d.row.Vals, err = d.extract.Extract(text, d.row.Vals); err != nil {
		return fmt.Errorf("document %s of %s: %w", h.ID, h.Index, err)
	}
	for len(d.converts) < len(d.row.Vals) {
		d.converts = append(d.converts, d.outlook.convert(d.schema.Name(len(d.converts))))
	}
	for i, v := range d.row.Vals {
		if c := d.converts[i]; c.convert != nil && !v.IsNull() {
			if c.text && hasFloat(v) {
				v = written(text, d.schema.Name(i), v)
			}
			d.row.Vals[i] = each(v, c.convert)
		}
	}
	for _, c := range d.copies {
		if d.row.Get(c.to).IsNull() {
			d.row.Set(c.to, d.row.Get(c.from))
		}
	}
	d.row.Doc = nil
	if d.outlook.read.Documents {
		if strings.ContainsAny(text, "\n\r") {
			var line bytes.Buffer
			if err := json.Compact(&line, h.Source); err != nil {
				return fmt.Errorf("document %s of %s: %w", h.ID, h.Index, err)
			}
			text = line.String()
		}
		d.doc = row.Document{Index: h.Index, ID: h.ID, JSON: text}
		d.row.Doc = &d.doc
	}
	d.cost.Rows++
	d.cost.Bytes += int64(len(text))
	if err := d.emit(&d.row); err != nil {
		return err
	}
	if d.most > 0 && d.cost.Rows >= int64(d.most) {
		return errEnough
	}
	return nil
}

// convert is how the values of a field are read, if its type is the same in every index.
func (o *outlook) convert(name string) conversion {
	if name == o.read.TimeField {
		if o.timed && o.schemas != nil {
			return conversion{convert: toTime}
		}
		return conversion{convert: row.StampTime}
	}
	if o.schemas == nil {
		return conversion{}
	}
	typ, _ := o.schemas.typeOf(name)
	switch family(typ) {
	case "text":
		return conversion{convert: toText, text: true}
	case "long":
		return conversion{convert: toInteger}
	case "double":
		return conversion{convert: toNumber}
	case "boolean":
		return conversion{convert: toBoolean}
	case "ip":
		return conversion{convert: toAddress}
	}
	return conversion{}
}

func hasFloat(v row.Value) bool {
	return slices.ContainsFunc(v.Values(), func(e row.Value) bool { return e.Kind() == row.Float })
}

// written is a field's values with its numbers as the document spells them: a keyword holds 5.0 and 5 as
// two texts. Clusters respell 5.00 as 5.0 when they cut a document down; that much cannot be told apart.
func written(document, name string, v row.Value) row.Value {
	decoder := json.NewDecoder(strings.NewReader(document))
	decoder.UseNumber()
	var all map[string]any
	if decoder.Decode(&all) != nil {
		return v
	}
	var numbers []string
	var collect func(v any, rest string)
	collect = func(v any, rest string) {
		switch v := v.(type) {
		case []any:
			for _, e := range v {
				collect(e, rest)
			}
		case map[string]any:
			for key, e := range v {
				if key == rest {
					collect(e, "")
				} else if below, ok := strings.CutPrefix(rest, key+"."); ok {
					collect(e, below)
				}
			}
		case json.Number:
			if rest == "" {
				numbers = append(numbers, v.String())
			}
		}
	}
	collect(all, name)
	list := slices.Clone(v.Values())
	for i, e := range list {
		if !e.IsNumber() || len(numbers) == 0 {
			continue
		}
		// The same numbers stand in both lists; of keys given twice the order may differ.
		at := slices.IndexFunc(numbers, func(n string) bool { return row.NewNumber(n).Equal(e) })
		if at >= 0 {
			list[i] = row.NewString(numbers[at])
			numbers = slices.Delete(numbers, at, at+1)
		}
	}
	if len(list) == 1 && v.Kind() != row.List {
		return list[0]
	}
	return row.NewList(list)
}

func each(v row.Value, convert func(row.Value) row.Value) row.Value {
	if v.Kind() != row.List {
		return convert(v)
	}
	list := make([]row.Value, 0, v.Len())
	for _, e := range v.Values() {
		list = append(list, convert(e))
	}
	return row.NewList(list)
}

func toText(v row.Value) row.Value {
	switch v.Kind() {
	case row.Bool, row.Int, row.Float:
		return row.NewString(v.Text())
	}
	return v
}

// toInteger reads a whole number as a cluster's coerce does: texts are numbers, fractions are cut off.
func toInteger(v row.Value) row.Value {
	v = toNumber(v)
	if v.Kind() == row.Float {
		if f := math.Trunc(v.Float()); math.Abs(f) < 1<<63 {
			return row.NewInt(int64(f))
		}
	}
	return v
}

func toNumber(v row.Value) row.Value {
	if v.Kind() != row.String {
		return v
	}
	if v.Str() == "" {
		return row.Value{}
	}
	if n, ok := v.Number(); ok {
		return n
	}
	return v
}

func toBoolean(v row.Value) row.Value {
	if v.Kind() != row.String {
		return v
	}
	switch v.Str() {
	case "true":
		return row.NewBool(true)
	case "false", "":
		return row.NewBool(false)
	}
	return v
}

func toAddress(v row.Value) row.Value {
	if v.Kind() != row.String {
		return v
	}
	a, err := netip.ParseAddr(v.Str())
	if err != nil {
		return v
	}
	if text := a.Unmap().String(); text != v.Str() {
		return row.NewString(text)
	}
	return v
}

// toTime reads a date as the cluster's usual format does: ISO 8601, or milliseconds since 1970.
func toTime(v row.Value) row.Value {
	n := v
	switch v.Kind() {
	case row.String:
		if t, ok := row.ParseTime(v.Str()); ok {
			return row.NewTimeNano(t)
		}
		var ok bool
		if n, ok = v.Number(); !ok {
			return v
		}
	case row.Int, row.Float:
	default:
		return v
	}
	if f := n.Float(); f > -9e12 && f < 9e12 {
		if n.Kind() == row.Int {
			return row.NewTimeNano(n.Int() * 1e6)
		}
		return row.NewTimeNano(int64(f * 1e6))
	}
	return v
}
