package pipe

import (
	"slices"
	"strings"
)

// commands are all pipes by name. Each func reads what follows the name.
var commands map[string]func(p *parser) Pipe

func init() {
	commands = map[string]func(p *parser) Pipe{
		"search": parseSearch, "where": parseWhere, "stats": parseStats, "eval": parseEval,
		"fields": parseFields, "keep": parseFields, "drop": parseDrop, "table": parseTable, "rename": parseRename,
		"sort": parseSort, "head": parseHead, "limit": parseHead, "tail": parseTail, "dedup": parseDedup,
		"top": parseTop, "rare": parseRare, "bin": parseBin, "bucket": parseBin, "timechart": parseTimeChart, "chart": parseChart,
		"eventstats": parseEventStats, "streamstats": parseStreamStats, "fillnull": parseFillNull,
		"rex": parseRex, "regex": parseRegex, "replace": parseReplace, "spath": parseSpath, "mvexpand": parseMvExpand,
		"makemv": parseMakeMv, "lookup": parseLookup, "inputlookup": parseInputLookup, "join": parseJoin, "append": parseAppend,
		"union": parseUnion, "transaction": parseTransaction, "convert": parseConvert, "iplocation": parseIPLocation,
		"newterms": parseNewTerms, "missing": parseMissing, "spike": parseSpike, "changed": parseChanged, "sequence": parseSequence,
	}
}

// Commands are the names of all commands, sorted.
func Commands() []string {
	var out []string
	for name := range commands {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

func sortStrings(s []string) { slices.Sort(s) }

// Parse reads a query. Its error is an Errors: one mistake per pipe at most, all pipes looked at.
func Parse(text string) (*Query, error) {
	p := &parser{text: text}
	q := p.parse()
	if len(p.errs) > 0 {
		return nil, p.errs
	}
	return q, nil
}

func (p *parser) parse() (q *Query) {
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(bail); !ok {
				panic(r)
			}
		}
	}()
	q = p.query(true)
	if p.pos < len(p.text) {
		p.failHere("", "this bracket was never opened")
	}
	return q
}

// query reads up to the end of the text, or to the ] that closes a subsearch.
func (p *parser) query(outermost bool) *Query {
	p.space()
	q := &Query{At: Span{Pos: p.pos}}
	q.From = p.from()
	p.modifiers(q)
	q.Filter = p.filter(!outermost)
	for p.take('|') {
		if pipe := p.pipe(); pipe != nil {
			q.Pipes = append(q.Pipes, pipe)
		}
	}
	q.At.End = p.pos
	return q
}

// from reads `from NAME,NAME`. A filter on a field called from, or a search for the word, is none.
func (p *parser) from() []string {
	w := p.word()
	if !strings.EqualFold(w, "from") {
		return nil
	}
	i := p.pos + len(w)
	if i >= len(p.text) || !isSpace(p.text[i]) {
		return nil
	}
	for i < len(p.text) && isSpace(p.text[i]) {
		i++
	}
	start := i
	for i < len(p.text) && !isSpace(p.text[i]) && !strings.ContainsRune("|[]()\"{}<>=", rune(p.text[i])) {
		i++
	}
	names := p.text[start:i]
	if names == "" || names[0] == ':' || keywords[strings.ToLower(names)] {
		return nil
	}
	p.pos = i
	out := strings.Split(names, ",")
	if slices.Contains(out, "") {
		p.fail(Span{start, i}, "", "the names after from are joined by commas without spaces")
	}
	return out
}

// modifiers reads earliest= and latest= in front of the filter.
func (p *parser) modifiers(q *Query) {
	for {
		w, ok := p.optionNext()
		var to *string
		switch {
		case ok && strings.EqualFold(w, "earliest"):
			to = &q.Earliest
		case ok && strings.EqualFold(w, "latest"):
			to = &q.Latest
		default:
			return
		}
		at := p.here()
		if *to != "" {
			p.fail(at, "", "%s= is given twice", strings.ToLower(w))
		}
		p.pos += len(w)
		p.want('=', "after "+w)
		start := p.pos
		*to = p.str("a time")
		if _, err := ParseMoment(*to); err != nil {
			p.fail(Span{start, p.pos}, "-15m, -1d@d, now, 2024-07-01T10:00:00Z", "%s", err)
		}
	}
}

// pipe reads one command. A mistake in it is noted, and reading goes on at the next pipe.
func (p *parser) pipe() (out Pipe) {
	p.space()
	start, depth := p.pos, p.depth
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(bail); !ok {
				panic(r)
			}
			p.depth = depth
			p.pos = start
			p.skipPipe()
			out = nil
		}
	}()
	w := p.word()
	name := strings.ToLower(w)
	if w == "" {
		p.failHere("", "a command is missing after this |; found %s", p.found())
	}
	parse, ok := commands[name]
	switch {
	case ok:
		p.pos += len(w)
	case isAggregate(name):
		parse = parseStats
	default:
		p.failHere(nearestCommand(name), "unknown command %q", w)
	}
	out = parse(p)
	p.end(name)
	end := p.pos
	for end > start && isSpace(p.text[end-1]) {
		end--
	}
	out.(interface{ place(Span) }).place(Span{start, end})
	return out
}

func nearestCommand(word string) string {
	return Nearest(word, append(Commands(), aggregateNames()...))
}

// skipPipe moves to the | or ] that ends the pipe, past quotes and brackets.
func (p *parser) skipPipe() {
	open := 0
	for p.pos < len(p.text) {
		switch c := p.text[p.pos]; c {
		case '"', '`':
			end := p.pos + 1
			for end < len(p.text) && p.text[end] != c {
				if p.text[end] == '\\' {
					end++
				}
				end++
			}
			p.pos = min(end, len(p.text)-1)
		case '[':
			open++
		case ']':
			if open == 0 {
				return
			}
			open--
		case '|':
			if open == 0 {
				return
			}
		}
		p.pos++
	}
}

// subsearch reads a query in brackets; the opening one comes next.
func (p *parser) subsearch() Subsearch {
	p.space()
	start := p.pos
	p.want('[', "before the subsearch")
	var q *Query
	p.nested(func() { q = p.query(false) })
	if p.pos >= len(p.text) {
		p.fail(Span{start, start + 1}, "", "this bracket is never closed")
	}
	p.pos++
	return Subsearch{Query: q, At: Span{start, p.pos}}
}
