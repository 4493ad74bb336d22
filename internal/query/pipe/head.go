package pipe

import "strconv"

// Head keeps the first rows, after leaving out some.
type Head struct {
	Place
	N    int
	From int
}

// Name is head.
func (h *Head) Name() string { return "head" }

func (h *Head) String() string {
	s := "head " + strconv.Itoa(h.N)
	if h.From > 0 {
		s += " from " + strconv.Itoa(h.From)
	}
	return s
}

func parseHead(p *parser) Pipe {
	h := &Head{N: 10}
	p.options("head", map[string]func(){"limit": func() { h.N = p.integer("limit", 0) }})
	if isDigits(p.word()) {
		h.N = p.integer("the number of rows", 0)
	}
	if p.keyword("from") != "" {
		h.From = p.integer("the number of rows to leave out", 0)
	}
	return h
}

// Tail keeps the last rows, in their order.
type Tail struct {
	Place
	N int
}

// Name is tail.
func (t *Tail) Name() string { return "tail" }

func (t *Tail) String() string { return "tail " + strconv.Itoa(t.N) }

func parseTail(p *parser) Pipe {
	t := &Tail{N: 10}
	p.options("tail", map[string]func(){"limit": func() { t.N = p.integer("limit", 0) }})
	if isDigits(p.word()) {
		t.N = p.integer("the number of rows", 0)
	}
	return t
}
