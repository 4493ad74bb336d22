package rule

import (
	"fmt"
	"slices"
	"strings"

	"tocsin/internal/nearest"
	"tocsin/internal/query"
)

// alertNames are fields that every alert has beside those of its row.
var alertNames = []string{"rule.name", "rule.id", "severity", "risk_score", "source", "tags", "attack.technique", "attack.tactic", "status"}

// messageNames are what a message knows beside the fields of the alert.
var messageNames = []string{"rule.name", "rule.id", "severity", "risk_score", "tags", "owner", "runbook", "rows", "count", "time", "first", "last"}

// columns refuses names of fields that the rows of the search cannot have, where the columns of the search are
// all there is to an alert.
func (d *decoder) columns(n *node, r *Rule, q *query.Query) {
	names, closed := q.Columns()
	if m := r.Message; m != nil {
		v := n.get("message")
		for _, read := range m.reads {
			switch {
			case read.row:
				if closed && r.Kind != query.RowWise && !slices.Contains(names, read.name) {
					d.problem(v.at(read.at), "message: "+noColumn(read.name, names, names))
				}
			case slices.Contains(messageNames, read.name):
			case r.MessagePer == PerRun:
				d.problem(v.at(read.at), fmt.Sprintf("message: with message_per: run the fields are those of rows: write {{range .rows}}{{.%s}} {{end}}", read.name))
			case closed && r.Kind != query.RowWise && !slices.Contains(names, read.name):
				d.problem(v.at(read.at), "message: "+noColumn(read.name, names, append(slices.Clone(messageNames), names...)))
			}
		}
	}
	if !closed || r.Kind == query.RowWise { // the document's fields are there too
		return
	}
	fields := func(v *node, path string) {
		if v == nil || v.wrong || slices.Contains(names, v.text) || slices.Contains(alertNames, v.text) {
			return
		}
		d.problem(v.place, path+": "+noColumn(v.text, names, append(slices.Clone(alertNames), names...)))
	}
	for _, key := range []string{"dedupe_by", "group_by", "fields"} {
		if list := n.get(key); list != nil && !list.wrong {
			for i, item := range list.items {
				fields(item, fmt.Sprintf("%s[%d]", key, i))
			}
		}
	}
	for _, key := range []string{"severity", "risk_score"} {
		fields(n.get(key).get("field"), key+".field")
	}
}

func noColumn(name string, columns, candidates []string) string {
	said := fmt.Sprintf("the search has no column %q; it has %s", name, strings.Join(columns, ", "))
	if near := nearest.Key(name, candidates); near != "" {
		said += "; try " + near
	}
	return said
}
