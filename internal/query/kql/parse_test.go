package kql

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// sketch writes a tree shortly: quoted literals in double quotes, others in single ones, wildcards as
// they are with ⁎ for each star.
func sketch(n Node) string {
	list := func(name string, nodes []Node) string {
		var s []string
		for _, n := range nodes {
			s = append(s, sketch(n))
		}
		return name + "(" + strings.Join(s, ", ") + ")"
	}
	switch n := n.(type) {
	case *Is:
		return "is(" + sketchTerm(n.Field) + ", " + sketchTerm(n.Value) + ")"
	case *Range:
		return string(n.Op) + "(" + sketchTerm(n.Field) + ", " + sketchTerm(n.Value) + ")"
	case *Nested:
		return "nested(" + sketchTerm(n.Path) + ", " + sketch(n.Query) + ")"
	case *Not:
		return list("not", []Node{n.Node})
	case *And:
		return list("and", n.Nodes)
	case *Or:
		return list("or", n.Nodes)
	}
	return "?"
}

func sketchTerm(t Term) string {
	switch t := t.(type) {
	case *Wildcard:
		return strings.ReplaceAll(t.Value, WildcardMark, "⁎")
	case *Literal:
		switch {
		case t.Kind != String:
			return t.Name()
		case t.Quoted:
			return `"` + t.Text + `"`
		}
		return "'" + t.Text + "'"
	}
	return "?"
}

func TestParse(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		n, err := Parse(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			return
		}
		if diff := cmp.Diff(want, sketch(n)); diff != "" {
			t.Errorf("%q: -want +got %s", text, diff)
		}
	}
	// Nothing is everything.
	f("", "is(⁎, ⁎)")
	f(" \t\r\n\u00a0", "is(⁎, ⁎)")
	f("*:*", "is(⁎, ⁎)")
	f("*", "is(null, ⁎)")

	// Words belong together until a keyword.
	f("foo bar", "is(null, 'foo bar')")
	f("  foo  ", "is(null, 'foo')")
	f("machine os: mac  os x", "is('machine os', 'mac  os x')")
	f("a : b", "is('a', 'b')")
	f("a\u00a0:\u00a0b", "is('a', 'b')")
	f("a:b\u2003", "is('a', 'b')")
	f("a:\u2003b\u3000c\ufeff", "is('a', 'b\u3000c')")
	f("a=1", "is(null, 'a=1')")
	f("a:b\nc", "is('a', 'b\nc')")

	// Precedence, flattening, grouping.
	f("a or b and c or d", "or(is(null, 'a'), and(is(null, 'b'), is(null, 'c')), is(null, 'd'))")
	f("a and b and c", "and(is(null, 'a'), is(null, 'b'), is(null, 'c'))")
	f("(a and b) and c", "and(and(is(null, 'a'), is(null, 'b')), is(null, 'c'))")
	f("not a or b", "or(not(is(null, 'a')), is(null, 'b'))")
	f("not (a or b)", "not(or(is(null, 'a'), is(null, 'b')))")
	f("not (not a)", "not(not(is(null, 'a')))")
	f("NOT a AnD b\tOR\nc", "or(and(not(is(null, 'a')), is(null, 'b')), is(null, 'c'))")
	f("((((a))))", "is(null, 'a')")
}

func TestParseTerms(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		n, err := Parse(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			return
		}
		if diff := cmp.Diff(want, sketch(n)); diff != "" {
			t.Errorf("%q: -want +got %s", text, diff)
		}
	}
	// Values that are plain text.
	f("a:1.2.3.4", "is('a', '1.2.3.4')")
	f("a:10.0.0.0/8", "is('a', '10.0.0.0/8')")
	f("a:-1", "is('a', '-1')")
	f("a:x^2~", "is('a', 'x^2~')")
	f("a:/re/", "is('a', '/re/')")
	f("a:[1 TO 5]", "is('a', '[1 TO 5]')")
	f("a:é*", "is('a', é⁎)")
	f("a:007", "is('a', '007')")

	// Only these words, unquoted and in lower case, are more than text.
	f("a:true", "is('a', true)")
	f("a: false ", "is('a', false)")
	f("a:null", "is('a', null)")
	f("a:True", "is('a', 'True')")
	f(`a:"true"`, `is('a', "true")`)
	f("null:a", "is(null, 'a')")
	f("true:a", "is(true, 'a')")
	f(`a:nul\u006c`, "is('a', null)")

	// Wildcards, in names too; escaped and quoted ones are plain.
	f("a*b:c*", "is(a⁎b, c⁎)")
	f("a:**", "is('a', ⁎⁎)")
	f("a:* b", "is('a', ⁎ b)")
	f(`a:\*`, "is('a', '*')")
	f(`a:\**`, "is('a', *⁎)")
	f(`"a*":"b*"`, `is("a*", "b*")`)
	f("a:@kuery-wildcard@", "is('a', '@kuery-wildcard@')")

	// Escapes outside quotes.
	f(`a:\\\(\)\:\<\>\"\{\}`, `is('a', '\():<>"{}')`)
	f(`a:b\tc\rd\ne`, "is('a', 'b\tc\rd\ne')")
	f(`a:\tb\n`, "is('a', 'b')")
	f(`a:\t`, "is('a', '')")
	f(`a:\u0062\u00e9\u65E5`, "is('a', 'bé日')")
	f(`a:\ud83d\ude00`, "is('a', '😀')")
	f(`a:x \and y \OR z`, "is('a', 'x and y OR z')")
	f(`a:\Not x`, "is('a', 'Not x')")
	f(`a:\not x`, "is('a', 'ot x')")
	f(`a:\nothing`, "is('a', 'othing')")
	f(`a:\oror`, "is('a', 'oror')")

	// Escapes in quotes: all others keep their backslash.
	f(`a:"b \"c\" \\ \t\r\n \u0041"`, "is('a', \"b \"c\" \\ \t\r\n A\")")
	f(`a:"\d \( \* C:\x"`, `is('a', "\d \( \* C:\x")`)
	f("a:\"b\nc and d\"", "is('a', \"b\nc and d\")")
	f(`a:""`, `is('a', "")`)
	f(`" a ":b`, `is(" a ", 'b')`)

	// Keywords that are text.
	f("a:b and", "is('a', 'b and')")
	f("and foo", "is(null, 'and foo')")
	f("or", "is(null, 'or')")
	f("not", "is(null, 'not')")
	f("android or orange", "or(is(null, 'android'), is(null, 'orange'))")
	f("x or or or y", "or(is(null, 'x'), is(null, 'or'), is(null, 'y'))")
}

func TestParseLists(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		n, err := Parse(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			return
		}
		if diff := cmp.Diff(want, sketch(n)); diff != "" {
			t.Errorf("%q: -want +got %s", text, diff)
		}
	}
	f("a:(b or c)", "or(is('a', 'b'), is('a', 'c'))")
	f("a:(b)", "is('a', 'b')")
	f("a : ( b  or  \"c d\" )", "or(is('a', 'b'), is('a', \"c d\"))")
	f("a:((b or c*) and not d)", "and(or(is('a', 'b'), is('a', c⁎)), not(is('a', 'd')))")
	f("a:(not b)", "not(is('a', 'b'))")
	f("a:(not (b or c))", "not(or(is('a', 'b'), is('a', 'c')))")
	f("not a:(b or c)", "not(or(is('a', 'b'), is('a', 'c')))")
	f("a:(b c)", "is('a', 'b c')")

	f("a > 1", "gt('a', '1')")
	f("a>=1", "gte('a', '1')")
	f("a < \"2020-01-01\"", "lt('a', \"2020-01-01\")")
	f("a <= now-1h/d", "lte('a', 'now-1h/d')")
	f("a>*", "gt('a', ⁎)")
	f("a* > 1 and b < null", "and(gt(a⁎, '1'), lt('b', null))")

	f("a:{ b:c }", "nested('a', is('b', 'c'))")
	f("a:{b:c and d:{e > 1 or f}}", "nested('a', and(is('b', 'c'), nested('d', or(gt('e', '1'), is(null, 'f')))))")
	f("not a.b: {c:(d or e)}", "not(nested('a.b', or(is('c', 'd'), is('c', 'e'))))")
	f("a*:{b:c}", "nested(a⁎, is('b', 'c'))")
}

func TestSyntaxErrors(t *testing.T) {
	f := func(text, message string, offset int) {
		t.Helper()
		_, err := Parse(text)
		var e *SyntaxError
		if !errors.As(err, &e) {
			t.Errorf("%q: error is %v", text, err)
			return
		}
		if diff := cmp.Diff(message, e.Message()); diff != "" {
			t.Errorf("%q: -want +got %s", text, diff)
		}
		if e.Offset() != offset {
			t.Errorf("%q: offset %d, want %d", text, e.Offset(), offset)
		}
		if want := message + "\n" + text + "\n" + strings.Repeat("-", offset) + "^"; err.Error() != want {
			t.Errorf("%q: error is\n%s\nwant\n%s", text, err, want)
		}
	}
	// The rules with names report at their own start and hide what failed in them.
	f(`foo:"bar" baz`, `Expected end of input, whitespace but "b" found.`, 10)
	f("not not foo", `Expected "(", field name, value but "n" found.`, 4)
	f("a:", `Expected "(", "{", value, whitespace but end of input found.`, 2)
	f("a:b or ", `Expected "(", NOT, field name, value but end of input found.`, 7)
	f("a:b and ", `Expected "(", NOT, field name, value but end of input found.`, 8)
	f("a:b and not ", `Expected "(", field name, value but end of input found.`, 12)
	f("a:(b or )", `Expected "(", NOT, value but ")" found.`, 8)
	f("a:(b and not )", `Expected "(", value but ")" found.`, 13)
	f(`a:"b `, `Expected "(", "{", value, whitespace but """ found.`, 2)
	f(`a:"b "c"`, `Expected AND, OR, end of input, whitespace but "c" found.`, 6)
	f("a:b:c", `Expected AND, OR, end of input, whitespace but ":" found.`, 3)
	f("a > ", "Expected literal, whitespace but end of input found.", 4)
	f("< 5", `Expected "(", NOT, end of input, field name, value, whitespace but "<" found.`, 0)
	f("()", `Expected "(", NOT, field name, value, whitespace but ")" found.`, 1)
	f("(a:b", `Expected ")", AND, OR, whitespace but end of input found.`, 4)
	f("a:(b", `Expected ")", AND, OR, whitespace but end of input found.`, 4)
	f("a:{b:c", `Expected "}", AND, OR, whitespace but end of input found.`, 6)
	f("a:b)", `Expected AND, OR, end of input, whitespace but ")" found.`, 3)

	// Keywords need space around them, and count inside a word.
	f("(a:b)and c", `Expected AND, OR, end of input, whitespace but "a" found.`, 5)
	f("( a ) or(b)", `Expected end of input, whitespace but "o" found.`, 6)
	f("not(a)", `Expected ":", "<", "<=", ">", ">=", AND, OR, end of input, whitespace but "(" found.`, 3)
	f("cannot foo", `Expected ":", "<", "<=", ">", ">=", AND, OR, end of input, whitespace but "n" found.`, 3)
	f("knot x", `Expected ":", "<", "<=", ">", ">=", AND, OR, end of input, whitespace but "n" found.`, 1)
	f("a:not x", `Expected "(", "{", value, whitespace but "n" found.`, 2)
	f("a:(not not b)", `Expected "(", value but "n" found.`, 7)

	// Characters that would have to be escaped.
	f("a:b c:d", `Expected AND, OR, end of input, whitespace but ":" found.`, 5)
	f("a:http://x", `Expected AND, OR, end of input, whitespace but ":" found.`, 6)
	f(`a:C:\\x`, `Expected AND, OR, end of input, whitespace but ":" found.`, 3)
	f("a:::1", `Expected "(", "{", value, whitespace but ":" found.`, 2)
	f(`a:b "c"`, `Expected AND, OR, end of input, whitespace but """ found.`, 4)
	f(`a:"b" c`, `Expected end of input, whitespace but "c" found.`, 6)
	f(`\x`, `Expected "(", NOT, end of input, field name, value, whitespace but "\" found.`, 0)
	f(`a:b\x`, `Expected AND, OR, end of input, whitespace but "\" found.`, 3)
	f(`a:\u00g0`, `Expected "(", "{", value, whitespace but "\" found.`, 2)

	// Value lists hold only values.
	f("a:(b:c)", `Expected ")", AND, OR, whitespace but ":" found.`, 4)
	f("a:(b > 1)", `Expected ")", AND, OR, whitespace but ">" found.`, 5)
	f("a:({b:c})", `Expected "(", NOT, value, whitespace but "{" found.`, 3)

	// Offsets are in UTF-16.
	f("é:\"😀\" x", `Expected end of input, whitespace but "x" found.`, 7)
	f("a:\"b\" 😀", `Expected end of input, whitespace but "😀" found.`, 6)
	f("a:b\nc:d", `Expected AND, OR, end of input, whitespace but ":" found.`, 5)
}

func TestDeepNestingIsAnError(t *testing.T) {
	for _, open := range []string{"(", "not (", "a:{", "a:(", "(not ("} {
		for _, depth := range []int{MaxDepth, MaxDepth + 1, 200_000} {
			end := ")"
			if strings.HasSuffix(open, "{") {
				end = "}"
			}
			body := "b"
			if open == "a:(" {
				open, body = "(", "b" // only the first one follows a field
			}
			brackets := strings.Count(open, "(") + strings.Count(open, "{")
			n := depth / brackets
			text := strings.Repeat(open, n) + body + strings.Repeat(end, n*brackets)
			_, err := Parse(text)
			switch {
			case n*brackets <= MaxDepth && err != nil:
				t.Errorf("%d of %q: %.100s", n, open, err.Error())
			case n*brackets > MaxDepth:
				var e *SyntaxError
				if !errors.As(err, &e) || !strings.Contains(e.Message(), "nested deeper than 1,000") {
					t.Errorf("%d of %q: error is %v", n, open, err)
				}
			}
		}
	}
}

func TestSpans(t *testing.T) {
	const text = ` (foo bar : "x y" and not a:(b or c* ) ) or n : { d >=  5 }  or z  `
	n, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	Walk(n, func(n Node) bool {
		s := n.Span()
		got = append(got, text[s.Start:s.End])
		return true
	})
	want := []string{
		`foo bar : "x y" and not a:(b or c* ) ) or n : { d >=  5 }  or z`,
		`foo bar : "x y" and not a:(b or c* )`,
		`foo bar : "x y"`,
		`not a:(b or c* )`,
		`b or c*`, `b`, `c*`,
		`n : { d >=  5 }`,
		`d >=  5`,
		`z`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	is := n.(*Or).Nodes[0].(*And).Nodes[0].(*Is)
	if at := is.Field.Span(); text[at.Start:at.End] != "foo bar" {
		t.Errorf("field is at %q", text[at.Start:at.End])
	}
}

func TestInvalidUTF8IsTheReplacementCharacter(t *testing.T) {
	n, err := Parse("a\xff:\"b\xc3\" and \xe2\x82c:d")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := sketch(n), "and(is('a\uFFFD', \"b\uFFFD\"), is('\uFFFD\uFFFDc', 'd'))"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// bigFilter is a filter of at least size bytes, as converted lists of indicators are.
func bigFilter(size int) string {
	var b strings.Builder
	for i := 0; b.Len() < size; i++ {
		if i > 0 {
			b.WriteString(" or ")
		}
		b.WriteString("destination.domain:(evil")
		b.WriteString(strings.Repeat("x", i%7))
		b.WriteString(`.example.com or *.bad-site.example* or "quoted \"value\"" ) and not source.ip:10.0.0.0/8`)
	}
	return b.String()
}

func BenchmarkParse250KB(b *testing.B) {
	text := bigFilter(250_000)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(text); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseList250KB(b *testing.B) {
	text := "a:(" + strings.TrimSuffix(strings.Repeat("2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae or ", 3732), " or ") + ")"
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(text); err != nil {
			b.Fatal(err)
		}
	}
}
