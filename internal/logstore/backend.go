package logstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
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
	wide     string // a LogsQL filter that passes all documents wanted; empty is all
	exact    bool   // and no others, the time range aside
}

func (b *Backend) outlook(r plan.Read) *outlook {
	o := &outlook{store: b.store, read: r, patterns: b.patterns(r.From), exact: r.Filter == nil}
	o.wide = indexFilter(o.patterns)
	return o
}

// clocked reports whether the engine's time is that of the read.
func (o *outlook) clocked() bool { return o.read.TimeField == clockField }

func (o *outlook) bounded() bool { return !o.read.Earliest.IsZero() || !o.read.Latest.IsZero() }

func (o *outlook) plan() plan.Pushed {
	p := plan.Pushed{Filter: o.exact && (o.clocked() || !o.bounded())}
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

// request tells people what the engine is asked.
func (o *outlook) request(how string) string {
	filter := o.wide
	if filter == "" {
		filter = "*"
	}
	what := "documents"
	return "LogsQL " + filter + ": " + what + ", " + how
}

// Rows reads documents.
func (b *Backend) Rows(ctx context.Context, r plan.Read, p plan.Pushed, schema *row.Schema, emit func(*row.Row) error) (plan.Cost, error) {
	done, err := b.store.use()
	if err != nil {
		return plan.Cost{}, err
	}
	defer done()
	o := b.outlook(r)
	if p.Filter && !o.plan().Filter {
		return plan.Cost{}, errChanged
	}
	free, err := b.store.admit(ctx, scanMemory)
	if err != nil {
		return plan.Cost{}, err
	}
	defer free()
	s := newScan(o, p, schema, emit)
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
	included, any := false, false
	for _, p := range patterns {
		if out, minus := strings.CutPrefix(p, "-"); minus {
			if glob(out, name) {
				return false
			}
			continue
		}
		any = true
		included = included || glob(p, name)
	}
	return included || !any
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
	return strings.Join(slices.DeleteFunc([]string{a, b}, func(s string) bool { return s == "" }), " ")
}
