package detect

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"tocsin/internal/query"
)

// subject names the events that a search asks for, in the words of its filter: "failed ssh_login" of
// event.action:ssh_login and event.outcome:failure; "events" where they say no such thing.
func subject(ast []byte) string {
	asked := map[string]string{}
	var n filterNode
	if json.Unmarshal(ast, &n) == nil {
		n.asked(asked)
	}
	action := asked["event.action"]
	if action == "" {
		action = asked["event.category"]
	}
	outcome := map[string]string{"failure": "failed", "success": "successful"}[asked["event.outcome"]]
	switch {
	case action != "" && outcome != "":
		return outcome + " " + action
	case action != "":
		return action
	case outcome != "":
		return outcome + " events"
	}
	return "events"
}

// filterNode is a filter's tree as Kibana writes it.
type filterNode struct {
	Type      string            `json:"type"`
	Function  string            `json:"function"`
	Arguments []json.RawMessage `json:"arguments"`
	Value     any               `json:"value"`
}

// asked collects the fields that must have one value.
func (n *filterNode) asked(into map[string]string) {
	var arguments []filterNode
	for _, a := range n.Arguments {
		var one filterNode
		if json.Unmarshal(a, &one) != nil {
			return
		}
		arguments = append(arguments, one)
	}
	switch {
	case n.Function == "and":
		for i := range arguments {
			arguments[i].asked(into)
		}
	case n.Function == "is" && len(arguments) >= 2 && arguments[0].Type == "literal" && arguments[1].Type == "literal":
		if field, ok := arguments[0].Value.(string); ok && arguments[1].Value != nil {
			into[field] = fmt.Sprint(arguments[1].Value)
		}
	}
}

// bound is a condition on one column, such as count > 10.
var boundForm = regexp.MustCompile(`^([\w.()@-]+)\s*(>=|<=|>|<|==|=|:)\s*(-?\d+(?:\.\d+)?)$`)

// bound says in words the condition that the last search or where of a query sets to a column; empty where it
// is not one comparison with a number.
func bound(pipes []string, column string) string {
	for i := len(pipes) - 1; i >= 0; i-- {
		word, rest, _ := strings.Cut(strings.TrimSpace(pipes[i]), " ")
		if word != "search" && word != "where" {
			continue
		}
		m := boundForm.FindStringSubmatch(strings.TrimSpace(rest))
		if m == nil || m[1] != column {
			return ""
		}
		return map[string]string{">": "more than ", ">=": "at least ", "<": "fewer than ", "<=": "at most ", ":": "exactly ", "=": "exactly ", "==": "exactly "}[m[2]] + m[3]
	}
	return ""
}

// inWords writes a duration as people say it: 5 minutes, 1 hour.
func inWords(d time.Duration) string {
	for _, u := range []struct {
		of   time.Duration
		name string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}, {time.Second, "second"}} {
		if d >= u.of && d%u.of == 0 {
			n := int64(d / u.of)
			if n == 1 {
				return "1 " + u.name
			}
			return strconv.FormatInt(n, 10) + " " + u.name + "s"
		}
	}
	return d.String()
}

// ofWindow is the sentence of a window: "11 failed ssh_login by 203.0.113.9 in 5 minutes, more than 10".
func (s *search) ofWindow(w *Window) string {
	var b strings.Builder
	value, within := column(w.Row, s.measure), " in "
	switch {
	case s.commanded.Name == "missing":
		b.WriteString("No " + s.subject)
		within = " for "
	case s.commanded.Name == "sequence":
		b.WriteString(capital(s.steps()))
		within = " within "
	case s.measure == "count" && value != "":
		b.WriteString(value + " " + s.subject)
	default:
		b.WriteString(capital(s.subject))
	}
	var by []string
	for _, name := range s.by {
		v := column(w.Row, name)
		if slices.Contains(w.Row, Column{Name: name, Value: `""`}) {
			v = "(empty)"
		}
		if v != "" {
			by = append(by, v)
		}
	}
	if len(by) > 0 {
		b.WriteString(" by " + strings.Join(by, ", "))
	}
	if s.window > 0 {
		b.WriteString(within + inWords(s.window))
	}
	if s.measure != "" && s.measure != "count" && value != "" {
		b.WriteString(": " + s.measure + " is " + value)
	}
	if more := s.bound; more != "" {
		b.WriteString(", " + more)
	}
	if usual := column(w.Row, "baseline"); usual != "" && s.commanded.Name == "spike" {
		b.WriteString(", against " + rounded(usual) + " on average before")
	}
	return b.String()
}

// steps says a sequence in words: "failed ssh_login 3 times, then successful ssh_login".
func (s *search) steps() string {
	var parts []string
	for _, step := range s.commanded.Steps {
		what := "what matches " + cut(step.Filter, 60)
		if q, err := query.Compile(step.Filter, query.Options{}); err == nil {
			if said := subject(q.AST()); said != "events" {
				what = said
			}
		}
		if step.Not {
			what = "no " + strings.TrimPrefix(what, "what matches ")
		}
		if step.Runs > 1 {
			what += fmt.Sprintf(" %d times", step.Runs)
		}
		parts = append(parts, what)
	}
	return strings.Join(parts, ", then ")
}

// rounded writes a number that may have many digits as people read it.
func rounded(text string) string {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return text
	}
	return strconv.FormatFloat(math.Round(v*10)/10, 'f', -1, 64)
}

func capital(text string) string {
	r, n := utf8.DecodeRuneInString(text)
	return string(unicode.ToUpper(r)) + text[n:]
}

// ofDocument is the sentence of a document: what is new or has changed in it, then its message, else what it says
// about whom.
func (s *search) ofDocument(fields map[string][]any) string {
	said := s.ofEvent(fields)
	all := func(name string) string {
		var texts []string
		for _, v := range fields[name] {
			texts = append(texts, cmp.Or(cut(fmt.Sprint(v), 100), "(empty)"))
		}
		return strings.Join(texts, " and ")
	}
	var parts []string
	for _, name := range s.commanded.Terms {
		now, before := all(name), all("previous."+name)
		switch {
		case now == "":
		case s.commanded.Name == "newterms":
			parts = append(parts, name+" "+now)
		case before != "" && before != now:
			parts = append(parts, name+" was "+before+" and is now "+now)
		}
	}
	switch {
	case len(parts) == 0:
		return said
	case s.commanded.Name == "newterms":
		return said + ". Not seen in the " + inWords(s.commanded.Length) + " before: " + strings.Join(parts, " with ")
	}
	return said + ". Changed: " + strings.Join(parts, ", ")
}

// ofEvent is what a document says itself.
func (s *search) ofEvent(fields map[string][]any) string {
	first := func(name string) string {
		if v := fields[name]; len(v) > 0 {
			return fmt.Sprint(v[0])
		}
		return ""
	}
	if m := first("message"); m != "" {
		return cut(m, 300)
	}
	out := s.subject
	if action := first("event.action"); out == "events" && action != "" {
		out = action
	}
	out = capital(out)
	for _, part := range []struct{ word, field string }{{" by ", "user.name"}, {" from ", "source.ip"}, {" on ", "host.name"}} {
		if v := first(part.field); v != "" {
			out += part.word + cut(v, 100)
		}
	}
	return out
}

// cut shortens a text to so many characters.
func cut(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}
