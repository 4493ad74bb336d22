package slack

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestForeignTextIsOneHarmlessLine(t *testing.T) {
	const j = joiner
	for in, want := range map[string]string{
		"plain words":                        "plain words",
		"  two\n\nlines\ttab ":               "two lines tab",
		"<!channel> <@U1> & <#C1>":           "&lt;!channel&gt; &lt;" + j + "@U1&gt; &amp; &lt;#C1&gt;",
		"&lt;!channel&gt;":                   "&amp;lt;!channel&amp;gt;",
		"*bold* a*b":                         j + "*bold" + j + "* a" + j + "*b",
		"_it_ svc_backup_01 _x":              j + "_it" + j + "_ svc_backup_01 " + j + "_x",
		"~s~ `code`":                         j + "~s" + j + "~ ˋcodeˋ",
		"see https://evil.example/a//b":      "see https:" + j + "//evil.example/a//b",
		"bob@evil.example":                   "bob" + j + "@evil.example",
		":skull: ::1 12:30:45 fe80:cafe::":   ":" + j + "skull: ::1 12:30:45 fe80:cafe::",
		":tada::tada:":                       ":" + j + "tada::" + j + "tada:",
		"abc\u202egpj.exe\u2066\u200b\ufeff": "abcgpj.exe",
		"nul\x00 bell\x07 esc\x1b[31m":       "nul bell esc [31m",
		"bad \xff byte":                      "bad \ufffd byte",
		"a\u0300\u0301\u0302\u0303\u0304b":   "a\u0300\u0301\u0302b",
		"👩\u200d💻 ❤\ufe0f":                   "👩\u200d💻 ❤\ufe0f",
		"\u2028a\u2029b\u0085c":              "a b c",
	} {
		if got := inline(in, 1000); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestValuesAreCode(t *testing.T) {
	for in, want := range map[string]string{
		"web-01": "`web-01`", "": "", " \n": "", "a`b": "`aˋb`", "*x* _y_ :z:": "`*x* _y_ :z:`", "<!here>": "`&lt;!here&gt;`", "https://a": "`https://a`",
	} {
		if got := code(in, 100); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}

func TestCutsFitAndBreakNothing(t *testing.T) {
	for _, c := range []struct {
		in   string
		most int
		want string
	}{
		{"abcdef", 6, "abcdef"},
		{"abcdef", 5, "abcd…"},
		{"abc def", 5, "abc…"},
		{"<<<", 12, "&lt;&lt;&lt;"},
		{"<<<", 11, "&lt;&lt;…"},
		{"<<<", 8, "&lt;…"},
		{"<<<", 3, "…"},
		{"💥💥💥", 6, "💥💥💥"},
		{"💥💥💥", 5, "💥💥…"},
		{"", 5, ""},
	} {
		if got := fit(c.in, plain, c.most); got != c.want {
			t.Errorf("%q in %d: %q, want %q", c.in, c.most, got, c.want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		most := rapid.IntRange(1, 300).Draw(t, "most")
		got := fit(anyText.Draw(t, "text"), form(rapid.IntRange(0, 3).Draw(t, "form")), most)
		if width(got) > most {
			t.Fatalf("%d characters in %d", width(got), most)
		}
		if strings.Contains(entity.ReplaceAllString(got, ""), "&am") {
			t.Fatalf("an entity is cut: %q", got)
		}
	})
}

func TestOnlyURLsOfOursBecomeLinks(t *testing.T) {
	for raw, want := range map[string]string{
		"https://kibana.example/a?x=1&y=2":             "https://kibana.example/a?x=1&amp;y=2",
		"http://10.0.0.1:5601/s/x/app":                 "http://10.0.0.1:5601/s/x/app",
		"https://[::1]:5601/":                          "https://[::1]:5601/",
		"https://kibana.example/a|b>c<d":               "https://kibana.example/a%7Cb%3Ec%3Cd",
		"https://kibana.example/#/x?q=(a:'b',c:\"d\")": "https://kibana.example/#/x?q=(a:'b',c:%22d%22)",
		"":                                  "",
		"javascript:alert(1)":               "",
		"ftp://kibana.example/":             "",
		"//kibana.example/":                 "",
		"kibana.example":                    "",
		"https:///x":                        "",
		"https://:5601/":                    "",
		"https://kibana.example@evil.test/": "",
		"https://kibana.example/ x":         "",
		"https://kibana.example/\n":         "",
		"https://kibana.example/\u202e":     "",
		"https://kib|ana.example/":          "",
		"https://\xff/":                     "",
	} {
		got, ok := target(raw)
		if got != want || ok != (want != "") {
			t.Errorf("%q: %q, %t, want %q", raw, got, ok, want)
		}
	}
	if got := link("javascript:x", "label", 100); got != "label" {
		t.Errorf("got %s", got)
	}
	if got := link("https://kibana.example/", "label", 10); got != "label" {
		t.Errorf("a link that is too long: %s", got)
	}
}

func TestWhatIsHarmlessIsLeftAsItIs(t *testing.T) {
	pieces := []string{"a", "Z9", " ", "  ", "_", ":", "://", "/", "*", "~", "@", "&", "<", ">", "`", "|", "\u00e9", "\x00", "\u202e", "\xff", "joe", ":tada:", "10:30", ".", "-"}
	rapid.Check(t, func(t *rapid.T) {
		s := strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 8).Draw(t, "pieces"), "")
		as := form(rapid.IntRange(0, int(forms)-1).Draw(t, "form"))
		most := rapid.IntRange(1, 30).Draw(t, "most")
		if got, want := fit(s, as, most), fitted(s, as, most); got != want {
			t.Fatalf("%q as %d in %d: %q, want %q", s, as, most, got, want)
		}
	})
}
