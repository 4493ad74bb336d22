package blockkit

import (
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
)

func TestMrkdwnIsRenderedAsSlackDoes(t *testing.T) {
	link := func(href, text string) string {
		return `<a href="` + href + `" target="_blank" rel="noopener noreferrer nofollow">` + text + `</a>`
	}
	tests := []struct{ in, want string }{
		{"plain", "plain"},
		{"*bold* _it_ ~gone~ `code`", "<b>bold</b> <i>it</i> <s>gone</s> <code>code</code>"},
		{"*bold with _it_*", "<b>bold with <i>it</i></b>"},
		{"snake_case_name and 2*3*4", "snake_case_name and 2*3*4"},
		{"* not bold * and _ not it _", "* not bold * and _ not it _"},
		{"(*x*), *y*.", "(<b>x</b>), <b>y</b>."},
		{"**", "**"},
		{"`*not bold*`", "<code>*not bold*</code>"},
		{"``", "``"},
		{"one\ntwo", "one<br/>two"},
		{"&gt; quote\n&gt; more\nafter", "<blockquote>quote<br/>more</blockquote>after"},
		{"> quote", "<blockquote>quote</blockquote>"},
		{"before\n```a *b*\n  c```\nafter", "before<pre>a *b*<br/>  c</pre>after"},
		{"```open", "```open"},
		{"&lt;b&gt; &amp;amp; & &quot;", "&lt;b&gt; &amp;amp; &amp; &amp;quot;"},
		{"<https://x.example/a?b=1&amp;c=2|the *label*>", link("https://x.example/a?b=1&amp;c=2", "the <b>label</b>")},
		{"<http://x.example>", link("http://x.example", "http://x.example")},
		{"*<https://x.example|x>*", "<b>" + link("https://x.example", "x") + "</b>"},
		{"https://x.example is no link", "https://x.example is no link"},
		{"<javascript:alert(1)|x>", "&lt;javascript:alert(1)|x&gt;"},
		{"<data:text/html,x|x>", "&lt;data:text/html,x|x&gt;"},
		{"<mailto:a@b.example|a>", "&lt;mailto:a@b.example|a&gt;"},
		{"<https://user@x.example|x>", "&lt;https://user@x.example|x&gt;"},
		{"<https://x.example/\u202egpj.exe|x>", "&lt;https://x.example/\ufffdgpj.exe|x&gt;"},
		{`<https://x.example/"onclick="alert(1)|x>`, link("https://x.example/%22onclick=%22alert%281%29", "x")},
		{"<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"},
		{"<!channel> <!here|here> <@U1> <@U1|ann> <#C1|ops>", `<span class="mention">@channel</span> <span class="mention">@here</span> <span class="mention">@U1</span> <span class="mention">@ann</span> <span class="mention">#ops</span>`},
		{"<!date^1800000000^on {date_num}|then>", `<time datetime="2027-01-15T08:00:00Z">on 2027-01-15</time>`},
		{"<!date^soon^{date}|then>", "then"},
		{":rotating_light: :nosuch: 10:30:45", `<span class="emoji" role="img" aria-label="rotating light">🚨</span> :nosuch: 10:30:45`},
		{"a\u202eb\x00c\xff", "a\ufffdb\ufffdc\ufffd"},
		{"<", "&lt;"},
		{"", ""},
	}
	for _, tt := range tests {
		if got := string(Mrkdwn(tt.in)); got != tt.want {
			t.Errorf("%q\n got %s\nwant %s", tt.in, got, tt.want)
		}
	}
}

func TestPlainTextHasNoFormats(t *testing.T) {
	for in, want := range map[string]string{
		"*x* <https://x.example|y> &lt;": "*x* &lt;https://x.example|y&gt; &lt;",
		"a\nb":                           "a<br/>b",
	} {
		if got := string(Plain(in, true)); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
	if got := string(Plain(":bell:", false)); got != ":bell:" {
		t.Errorf("emoji off: %s", got)
	}
}

func TestMarkdownBlocksAreReadable(t *testing.T) {
	if got, want := string(markdownHTML("# Title\n**bold** *x* `c`")), "<b>Title</b><br/><b>bold</b> *x* <code>c</code>"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestRenderingTakesTimeInProportion(t *testing.T) {
	// Each of these took the square of its length or worse in a renderer that looks ahead at every mark;
	// this many of them would then not end within the test's own time.
	for _, unit := range []string{"*", "_", "~", "`", "<", ":", "*_", "*_~", "* ", "<*", "&", "*a ", "<https://x.example|*_", "```"} {
		in := strings.Repeat(unit, 400_000/len(unit))
		if out := Mrkdwn(in); len(out) == 0 {
			t.Errorf("%q became nothing", unit)
		}
	}
}

// allowed are the tags the renderer may write and their attributes.
var allowed = map[string][]string{
	"b": nil, "i": nil, "s": nil, "code": nil, "pre": nil, "blockquote": nil, "br": nil,
	"a": {"href", "target", "rel"}, "span": {"class", "role", "aria-label"}, "time": {"datetime"},
	"ul": nil, "ol": nil, "li": nil,
}

// checkHTML fails unless s is well-formed, holds only the renderer's own tags, and leads only to web pages.
func checkHTML(t *testing.T, in, s string) string {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader("<root>" + s + "</root>"))
	var text strings.Builder
	inLink := false
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return text.String()
		}
		if err != nil {
			t.Fatalf("%q became what is not well-formed: %s\n%v", in, s, err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			attrs, ok := allowed[token.Name.Local]
			if !ok && token.Name.Local != "root" {
				t.Fatalf("%q made a <%s>: %s", in, token.Name.Local, s)
			}
			for _, a := range token.Attr {
				if !slices.Contains(attrs, a.Name.Local) {
					t.Fatalf("%q made an attribute %s of <%s>: %s", in, a.Name.Local, token.Name.Local, s)
				}
				if a.Name.Local == "href" && !strings.HasPrefix(a.Value, "https://") && !strings.HasPrefix(a.Value, "http://") {
					t.Fatalf("%q made a link to %q", in, a.Value)
				}
				if a.Name.Local == "class" && a.Value != "emoji" && a.Value != "mention" {
					t.Fatalf("%q made a class %q", in, a.Value)
				}
			}
			if token.Name.Local == "a" {
				if inLink {
					t.Fatalf("%q made a link in a link: %s", in, s)
				}
				inLink = true
			}
		case xml.EndElement:
			if token.Name.Local == "a" {
				inLink = false
			}
		case xml.CharData:
			text.Write(token)
		default:
			t.Fatalf("%q made %T: %s", in, token, s)
		}
	}
}

func FuzzTextNeverBecomesMarkupOfItsOwn(f *testing.F) {
	for _, s := range []string{
		"*a _b* c_", "<https://x.example|<b>>", "```<script>```", "&gt;&gt;\n>x", "<!date^1^{date}|<i>>", "`<`>`", "*`*`", "<https://a|*b>*", "&lt;img src=x onerror=1&gt;",
		":bell:<@U|`>`", "\"'><svg/onload=alert(1)>", "*_~*_~x~_*~_*", "<https://x.example/'|\">", "]]>", "\r\n\u2028\ufeff",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		checkHTML(t, s, string(Mrkdwn(s)))
		checkHTML(t, s, string(markdownHTML(s)))
		if plain := string(Plain(s, false)); strings.Contains(strings.ReplaceAll(plain, "<br/>", ""), "<") {
			t.Fatalf("%q as plain text made a tag: %s", s, plain)
		}
		// A text that its sender escaped makes no link and no mention.
		escaped := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
		if out := string(Mrkdwn(escaped)); strings.Contains(out, "<a ") || strings.Contains(out, "mention") && !strings.Contains(s, "mention") {
			t.Fatalf("%q, escaped, made %s", s, out)
		}
	})
}
