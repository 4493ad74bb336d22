package slack

import (
	"tocsin/internal/notice"
)

// health lays out trouble of ours, or its end:
//
//	⚠ Tocsin: source siem
//	since today 10:02:11
//	what is wrong
//	▌ what to do about it
func (r *rendering) health(n notice.Notice) {
	h := n.Health
	over := dated(h.Ended)
	sign, shade := ":warning:", looks[n.Severity].color
	if shade == "" {
		shade = looks[0].color
	}
	var state []string
	if over {
		sign, shade = ":white_check_mark:", closedColor
		state = append(state, "*Over*")
		if dated(h.Since) && h.Ended.After(h.Since) {
			state = append(state, "lasted "+lasting(h.Ended.Sub(h.Since)))
		}
		state = append(state, period(h.Since, h.Ended))
	} else {
		if since := moment(h.Since, fullTime); since != "" {
			state = append(state, "since "+since)
		}
		if n.Repeat {
			state = append(state, ":repeat: still so")
		}
	}
	part := inline(h.Part, nameMost)
	if part == "" {
		part = "something is wrong"
	}
	line := sign + " " + bold("Tocsin: "+part)
	if prefix := inline(n.Prefix, prefixMost); prefix != "" {
		line = prefix + " " + line
	}
	r.head(line, state)
	if said := literal(h.Text, reasonMost); said.Text != "" {
		r.add(block{Type: "section", Text: said, Expand: true})
	}
	var parts []string
	if hint := inline(h.Hint, noteMost); hint != "" && !over {
		parts = append(parts, ":bulb: "+hint)
	}
	r.foot(shade, parts, n.Note)
}
