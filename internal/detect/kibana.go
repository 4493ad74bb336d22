package detect

import (
	"crypto/sha1" //nolint:gosec // what Kibana makes ids of
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"

	"tocsin/internal/alert"
	"tocsin/internal/rule"
)

// kibanaID is the _id that Kibana gives an alert of the rule that this one is the same as; empty where it gives none
// that can be known. Of several rows of a document only the first of a query is an alert in Kibana.
func (r *ruleset) kibanaID(d *document) string {
	k := r.rule.Kibana
	if k == nil || d.Index == "" || d.ID == "" {
		return ""
	}
	switch k.Type {
	case rule.KibanaQuery:
		if d.Row > 0 {
			return ""
		}
		// The version of a hit is not asked for by Kibana, and so is this word.
		of := d.Index + d.ID + "undefined"
		if k.RuleID != "" {
			of += k.RuleID
		} else {
			of += k.Space + ":" + k.UUID
		}
		sum := sha256.Sum256([]byte(of))
		return hex.EncodeToString(sum[:])
	case rule.KibanaNewTerms:
		values := make([]json.RawMessage, len(k.Terms))
		for i, name := range k.Terms {
			for _, c := range d.Columns {
				if c.Name == name {
					values[i] = json.RawMessage(c.Value)
				}
			}
			if values[i] == nil {
				return ""
			}
		}
		var text strings.Builder
		text.WriteString("array:5:")
		for _, s := range []string{d.Index, d.ID, "undefined", k.Space + ":" + k.UUID} {
			hashText(&text, s)
		}
		fmt.Fprintf(&text, "array:%d:", len(values))
		for _, v := range values {
			if !hashValue(&text, v) {
				return ""
			}
		}
		sum := sha1.Sum([]byte(text.String())) //nolint:gosec // see above
		return hex.EncodeToString(sum[:])
	default:
		return ""
	}
}

// hashText writes a text as the npm package object-hash does before it hashes; lengths count UTF-16 units.
func hashText(out *strings.Builder, s string) {
	n := 0
	for _, r := range s {
		n += utf16.RuneLen(r)
	}
	fmt.Fprintf(out, "string:%d:%s", n, s)
}

// hashValue writes a JSON scalar as object-hash does, and reports whether it is one.
func hashValue(out *strings.Builder, v json.RawMessage) bool {
	var value any
	if err := json.Unmarshal(v, &value); err != nil {
		return false
	}
	switch value := value.(type) {
	case string:
		hashText(out, value)
	case bool:
		fmt.Fprintf(out, "bool:%t", value)
	case float64:
		out.WriteString("number:" + strconv.FormatFloat(value, 'f', -1, 64))
	default:
		return false
	}
	return true
}

// detections is the name of the detections that forward the alerts of the rule of Kibana.
func (r *ruleset) detections() string { return r.rule.Kibana.Of(r.source.Name) }

// idOf is the id of the alert of a document: that of the forwarded alert where Kibana's is known.
func (r *ruleset) idOf(d *document) string {
	if id := r.kibanaID(d); id != "" {
		return string(alert.NewID(r.detections(), id))
	}
	return documentID(r.rule.ID, r.source.Name, d.Index, d.ID, d.Row)
}

// forwarded makes the alert of a document the one that Kibana makes of it, if that is what its id says.
func (r *ruleset) forwarded(a *alert.Alert, d *document) {
	id := r.kibanaID(d)
	if id == "" || a.ID != alert.NewID(r.detections(), id) {
		return
	}
	a.Source, a.SourceID = r.detections(), id
	a.Rule.UUID = r.rule.Kibana.UUID
}

// older makes an alert that Kibana writes too older than whatever Kibana wrote: its document goes before ours, whoever
// is first.
func older(a *alert.Alert) {
	if a.ID == alert.NewID(a.Source, a.SourceID) {
		a.Updated = time.Unix(0, 0).UTC()
	}
}
