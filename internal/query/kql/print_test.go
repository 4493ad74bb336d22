package kql

import (
	"testing"

	"pgregory.net/rapid"
)

func TestPrint(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		n, err := Parse(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if got := Print(n); got != want {
			t.Errorf("%q is printed %q, want %q", text, got, want)
		}
		comesBack(t, n)
	}
	f("", "*:*")
	f(" a  :  b ", "a:b")
	f("a:b AND (c:d OR e)", "a:b and (c:d or e)")
	f("(a and b) or (c)", "a and b or c")
	f("(a and b) and c", "(a and b) and c")
	f("(a or b) or c", "(a or b) or c")
	f("not (not a)", "not (not a)")
	f("not (a and b)", "not (a and b)")
	f("a:b or a:c", "a:(b or c)")
	f("x and (a:b or a:c)", "x and a:(b or c)")
	f("not (a:b and a:c)", "not a:(b and c)")
	f("a:(b or (c and d))", "a:b or a:(c and d)")
	f("p:{a>1 and b<=\"x\"}", `p:{ a > 1 and b <= "x" }`)
	f("a*:*b*", "a*:*b*")
	f("null:x", "x")
	f("null > 3", "null > 3")
	f(`a:x \and y\tz \OR`, `a:x \and y\tz \OR`)
	f(`a:\Not b`, `a:\u004eot b`)
	f(`a:kn\u006ft or b`, `a:k\u006eot or b`)
	f(`a:\t`, `a:\t`)
	f(`a:"\\ \" \x \n"`, `a:"\\ \" \\x \n"`)
	f(`a:\(\)\{\}\:\<\>\"\\\*`, `a:\(\)\{\}\:\<\>\"\\\*`)
	f("a:\u2028b\u00a0c", `a:b\u00a0c`)
	f(`"\ud83d"`, `"\ud83d"`)
	f("a:@kuery-wildcard@*", "a:**")
}

// comesBack fails unless reading the printed tree gives the tree.
func comesBack(t rapid.TB, n Node) {
	t.Helper()
	text := Print(n)
	again, err := Parse(text)
	if err != nil {
		t.Fatalf("%q, printed from %s, is no KQL: %v", text, JSON(n), err)
	}
	if got, want := string(JSON(again)), string(JSON(n)); got != want {
		t.Fatalf("%q, printed from\n%s, is\n%s", text, want, got)
	}
}

// alphabet are the pieces that queries are put together from where they should be odd.
var alphabet = []string{
	"a", "b", "foo", "not", "or", "and", "NOT", "Or", " ", " ", "  ", "\t", "\n", "\u00a0", "\u2003", "(", ")", "{", "}",
	":", ":", "<", ">=", `"`, "*", `\`, `\"`, `\*`, `\t`, `\n`, `\u0041`, `\u00`, `\ud83d`, `\ude00`, `\or`, `\not`, `\Not`,
	"null", "true", "😀", "é", "1", `"q w"`, "a:b", "a:(b or c)", "p:{a:b}", " and ", " or ", "not ", "@kuery-wildcard@", "\v", "\ufeff", "\xff",
}

func TestPrintedQueriesComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := ""
		for _, s := range rapid.SliceOfN(rapid.SampledFrom(alphabet), 0, 14).Draw(t, "text") {
			text += s
		}
		if n, err := Parse(text); err == nil {
			comesBack(t, n)
		}
	})
}

func TestBuiltTreesComeBack(t *testing.T) {
	word := rapid.Custom(func(t *rapid.T) string {
		s := rapid.SampledFrom([]string{"", "not ", "or ", "and"}).Draw(t, "start")
		s += rapid.StringOfN(rapid.SampledFrom([]rune("ab nortd()*:\\\"{}<>\t\n\u00a0é😀'|[]")), 0, 8, -1).Draw(t, "middle")
		return "x" + s + rapid.SampledFrom([]string{"x", "not", " or", " and", " not"}).Draw(t, "end")
	})
	term := rapid.Custom(func(t *rapid.T) Term {
		switch rapid.IntRange(0, 5).Draw(t, "kind") {
		case 0:
			return &Wildcard{Value: WildcardMark + word.Draw(t, "word")}
		case 1:
			return &Wildcard{Value: word.Draw(t, "word") + WildcardMark}
		case 2:
			return Phrase(rapid.String().Draw(t, "phrase"))
		case 3:
			return &Literal{Kind: rapid.SampledFrom([]LiteralKind{True, False}).Draw(t, "bool")}
		}
		return Word(word.Draw(t, "word"))
	})
	var node func(depth int) *rapid.Generator[Node]
	node = func(depth int) *rapid.Generator[Node] {
		return rapid.Custom(func(t *rapid.T) Node {
			kind := rapid.IntRange(0, 7).Draw(t, "node")
			if depth == 0 {
				kind %= 3
			}
			switch kind {
			case 0:
				return &Range{Field: term.Draw(t, "field"), Op: rapid.SampledFrom([]Op{LT, LTE, GT, GTE}).Draw(t, "op"), Value: term.Draw(t, "value")}
			case 1:
				return &Is{Field: &Literal{Kind: Null}, Value: term.Draw(t, "value")}
			case 2:
				return &Is{Field: term.Draw(t, "field"), Value: term.Draw(t, "value")}
			case 3:
				return &Not{Node: node(depth-1).Draw(t, "not")}
			case 4:
				return &Nested{Path: term.Draw(t, "path"), Query: node(depth-1).Draw(t, "nested")}
			case 5:
				field := term.Draw(t, "field")
				var values []Node
				for _, v := range rapid.SliceOfN(term, 2, 4).Draw(t, "values") {
					values = append(values, &Is{Field: field, Value: v})
				}
				return &Or{Nodes: values}
			case 6:
				return &And{Nodes: rapid.SliceOfN(node(depth-1), 2, 3).Draw(t, "and")}
			}
			return &Or{Nodes: rapid.SliceOfN(node(depth-1), 2, 3).Draw(t, "or")}
		})
	}
	rapid.Check(t, func(t *rapid.T) { comesBack(t, node(3).Draw(t, "tree")) })
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"", "a:b and not c", `a:"b \"c" or p:{ d > 1 }`, `a:(x or not y*)`, "not not", `\not x`, `\ud83d\ude00`, "a:\xff", "null:null", "x or or or y", "@kuery-wildcard@*",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, err := Parse(text)
		if err != nil {
			_ = err.Error()
			return
		}
		Lint(text, n, []string{"a", "b.c"})
		comesBack(t, n)
	})
}
