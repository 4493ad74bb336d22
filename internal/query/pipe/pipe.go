// Package pipe owns the text of queries: a filter, then pipes. It turns text into a tree with the
// place of everything in it, prints trees back so that parsing the print gives the same tree, and
// explains mistakes with the place marked. It reads no Kibana query language (a filter stays text
// here) and knows nothing of sources or rows.
package pipe

import "strings"

// Span is a place in the text of a query, in bytes. It is information only: trees that differ in
// spans alone are the same query.
type Span struct{ Pos, End int }

// Query is a whole query, or one in the brackets of a subsearch.
type Query struct {
	// From are the names after `from`, nil when there is none.
	From []string
	// Earliest and Latest are the query's own time modifiers, "" when there are none.
	Earliest, Latest string
	Filter           Filter
	Pipes            []Pipe
	At               Span
}

// Pipe is one command. String prints it in a form that parses to the same tree.
type Pipe interface {
	// Name is the command's name as the reference has it.
	Name() string
	Span() Span
	String() string
}

// Place is the span of a pipe; pipes embed it.
type Place struct{ At Span }

// Span is where the pipe stands in the query.
func (p Place) Span() Span { return p.At }

func (p *Place) place(s Span) { p.At = s }

// String prints the query.
func (q *Query) String() string {
	var b strings.Builder
	word := func(s string) {
		if s != "" {
			if b.Len() > 0 {
				b.WriteByte(' ')
			}
			b.WriteString(s)
		}
	}
	if q.From != nil {
		word("from " + strings.Join(q.From, ","))
	}
	if q.Earliest != "" {
		word("earliest=" + modifier(q.Earliest))
	}
	if q.Latest != "" {
		word("latest=" + modifier(q.Latest))
	}
	word(q.Filter.String())
	for _, p := range q.Pipes {
		word("| " + p.String())
	}
	return b.String()
}

// modifier prints the value of a time modifier.
func modifier(s string) string {
	if strings.ContainsAny(s, " \t\r\n\"|[]\\") {
		return quote(s)
	}
	return s
}

// Field is the name of a field in a pipe.
type Field struct {
	Name string
	// Wild says that each * in Name stands for any text.
	Wild bool
	At   Span
}

// String prints the name as a list takes it.
func (f Field) String() string {
	if f.Wild {
		return f.Name
	}
	return quoteName(f.Name, false)
}

// Match reports whether name fits the field, whose stars stand for any text if it is wild. The parts
// are the texts the stars stood for.
func (f Field) Match(name string) (parts []string, ok bool) {
	if !f.Wild {
		return nil, f.Name == name
	}
	return matchStars(strings.Split(f.Name, "*"), name)
}

// matchStars fits name to literals with any text between them; each text is the shortest that fits,
// the last one takes the rest.
func matchStars(literals []string, name string) ([]string, bool) {
	if !strings.HasPrefix(name, literals[0]) {
		return nil, false
	}
	name = name[len(literals[0]):]
	if len(literals) == 1 {
		return nil, name == ""
	}
	var parts []string
	for _, lit := range literals[1 : len(literals)-1] {
		i := strings.Index(name, lit)
		if i < 0 {
			return nil, false
		}
		parts = append(parts, name[:i])
		name = name[i+len(lit):]
	}
	last := literals[len(literals)-1]
	if !strings.HasSuffix(name, last) {
		return nil, false
	}
	return append(parts, name[:len(name)-len(last)]), true
}

// keywords end a list of fields unless they are quoted.
var keywords = map[string]bool{
	"as": true, "by": true, "over": true, "output": true, "outputnew": true, "and": true, "or": true,
	"not": true, "with": true, "from": true, "in": true, "like": true, "true": true, "false": true, "null": true, "desc": true, "asc": true,
	"until": true, "where": true, "sortby": true, "maxspan": true,
}

// quoteName prints a name bare if it reads back as itself, else in backquotes.
func quoteName(name string, expr bool) string {
	if bareName(name, expr) {
		return name
	}
	return "`" + strings.NewReplacer("\\", "\\\\", "`", "\\`").Replace(name) + "`"
}

func bareName(name string, expr bool) bool {
	if name == "" || keywords[strings.ToLower(name)] || strings.Contains(name, "*") {
		return false
	}
	end := 0
	if expr {
		end = scanExprName(name, 0)
	} else {
		end = scanListName(name, 0)
		if name[0] == '-' || name[0] == '+' || isDigits(name) {
			return false
		}
	}
	return end == len(name)
}

func isDigits(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// quote prints a string of a pipe: only \" and \\ are escapes there.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '"':
			b.WriteByte('\\')
		case s[i] == '\\' && (i+1 == len(s) || s[i+1] == '\\' || s[i+1] == '"'):
			b.WriteByte('\\')
		}
		b.WriteByte(s[i])
	}
	b.WriteByte('"')
	return b.String()
}

// list prints things with commas between them.
func list[T interface{ String() string }](items []T) string {
	parts := make([]string, len(items))
	for i, it := range items {
		parts[i] = it.String()
	}
	return strings.Join(parts, ", ")
}
