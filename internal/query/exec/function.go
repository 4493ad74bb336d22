package exec

import (
	"fmt"
	"regexp"

	"tocsin/internal/query/pipe"
	"tocsin/internal/row"
)

// plainFunction computes a function from the values of its arguments.
type plainFunction func(args []row.Value) row.Value

// lazyFunction is a function that looks at its arguments' expressions.
type lazyFunction func(c *exprCompiler, args []pipe.Expr) evalFunc

var (
	plainFunctions map[string]plainFunction
	lazyFunctions  map[string]lazyFunction
)

func init() {
	plainFunctions = map[string]plainFunction{}
	for _, group := range []map[string]plainFunction{textFunctions, numberFunctions, listFunctions, timeFunctions, hashFunctions} {
		for name, f := range group {
			plainFunctions[name] = f
		}
	}
	lazyFunctions = map[string]lazyFunction{
		"if": ifFunction, "case": caseFunction, "coalesce": coalesceFunction, "nullif": nullifFunction,
		"isnull": isNullFunction(true), "isnotnull": isNullFunction(false),
		"null":  constant(row.Value{}),
		"true":  constant(row.NewBool(true)),
		"false": constant(row.NewBool(false)),
		"now":   nowFunction, "time": nowFunction,
		"match": matchFunction, "replace": replaceFunction, "mvfind": mvFindFunction, "mvfilter": mvFilterFunction,
		"like":          func(c *exprCompiler, args []pipe.Expr) evalFunc { return c.like(args[0], args[1]) },
		"in":            func(c *exprCompiler, args []pipe.Expr) evalFunc { return c.in(args[0], args[1:]) },
		"relative_time": relativeTimeFunction,
	}
}

func (c *exprCompiler) call(e *pipe.Call) evalFunc {
	if f := lazyFunctions[e.Func]; f != nil {
		return f(c, e.Args)
	}
	f := plainFunctions[e.Func]
	if f == nil {
		panic(fmt.Sprintf("function %s is in the grammar but not here", e.Func))
	}
	args := make([]evalFunc, len(e.Args))
	for i, a := range e.Args {
		args[i] = c.compile(a)
	}
	values := make([]row.Value, len(args))
	return func(r *row.Row) row.Value {
		// Arguments may hold calls of their own, which have their own slice; this one is free once f returns.
		for i, a := range args {
			values[i] = a(r)
		}
		return f(values)
	}
}

func constant(v row.Value) lazyFunction {
	return func(*exprCompiler, []pipe.Expr) evalFunc { return func(*row.Row) row.Value { return v } }
}

func ifFunction(c *exprCompiler, args []pipe.Expr) evalFunc {
	cond, then, other := c.compile(args[0]), c.compile(args[1]), c.compile(args[2])
	return func(r *row.Row) row.Value {
		if truth(cond(r)) == yes {
			return then(r)
		}
		return other(r)
	}
}

func caseFunction(c *exprCompiler, args []pipe.Expr) evalFunc {
	fs := make([]evalFunc, len(args))
	for i, a := range args {
		fs[i] = c.compile(a)
	}
	return func(r *row.Row) row.Value {
		for i := 0; i+1 < len(fs); i += 2 {
			if truth(fs[i](r)) == yes {
				return fs[i+1](r)
			}
		}
		return row.Value{}
	}
}

func coalesceFunction(c *exprCompiler, args []pipe.Expr) evalFunc {
	fs := make([]evalFunc, len(args))
	for i, a := range args {
		fs[i] = c.compile(a)
	}
	return func(r *row.Row) row.Value {
		for _, f := range fs {
			if v := f(r); !v.IsNull() {
				return v
			}
		}
		return row.Value{}
	}
}

func nullifFunction(c *exprCompiler, args []pipe.Expr) evalFunc {
	x, y := c.compile(args[0]), c.compile(args[1])
	return func(r *row.Row) row.Value {
		v := x(r)
		if compareAny(v, y(r), comparisons["="]) == yes {
			return row.Value{}
		}
		return v
	}
}

func isNullFunction(want bool) lazyFunction {
	return func(c *exprCompiler, args []pipe.Expr) evalFunc {
		x := c.compile(args[0])
		return func(r *row.Row) row.Value { return row.NewBool(x(r).IsNull() == want) }
	}
}

// pattern gives the regular expression of an argument: compiled once if it is constant, else once
// per text. A text that is no regular expression gives nil.
func (c *exprCompiler) pattern(e pipe.Expr, from func(string) string) func(r *row.Row) *regexp.Regexp {
	if l, ok := e.(*pipe.Literal); ok {
		re, err := regexp.Compile(from(l.Text))
		if err != nil {
			re = nil
		}
		return func(*row.Row) *regexp.Regexp { return re }
	}
	f := c.compile(e)
	cache := map[string]*regexp.Regexp{}
	return func(r *row.Row) *regexp.Regexp {
		v := f(r)
		if v.IsNull() {
			return nil
		}
		text := v.Text()
		re, ok := cache[text]
		if !ok {
			var err error
			if re, err = regexp.Compile(from(text)); err != nil {
				c.env.warn(fmt.Sprintf("%q is no regular expression: it matches nothing", text))
				re = nil
			}
			if len(cache) > 1000 {
				clear(cache)
			}
			cache[text] = re
		}
		return re
	}
}

func asWritten(s string) string { return s }

func matchFunction(c *exprCompiler, args []pipe.Expr) evalFunc {
	return c.matches(args[0], c.pattern(args[1], asWritten))
}

// matches tests whether any value fits a regular expression.
func (c *exprCompiler) matches(x pipe.Expr, pattern func(*row.Row) *regexp.Regexp) evalFunc {
	f := c.compile(x)
	return func(r *row.Row) row.Value {
		v, re := f(r), pattern(r)
		if v.IsNull() || re == nil {
			return row.Value{}
		}
		for i := range v.Len() {
			if re.MatchString(v.At(i).Text()) {
				return row.NewBool(true)
			}
		}
		return row.NewBool(false)
	}
}

func (c *exprCompiler) like(x, p pipe.Expr) evalFunc { return c.matches(x, c.pattern(p, likeRegexp)) }

// likeRegexp writes a LIKE pattern as a regular expression: % is any text, _ any one character, and a
// backslash takes the meaning of the next.
func likeRegexp(s string) string {
	out := []byte(`(?s)\A`)
	runes := []rune(s)
	for i := 0; i < len(runes); i++ {
		switch r := runes[i]; {
		case r == '%':
			out = append(out, ".*"...)
		case r == '_':
			out = append(out, '.')
		case r == '\\' && i+1 < len(runes) && (runes[i+1] == '%' || runes[i+1] == '_' || runes[i+1] == '\\'):
			i++
			out = append(out, regexp.QuoteMeta(string(runes[i]))...)
		default:
			out = append(out, regexp.QuoteMeta(string(r))...)
		}
	}
	return string(append(out, `\z`...))
}

func replaceFunction(c *exprCompiler, args []pipe.Expr) evalFunc {
	x, with := c.compile(args[0]), c.compile(args[2])
	pattern := c.pattern(args[1], asWritten)
	templates := map[string]string{}
	return func(r *row.Row) row.Value {
		v, re, w := x(r), pattern(r), with(r)
		if v.IsNull() || re == nil || w.IsNull() {
			return row.Value{}
		}
		template, ok := templates[w.Text()]
		if !ok {
			template = backReferences(w.Text())
			if len(templates) > 1000 {
				clear(templates)
			}
			templates[w.Text()] = template
		}
		return eachText(v, func(s string) row.Value {
			if len(s)*len(template) > maxReplaced {
				c.env.warn("replace would make a text that is too long: the result is null")
				return row.Value{}
			}
			return row.NewString(re.ReplaceAllString(s, template))
		})
	}
}

// maxReplaced bounds the product of the lengths of a text and of what replaces each of its matches.
const maxReplaced = 1 << 28

// backReferences writes \1 as ${1} for package regexp; a dollar is a dollar.
func backReferences(s string) string {
	var b []byte
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '$':
			b = append(b, "$$"...)
		case s[i] == '\\' && i+1 < len(s) && s[i+1] >= '0' && s[i+1] <= '9':
			i++
			b = append(b, '$', '{', s[i], '}')
		case s[i] == '\\' && i+1 < len(s) && s[i+1] == '\\':
			i++
			b = append(b, '\\')
		default:
			b = append(b, s[i])
		}
	}
	return string(b)
}

// eachText applies f to the text of each value; what it gives for several is a list.
func eachText(v row.Value, f func(string) row.Value) row.Value {
	if v.IsNull() {
		return v
	}
	if v.Kind() != row.List {
		return f(v.Text())
	}
	out := make([]row.Value, 0, v.Len())
	for _, e := range v.Values() {
		out = append(out, f(e.Text()))
	}
	return row.NewList(out)
}
