package slack

// The parts of Block Kit that messages are made of. Every text is already escaped.

type block struct {
	Type     string  `json:"type"` // section, context
	Text     *text   `json:"text,omitempty"`
	Fields   []*text `json:"fields,omitempty"`
	Elements []*text `json:"elements,omitempty"`
	Expand   bool    `json:"expand,omitempty"` // do not hide a long text behind "see more"
}

type text struct {
	Type     string `json:"type"` // mrkdwn, plain_text
	Text     string `json:"text"`
	Emoji    *bool  `json:"emoji,omitempty"`    // plain_text: whether :skull: becomes one
	Verbatim bool   `json:"verbatim,omitempty"` // mrkdwn: bare URLs, names and addresses stay text
}

type attachment struct {
	Color    string  `json:"color"`
	Fallback string  `json:"fallback,omitempty"`
	Blocks   []block `json:"blocks"`
}
