package slack

import (
	"encoding/base64"
	"encoding/json"
	"flag"
	"html"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"tocsin/internal/blockkit"
	"tocsin/internal/chart"
	"tocsin/internal/notice"
)

var update = flag.Bool("update", false, "write the golden files anew")

// Each golden file holds a notice as JSON and the message that is made of it.
func TestNoticesLookAsAgreed(t *testing.T) {
	files, err := filepath.Glob("testdata/render/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var n notice.Notice
			dec := json.NewDecoder(strings.NewReader(string(a.Files[0].Data)))
			dec.DisallowUnknownFields()
			if err := dec.Decode(&n); err != nil {
				t.Fatalf("%s: %v", a.Files[0].Name, err)
			}
			r := render(n, "")
			got := jsonOf(t, map[string]any{"text": r.text, "blocks": r.blocks, "attachments": r.attachments})
			judge(t, r, rungBy(n)...)
			if *update {
				a.Files = append(a.Files[:1], txtar.File{Name: "message.json", Data: []byte(got)})
				if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if len(a.Files) < 2 {
				t.Fatal("the message is missing; run with -update and look at it")
			}
			if diff := cmp.Diff(string(a.Files[1].Data), got); diff != "" {
				t.Errorf("the message changed (-want +got); if it should, run with -update:\n%s", diff)
			}
		})
	}
}

func jsonOf(t *testing.T, v any) string {
	t.Helper()
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestPrefixComesFirst(t *testing.T) {
	for _, n := range samples() {
		for _, plain := range []bool{false, true} {
			n.Plain = plain
			r := render(n, "[demo]")
			if !strings.HasPrefix(r.text, "[demo] ") {
				t.Errorf("text begins %.40q", r.text)
			}
			if !plain && !strings.HasPrefix(r.blocks[0].Text.Text, "[demo] ") {
				t.Errorf("the first block begins %.40q", r.blocks[0].Text.Text)
			}
		}
	}
	n := samples()[0]
	n.Prefix = "[own]"
	if r := render(n, "[demo]"); !strings.HasPrefix(r.text, "[own] ") {
		t.Errorf("text begins %.40q, want the notice's own prefix", r.text)
	}
}

func TestPlainNoticesAreTextAlone(t *testing.T) {
	for _, n := range samples() {
		n.Plain = true
		r := render(n, "")
		if r.blocks != nil || r.attachments != nil || r.text == "" {
			t.Errorf("got %d blocks, %d attachments, text %q", len(r.blocks), len(r.attachments), r.text)
		}
		if width(r.text) > plainMost {
			t.Errorf("%d characters, want at most %d", width(r.text), plainMost)
		}
	}
}

func TestEveryAlertOfAGroupIsNamed(t *testing.T) {
	n := samples()[1]
	item := n.Items[0]
	item.Reason = strings.Repeat("<&>", 1000)
	item.URL = "https://kibana.example/" + strings.Repeat("a", 450)
	n.Items = nil
	for i := range notice.NamedMost {
		item.Host = strings.Repeat("&", 2000) + string(rune('a'+i))
		item.User = strings.Repeat("<", 2000) + string(rune('a'+i))
		item.Rule = strings.Repeat(">", 2000) + string(rune('a'+i))
		n.Items = append(n.Items, item)
	}
	n.Count = 120
	r := render(n, "")
	judge(t, r)
	lines := 0
	for _, b := range r.blocks {
		if b.Text != nil {
			lines += strings.Count(b.Text.Text, "• <!date^1774425600") // each begins with its time
		}
	}
	if lines != notice.NamedMost {
		t.Errorf("%d alerts are named, want %d", lines, notice.NamedMost)
	}
	if !strings.Contains(jsonOf(t, r.blocks), "and 100 more") {
		t.Error("what is not named is not counted")
	}
	if !strings.HasSuffix(r.text, " more") {
		t.Errorf("the text ends %q, want what is not named counted", r.text[len(r.text)-40:])
	}
}

func TestTimesAreShownInTheReadersZone(t *testing.T) {
	at := time.Date(2026, 3, 25, 8, 0, 0, 0, time.UTC)
	if got, want := moment(at, fullTime), "<!date^1774425600^{date_short_pretty} {time_secs}|2026-03-25 08:00:00 UTC>"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for _, none := range []time.Time{{}, time.Unix(0, 0), time.Unix(-5, 0), time.Date(20000, 1, 1, 0, 0, 0, 0, time.UTC)} {
		if got := moment(none, fullTime); got != "" {
			t.Errorf("%s is shown as %s", none, got)
		}
	}
}

func BenchmarkRender(b *testing.B) {
	a, err := txtar.ParseFile("testdata/render/alert.txtar")
	if err != nil {
		b.Fatal(err)
	}
	var n notice.Notice
	if err := json.Unmarshal(a.Files[0].Data, &n); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		looks := render(n, "")
		if _, err := json.Marshal(message{Channel: n.Channel, Text: looks.text, Blocks: looks.blocks, Attachments: looks.attachments, Parse: "none"}); err != nil {
			b.Fatal(err)
		}
	}
}

// With TOCSIN_MESSAGES set to a directory, the golden messages are written there as a page to look at.
func TestMessagesCanBeLookedAt(t *testing.T) {
	dir := os.Getenv("TOCSIN_MESSAGES")
	files, err := filepath.Glob("testdata/render/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	var page strings.Builder
	for _, file := range files {
		a, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var m struct {
			Text                string
			Blocks, Attachments json.RawMessage
		}
		if err := json.Unmarshal(a.Files[1].Data, &m); err != nil {
			t.Fatal(err)
		}
		shown, err := blockkit.Read(m.Text, m.Blocks, m.Attachments).HTML()
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(shown), `href="https://evil`) {
			t.Errorf("%s: a link that is not ours: %s", file, shown)
		}
		name := strings.TrimSuffix(filepath.Base(file), ".txtar")
		page.WriteString("<section id=" + name + "><h2>" + html.EscapeString(strings.TrimSpace(string(a.Comment))) + "</h2>" + string(shown))
		var n notice.Notice
		if err := json.Unmarshal(a.Files[0].Data, &n); err != nil {
			t.Fatal(err)
		}
		if c := chartOf(n); c != nil && !n.Items[0].Over() { // it stands in the thread
			drawn, err := chart.PNG(c)
			if err != nil {
				t.Fatal(err)
			}
			page.WriteString(`<img width=600 alt="` + html.EscapeString(chartWords(n.Items[0], c)) + `" src="data:image/png;base64,` + base64.StdEncoding.EncodeToString(drawn) + `">`)
		}
		page.WriteString("</section>\n")
	}
	if dir == "" {
		return
	}
	style, err := os.ReadFile("../demo/assets/page.css")
	if err != nil {
		t.Fatal(err)
	}
	for _, mode := range []string{"light", "dark"} {
		css := string(style)
		if mode == "dark" {
			css = strings.Replace(css, "@media (prefers-color-scheme: dark)", "@media all", 1)
		}
		out := "<!doctype html><meta charset=utf-8><style>" + blockkit.Style + css + `
html, body { height: auto; overflow: visible; display: block; }
body { padding: 1em 2em; width: 60em; }
section { border-bottom: 1px solid var(--line); padding: .6em 0 .9em; }
h2 { font-size: .75rem; font-weight: 400; color: var(--soft); margin-bottom: .5em; }
img { display: block; margin-top: .5em; border: 1px solid var(--line); border-radius: 6px; }
</style><body>` + page.String()
		if err := os.WriteFile(filepath.Join(dir, "messages-"+mode+".html"), []byte(out), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
