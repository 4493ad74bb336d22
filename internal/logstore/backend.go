package logstore

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"tocsin/internal/query/plan"
	"tocsin/internal/row"
)

// Backend reads the documents of queries from a store. It is safe for concurrent use.
//
// Documents are answered as they were stored. A document without @timestamp has no time: it comes last,
// and no time range holds it.
type Backend struct {
	store   *Store
	indices []string
}

// NewBackend makes a backend of a store that reads indices (names and patterns, none is all; one that
// begins with a minus is left out) unless a query names others.
func NewBackend(s *Store, indices []string) *Backend {
	return &Backend{store: s, indices: indices}
}

// clockField is the field by which the engine keeps documents in order.
const clockField = "@timestamp"

// patterns are the names of the indices of a read.
func (b *Backend) patterns(from []string) []string {
	if from != nil {
		return from
	}
	return b.indices
}

// Plan says what the store does of a read. It reads no documents.
func (b *Backend) Plan(_ context.Context, r plan.Read) (plan.Pushed, error) {
	done, err := b.store.use()
	if err != nil {
		return plan.Pushed{}, err
	}
	defer done()
	return b.outlook(r).plan(), nil
}

// outlook is what is known before a read.
type outlook struct {
	store    *Store
	read     plan.Read
	patterns []string
	view     view
	relied   map[string]shape // what was concluded from the census
	notBelow []string         // fields that have none below them
	wide     string           // a LogsQL filter that passes all documents wanted; empty is all
	exact    bool             // and no others, the time range aside
	plain    string           // the same, of rows that are not odd
	narrow   bool             // and no others
	plainly  bool             // shapes are those of rows that are not odd
	odd      map[string]bool  // names by whose marks rows are odd
	partial  bool             // there may be rows without columns: they are odd too
}

func (b *Backend) outlook(r plan.Read) *outlook {
	o := &outlook{store: b.store, read: r, patterns: b.patterns(r.From), relied: map[string]shape{}, odd: map[string]bool{}}
	o.view = view{census: b.store.census, first: 0, last: math.MaxInt64}
	if o.clocked() {
		if !r.Earliest.IsZero() {
			o.view.first = dayOf(max(0, nanos(r.Earliest)))
		}
		if !r.Latest.IsZero() {
			o.view.last = dayOf(max(0, nanos(r.Latest)))
		}
	}
	if k, ok := o.view.find(tooWide); !ok || k.shape != 0 {
		o.partial = true
	} else {
		o.relied[tooWide] = 0
	}
	wide, plain := all, all
	if r.Filter != nil {
		wide = o.bound(r.Filter)
		o.plainly = true
		plain = o.bound(r.Filter)
	}
	o.plainly = true
	if o.partial && wide.logsQL != "" {
		wide = bound{logsQL: "(" + wide.logsQL + " or " + isPartial + ")"}
	}
	var included []string
	for _, p := range o.patterns {
		if !strings.HasPrefix(p, "-") {
			included = append(included, p)
		}
	}
	o.wide, o.exact = both(indexFilter(included), wide.logsQL), wide.exact
	o.plain, o.narrow = both(indexFilter(included), plain.logsQL), plain.exact
	return o
}

const isPartial = columnPartial + `:="1"`

// isOdd is a filter of the odd rows; empty where there are none.
func (o *outlook) isOdd() string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(o.odd)) {
		parts = append(parts, columnOdd+":"+strconv.Quote(name))
	}
	if len(parts) > 0 {
		parts = append(parts, columnOdd+":="+strconv.Quote(oddAll))
	}
	if o.partial {
		parts = append(parts, isPartial)
	}
	if len(parts) == 0 {
		return ""
	}
	return "(" + strings.Join(parts, " or ") + ")"
}

// split is the filters of the rows whose columns are read, and of those whose documents are; there are
// none of the latter where that is empty.
func (o *outlook) split() (columns, documents string) {
	odd := o.isOdd()
	if odd == "" {
		return o.plain, ""
	}
	return both(o.plain, "!"+odd), both(o.wide, odd)
}

// below reports whether there are fields below one.
func (o *outlook) below(field string) bool {
	if o.view.below(field) {
		return true
	}
	o.notBelow = append(o.notBelow, field)
	return false
}

// clocked reports whether the engine's time is that of the read.
func (o *outlook) clocked() bool { return o.read.TimeField == clockField }

func (o *outlook) bounded() bool { return !o.read.Earliest.IsZero() || !o.read.Latest.IsZero() }

// filters reports whether what the engine passes is what is wanted.
func (o *outlook) filters() bool { return o.exact && (o.clocked() || !o.bounded()) }

func (o *outlook) plan() plan.Pushed {
	if g := o.grouping(); g != nil {
		columns, documents := g.filters(o)
		text := "LogsQL " + g.query(columns) + o.timeRange() + ": grouped column by column"
		if documents != "" {
			text += "; documents of " + documents
		}
		return plan.Pushed{Filter: true, Aggregate: true, Requests: []string{text}}
	}
	p := plan.Pushed{Filter: o.filters()}
	if t := o.read.Top; t != nil {
		p.Top = len(t.Keys) == 0 || p.Filter && o.byTime(t)
	}
	p.Requests = []string{o.request("newest first")}
	return p
}

// byTime tells an order that is the time field's alone.
func (o *outlook) byTime(t *plan.Top) bool {
	return o.clocked() && len(t.Keys) == 1 && t.Keys[0].As == "" && t.Keys[0].Field.Name == o.read.TimeField
}

// judging is o with the fields that judging the rows needs, as exec adds them.
func (o *outlook) judging() *outlook {
	if o.exact || o.read.Fields == nil {
		return o
	}
	with := *o
	with.odd = maps.Clone(o.odd)
	names, all := plan.Fields(o.read.Filter)
	if with.read.Fields = slices.Concat(o.read.Fields, names); all {
		with.read.Fields = nil
	}
	return &with
}

// request tells people what the engine is asked.
func (o *outlook) request(how string) string {
	filter, documents := o.wide, ""
	what := "documents"
	if o := o.judging(); o.columns() != nil {
		what = "columns"
		filter, documents = o.split()
	}
	text := "LogsQL " + orAll(filter) + o.timeRange() + ": " + what + ", " + how
	if documents != "" {
		text += "; documents of " + documents
	}
	return text
}

// Rows reads documents.
func (b *Backend) Rows(ctx context.Context, r plan.Read, p plan.Pushed, schema *row.Schema, emit func(*row.Row) error) (plan.Cost, error) {
	done, err := b.store.use()
	if err != nil {
		return plan.Cost{}, err
	}
	defer done()
	o := b.outlook(r)
	var columns *columnReader
	var groups *grouping
	if p.Aggregate {
		groups = o.grouping()
	} else {
		columns = o.columns()
	}
	relied, ok := o.view.claim(o.relied, o.notBelow)
	if ok {
		defer b.store.census.release(relied)
	}
	switch {
	case !ok, p.Aggregate && groups == nil, p.Filter && !p.Aggregate && !o.filters():
		return plan.Cost{}, errChanged
	case p.Aggregate:
		return o.aggregate(ctx, groups, relied, schema, emit)
	}
	free, err := b.store.admit(ctx, scanMemory)
	if err != nil {
		return plan.Cost{}, err
	}
	defer free()
	s := newScan(o, p, columns, relied, schema, emit)
	err = s.run(ctx)
	if errors.Is(err, errEnough) {
		err = nil
	}
	return s.cost, err
}

// errChanged says that documents came in which a plan did not reckon with.
var errChanged = errors.New("documents with values of other types came in while the search began: try again")

// wanted reports whether documents of an index are read.
func wanted(patterns []string, name string) bool {
	included, all := false, true
	for _, p := range patterns {
		if out, minus := strings.CutPrefix(p, "-"); minus {
			if glob(out, name) {
				return false
			}
			continue
		}
		all = false
		included = included || glob(p, name)
	}
	return included || all
}

// rowMaker makes rows of documents.
type rowMaker struct {
	extract   *row.Extractor
	documents bool
	row       row.Row
	doc       row.Document
}

func newRowMaker(r plan.Read, schema *row.Schema) *rowMaker {
	s := &rowMaker{extract: row.NewExtractor(schema, r.Fields), documents: r.Documents}
	s.extract.TimeFields(r.TimeField)
	return s
}

// of is the row of a document, good until the next one.
func (s *rowMaker) of(h *hit) (*row.Row, error) {
	if h.vals != nil {
		s.row.Vals, s.row.Doc = h.vals, nil
		return &s.row, nil
	}
	var err error
	if s.row.Vals, err = s.extract.Extract(h.source, s.row.Vals); err != nil {
		return nil, fmt.Errorf("read document %s of %s: %w", h.id, h.index, err)
	}
	s.row.Doc = nil
	if s.documents {
		text := h.source
		if strings.ContainsAny(text, "\n\r") {
			if text, err = oneLine(text); err != nil {
				return nil, fmt.Errorf("read document %s of %s: %w", h.id, h.index, err)
			}
		}
		s.doc = row.Document{Index: h.index, ID: h.id, JSON: text}
		s.row.Doc = &s.doc
	}
	return &s.row, nil
}

// seqList is a filter of rows by their number.
func seqList(keys []key) string {
	b := []byte(columnSeq + ":in(")
	for i, k := range keys {
		if i > 0 {
			b = append(b, ',')
		}
		b = fmt.Appendf(b, "%d", k.seq)
	}
	return string(append(b, ')'))
}

// both joins two LogsQL filters, of which either may be empty.
func both(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + " " + b
}

// timeRange tells people the range of a request.
func (o *outlook) timeRange() string {
	if !o.clocked() || !o.bounded() {
		return ""
	}
	text := " _time:["
	if o.read.Earliest.IsZero() {
		text += strconv.FormatInt(math.MinInt64, 10)
	} else {
		text += o.read.Earliest.UTC().Format("2006-01-02T15:04:05.999999999Z")
	}
	if o.read.Latest.IsZero() {
		return text + ",...)"
	}
	return text + "," + o.read.Latest.UTC().Format("2006-01-02T15:04:05.999999999Z") + ")"
}
