package row

// Extractor reads documents into the slots of a schema. Keys may be dotted, nested or both at once;
// arrays, and values found twice on the way, become lists; an empty object or list is null. Only the
// wanted fields are decoded, but all of the document is checked. An Extractor is not safe for
// concurrent use.
type Extractor struct {
	schema *Schema
	all    bool
	root   *node
	time   map[int]bool
	multi  map[int][]Value
	vals   []Value
	p      scanner
}

// node is a place in the tree of wanted names.
type node struct {
	path     string
	slot     int // -1: the object here is not itself wanted
	children map[string]*node
}

func newNode(path string) *node { return &node{path: path, slot: -1, children: map[string]*node{}} }

// NewExtractor makes an Extractor of these fields into schema, which gets a slot for each of them in
// this order. Nil fields are all fields: the schema then grows by what is found.
func NewExtractor(schema *Schema, fields []string) *Extractor {
	e := &Extractor{schema: schema, all: fields == nil, root: newNode(""), time: map[int]bool{}, multi: map[int][]Value{}}
	nodes := map[string]*node{"": e.root}
	for _, f := range fields {
		e.want(nodes, f).slot = schema.Slot(f)
	}
	return e
}

// TimeFields names the fields whose values are times: they are read by StampTime.
func (e *Extractor) TimeFields(names ...string) {
	for _, n := range names {
		if e.all {
			e.time[e.schema.Slot(n)] = true
		} else if slot, ok := e.schema.Find(n); ok {
			e.time[slot] = true
		}
	}
}

// want makes the nodes by which a dotted name can be reached, whatever dots its keys hold.
func (e *Extractor) want(nodes map[string]*node, name string) *node {
	if n, ok := nodes[name]; ok {
		return n
	}
	n := newNode(name)
	nodes[name] = n
	e.root.children[name] = n
	for i := 1; i < len(name); i++ {
		if name[i] == '.' && i+1 < len(name) {
			e.want(nodes, name[:i]).children[name[i+1:]] = n
		}
	}
	return n
}

// Extract reads one document, which must be a JSON object, into vals, whose memory is used again.
func (e *Extractor) Extract(doc string, vals []Value) ([]Value, error) {
	vals = vals[:0]
	for range e.schema.Len() {
		vals = append(vals, Value{})
	}
	e.vals = vals
	e.p = scanner{s: doc}
	e.p.space()
	if e.p.i >= len(doc) || doc[e.p.i] != '{' {
		return vals, e.p.unexpected("a JSON object")
	}
	if err := e.object(e.root); err != nil {
		return e.vals, err
	}
	e.p.space()
	if e.p.i < len(doc) {
		return e.vals, e.p.unexpected("the end of the document")
	}
	if len(e.multi) > 0 {
		for slot, list := range e.multi {
			e.vals[slot] = NewList(list)
		}
		e.multi = map[int][]Value{}
	}
	return e.vals, nil
}

func (e *Extractor) object(n *node) error {
	return e.p.object(func(key string, escaped bool) error {
		if escaped {
			key = unescape(key)
		}
		child := n.children[key]
		if child == nil {
			if !e.all {
				return e.p.skip()
			}
			path := key
			if n.path != "" {
				path = n.path + "." + key
			}
			child = newNode(string([]byte(path)))
			n.children[child.path[len(child.path)-len(key):]] = child
		}
		return e.value(child)
	})
}

func (e *Extractor) value(n *node) error {
	p := &e.p
	if p.i >= len(p.s) {
		return p.unexpected("a value")
	}
	switch p.s[p.i] {
	case '{':
		if n.slot < 0 || e.all {
			return e.object(n)
		}
		start := p.i
		var err error
		if len(n.children) > 0 {
			err = e.object(n)
		} else {
			err = p.skip()
		}
		if err == nil && !emptyObject(p.s[start:p.i]) {
			e.put(n, NewObject(p.s[start:p.i]))
		}
		return err
	case '[':
		return p.array(func() error { return e.element(n) })
	}
	if n.slot < 0 && !e.all {
		return p.skip()
	}
	v, err := p.scalar()
	if err == nil && v.kind != Null {
		e.put(n, v)
	}
	return err
}

// element is a value in an array: it makes a list even when it is alone.
func (e *Extractor) element(n *node) error {
	p := &e.p
	if p.i < len(p.s) && (p.s[p.i] == '{' || p.s[p.i] == '[') {
		return e.value(n)
	}
	if n.slot < 0 && !e.all {
		return p.skip()
	}
	v, err := p.scalar()
	if err != nil || v.kind == Null {
		return err
	}
	e.slotOf(n)
	if e.time[n.slot] {
		v = StampTime(v)
	}
	list, ok := e.multi[n.slot]
	if !ok && e.vals[n.slot].kind != Null {
		list = append(list, e.vals[n.slot])
	}
	e.multi[n.slot] = append(list, v)
	return nil
}

func (e *Extractor) slotOf(n *node) {
	if n.slot < 0 {
		n.slot = e.schema.Slot(n.path)
	}
	for len(e.vals) <= n.slot {
		e.vals = append(e.vals, Value{})
	}
}

func (e *Extractor) put(n *node, v Value) {
	e.slotOf(n)
	if len(e.time) > 0 && e.time[n.slot] {
		v = StampTime(v)
	}
	if list, ok := e.multi[n.slot]; ok {
		e.multi[n.slot] = append(list, v)
		return
	}
	if old := e.vals[n.slot]; old.kind != Null {
		e.multi[n.slot] = []Value{old, v}
		return
	}
	e.vals[n.slot] = v
}

func emptyObject(s string) bool {
	for i := 1; i < len(s)-1; i++ {
		if s[i] != ' ' && s[i] != '\t' && s[i] != '\n' && s[i] != '\r' {
			return false
		}
	}
	return true
}

// scalar reads a value that is no object and no array.
func (p *scanner) scalar() (Value, error) {
	if p.i >= len(p.s) {
		return Value{}, p.unexpected("a value")
	}
	switch c := p.s[p.i]; c {
	case '"':
		p.i++
		raw, escaped, err := p.str()
		if err != nil {
			return Value{}, err
		}
		if escaped {
			raw = unescape(raw)
		}
		return NewString(raw), nil
	case 't':
		return NewBool(true), p.literal("true")
	case 'f':
		return NewBool(false), p.literal("false")
	case 'n':
		return Value{}, p.literal("null")
	default:
		if c != '-' && (c < '0' || c > '9') {
			return Value{}, p.unexpected("a value")
		}
		literal, err := p.number()
		if err != nil {
			return Value{}, err
		}
		return NewNumber(literal), nil
	}
}

// Parse reads any JSON value. Objects keep their text.
func Parse(text string) (Value, error) {
	p := scanner{s: text}
	p.space()
	v, err := p.value()
	if err != nil {
		return Value{}, err
	}
	p.space()
	if p.i < len(text) {
		return Value{}, p.unexpected("the end of the document")
	}
	return v, nil
}

func (p *scanner) value() (Value, error) {
	if p.i >= len(p.s) {
		return Value{}, p.unexpected("a value")
	}
	switch start := p.i; p.s[start] {
	case '{':
		err := p.skip()
		return NewObject(p.s[start:p.i]), err
	case '[':
		var list []Value
		err := p.array(func() error {
			v, err := p.value()
			list = append(list, v)
			return err
		})
		return NewList(list), err
	}
	return p.scalar()
}

// Members calls each for every member of a JSON object, in order, nested objects unread.
func Members(object string, each func(key string, v Value) error) error {
	p := scanner{s: object}
	p.space()
	if p.i >= len(object) || object[p.i] != '{' {
		return p.unexpected("a JSON object")
	}
	return p.object(func(key string, escaped bool) error {
		if escaped {
			key = unescape(key)
		}
		v, err := p.value()
		if err != nil {
			return err
		}
		return each(key, v)
	})
}
