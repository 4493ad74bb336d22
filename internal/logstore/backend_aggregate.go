package logstore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/VictoriaMetrics/VictoriaLogs/lib/logstorage"

	"tocsin/internal/query/plan"
	"tocsin/internal/row"
)

// grouping is an aggregation by the columns of the engine. Only what the census proves to be that of the
// documents is one.
type grouping struct {
	keys  []groupKey
	aggs  []groupAgg
	names []string // of the columns read, our own aside
	dated bool     // documents without a time have to be left out
	only  bool     // and there may be some
	timed bool     // the time is a key
	least int64    // rows of a group that is wanted
}

// groupKey is a key. Of a time the bins are width nanoseconds, aligned to offset.
type groupKey struct {
	as            string
	column        int // in names; -1 is the time, -2 one that no document has
	kinds         shape
	width, offset int64
}

// groupAgg is an aggregate: count, sum, avg, min, max, range, dc.
type groupAgg struct {
	as, function string
	column       int // in names; -1 counts rows, -2 is of no values
}

const (
	ofTime = -1
	ofRows = -1
	absent = -2

	// groupMemory is what an aggregation is reckoned to hold at first, and by how much that grows.
	groupMemory = 16 << 20
)

// grouping is the aggregation of the read, or nil where the columns' would not be that of the documents.
func (o *outlook) grouping() *grouping {
	a := o.read.Aggregate
	if a == nil || a.UseNull || !o.narrow || !o.clocked() {
		return nil
	}
	g := &grouping{dated: o.bounded(), least: a.Least}
	for _, b := range a.By {
		k := groupKey{as: b.Column(), column: ofTime}
		switch {
		case b.Field.Name == clockField:
			if !b.Size.IsZero() {
				width, fixed := b.Size.Duration.Fixed()
				if b.Size.Number != "" || !fixed {
					return nil
				}
				if k.width = int64(width); b.Size.Duration.Unit == "w" {
					k.offset = 4 * dayNanos // weeks begin on a Monday
				}
			}
			g.timed, g.dated = true, true
		case !b.Size.IsZero():
			return nil
		default:
			var ok bool
			if k.column, k.kinds, ok = o.distinct(g, b.Field.Name); !ok || !o.rely(b.Field.Name, anyKind&^isObject) {
				return nil
			}
		}
		g.keys = append(g.keys, k)
	}
	for _, f := range a.Aggs {
		agg := groupAgg{as: f.Column(), function: f.Func, column: ofRows}
		ok := f.Field == nil && f.Expr == nil && f.Func == "count"
		switch {
		case ok:
		case f.Field == nil || f.Field.Name == clockField:
		case f.Func == "dc":
			agg.column, _, ok = o.distinct(g, f.Field.Name)
		case f.Func == "count":
			var s shape
			if s, ok = o.shape(f.Field.Name); ok {
				ok = s.single()
				agg.column = g.column(f.Field.Name, s)
			}
		case f.Func == "sum" || f.Func == "avg" || f.Func == "min" || f.Func == "max" || f.Func == "range":
			var s shape
			if s, ok = o.shape(f.Field.Name); ok {
				ok = s.only(isInt) && s.bits() <= exactBits && o.rely(f.Field.Name, isInt|isArray)
				agg.column = g.column(f.Field.Name, s)
			}
		}
		if !ok {
			return nil
		}
		g.aggs = append(g.aggs, agg)
	}
	if g.dated {
		if k, ok := o.view.find(undatedName); ok && k.shape == 0 {
			o.relied[undatedName] = 0
		} else {
			g.only = true
		}
	}
	if _, documents := o.split(); documents != "" && o.read.Filter != nil && o.read.Judge == nil {
		return nil
	}
	return g
}

// rely makes the read rely on a field having values of some kinds only, if that is so.
func (o *outlook) rely(name string, kinds shape) bool {
	k, ok := o.view.find(name)
	if !ok || !k.shape.only(kinds) {
		return false
	}
	o.relied[name] &= kinds | anyBits<<kindBits
	return true
}

// distinct is the column of a field whose texts are equal exactly if the values are.
func (o *outlook) distinct(g *grouping, name string) (column int, kinds shape, ok bool) {
	s, ok := o.shape(name)
	if !ok || !s.only(anyText) && !s.only(isInt) && !s.only(isBool) {
		return 0, 0, false
	}
	return g.column(name, s), s.kinds(), true
}

// column is the place of a column that is read.
func (g *grouping) column(name string, s shape) int {
	if s.kinds() == 0 {
		return absent
	}
	for i, n := range g.names {
		if n == name {
			return i
		}
	}
	g.names = append(g.names, name)
	return len(g.names) - 1
}

// filters are those of the rows whose columns are read and of those whose documents are, if there are any.
func (g *grouping) filters(o *outlook) (columns, documents string) {
	columns, documents = o.split()
	if g.only {
		columns = both(columns, isDated)
		if documents != "" {
			documents = both(documents, isDated)
		}
	}
	return columns, documents
}

// query is the LogsQL query for the columns.
func (g *grouping) query(filter string) string {
	var b strings.Builder
	b.WriteString(orAll(filter) + " | fields " + columnIndex)
	if g.timed {
		b.WriteString(",_time")
	}
	for _, n := range g.names {
		b.WriteString("," + column(n))
	}
	return b.String()
}

// totals is a group in the making.
type totals struct {
	count int64
	aggs  []total
}

// total is what an aggregate needs.
type total struct {
	n         int64
	sum       int64
	more      *big.Int // what did not fit sum
	low, high int64
	distinct  map[string]struct{} // texts of the column
	others    map[string]struct{} // keys of values of another class
}

func (t *total) add(v int64) {
	if t.n == 0 {
		t.low, t.high = v, v
	}
	t.n++
	t.low, t.high = min(t.low, v), max(t.high, v)
	t.sum += v
	if t.sum > 1<<62 || t.sum < -1<<62 {
		t.spill()
	}
}

func (t *total) spill() {
	if t.more == nil {
		t.more = new(big.Int)
	}
	t.more.Add(t.more, big.NewInt(t.sum))
	t.sum = 0
}

func (t *total) merge(u *total) {
	if u.n > 0 {
		if t.n == 0 {
			t.low, t.high = u.low, u.high
		}
		t.low, t.high = min(t.low, u.low), max(t.high, u.high)
	}
	t.n += u.n
	t.spill()
	u.spill()
	t.more.Add(t.more, u.more)
	for v := range u.distinct {
		if t.distinct == nil {
			t.distinct = map[string]struct{}{}
		}
		t.distinct[v] = struct{}{}
	}
	for v := range u.others {
		if t.others == nil {
			t.others = map[string]struct{}{}
		}
		t.others[v] = struct{}{}
	}
}

// value is the aggregate as exec has it.
func (t *total) value(function string, count int64) row.Value {
	switch function {
	case "dc":
		return row.NewInt(int64(len(t.distinct) + len(t.others)))
	case "count":
		return row.NewInt(count)
	}
	if t.n == 0 {
		return row.Value{}
	}
	t.spill()
	switch function {
	case "min":
		return row.NewInt(t.low)
	case "max":
		return row.NewInt(t.high)
	case "range":
		return row.NewInt(t.high - t.low)
	case "sum":
		return row.NewNumber(t.more.String())
	}
	if q, r := new(big.Int).QuoRem(t.more, big.NewInt(t.n), new(big.Int)); r.Sign() == 0 && q.IsInt64() {
		return row.NewInt(q.Int64())
	}
	f, _ := new(big.Float).SetPrec(128).Quo(new(big.Float).SetInt(t.more), new(big.Float).SetInt64(t.n)).Float64()
	return row.NewFloat(f)
}

// groupWorker aggregates the blocks of one of the engine's workers.
type groupWorker struct {
	g       *grouping
	o       *outlook
	groups  map[string]*totals
	columns [][]string
	times   []int64
	key     []byte
	index   string
	wanted  bool
	held    *atomic.Int64
	grow    func() error
}

func (w *groupWorker) block(b *logstorage.DataBlock) error {
	indices := b.GetColumnByName(columnIndex)
	if indices == nil {
		return errors.New("read the engine: a block without names of indices")
	}
	w.columns = w.columns[:0]
	for _, n := range w.g.names {
		var values []string
		if c := b.GetColumnByName(n); c != nil {
			values = c.Values
		}
		w.columns = append(w.columns, values)
	}
	if w.g.timed {
		var ok bool
		if w.times, ok = b.GetTimestamps(w.times[:0]); !ok {
			return errors.New("read the engine: a block without times")
		}
	}
	var last *totals
	lastKey, lone := "", len(w.g.keys) == 1 && w.g.keys[0].column >= 0
	held := 0
	for i, index := range indices.Values {
		if index != w.index {
			w.index = strings.Clone(index)
			w.wanted = wanted(w.o.patterns, index)
		}
		if !w.wanted {
			continue
		}
		var t *totals
		if lone {
			values := w.columns[w.g.keys[0].column]
			if values == nil || values[i] == "" {
				continue
			}
			if t = last; t == nil || values[i] != lastKey {
				if t = w.groups[values[i]]; t == nil {
					t = w.group(strings.Clone(values[i]))
					held += 160 + len(values[i]) + 64*len(w.g.aggs)
				}
				last, lastKey = t, values[i]
			}
		} else {
			if !w.keyOf(i) {
				continue
			}
			if t = w.groups[string(w.key)]; t == nil {
				t = w.group(string(w.key))
				held += 160 + len(w.key) + 64*len(w.g.aggs)
			}
		}
		t.count++
		more, err := w.add(t, i)
		if err != nil {
			return err
		}
		held += more
	}
	if w.held.Add(int64(held)) > groupMemory {
		return w.grow()
	}
	return nil
}

func (w *groupWorker) group(key string) *totals {
	t := &totals{aggs: make([]total, len(w.g.aggs))}
	w.groups[key] = t
	return t
}

// add gives a row to a group, and answers how many bytes that holds.
func (w *groupWorker) add(t *totals, i int) (held int, err error) {
	for k := range w.g.aggs {
		a := &w.g.aggs[k]
		if a.column < 0 {
			continue
		}
		values := w.columns[a.column]
		if values == nil || values[i] == "" {
			continue
		}
		text, total := values[i], &t.aggs[k]
		switch a.function {
		case "count":
			total.n++
		case "dc":
			if _, ok := total.distinct[text]; !ok {
				if total.distinct == nil {
					total.distinct = map[string]struct{}{}
				}
				total.distinct[strings.Clone(text)] = struct{}{}
				held += 64 + len(text)
			}
		default:
			n, err := strconv.ParseInt(text, 10, 64)
			if err != nil {
				return 0, fmt.Errorf("read the engine: column %s: %w", w.g.names[a.column], err)
			}
			total.add(n)
		}
	}
	return held, nil
}

// keyOf makes the key of a row; a row that lacks a value has none.
func (w *groupWorker) keyOf(i int) bool {
	w.key = w.key[:0]
	for k := range w.g.keys {
		key := &w.g.keys[k]
		switch {
		case key.column == absent:
			return false
		case key.column == ofTime:
			at := w.times[i]
			if key.width > 0 {
				at -= mod(at-key.offset, key.width)
			}
			w.key = binary.BigEndian.AppendUint64(w.key, uint64(at))
		default:
			values := w.columns[key.column]
			if values == nil || values[i] == "" {
				return false
			}
			w.key = binary.AppendUvarint(w.key, uint64(len(values[i])))
			w.key = append(w.key, values[i]...)
		}
	}
	return true
}

func mod(a, b int64) int64 {
	if m := a % b; m >= 0 {
		return m
	}
	return a%b + b
}

// values reads the keys of a group.
func (g *grouping) values(key string, out []row.Value) []row.Value {
	if len(g.keys) == 1 && g.keys[0].column >= 0 {
		return append(out, valueOf(g.keys[0].kinds, key))
	}
	for _, k := range g.keys {
		if k.column == ofTime {
			out = append(out, row.NewTimeNano(int64(binary.BigEndian.Uint64([]byte(key[:8])))))
			key = key[8:]
			continue
		}
		n, size := binary.Uvarint([]byte(key[:min(len(key), binary.MaxVarintLen64)]))
		out = append(out, valueOf(k.kinds, key[size:size+int(n)]))
		key = key[size+int(n):]
	}
	return out
}

// aggregate hands over the groups.
func (o *outlook) aggregate(ctx context.Context, g *grouping, relied *claim, schema *row.Schema, emit func(*row.Row) error) (plan.Cost, error) {
	cost := plan.Cost{}
	part := everything
	if !o.read.Earliest.IsZero() {
		part.from = nanos(o.read.Earliest)
	}
	if !o.read.Latest.IsZero() {
		part.to = nanos(o.read.Latest) - 1
	}
	var held atomic.Int64
	taken := int64(groupMemory)
	if err := o.store.memory.Acquire(ctx, taken); err != nil {
		return cost, fmt.Errorf("wait for other searches of the log store: %w", context.Cause(ctx))
	}
	defer func() { o.store.memory.Release(taken) }()
	workers := make([]*groupWorker, maxWorkers)
	var claimed atomic.Int64
	grow := func() error {
		for need := held.Load(); ; {
			have := groupMemory + claimed.Load()
			if need <= have {
				return nil
			}
			if !o.store.memory.TryAcquire(groupMemory) {
				return ErrSearchMemory
			}
			claimed.Add(groupMemory)
		}
	}
	defer func() { o.store.memory.Release(claimed.Load()) }()
	columns, documents := g.filters(o)
	var odd *oddGroups
	if part.from <= part.to && documents != "" {
		odd = newOddGroups(g, o, func(n int) error {
			if held.Add(int64(n)) > groupMemory {
				return grow()
			}
			return nil
		})
		if err := odd.read(ctx, documents, part); err != nil {
			return cost, err
		}
	}
	if part.from <= part.to {
		read, err := o.store.blocks(ctx, g.query(columns), part, func(worker uint, b *logstorage.DataBlock) error {
			if int(worker) >= len(workers) {
				return fmt.Errorf("ask the engine: it has more workers than %d", maxWorkers)
			}
			w := workers[worker]
			if w == nil {
				w = &groupWorker{g: g, o: o, groups: map[string]*totals{}, held: &held, grow: grow, wanted: wanted(o.patterns, "")}
				workers[worker] = w
			}
			return w.block(b)
		})
		cost.Bytes = int64(read)
		if err != nil {
			return cost, err
		}
	}
	if relied.broken.Load() {
		return cost, errChanged
	}
	groups := merge(workers)
	if groups == nil {
		groups = map[string]*totals{}
	}
	return cost, g.emit(groups, odd.into(groups), &cost, schema, emit)
}

// maxWorkers is more than the engine has workers.
const maxWorkers = 1024

// merge adds the groups of all workers.
func merge(workers []*groupWorker) map[string]*totals {
	var out map[string]*totals
	for _, w := range workers {
		if w == nil {
			continue
		}
		if out == nil {
			out = w.groups
			continue
		}
		for key, t := range w.groups {
			into := out[key]
			if into == nil {
				out[key] = t
				continue
			}
			into.merge(t)
		}
	}
	return out
}

// emit hands over groups, and those whose keys are no texts of columns.
func (g *grouping) emit(groups map[string]*totals, odd []*oddGroup, cost *plan.Cost, schema *row.Schema, emit func(*row.Row) error) error {
	if len(g.keys) == 0 && len(groups) == 0 {
		groups[""] = &totals{aggs: make([]total, len(g.aggs))}
	}
	slots := make([]int, 0, len(g.keys)+len(g.aggs))
	for _, k := range g.keys {
		slots = append(slots, schema.Slot(k.as))
	}
	for _, a := range g.aggs {
		slots = append(slots, schema.Slot(a.as))
	}
	var out row.Row
	var vals []row.Value
	one := func(t *totals) error {
		for i, a := range g.aggs {
			count := t.count
			if a.column != ofRows {
				count = t.aggs[i].n
			}
			vals = append(vals, t.aggs[i].value(a.function, count))
		}
		out.Vals = append(out.Vals[:0], make([]row.Value, schema.Len())...)
		for i, v := range vals {
			out.Set(slots[i], v)
		}
		cost.Rows++
		return emit(&out)
	}
	for key, t := range groups {
		if t.count < g.least {
			continue
		}
		vals = g.values(key, vals[:0])
		if err := one(t); err != nil {
			return err
		}
	}
	for _, o := range odd {
		vals = append(vals[:0], o.keys...)
		if err := one(o.totals); err != nil {
			return err
		}
	}
	return nil
}
