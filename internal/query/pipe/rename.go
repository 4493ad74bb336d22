package pipe

import "strings"

// Rename gives columns other names; a column that already has the name gives way.
type Rename struct {
	Place
	Pairs []Renaming
}

// Renaming is one old name and the new one; both may be wild, with equally many stars.
type Renaming struct{ From, To Field }

func (r Renaming) String() string { return r.From.String() + " as " + r.To.String() }

// Name is rename.
func (r *Rename) Name() string { return "rename" }

func (r *Rename) String() string { return "rename " + list(r.Pairs) }

func parseRename(p *parser) Pipe {
	r := &Rename{}
	for {
		from := p.name("a field to rename")
		if p.keyword("as") == "" {
			p.failHere(from.Name+" as new_name", "after the field comes as and its new name; found %s", p.found())
		}
		to := p.name("a new name")
		if stars(from) != stars(to) {
			p.fail(to.At, "", "%q and %q must have equally many stars", from.Name, to.Name)
		}
		r.Pairs = append(r.Pairs, Renaming{from, to})
		if !p.take(',') && p.atEnd() {
			return r
		}
	}
}

func stars(f Field) int {
	if !f.Wild {
		return 0
	}
	return strings.Count(f.Name, "*")
}
