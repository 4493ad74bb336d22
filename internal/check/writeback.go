package check

import (
	"context"
)

// writeBack tells where alerts of our own rules are written.
func (c *Check) writeBack(ctx context.Context, add func(Finding)) {
	w := c.o.WriteBack
	if w == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	const part = "write-back"
	at := c.o.Config.Place("write_back")
	found, err := w.Look(ctx)
	if err != nil {
		add(Finding{
			Part: part, Place: at, Problem: true, Text: err.Error(),
			Hint: "It needs create_index, index and view_index_metadata on tocsin-alerts-*: docs/least-privilege.md has the role.",
		})
		return
	}
	switch {
	case !found.There:
		add(Finding{Part: part, Place: at, Text: "will make the index " + found.Index + " when the program runs"})
	case !found.Ours:
		add(Finding{
			Part: part, Place: at, Warning: true, Text: "the index " + found.Index + " is there and was not made by Tocsin: its mappings decide how alerts can be searched",
			Hint: "Move its documents away and delete it; it is then made with the right mappings.",
		})
	default:
		add(Finding{Part: part, Place: at, Text: "writes to " + found.Index})
	}
	switch {
	case found.Template:
	case found.Unseen:
		add(Finding{Part: part, Place: at, Text: "may not see or install the index template tocsin-alerts; that is fine: the index is made with its mappings (by hand: docs/least-privilege.md, Write-back)"})
	default:
		add(Finding{Part: part, Place: at, Text: "the index template tocsin-alerts is not there; the program tries to install it when it runs (by hand: docs/least-privilege.md, Write-back)"})
	}
}
