package row

import "slices"

// Schema names the slots of rows. It only grows: a slot, once given, keeps its name. A row may be
// shorter than its schema; what it lacks is null. A Schema is not safe for concurrent use.
type Schema struct {
	names []string
	index map[string]int
}

// NewSchema makes a schema with these slots, in this order.
func NewSchema(names ...string) *Schema {
	s := &Schema{index: make(map[string]int, len(names))}
	for _, n := range names {
		s.Slot(n)
	}
	return s
}

// Slot is the slot of a name, which is added if it is new.
func (s *Schema) Slot(name string) int {
	if i, ok := s.index[name]; ok {
		return i
	}
	s.names = append(s.names, name)
	s.index[name] = len(s.names) - 1
	return len(s.names) - 1
}

// Find is the slot of a name; ok is false if there is none.
func (s *Schema) Find(name string) (slot int, ok bool) {
	i, ok := s.index[name]
	return i, ok
}

// Len is how many slots there are.
func (s *Schema) Len() int { return len(s.names) }

// Name is the name of a slot.
func (s *Schema) Name(slot int) string { return s.names[slot] }

// Names are the names of all slots so far, in order. The caller must not write to them.
func (s *Schema) Names() []string { return slices.Clip(s.names) }

// Row is one row of a stream. Vals are named by the stream's schema. Whoever is handed a Row may read
// it until the next one comes, and must Clone it to keep it.
type Row struct {
	Vals []Value
	// Doc is the document the row still is, nil after rows were combined.
	Doc *Document
}

// Document is where a row came from.
type Document struct {
	Index string // empty where sources have none
	ID    string // empty where sources have none
	JSON  string // as read; empty when it was not asked for
}

// Get is the value in a slot; a slot the row does not have is null.
func (r *Row) Get(slot int) Value {
	if uint(slot) < uint(len(r.Vals)) {
		return r.Vals[slot]
	}
	return Value{}
}

// Set writes a slot, making the row longer as needed.
func (r *Row) Set(slot int, v Value) {
	for len(r.Vals) <= slot {
		r.Vals = append(r.Vals, Value{})
	}
	r.Vals[slot] = v
}

// Clone is a row of its own: it shares nothing with r that anyone will write to or that keeps a
// whole file in memory.
func (r *Row) Clone() Row {
	out := Row{Vals: make([]Value, len(r.Vals)), Doc: r.Doc}
	for i, v := range r.Vals {
		out.Vals[i] = v.Own()
	}
	if r.Doc != nil {
		d := *r.Doc
		d.JSON = string([]byte(d.JSON))
		out.Doc = &d
	}
	return out
}

// Size is about how many bytes of memory the row holds.
func (r *Row) Size() int {
	n := 48
	for _, v := range r.Vals {
		n += v.Size()
	}
	if r.Doc != nil {
		n += len(r.Doc.JSON) + len(r.Doc.ID) + 48
	}
	return n
}

// Column is one column of a result.
type Column struct {
	Name string `json:"name"`
	Type string `json:"type"` // the kind of its values: boolean long double string time object; mixed; null when it has none
}
