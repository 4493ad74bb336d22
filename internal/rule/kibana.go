package rule

import (
	"strings"

	"tocsin/internal/query"
)

// KibanaType is which of Kibana's types of rules a rule here stands for.
type KibanaType string

// The types of Kibana's rules that a rule here can stand for.
const (
	// KibanaQuery are Kibana's rules of KQL, saved queries and EQL on single events: an alert for each event.
	KibanaQuery KibanaType = "query"
	// KibanaNewTerms are its rules of terms not seen before: an alert for each event with a new combination.
	KibanaNewTerms KibanaType = "new_terms"
	// KibanaThreshold are its rules of counts. It gives their alerts ids of the moment of the run.
	KibanaThreshold KibanaType = "threshold"
)

// Kibana is the rule of Kibana that a rule here is the same as.
type Kibana struct {
	Type KibanaType
	// UUID is the id of the rule in its space (8.0 and later), RuleID its signature id, which 7.14 to 7.17 make ids
	// of. Exactly one is set but for KibanaThreshold, which may have both.
	UUID, RuleID string
	// Space is the id of the Kibana space.
	Space string
	// Detections is the name of the detections that forward what Kibana finds; empty is the rule's source and the
	// space, as detections are called unless they have a name.
	Detections string
	// Terms are the fields of KibanaNewTerms, in their order.
	Terms []string
}

// Of is the name of the detections that a rule over a source names.
func (k *Kibana) Of(source string) string {
	if k.Detections != "" {
		return k.Detections
	}
	return source + "/" + k.Space
}

// Is reports whether a rule of Kibana, by both its ids, is the one meant.
func (k *Kibana) Is(uuid, ruleID string) bool {
	return k.UUID != "" && k.UUID == uuid || k.RuleID != "" && k.RuleID == ruleID
}

// kibana reads which rule of Kibana this one is the same as.
func (d *decoder) kibana(n *node, r *Rule, q *query.Query) {
	m := n.get("kibana")
	if m == nil || m.wrong {
		return
	}
	k := &Kibana{
		Type: KibanaType(d.text(m, "type")), UUID: d.text(m, "uuid"), RuleID: d.text(m, "rule_id"), Space: d.text(m, "space"), Detections: d.text(m, "detections"),
	}
	if k.Space == "" {
		k.Space = "default"
	}
	is, terms := kibanaType(q)
	switch {
	case k.UUID == "" && k.RuleID == "":
		d.problem(m.place, "kibana has neither uuid nor rule_id: write uuid, the id in the address of the rule's page, or for Kibana 7 the rule_id of its export")
	case k.UUID != "" && k.RuleID != "" && is != KibanaThreshold:
		d.problem(m.get("rule_id").place, "kibana has both uuid and rule_id, and alerts have ids of one of them: keep uuid for Kibana 8 and later, rule_id for 7.14 to 7.17")
	}
	switch {
	case is == "":
		d.problem(m.place, "kibana is for searches that Kibana's own rules have: a filter and pipes that judge each event alone, one newterms, or one aggregation")
	case k.Type != "" && k.Type != is:
		d.problem(m.get("type").place, "kibana.type is "+string(k.Type)+", and the search is one of type "+string(is))
	case r.MessagePer == PerRun && is != KibanaThreshold:
		d.problem(m.place, "kibana makes an alert for each event, and message_per: run one for all: delete one of the two")
	case is == KibanaNewTerms && len(terms) == 0:
		d.problem(m.place, "kibana needs a newterms of plain field names")
	case is == KibanaNewTerms && k.RuleID != "":
		d.problem(m.place, "kibana has a rule_id, and rules of new terms came with Kibana 8.4: write uuid")
	}
	k.Type, k.Terms = is, terms
	r.Kibana = k
}

// kibanaType is which type of Kibana's rules a search is like; empty for none.
func kibanaType(q *query.Query) (is KibanaType, terms []string) {
	switch q.Kind() {
	case query.RowWise:
		return KibanaQuery, nil
	case query.Windowed:
		c, commanded := q.Command()
		if !commanded {
			return KibanaThreshold, nil
		}
		if c.Name != "newterms" {
			return "", nil
		}
		for _, p := range q.Pipes() {
			fields, isNew := strings.CutPrefix(p, "newterms ")
			if !isNew {
				continue
			}
			fields, _, _ = strings.Cut(fields, " over ")
			if strings.ContainsAny(fields, `"'`) {
				return KibanaNewTerms, nil
			}
			for f := range strings.SplitSeq(fields, ",") {
				terms = append(terms, strings.TrimSpace(f))
			}
		}
		return KibanaNewTerms, terms
	default:
		return "", nil
	}
}
