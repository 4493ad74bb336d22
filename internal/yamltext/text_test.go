package yamltext_test

import (
	"strings"
	"testing"

	"tocsin/internal/yamltext"
)

func TestCharactersOfAScalarAreFound(t *testing.T) {
	for _, tc := range []struct {
		text, value  string
		line, column int
		quote        yamltext.Quote
	}{
		{"k: ab§ c\n", "ab§ c", 1, 4, yamltext.Plain},
		{"k: 'it''s §'\n", "it's §", 1, 4, yamltext.SingleQuoted},
		{`k: "a\t\u00e9§"`, "a\té§", 1, 4, yamltext.DoubleQuoted},
		{`{"k": "\ud83d\ude00 §"}`, "😀 §", 1, 7, yamltext.DoubleQuoted},
		{"k: >-\n  a\n  b§\n", "a b§", 1, 4, yamltext.Block},
	} {
		whole := yamltext.Place{Line: 99}
		at := len([]rune(tc.value[:strings.Index(tc.value, "§")]))
		got := yamltext.NewText("", tc.text).Scalar(tc.value, tc.line, tc.column, tc.quote, whole)(at)
		lines := strings.Split(tc.text[:strings.Index(tc.text, "§")], "\n")
		want := yamltext.Place{Line: len(lines), Column: len([]rune(lines[len(lines)-1])) + 1}
		if got != want {
			t.Errorf("%q: %v, want %v", tc.text, got, want)
		}
	}
}

func TestTheFirstCharacterThatIsNotUTF8(t *testing.T) {
	if _, _, broken := yamltext.NotUTF8("é日\n"); broken {
		t.Error("sound text is refused")
	}
	if line, column, broken := yamltext.NotUTF8("é\n日\xff"); !broken || line != 2 || column != 2 {
		t.Errorf("%d:%d %v", line, column, broken)
	}
}
