package query

import (
	"slices"
	"strings"
	"unicode/utf8"

	"tocsin/internal/query/pipe"
)

// Spot is what may be written at a place in the text of a search, for completion while it is typed. The text
// need not be right.
type Spot struct {
	// Start and End are the place of the word that is being written, in bytes: a completion replaces it. Word is
	// what is written of it up to the place, without a quote before it.
	Start, End int
	Word       string
	Quoted     bool
	// Fields says that the name of a field or column fits, Groups that it is grouped by. Columns are those there
	// are; nil, and not Closed, are the fields of documents too.
	Fields, Groups bool
	Columns        []string
	Closed         bool
	// Field is the field whose value fits, "" for none.
	Field string
	// Commands, Aggregates and Functions say that names of these fit.
	Commands, Aggregates, Functions bool
	// Words are the other words that fit: by, and, :.
	Words []string
	// From are the indices that the search names itself, nil for none.
	From []string
}

// Complete tells what may be written at a place in a text, in bytes.
func Complete(text string, at int, o Options) Spot {
	at = min(max(at, 0), len(text))
	for at > 0 && at < len(text) && !utf8.RuneStart(text[at]) {
		at--
	}
	c := cut(text[:at])
	var s Spot
	word := strings.TrimLeft(c.segment, " \t\r\n")
	name, _, named := strings.Cut(word, " ")
	switch {
	case c.first:
		s = inFilter(trimFrom(c.segment), at)
		s.Fields = s.Fields || s.Field == "" && len(s.Words) == 0
	case !named && !strings.ContainsAny(word, "(,"):
		s = Spot{Start: at - len(word), Word: word, Commands: true, Aggregates: true}
	case name == "search":
		s = inFilter(word[len(name):], at)
	default:
		s = inPipe(strings.ToLower(name), word, at)
	}
	if q, err := pipe.Parse(text); err == nil {
		s.From = q.From
	}
	if !c.first {
		if q, err := Compile(c.before, o); err == nil {
			s.Columns, s.Closed = q.Columns()
		}
	}
	s.End = at
	for s.End < len(text) && wordByte(text[s.End]) {
		s.End++
	}
	return s
}

// cutting is the pipe that a text ends in.
type cutting struct {
	before  string // its search up to this pipe
	segment string // the pipe so far
	first   bool   // it is the filter
}

// cut finds the pipe that a text ends in, in the innermost subsearch.
func cut(text string) cutting {
	type level struct{ begin, segment int }
	levels := []level{{}}
	last := func() *level { return &levels[len(levels)-1] }
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			for i++; i < len(text) && text[i] != '"'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
		case '|':
			last().segment = i + 1
		case '[':
			levels = append(levels, level{i + 1, i + 1})
		case ']':
			if len(levels) > 1 {
				levels = levels[:len(levels)-1]
			}
		}
	}
	l := *last()
	return cutting{before: strings.TrimSuffix(text[l.begin:l.segment], "|"), segment: text[l.segment:], first: l.segment == l.begin}
}

// trimFrom leaves out `from PATTERNS` before a filter.
func trimFrom(segment string) string {
	rest, ok := strings.CutPrefix(strings.TrimLeft(segment, " \t\r\n"), "from ")
	if !ok {
		return segment
	}
	if _, after, ok := strings.Cut(strings.TrimLeft(rest, " "), " "); ok {
		return after
	}
	return ""
}

func wordByte(c byte) bool {
	return c == '.' || c == '_' || c == '-' || c == '@' || c == '*' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= utf8.RuneSelf
}

// inFilter follows KQL up to its end: what was read is a field, a value, or between them.
func inFilter(text string, at int) Spot {
	const (
		wantsField = iota
		afterField // a word without a comparison yet: a field, or a value of any field
		wantsValue
		afterValue
	)
	state, field, list := wantsField, "", 0
	depths := []int{} // the list depth at each open parenthesis
	i := 0
	for i < len(text) {
		c := text[i]
		switch {
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
			i++
		case c == ':' || c == '<' || c == '>' || c == '=':
			if state == afterField {
				state = wantsValue
			}
			i++
		case c == '(':
			depths = append(depths, list)
			if state == wantsValue {
				list++
			}
			i++
		case c == ')':
			if n := len(depths); n > 0 {
				list, depths = depths[n-1], depths[:n-1]
			}
			state = afterValue
			i++
		case c == '{' || c == '}':
			state, field = wantsField, ""
			i++
		default:
			start, quoted := i, c == '"'
			if quoted {
				for i++; i < len(text) && text[i] != '"'; i++ {
					if text[i] == '\\' {
						i++
					}
				}
				i++
			} else {
				for i < len(text) && !strings.ContainsRune(" \t\r\n:<>=(){}\"", rune(text[i])) {
					if text[i] == '\\' {
						i++
					}
					i++
				}
			}
			if i >= len(text) && (!quoted || i > len(text) || !strings.HasSuffix(text[start+1:], `"`) || len(text) == start+1) { // the word that is being written
				word := strings.TrimPrefix(text[start:], `"`)
				s := Spot{Start: at - len(text) + start, Word: word, Quoted: quoted}
				switch state {
				case wantsValue:
					s.Field = field
				case afterValue, afterField:
					s.Words = []string{"and", "or"}
				default:
					s.Fields, s.Words = true, []string{"not"}
				}
				return s
			}
			word := text[start:i]
			switch lower := strings.ToLower(word); {
			case !quoted && (lower == "and" || lower == "or") && state != wantsField:
				if state = wantsField; list > 0 {
					state = wantsValue
				}
			case !quoted && lower == "not" && (state == wantsField || state == wantsValue):
			case state == wantsField:
				state, field = afterField, strings.ReplaceAll(strings.Trim(word, `"`), `\`, "")
			case state == wantsValue:
				state = afterValue
			}
		}
	}
	s := Spot{Start: at}
	switch state {
	case wantsField:
		s.Fields, s.Words = true, []string{"not"}
	case afterField:
		s.Words = []string{":", ">", ">=", "<", "<=", "and", "or"}
	case wantsValue:
		s.Field = field
	case afterValue:
		s.Words = []string{"and", "or"}
	}
	return s
}

// takesAggregates are the commands that begin with aggregates.
var takesAggregates = []string{"stats", "eventstats", "streamstats", "timechart", "chart"}

// pipeWords are the words that commands know beside fields, in the order they are written.
var pipeWords = map[string][]string{
	"rename": {"as"}, "top": {"by", "limit="}, "rare": {"by", "limit="}, "timechart": {"by", "span="}, "bin": {"span=", "as"}, "bucket": {"span=", "as"},
	"newterms": {"over"}, "missing": {"by", "over"}, "spike": {"by", "factor=", "baseline=", "seasonal=", "min="}, "changed": {"by", "over"},
	"sequence": {"by", "maxspan=", "until", "with"}, "lookup": {"OUTPUT", "OUTPUTNEW", "as"}, "transaction": {"maxspan=", "maxpause=", "startswith=", "endswith="},
	"rex": {"field="}, "join": {"type=", "max="}, "fillnull": {"value="}, "mvexpand": {"limit="}, "dedup": {"sortby"}, "chart": {"over", "by"},
	"stats": {"by", "over", "as"}, "eventstats": {"by", "as"}, "streamstats": {"by", "as"},
}

// lengths are what is offered where a duration stands.
var lengths = []string{"1m", "5m", "15m", "1h", "24h", "7d"}

// inPipe tells what may follow in a pipe. Text is the pipe from its name on.
func inPipe(name, text string, at int) Spot {
	start := len(text)
	for start > 0 && wordByte(text[start-1]) {
		start--
	}
	s := Spot{Start: at - len(text) + start, Word: text[start:]}
	before := strings.TrimRight(text[:start], " \t\r\n")
	if i := strings.LastIndexAny(text, `"`); i >= 0 && strings.Count(text, `"`)%2 == 1 {
		return Spot{Start: at, Word: ""} // within a text
	}
	tokens := strings.FieldsFunc(before, func(r rune) bool { return strings.ContainsRune(" \t\r\n,(", r) })
	previous := ""
	if len(tokens) > 0 {
		previous = strings.ToLower(tokens[len(tokens)-1])
	}
	open := strings.Count(before, "(") - strings.Count(before, ")")
	aggregates := slices.Contains(takesAggregates, name) || slices.Contains(pipe.AggregateNames(), strings.TrimFunc(strings.SplitN(name, "(", 2)[0], func(r rune) bool { return r == ',' }))
	grouped := aggregates && slices.ContainsFunc(tokens, func(t string) bool { return strings.EqualFold(t, "by") })
	ends := before != "" && (strings.HasSuffix(before, ",") || strings.HasSuffix(before, "("))
	switch {
	case name == "where" || name == "eval":
		s.Fields, s.Functions, s.Words = true, true, []string{"and", "or", "not", "like", "in"}
	case previous == "over" || strings.HasSuffix(previous, "span=") || strings.HasSuffix(previous, "baseline="):
		if previous == "over" && name == "chart" {
			s.Fields, s.Groups = true, true
		} else {
			s.Words = lengths
		}
	case aggregates && open > 0:
		s.Fields, s.Functions = true, strings.Contains(strings.ToLower(before), "eval(")
	case previous == "as":
	case previous == "by":
		s.Fields, s.Groups = true, true
	case grouped && ends:
		s.Fields, s.Groups = true, true
	case aggregates && !grouped && (ends || before == name && slices.Contains(takesAggregates, name)):
		s.Aggregates = true
	case aggregates:
		s.Words = []string{"by", "over", "as"}
		if grouped {
			s.Words = []string{"over"}
		}
	default:
		s.Fields, s.Words = true, pipeWords[name]
	}
	return s
}
