package elastic

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"tocsin/internal/query/dsl"
	"tocsin/internal/query/plan"
)

// Backend reads the documents of a query from a cluster and has the cluster do what it does exactly.
// It is safe for concurrent use.
//
// The mapping says what the values of a field are: in a keyword the number 5 is the text 5, in a long
// the text 5 is the number 5 and 5.7 is 5, in a boolean "true" is true, an address is in its shortest
// spelling. Documents are answered as they were stored.
type Backend struct {
	client  *Client
	indices []string
	known   *knownSchemas
	seat    *seat // nil: what it asks is sent by itself
}

// knownSchemas are the mappings that were read a moment ago, by the indices asked for.
type knownSchemas struct {
	mutex sync.Mutex
	kept  map[string]*schemas
	asked map[string]*askedSchemas
}

// askedSchemas are mappings being read; several may wait for them.
type askedSchemas struct {
	done    chan struct{}
	schemas *schemas
	err     error
}

// NewBackend makes a backend of a client's cluster that reads indices (names, aliases, patterns; none
// is all of them) unless a query names others.
func NewBackend(c *Client, indices []string) *Backend {
	return &Backend{client: c, indices: indices, known: &knownSchemas{kept: map[string]*schemas{}, asked: map[string]*askedSchemas{}}}
}

// FieldTypes is the field caps answer of the backend's indices, as dsl reads it.
func (b *Backend) FieldTypes(ctx context.Context) ([]byte, error) {
	caps, err := b.client.FieldCaps(ctx, b.targets(nil), []string{"*"})
	if err != nil {
		return nil, fmt.Errorf("read the types of fields: %w", err)
	}
	return json.Marshal(map[string]any{"fields": caps.Fields})
}

// Names are the fields of the indices, and those of asked that documents may hold without the mappings
// telling. Without an index there are none to know.
func (b *Backend) Names(ctx context.Context, from, asked []string) ([]string, error) {
	s, err := b.mappings(ctx, b.targets(from))
	if err != nil {
		return nil, fmt.Errorf("read the mappings: %w", err)
	}
	if len(s.indices) == 0 {
		return asked, nil
	}
	known := map[string]bool{}
	for i := range s.indices {
		for name := range s.indices[i].fields {
			known[name] = true
		}
	}
	for _, name := range asked {
		if _, absent := s.typeOf(name); !absent {
			known[name] = true
		}
	}
	return keys(known), nil
}

// schemaLife is for how long mappings count as known.
const schemaLife = 5 * time.Second

// outlook is what is known before a read.
type outlook struct {
	backend *Backend
	indices []string
	schemas *schemas // nil: the mappings may not be read
	read    plan.Read
	timed   bool // the time field is a date wherever it is
	bounds  dsl.Bounds
	narrow  query
	wide    query
	exact   bool // narrow and wide are the same
	warning string
}

// query is query DSL; nil is everything.
type query = json.RawMessage

// targets are the indices of a read. Alerts written back are left out of patterns that do not name them.
func (b *Backend) targets(from []string) []string {
	indices := b.indices
	if from != nil {
		indices = from
	}
	const own = "tocsin-alerts-"
	named, met := false, len(indices) == 0
	for _, i := range indices {
		before, _, pattern := strings.Cut(i, "*")
		named = named || strings.HasPrefix(i, own)
		met = met || pattern && strings.HasPrefix(own, before)
	}
	if named || !met {
		return indices
	}
	if len(indices) == 0 {
		indices = []string{"*"}
	}
	return append(slices.Clone(indices), "-"+own+"*")
}

// mappings are those of indices. Of those that want them at the same time one asks, and all have its answer; where it
// was told to stop, the others ask themselves.
func (b *Backend) mappings(ctx context.Context, indices []string) (*schemas, error) {
	key, k := strings.Join(indices, ","), b.known
	for {
		k.mutex.Lock()
		if s := k.kept[key]; s != nil && time.Since(s.read) < schemaLife {
			k.mutex.Unlock()
			return s, nil
		}
		other := k.asked[key]
		if other == nil {
			break
		}
		k.mutex.Unlock()
		select {
		case <-other.done:
			if other.err == nil || !errors.Is(other.err, context.Canceled) && !errors.Is(other.err, context.DeadlineExceeded) {
				return other.schemas, other.err
			}
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	own := &askedSchemas{done: make(chan struct{})}
	k.asked[key] = own
	k.mutex.Unlock()
	own.schemas, own.err = b.client.schemas(ctx, indices)
	k.mutex.Lock()
	defer k.mutex.Unlock()
	delete(k.asked, key)
	close(own.done)
	if own.err != nil {
		return nil, own.err
	}
	for name, old := range k.kept {
		if time.Since(old.read) >= schemaLife {
			delete(k.kept, name)
		}
	}
	k.kept[key] = own.schemas
	return own.schemas, nil
}

// look finds out what of a read the indices can answer.
func (b *Backend) look(ctx context.Context, r plan.Read) (*outlook, error) {
	o := &outlook{backend: b, indices: b.targets(r.From), read: r}
	var err error
	o.schemas, err = b.mappings(ctx, o.indices)
	switch refused := (*Error)(nil); {
	case err == nil:
	case errors.As(err, &refused) && (refused.Status == http.StatusForbidden || refused.Status == http.StatusBadRequest):
		o.warning = "the mappings cannot be read, so every document of the time range is: " +
			"give the role view_index_metadata on the indices (" + refused.Reason + ")"
		return o, o.blind(ctx)
	default:
		return nil, fmt.Errorf("read the mappings of %s: %w", strings.Join(o.indices, ","), err)
	}
	if len(o.schemas.indices) == 0 {
		o.warning = "no index matches " + strings.Join(o.indices, ",")
	}
	for _, s := range o.schemas.indices {
		if s.noSource {
			return nil, fmt.Errorf("index %s keeps no _source: its documents cannot be read", s.name)
		}
	}
	typ, absent := o.schemas.typeOf(r.TimeField)
	o.timed = absent || family(typ) == "date"
	o.bounds = dsl.Bounds{Exact: true}
	if r.Filter != nil {
		o.bounds = dsl.Bound(r.Filter, o.field)
	}
	return o, o.build()
}

// blind is look without mappings: only the time range is asked for, if the fields are known to be dates.
func (o *outlook) blind(ctx context.Context) error {
	caps, err := o.backend.client.FieldCaps(ctx, o.indices, []string{o.read.TimeField})
	if err != nil {
		return fmt.Errorf("read the type of %s: %w", o.read.TimeField, err)
	}
	o.timed = true
	for typ := range caps.Fields[o.read.TimeField] {
		o.timed = o.timed && (typ == "date" || typ == "date_nanos" || typ == "unmapped")
	}
	o.bounds = dsl.Bounds{Exact: o.read.Filter == nil}
	if err := o.build(); err != nil {
		return err
	}
	o.exact = false
	return nil
}

// field is what the indices know of a field of a filter.
func (o *outlook) field(name string) dsl.Indexed {
	if name == "_time" {
		name = o.read.TimeField
	}
	if name == o.read.TimeField && o.isoTime() {
		return dsl.Indexed{Kind: dsl.IndexDate, Name: name}
	}
	return o.schemas.indexed(name, searchedByWords(name))
}

// searchedByWords tells the names that the language searches by words.
func searchedByWords(name string) bool {
	last := name[strings.LastIndexByte(name, '.')+1:]
	return last == "message" || last == "text"
}

// isoTime reports whether the time field is a sound date of milliseconds in the usual format in every
// index.
func (o *outlook) isoTime() bool {
	if o.schemas == nil {
		return false
	}
	for i := range o.schemas.indices {
		f, absent, ok := o.schemas.indices[i].find(o.read.TimeField)
		if !ok || !absent && (f.typ != "date" || !f.sound || !f.isoDate) {
			return false
		}
	}
	return true
}

// build makes the queries of the bounds and of the time range.
func (o *outlook) build() error {
	bounded := !o.read.Earliest.IsZero() || !o.read.Latest.IsZero()
	o.exact = o.bounds.Exact && (!bounded || o.isoTime() && wholeMillis(o.read.Earliest) && wholeMillis(o.read.Latest))
	var err error
	if o.wide, err = o.query(true); err != nil {
		return err
	}
	if o.exact {
		o.narrow = o.wide
		return nil
	}
	o.narrow, err = o.query(false)
	return err
}

func wholeMillis(t time.Time) bool { return t.IsZero() || t.UnixNano()%int64(time.Millisecond) == 0 }

func (o *outlook) query(wide bool) (query, error) {
	var clauses []any
	if clause := o.timeRange(wide); clause != nil {
		clauses = append(clauses, clause)
	}
	tree := o.bounds.Wide
	if !wide {
		tree = o.bounds.Narrow
	}
	if tree != nil {
		q, err := dsl.Query(tree, o.fields())
		if err != nil {
			return nil, fmt.Errorf("make the query of the filter: %w", err)
		}
		if string(q) != `{"match_all":{}}` {
			clauses = append(clauses, json.RawMessage(q))
		}
	}
	if len(clauses) == 0 {
		return nil, nil
	}
	return json.Marshal(map[string]any{"bool": map[string]any{"filter": clauses}})
}

// timeRange is the time range of the read in whole milliseconds, which is what dates are indexed in. A
// wide one holds the documents of broken milliseconds too.
func (o *outlook) timeRange(wide bool) any {
	if !o.timed {
		return nil
	}
	within := map[string]any{}
	bound := func(op string, t time.Time, up bool) {
		if t.IsZero() {
			return
		}
		ms := t.UnixMilli()
		if up && t.UnixNano()%int64(time.Millisecond) != 0 {
			ms++
		}
		within[op] = ms
	}
	bound("gte", o.read.Earliest, !wide)
	bound("lt", o.read.Latest, wide)
	if len(within) == 0 {
		return nil
	}
	within["format"] = "epoch_millis"
	return map[string]any{"range": map[string]any{o.read.TimeField: within}}
}

// fields are the fields of the bounds, with their types for the query.
func (o *outlook) fields() *dsl.Fields {
	list := []dsl.Field{{Name: "_ignored", Type: "string", ESTypes: []string{"keyword"}}}
	if o.schemas == nil {
		return dsl.NewFields(list)
	}
	names, _ := plan.Fields(o.read.Filter)
	for _, name := range names {
		f := o.field(name)
		field := dsl.Field{Name: f.Name}
		switch f.Kind {
		case dsl.IndexKeyword:
			field.Type, field.ESTypes = "string", []string{"keyword"}
		case dsl.IndexWords:
			field.Type, field.ESTypes = "string", []string{"text"}
		case dsl.IndexInteger:
			field.Type, field.ESTypes = "number", []string{"long"}
		case dsl.IndexDouble:
			field.Type, field.ESTypes = "number", []string{"double"}
		case dsl.IndexBoolean:
			field.Type, field.ESTypes = "boolean", []string{"boolean"}
		case dsl.IndexIP:
			field.Type, field.ESTypes = "ip", []string{"ip"}
		case dsl.IndexDate:
			field.Type, field.ESTypes = "date", []string{"date"}
		default:
			continue
		}
		list = append(list, field)
	}
	return dsl.NewFields(list)
}

// Plan finds what the cluster does of a read. Where only the documents tell whether it would do it
// exactly, it asks the cluster to count those that speak against it.
func (b *Backend) Plan(ctx context.Context, r plan.Read) (plan.Pushed, error) {
	o, err := b.look(ctx, r)
	if err != nil {
		return plan.Pushed{}, err
	}
	var p plan.Pushed
	if o.warning != "" {
		p.Warnings = []string{o.warning}
	}
	if r.Aggregate != nil {
		if g := o.groups(r.Aggregate); g != nil {
			fits, err := o.prove(ctx, g.proofs)
			if err != nil {
				return plan.Pushed{}, err
			}
			if fits {
				p.Filter, p.Aggregate = true, true
				for _, a := range g.aggs {
					if a.function == "dc" {
						p.Requests = append(p.Requests, o.request("_search", g.finer(a).body(o.wide, nil)))
					}
				}
				p.Requests = append(p.Requests, o.request("_search", g.body(o.wide, nil)))
				return p, nil
			}
		}
	}
	p.Filter = o.exact
	if r.Top != nil {
		switch {
		case len(r.Top.Keys) == 0:
			p.Top = true // pages of that size; whoever takes the rows stops reading
		case o.byTime(r.Top):
			if p.Top, err = o.prove(ctx, proofs{single: []string{r.TimeField}}); err != nil {
				return plan.Pushed{}, err
			}
			p.Filter = p.Filter || p.Top
		}
	}
	s := o.scan(p.Top)
	body := map[string]any{"size": s.Size, "sort": s.Sort}
	if s.Query != nil {
		body["query"] = s.Query
	}
	if s.Source != nil {
		body["_source"] = s.Source
	}
	p.Requests = []string{o.request("_search", body) + ", page by page"}
	return p, nil
}

// request writes a request for people.
func (o *outlook) request(api string, body any) string {
	text, err := json.Marshal(body)
	if err != nil {
		text = []byte(err.Error())
	}
	return "POST " + IndexPath(o.indices, api) + " " + string(text)
}

// byTime tells an order that is the time field's alone.
func (o *outlook) byTime(t *plan.Top) bool {
	return len(t.Keys) == 1 && t.Keys[0].As == "" && t.Keys[0].Field.Name == o.read.TimeField && o.isoTime()
}

// proofs are what has to hold for a push-down to be exact, of all the documents of a read.
type proofs struct {
	single  []string // no document has several values of these numbers, dates, booleans
	short   []string // no text of these keywords was left out
	summed  []string // sums of these whole numbers fit a double
	doubled []string // these whole numbers fit a double
}

// double is from where on doubles leave out whole numbers.
const double = 1 << 53

// prove asks the cluster whether the filter's bounds agree on all documents and the proofs hold.
func (o *outlook) prove(ctx context.Context, p proofs) (bool, error) {
	if o.schemas == nil || !o.timed {
		return false, nil
	}
	if o.exact && len(p.single)+len(p.short)+len(p.summed)+len(p.doubled) == 0 {
		return true, nil
	}
	aggs := map[string]any{}
	if !o.exact {
		not := o.narrow
		if not == nil {
			not = query(`{"match_all":{}}`)
		}
		aggs["gap"] = filterAgg(map[string]any{"bool": map[string]any{"must_not": not}})
	}
	for _, f := range p.single {
		aggs["values:"+f] = metric("value_count", f)
		aggs["documents:"+f] = filterAgg(map[string]any{"exists": map[string]any{"field": f}})
	}
	for _, f := range p.short {
		aggs["long:"+f] = filterAgg(map[string]any{"term": map[string]any{"_ignored": f}})
	}
	for _, f := range append(slices.Clone(p.summed), p.doubled...) {
		aggs["count:"+f], aggs["min:"+f], aggs["max:"+f] = metric("value_count", f), metric("min", f), metric("max", f)
	}
	body := map[string]any{"size": 0, "track_total_hits": false, "aggs": renamed(aggs)}
	if o.wide != nil {
		body["query"] = o.wide
	}
	a, err := o.backend.search(ctx, Search{Indices: o.indices, Body: body, AllowNoIndices: true})
	if err != nil {
		return false, fmt.Errorf("count what speaks against a push-down: %w", err)
	}
	got := map[string]struct {
		DocCount int64    `json:"doc_count"`
		Value    *float64 `json:"value"`
	}{}
	if a.Aggregations != nil {
		if err := json.Unmarshal(a.Aggregations, &got); err != nil {
			return false, fmt.Errorf("read the answer of the cluster: %w", err)
		}
	}
	names := keys(aggs)
	value := func(name string) float64 {
		if v := got[label(names, name)].Value; v != nil {
			return *v
		}
		return 0
	}
	count := func(name string) int64 { return got[label(names, name)].DocCount }
	if count("gap") > 0 {
		return false, nil
	}
	for _, f := range p.single {
		if int64(value("values:"+f)) != count("documents:"+f) {
			return false, nil
		}
	}
	for _, f := range p.short {
		if count("long:"+f) > 0 {
			return false, nil
		}
	}
	for _, f := range p.summed {
		if max(-value("min:"+f), value("max:"+f), 1)*value("count:"+f) >= double {
			return false, nil
		}
	}
	for _, f := range p.doubled {
		if max(-value("min:"+f), value("max:"+f)) >= double {
			return false, nil
		}
	}
	return true, nil
}

func filterAgg(q any) any { return map[string]any{"filter": q} }

func metric(kind, field string) any {
	return map[string]any{kind: map[string]any{"field": field}}
}

// renamed gives aggregations names that every cluster takes: some refuse brackets and such.
func renamed(aggs map[string]any) map[string]any {
	out := map[string]any{}
	names := keys(aggs)
	for n, a := range aggs {
		out[label(names, n)] = a
	}
	return out
}

func label(names []string, name string) string {
	i, found := slices.BinarySearch(names, name)
	if !found {
		return ""
	}
	return fmt.Sprint("a", i)
}

func keys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
