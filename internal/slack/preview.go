package slack

import (
	"encoding/json"
	"fmt"

	"tocsin/internal/notice"
)

// Preview is a message as it would be posted.
type Preview struct {
	Text        string          `json:"text"` // what notifications and screen readers say
	Blocks      json.RawMessage `json:"blocks"`
	Attachments json.RawMessage `json:"attachments"`
}

// Render lays a notice out as Post would, without sending it.
func Render(n notice.Notice) (Preview, error) {
	looks := render(n, "")
	blocks, err := json.Marshal(looks.blocks)
	if err != nil {
		return Preview{}, fmt.Errorf("lay out a message: %w", err)
	}
	attachments, err := json.Marshal(looks.attachments)
	if err != nil {
		return Preview{}, fmt.Errorf("lay out a message: %w", err)
	}
	return Preview{Text: looks.text, Blocks: blocks, Attachments: attachments}, nil
}
