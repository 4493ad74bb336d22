package rule

import (
	"fmt"
	"strings"

	"tocsin/internal/alert"
)

// techniques refuses ids that ATT&CK does not have, and warns of those it has no more.
func (d *decoder) techniques(n *node) {
	v := n.get("attack")
	if v == nil || v.wrong {
		return
	}
	for i, item := range v.items {
		if item.wrong {
			continue
		}
		t, ok := alert.LookupTechnique(item.text)
		switch {
		case !ok:
			said := fmt.Sprintf("attack[%d] %s is not a technique of ATT&CK", i, item.text)
			if parent, _, sub := strings.Cut(item.text, "."); sub {
				if of, ok := alert.LookupTechnique(parent); ok {
					said += fmt.Sprintf("; %s (%s) is, and its own are %s", parent, of.Name, oneOf(subtechniques(parent)))
				}
			}
			d.problem(item.place, said)
		case t.Successor != "":
			d.warn(item.place, fmt.Sprintf("attack[%d] %s (%s) is no more: ATT&CK has %s instead", i, t.ID, t.Name, t.Successor))
		case t.Gone:
			d.warn(item.place, fmt.Sprintf("attack[%d] %s (%s) is no more in ATT&CK", i, t.ID, t.Name))
		}
	}
}

func subtechniques(parent string) []string {
	var out []string
	for _, id := range alert.TechniqueIDs() {
		if strings.HasPrefix(id, parent+".") {
			out = append(out, id)
		}
	}
	if out == nil {
		return []string{"none"}
	}
	return out
}
