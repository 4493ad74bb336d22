package pipe

import "strconv"

// Bin rounds values down to the start of their bin.
type Bin struct {
	Place
	Field     Field // empty name: the time field
	Size      Size
	Bins      int    // at most this many bins when Size is zero
	AlignTime string // a moment some bin starts at, "" for none
	As        string // the column to write, "" for the field itself
}

// Name is bin.
func (b *Bin) Name() string { return "bin" }

func (b *Bin) String() string {
	s := "bin"
	if !b.Size.IsZero() {
		s += " span=" + b.Size.String()
	}
	if b.Bins > 0 {
		s += " bins=" + strconv.Itoa(b.Bins)
	}
	if b.AlignTime != "" {
		s += " aligntime=" + quote(b.AlignTime)
	}
	if b.Field.Name != "" {
		s += " " + b.Field.String()
	}
	if b.As != "" {
		s += " as " + quoteName(b.As, false)
	}
	return s
}

func parseBin(p *parser) Pipe {
	b := &Bin{}
	options := map[string]func(){
		"span": func() { b.Size = p.size("span") },
		"bins": func() { b.Bins = p.integer("bins", 1) },
		"aligntime": func() {
			start := p.pos
			b.AlignTime = p.str("aligntime")
			if _, err := ParseMoment(b.AlignTime); err != nil && b.AlignTime != "earliest" && b.AlignTime != "latest" {
				p.fail(Span{start, p.pos}, "2024-07-01T00:00:00Z, @d", "%s", err)
			}
		},
	}
	p.options("bin", options)
	if !p.atEnd() && !p.isKeyword("as") {
		b.Field = p.plainName("a field")
	}
	p.options("bin", options)
	if p.keyword("as") != "" {
		b.As = p.alias()
	}
	p.options("bin", options)
	if b.Size.IsZero() && b.Bins == 0 {
		p.failHere("bin span=5m", "bin needs a span or a number of bins")
	}
	if !b.Size.IsZero() && b.Bins > 0 {
		p.failHere("", "bin takes a span or a number of bins, not both")
	}
	return b
}
