package rule

// Message is a template for the sentence of an alert.
type Message struct {
	text string
}

// String is the template as it was written.
func (m *Message) String() string { return m.text }

func (d *decoder) message(*node, *Rule) {}
