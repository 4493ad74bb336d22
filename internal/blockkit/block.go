package blockkit

import (
	"encoding/json"
	"fmt"
	"html/template"
	"regexp"
	"strings"
)

// Block is one block, ready for a template.
type Block struct {
	Kind     string // header, section, context, actions, divider, image, text, preformatted
	Text     template.HTML
	Fields   []template.HTML
	Elements []Element
	Alt      string
	Title    template.HTML
}

// Element is a button, a text or an image in a block.
type Element struct {
	Kind  string // button, text, image, other
	Text  template.HTML
	Style string // primary, danger or nothing
	Leads string // where a button would lead, as a text: the page has no link of it
}

// Attachment is one attachment, ready for a template.
type Attachment struct {
	Color                        string // hex with #, or nothing
	Pretext, Author, Title, Text template.HTML
	TitleLink                    string // http or https, or nothing
	Fields                       []Field
	Blocks                       []Block
	Footer                       template.HTML
	Fallback                     bool // nothing else to show
}

// Field is a labelled value of an attachment.
type Field struct {
	Title, Value template.HTML
	Short        bool
}

// textJSON is a text object. A header's or a button's is plain_text.
type textJSON struct {
	Type  string `json:"type"`
	Text  string `json:"text"`
	Emoji *bool  `json:"emoji"`
}

func (t *textJSON) html() template.HTML {
	switch {
	case t == nil:
		return ""
	case t.Type == "mrkdwn":
		return Mrkdwn(t.Text)
	default:
		return Plain(t.Text, t.Emoji == nil || *t.Emoji)
	}
}

// blockJSON is as much of any block as is shown. The text of a markdown block is a string, that of
// the others an object.
type blockJSON struct {
	Type      string          `json:"type"`
	Text      json.RawMessage `json:"text"`
	Fields    []*textJSON     `json:"fields"`
	Accessory *elementJSON    `json:"accessory"`
	Elements  json.RawMessage `json:"elements"`
	Alt       string          `json:"alt_text"`
	Title     *textJSON       `json:"title"`
}

type elementJSON struct {
	Type  string          `json:"type"`
	Text  json.RawMessage `json:"text"` // an object in a button, a string in a text element
	Emoji *bool           `json:"emoji"`
	URL   string          `json:"url"`
	Style string          `json:"style"`
	Alt   string          `json:"alt_text"`
}

// Blocks reads blocks. What is not blocks is none.
func Blocks(raw json.RawMessage) []Block {
	var blocks []blockJSON
	if len(raw) == 0 || json.Unmarshal(raw, &blocks) != nil {
		return nil
	}
	var out []Block
	for _, b := range blocks {
		out = append(out, readBlock(b)...)
	}
	return out
}

func readBlock(b blockJSON) []Block {
	v := Block{Kind: b.Type}
	switch b.Type {
	case "header", "section":
		v.Text = textOf(b.Text)
		for _, f := range b.Fields {
			v.Fields = append(v.Fields, f.html())
		}
		if b.Accessory != nil {
			v.Elements = []Element{b.Accessory.view()}
		}
	case "context", "actions":
		var elements []elementJSON
		_ = json.Unmarshal(b.Elements, &elements) // judged when it was stored
		for _, e := range elements {
			v.Elements = append(v.Elements, e.view())
		}
	case "image":
		v.Alt, v.Title = b.Alt, b.Title.html()
	case "markdown":
		var s string
		_ = json.Unmarshal(b.Text, &s) // judged when it was stored
		v.Kind, v.Text = "section", markdownHTML(s)
	case "rich_text":
		return readRich(b.Elements)
	case "divider":
	default:
		v.Kind, v.Text = "other", Plain("["+b.Type+"]", false)
	}
	return []Block{v}
}

func textOf(raw json.RawMessage) template.HTML {
	var t textJSON
	if len(raw) == 0 || json.Unmarshal(raw, &t) != nil {
		return ""
	}
	return t.html()
}

func (e elementJSON) view() Element {
	switch e.Type {
	case "button":
		v := Element{Kind: "button", Text: textOf(e.Text), Leads: e.URL}
		if e.Style == "primary" || e.Style == "danger" {
			v.Style = e.Style
		}
		return v
	case "plain_text", "mrkdwn":
		t := textJSON{Type: e.Type, Emoji: e.Emoji}
		_ = json.Unmarshal(e.Text, &t.Text) // judged when it was stored
		return Element{Kind: "text", Text: t.html()}
	case "image":
		return Element{Kind: "image", Text: Plain(e.Alt, false)}
	default:
		return Element{Kind: "other", Text: Plain(strings.ReplaceAll(e.Type, "_", " "), false)}
	}
}

// richJSON is any part of a rich text.
type richJSON struct {
	Type     string          `json:"type"`
	Elements []richJSON      `json:"elements"`
	Style    json.RawMessage `json:"style"` // a word for lists, an object for texts
	Text     string          `json:"text"`
	URL      string          `json:"url"`
	Name     string          `json:"name"`
	UserID   string          `json:"user_id"`
	Channel  string          `json:"channel_id"`
	Group    string          `json:"usergroup_id"`
	Range    string          `json:"range"`
	Fallback string          `json:"fallback"`
	Value    string          `json:"value"`
}

// readRich reads a rich text. Its texts are raw: they hold no marks and no entities.
func readRich(raw json.RawMessage) []Block {
	var parts []richJSON
	if json.Unmarshal(raw, &parts) != nil {
		return nil
	}
	var out []Block
	for _, p := range parts {
		m := &markup{}
		switch p.Type {
		case "rich_text_preformatted":
			m.wrap("pre", func() { m.rich(p.Elements) })
		case "rich_text_quote":
			m.wrap("blockquote", func() { m.rich(p.Elements) })
		case "rich_text_list":
			tag := "ul"
			if string(p.Style) == `"ordered"` {
				tag = "ol"
			}
			m.wrap(tag, func() {
				for _, item := range p.Elements {
					m.wrap("li", func() { m.rich(item.Elements) })
				}
			})
		default:
			m.rich(p.Elements)
		}
		out = append(out, Block{Kind: "section", Text: template.HTML(m.b.String())}) // escaped piece by piece
	}
	return out
}

func (m *markup) wrap(tag string, inside func()) {
	m.b.WriteString("<" + tag + ">")
	inside()
	m.b.WriteString("</" + tag + ">")
}

func (m *markup) rich(parts []richJSON) {
	for _, p := range parts {
		text := p.Text
		var style struct{ Bold, Italic, Strike, Code bool }
		_ = json.Unmarshal(p.Style, &style) // none, or a word: no style
		show := func() { m.unescaped(text) }
		switch p.Type {
		case "link":
			if text == "" {
				text = p.URL
			}
			if href := safeLink(p.URL); href != "" {
				show = func() {
					m.b.WriteString(`<a href="` + template.HTMLEscapeString(href) + `" target="_blank" rel="noopener noreferrer nofollow">`)
					m.unescaped(text)
					m.b.WriteString("</a>")
				}
			}
		case "emoji":
			show = func() {
				if code := ":" + p.Name + ":"; m.emoji(code) == 0 {
					m.unescaped(code)
				}
			}
		case "user", "channel", "usergroup", "broadcast":
			sign := "@"
			if p.Type == "channel" {
				sign = "#"
			}
			show = func() { m.mention(sign+p.UserID+p.Channel+p.Group+p.Range, "") }
		case "date":
			text = p.Fallback
		case "color":
			text = p.Value
		}
		for tag, on := range map[string]bool{"b": style.Bold, "i": style.Italic, "s": style.Strike, "code": style.Code} {
			if on {
				inner := show
				show = func() { m.wrap(tag, inner) }
			}
		}
		show()
	}
}

// unescaped writes text whose ampersands are only that.
func (m *markup) unescaped(s string) { m.raw(strings.ReplaceAll(s, "&", "&amp;")) }

var hexColor = regexp.MustCompile(`^#([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$`)

// attachmentJSON is as much of an attachment as is shown.
type attachmentJSON struct {
	Color     string          `json:"color"`
	Blocks    json.RawMessage `json:"blocks"`
	Fallback  string          `json:"fallback"`
	Pretext   string          `json:"pretext"`
	Author    string          `json:"author_name"`
	Title     string          `json:"title"`
	TitleLink string          `json:"title_link"`
	Text      string          `json:"text"`
	Fields    []struct {
		Title string `json:"title"`
		Value string `json:"value"`
		Short bool   `json:"short"`
	} `json:"fields"`
	Footer string `json:"footer"`
}

// Attachments reads attachments. What is none is left out.
func Attachments(raw json.RawMessage) []Attachment {
	var list []attachmentJSON
	if len(raw) == 0 || json.Unmarshal(raw, &list) != nil {
		return nil
	}
	out := make([]Attachment, len(list))
	for i, a := range list {
		v := Attachment{
			Color: attachmentHex(a.Color), Blocks: Blocks(a.Blocks), TitleLink: safeLink(a.TitleLink),
			Pretext: Mrkdwn(a.Pretext), Author: Plain(a.Author, true), Title: Plain(a.Title, true),
			Text: Mrkdwn(a.Text), Footer: Plain(a.Footer, true),
		}
		for _, f := range a.Fields {
			v.Fields = append(v.Fields, Field{Plain(f.Title, true), Mrkdwn(f.Value), f.Short})
		}
		if v.Blocks == nil && fmt.Sprint(a.Pretext, a.Author, a.Title, a.Text, a.Footer) == "" && len(a.Fields) == 0 {
			v.Text, v.Fallback = Plain(a.Fallback, true), true
		}
		out[i] = v
	}
	return out
}

func attachmentHex(color string) string {
	switch color {
	case "good":
		return "#2eb67d"
	case "warning":
		return "#daa038"
	case "danger":
		return "#a30200"
	}
	if color != "" && !strings.HasPrefix(color, "#") {
		color = "#" + color
	}
	if !hexColor.MatchString(color) {
		return ""
	}
	return color
}
