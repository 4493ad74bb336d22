package pipe

// Spath reads fields out of a text that is JSON.
type Spath struct {
	Place
	Input  Field  // empty name: message
	Output string // "": the path's own name
	Path   string // "": everything
}

// Name is spath.
func (s *Spath) Name() string { return "spath" }

func (s *Spath) String() string {
	out := "spath"
	if s.Input.Name != "" {
		out += " input=" + s.Input.String()
	}
	if s.Output != "" {
		out += " output=" + quoteName(s.Output, false)
	}
	if s.Path != "" {
		out += " path=" + quote(s.Path)
	}
	return out
}

func parseSpath(p *parser) Pipe {
	s := &Spath{}
	options := map[string]func(){
		"input":  func() { s.Input = p.plainName("a field") },
		"output": func() { s.Output = p.plainName("a name").Name },
		"path":   func() { s.Path = p.str("a path") },
	}
	p.options("spath", options)
	if s.Path == "" && !p.atEnd() {
		s.Path = p.str("a path")
	}
	p.options("spath", options)
	if s.Output != "" && s.Path == "" {
		p.failHere("spath path=a.b output=x", "output needs a path")
	}
	return s
}
