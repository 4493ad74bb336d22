package logstore

import (
	"context"
	"errors"
	"strings"
	"sync"

	"github.com/VictoriaMetrics/VictoriaLogs/lib/logstorage"

	"tocsin/internal/row"
)

// columnReader makes the values of rows from the engine's columns, where the census says that these tell
// them as the documents do.
type columnReader struct {
	names  []string // of the engine's columns
	slots  []int
	decode []decoder
	clock  int // the slot of the time; -1 where it is not asked for
	width  int
}

// decoder makes values of one column's texts.
type decoder struct {
	kinds shape
	seen  map[string]row.Value
}

// decoderMost is how many values a decoder remembers.
const decoderMost = 4096

// value is the value a text of the column stands for. The engine uses the text's memory again.
func (d *decoder) value(text string) row.Value {
	if text == "" {
		return row.Value{}
	}
	if v, ok := d.seen[text]; ok {
		return v
	}
	text = strings.Clone(text)
	v := valueOf(d.kinds, text)
	if len(d.seen) == decoderMost {
		clear(d.seen)
	}
	d.seen[text] = v
	return v
}

func valueOf(kinds shape, text string) row.Value {
	switch {
	case kinds.only(anyText):
		return row.NewString(text)
	case kinds.only(anyNumber):
		return row.NewNumber(text)
	}
	return row.NewBool(text == "true")
}

// columns is the reader of the read's fields, or nil where documents have to be read.
func (o *outlook) columns() *columnReader {
	if o.read.Documents || o.read.Fields == nil || !o.clocked() {
		return nil
	}
	c := &columnReader{clock: -1, width: len(o.read.Fields)}
	for slot, f := range o.read.Fields {
		if f == clockField {
			c.clock = slot
			continue
		}
		s, ok := o.shape(f)
		if !ok || !s.single() {
			return nil
		}
		if s.kinds() != 0 {
			c.names = append(c.names, f)
			c.slots = append(c.slots, slot)
			c.decode = append(c.decode, decoder{kinds: s.kinds(), seen: map[string]row.Value{}})
		}
	}
	return c
}

// read calls visit with what each row a LogsQL filter passes has in the columns, one at a time.
func (c *columnReader) read(ctx context.Context, s *Store, filter string, part span, dated bool, visit func(hit) error) (read uint64, err error) {
	query := orAll(filter) + " | fields _time," + columnSeq + "," + columnIndex + "," + columnID
	for _, n := range c.names {
		query += "," + column(n)
	}
	columns := make([]*logstorage.BlockColumn, len(c.names))
	var times []int64
	index := ""
	var mu sync.Mutex
	return s.blocks(ctx, query, part, func(_ uint, b *logstorage.DataBlock) error {
		mu.Lock()
		defer mu.Unlock()
		var ok bool
		if times, ok = b.GetTimestamps(times[:0]); !ok {
			return errors.New("read the engine: a block without times")
		}
		seqs, indices, ids := b.GetColumnByName(columnSeq), b.GetColumnByName(columnIndex), b.GetColumnByName(columnID)
		if seqs == nil || indices == nil {
			return errors.New("read the engine: a block without numbers")
		}
		for i, n := range c.names {
			columns[i] = b.GetColumnByName(n)
		}
		vals := make([]row.Value, len(times)*c.width)
		for i, at := range times {
			seq, err := parseSeq(seqs.Values[i])
			if err != nil {
				return err
			}
			if indices.Values[i] != index {
				index = strings.Clone(indices.Values[i])
			}
			h := hit{at: at, seq: seq, index: index, vals: vals[:c.width:c.width]}
			vals = vals[c.width:]
			if ids != nil && ids.Values[i] != "" {
				h.id = strings.Clone(ids.Values[i])
			}
			for k, column := range columns {
				if column != nil {
					h.vals[c.slots[k]] = c.decode[k].value(column.Values[i])
				}
			}
			if c.clock >= 0 && dated {
				h.vals[c.clock] = row.NewTimeNano(at)
			}
			if err := visit(h); err != nil {
				return err
			}
		}
		return nil
	})
}

func orAll(filter string) string {
	if strings.TrimSpace(filter) == "" {
		return "*"
	}
	return filter
}
