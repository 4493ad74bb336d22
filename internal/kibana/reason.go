package kibana

import (
	"strings"

	"tocsin/internal/alert"
)

// reason composes the sentence Kibana writes into alerts since 7.16 from the same parts, for the
// documents that have none.
func (w *walk) reason(severity alert.Severity, rule string) string {
	part := func(s slot) string {
		joined := strings.Join(w.texts(s), ", ")
		if joined == "-" { // some event sources write it for an empty value
			return ""
		}
		return joined
	}
	var b strings.Builder
	word := func(before, value, after string) {
		if value != "" {
			b.WriteString(before + value + after)
		}
	}
	category := part(slotCategory)
	process, parent, file := part(slotProcess), part(slotParent), part(slotFile)
	source, destination := part(slotSourceIP), part(slotDestinationIP)
	word("", category, " ")
	b.WriteString("event")
	if process+parent+file+source+destination != "" {
		b.WriteString(" with")
	}
	word(" process ", process, ",")
	word(" parent process ", parent, ",")
	word(" file ", file, ",")
	if word(" source ", source, ""); source != "" {
		word(":", part(slotSourcePort), ",")
	}
	if word(" destination ", destination, ""); destination != "" {
		word(":", part(slotDestinationPort), ",")
	}
	word(" by ", part(slotUser), "")
	word(" on ", part(slotHost), "")
	b.WriteString(" created")
	if severity != alert.SeverityUnknown {
		b.WriteString(" " + severity.String())
	}
	b.WriteString(" alert")
	word(" ", rule, "")
	b.WriteString(".")
	return b.String()
}
