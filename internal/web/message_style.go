package web

import (
	"strings"

	"tocsin/internal/blockkit"
)

// messageVariables give the style of messages the colours of our pages.
const messageVariables = `.message { --soft: var(--quiet); --link: var(--accent); --code-ink: var(--bad); --code-ground: var(--sunken); --mention: var(--accent-tint); --mention-ink: var(--accent); --button: var(--raised); --primary: var(--good); --danger: var(--bad); border: 1px solid var(--line); border-radius: 8px; padding: .7rem .9rem; margin: 0 0 .8rem; background: var(--card); }
.message .content { --bar: var(--edge); }
.message p { margin: 0 0 .4em; }
.message svg.bar { position: static; display: block; padding: 0; background: none; min-height: 0; }
.message .button { min-height: 0; }
`

// messageStyle is the style of messages as blockkit lays them out, for a part of a page: within .message alone.
func messageStyle() string {
	var b strings.Builder
	b.WriteString(messageVariables)
	for line := range strings.Lines(blockkit.Style) {
		selectors, rest, rule := strings.Cut(line, "{")
		if !rule {
			continue
		}
		for i, s := range strings.Split(selectors, ",") {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(".message " + strings.TrimSpace(s))
		}
		b.WriteString(" {" + rest)
	}
	return b.String()
}
