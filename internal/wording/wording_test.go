package wording_test

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"tocsin/internal/wording"
)

// facts is a Source for tests.
type facts map[string]any

func (f facts) Value(name string) any { return f[name] }

var known = facts{
	"user.name": "root", "source.ip": []any{"10.0.0.1", "10.0.0.2"}, "count": int64(12), "long": strings.Repeat("x", 6000),
	"evil": "a\x01b\x02c",
	"rows": []any{wording.Row{"user": {"ann"}, "n": {int64(2)}}, wording.Row{"user": {"bob"}}},
	"many": func() []any {
		out := make([]any, 500)
		for i := range out {
			out[i] = "v"
		}
		return out
	}(),
}

func TestTextsAreMade(t *testing.T) {
	for text, want := range map[string]string{
		"{{.user.name}} {{.count}} {{.source.ip}}":               "root 12 10.0.0.1, 10.0.0.2",
		"{{range .rows}}{{.user}}={{.n}} {{end}}":                "ann=2 bob=(missing)",
		"{{len .source.ip}} {{len .nothing}} {{len .user.name}}": "2 0 4",
		"{{index .source.ip 1}} {{index .nothing 0}}":            "10.0.0.2 (missing)",
		`{{replace "o" "0" .user.name}} {{trim "  x "}}`:         "r00t x",
		`{{printf "%-5s|%v" .user.name .nothing}}`:               "root |(missing)",
		"{{if and .user.name (not .nothing)}}both{{end}}":        "both",
		"{{.evil}}": "abc",
		"{{with .rows}}{{(index . 0).user}}{{end}}": "ann",
		"{{.long}}{{.long}}{{.long}}":               strings.Repeat("x", 16<<10-5) + "…",
	} {
		tmpl, err := wording.Parse(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		got, err := tmpl.Render(known)
		if err != nil || got != want {
			t.Errorf("%s\n got %.100q (%d) %v\nwant %.100q (%d)", text, got, len(got), err, want, len(want))
		}
	}
}

func TestValuesAreToldFromOurOwnText(t *testing.T) {
	tmpl, err := wording.Parse("*{{.user.name}}* at {{.evil}}{{.long}}{{.long}}{{.long}}")
	if err != nil {
		t.Fatal(err)
	}
	marked, err := tmpl.Marked(known)
	if err != nil {
		t.Fatal(err)
	}
	var own, values []string
	wording.Parts(marked, func(piece string, mine bool) {
		if mine {
			own = append(own, piece)
		} else {
			values = append(values, piece)
		}
	})
	if got := strings.Join(own, "/"); got != "*/* at " {
		t.Errorf("our own text is %q", got)
	}
	if len(values) != 5 || values[0] != "root" || values[1] != "abc" || !strings.HasSuffix(values[4], "…") {
		t.Errorf("values are %.300q", values)
	}
}

func TestWrongTemplatesArePlaced(t *testing.T) {
	for text, want := range map[string]string{
		"a {{.user.name":                    "1:3: unclosed action",
		"a\nb ü{{foo .x}}":                  `2:6: function "foo" not defined`,
		"{{if .x}}":                         "1:1: it ends before the {{end}} of an if, range or with",
		"{{if .x}}\n {{upper}}{{end}}":      "2:4: wrong number of args for upper: want 1 got 0",
		"{{if .x}}{{.y | join}}{{end}}":     "1:17: wrong number of args for join: want 2 got 1",
		`x {{date "15:04" "Mars/Base" .t}}`: `1:18: "Mars/Base" is not a time zone`,
		`{{printf "%9999s" .x}}`:            "1:10: printf: a width has at most two digits, and no *",
		`{{call .x}}`:                       `1:3: function "call" not defined`,
		`{{template "x"}}`:                  "1:12: a message is one template: write out what this one holds",
		`{{define "x"}}y{{end}}`:            "1:3: a message is one template: write what define and block hold at its place",
		"a\x01b":                            "1:2: a control character: take it out",
	} {
		_, err := wording.Parse(text)
		var wrong *wording.Error
		if !errors.As(err, &wrong) {
			t.Errorf("%s: error is %v", text, err)
			continue
		}
		if err.Error() != want {
			t.Errorf("%s\n got %s\nwant %s", text, err, want)
		}
	}
	if _, err := wording.Parse(strings.Repeat("x", 16<<10+1)); err == nil {
		t.Error("a template without end was read")
	}
}

func TestWhatFailsLaterIsPlacedToo(t *testing.T) {
	for text, want := range map[string]string{
		"{{range .source.ip}}{{.age}}{{end}}":                           "1:23: 10.0.0.1 is a value and has no field age",
		"\n{{slice .user.name 9}}":                                      "2:3: index out of range: 9",
		"{{range .many}}{{range $.many}}{{end}}{{end}}":                 "1:1: it takes more than 20000 steps",
		`{{printf .user.name .count}}{{printf (print "%99999" "d") 1}}`: "1:31: a width has at most two digits, and no *: %99999d",
	} {
		tmpl, err := wording.Parse(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if _, err = tmpl.Render(known); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\n got %v\nwant %s", text, err, want)
		}
	}
}

// Texts that double in each round would need more memory than there is.
func TestNothingGrowsWithoutEnd(t *testing.T) {
	for _, text := range []string{
		`{{$x := "ab"}}{{range .many}}{{$x = print $x $x}}{{end}}{{len $x}}`,
		`{{$x := "<"}}{{range .many}}{{$x = html $x}}{{end}}{{len $x}}`,
		`{{$x := "ab"}}{{range .many}}{{$x = replace "a" "aaaa" $x}}{{end}}{{len $x}}`,
		`{{$x := "ab"}}{{range .many}}{{$x = join $x .}}{{$x = printf "%s%s" $x $x}}{{end}}{{len $x}}`,
		"{{$x := .long}}" + `{{range .many}}{{$x = urlquery $x}}{{$x = js $x}}{{$x = upper $x}}{{end}}{{len $x}}`,
	} {
		tmpl, err := wording.Parse(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if _, err := tmpl.Render(known); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestNoTemplateBreaksTheProgram(t *testing.T) {
	pieces := []string{
		"{{", "}}", ".user.name", "range ", "if ", "end", "else", " ", "$x", ":=", "|", "upper", "(", ")", `"a"`, "1", ".", ".rows", ".many", "index ", "text",
		"{{end}}", "with ", "\n", "{{range .many}}", "{{range .rows}}", "{{break}}", "printf ", `"%s"`, "slice ", "{{.source.ip}}", "print ", "date ",
	}
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 16).Draw(t, "pieces"), "")
		tmpl, err := wording.Parse(text)
		var wrong *wording.Error
		if err != nil {
			if !errors.As(err, &wrong) || wrong.At < 0 || wrong.At > len(text) || wrong.Line < 1 || wrong.Column < 1 {
				t.Fatalf("%q: error %v", text, err)
			}
			return
		}
		out, err := tmpl.Marked(known)
		if err != nil && !errors.As(err, &wrong) {
			t.Fatalf("%q: error %v", text, err)
		}
		if len(out) > 16<<10+20 {
			t.Fatalf("%q makes %d bytes", text, len(out))
		}
	})
}
