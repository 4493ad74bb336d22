package notify

import (
	"context"
	"net/http"

	"tocsin/internal/alert"
	"tocsin/internal/notice"
)

// teams posts an Adaptive Card to a Workflows webhook ("Send webhook alerts to a channel"), which took the place
// of Office connectors. A card has about 28 kB at most.
type teams struct{ service }

const cardMost = 8000

func newTeams(o Options) (output, error) {
	u, err := address(o.URL)
	if err != nil {
		return nil, err
	}
	return &teams{service{client: o.Client, url: u.String(), hint: func(int) string {
		return "check its url: it is the address that the workflow \"Send webhook alerts to a channel\" shows"
	}}}, nil
}

type cardMessage struct {
	Type        string           `json:"type"`
	Attachments []cardAttachment `json:"attachments"`
}

type cardAttachment struct {
	ContentType string `json:"contentType"`
	Content     card   `json:"content"`
}

type card struct {
	Schema  string       `json:"$schema"`
	Type    string       `json:"type"`
	Version string       `json:"version"`
	Body    []cardBlock  `json:"body"`
	Actions []cardAction `json:"actions,omitempty"`
	Teams   struct {
		Width string `json:"width"`
	} `json:"msteams"`
}

type cardBlock struct {
	Type   string     `json:"type"`
	Text   string     `json:"text,omitempty"`
	Weight string     `json:"weight,omitempty"`
	Size   string     `json:"size,omitempty"`
	Color  string     `json:"color,omitempty"`
	Wrap   bool       `json:"wrap,omitempty"`
	Facts  []cardFact `json:"facts,omitempty"`
}

type cardFact struct {
	Title string `json:"title"`
	Value string `json:"value"`
}

type cardAction struct {
	Type  string `json:"type"`
	Title string `json:"title"`
	URL   string `json:"url"`
}

func (t *teams) post(ctx context.Context, n notice.Notice) error {
	color := map[alert.Severity]string{alert.SeverityCritical: "Attention", alert.SeverityHigh: "Warning", alert.SeverityMedium: "Warning", alert.SeverityLow: "Accent"}[n.Severity]
	c := card{Schema: "http://adaptivecards.io/schemas/adaptive-card.json", Type: "AdaptiveCard", Version: "1.4"}
	c.Teams.Width = "Full"
	c.Body = append(c.Body, cardBlock{Type: "TextBlock", Text: unmarked(title(n)), Weight: "Bolder", Size: "Medium", Color: color, Wrap: true})
	left := cardMost
	for i, l := range lines(n) {
		if left -= len(l); left < 0 || i > 60 {
			c.Body = append(c.Body, cardBlock{Type: "TextBlock", Text: "and more", Wrap: true})
			break
		}
		c.Body = append(c.Body, cardBlock{Type: "TextBlock", Text: unmarked(l), Wrap: true})
	}
	for _, it := range n.Items[:min(len(n.Items), 4)] {
		if it.URL != "" {
			c.Actions = append(c.Actions, cardAction{Type: "Action.OpenUrl", Title: "Open " + short(it.Rule, 40), URL: it.URL})
		}
	}
	b, err := encode(cardMessage{Type: "message", Attachments: []cardAttachment{{ContentType: "application/vnd.microsoft.card.adaptive", Content: c}}})
	if err != nil {
		return err
	}
	return t.send(ctx, b, http.Header{})
}

func (*teams) edits() bool { return false }

// unmarked keeps the Markdown of Adaptive Cards (links, emphasis, lists) from being read into foreign text.
func unmarked(s string) string {
	out := make([]rune, 0, len(s))
	for _, r := range s {
		switch r {
		case '[', ']', '(', ')', '*', '_', '#', '`', '<', '>', '~', '|':
			out = append(out, '\\')
		}
		out = append(out, r)
	}
	return string(out)
}
