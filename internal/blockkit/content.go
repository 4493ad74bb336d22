// Package blockkit owns how a message in Slack's Block Kit reads as HTML: its blocks, attachments and mrkdwn,
// escaped, with no link but to web pages. It neither makes messages nor judges them.
package blockkit

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
)

//go:embed content.html
var contentText string

// Style is the style sheet of what the templates make. It uses the page's variables --ink --soft --line --link
// --code-ink --code-ground --mention --mention-ink --bar --button --primary --danger.
//
//go:embed content.css
var Style string

var contentTemplate = template.Must(Define(template.New("")))

// Define adds the templates content (of a Content), blocks and element to a set.
func Define(t *template.Template) (*template.Template, error) {
	t, err := t.Parse(contentText)
	if err != nil {
		return nil, fmt.Errorf("read the templates of messages: %w", err)
	}
	return t, nil
}

// Content is a message, ready for the template of that name.
type Content struct {
	Text        template.HTML // what stands above everything else; not what a notification says
	Blocks      []Block
	Attachments []Attachment
}

// Read reads a message as Slack's API takes it. With blocks of its own its text is what a notification says,
// which Slack does not show in the channel; blocks inside attachments do not count: there the text stands
// above them.
func Read(text string, blocks, attachments json.RawMessage) Content {
	c := Content{Blocks: Blocks(blocks), Attachments: Attachments(attachments)}
	if len(c.Blocks) == 0 {
		c.Text = Mrkdwn(text)
	}
	return c
}

// HTML is the message as a page shows it.
func (c Content) HTML() (template.HTML, error) {
	var out bytes.Buffer
	if err := contentTemplate.ExecuteTemplate(&out, "content", c); err != nil {
		return "", fmt.Errorf("show a message: %w", err)
	}
	return template.HTML(out.String()), nil // made by html/template
}
