package kibana

import (
	"errors"
	"fmt"
	"math"
	"net/url"
	"strconv"
	"strings"
	"time"

	"tocsin/internal/alert"
)

// Parser turns alert documents into alerts. It is not safe for concurrent use.
type Parser struct {
	source    string
	space     string
	kibanaURL string
	walk      walk
	threats   map[string][]alert.Threat
}

// ParserOptions say where the documents come from.
type ParserOptions struct {
	// Source is the name of the source; it is part of every alert's ID.
	Source string
	// Space is the Kibana space the links lead to; empty is the default space.
	Space string
	// KibanaURL is where people open Kibana, with its base path; empty takes the links the documents carry.
	KibanaURL string
}

// NewParser makes a Parser. A KibanaURL that no link can be made of is an error.
func NewParser(o ParserOptions) (*Parser, error) {
	if o.Source == "" {
		return nil, errors.New("parser of kibana's alerts: the source has no name")
	}
	base := strings.TrimRight(o.KibanaURL, "/")
	if base != "" && !isLink(base) {
		return nil, fmt.Errorf("kibana_url %q is not an http or https URL: write it as people open it, like https://kibana:5601", o.KibanaURL)
	}
	if o.Space == "" {
		o.Space = defaultSpace
	}
	return &Parser{source: o.Source, space: o.Space, kibanaURL: base, threats: map[string][]alert.Threat{}}, nil
}

const defaultSpace = "default"

// Parse reads one document in any shape from 7.6 to 9.x. No value of an odd type is an error, it is
// left out; only a document that is no JSON object is one. The alert shares no memory with document.
func (p *Parser) Parse(index, id string, document []byte) (alert.Alert, error) {
	w := &p.walk
	if err := w.document(document); err != nil {
		return alert.Alert{}, fmt.Errorf("alert %q of index %s: %w", id, index, err)
	}
	a := alert.Alert{
		ID:       alert.NewID(p.source, id),
		Source:   p.source,
		SourceID: id,
		Index:    index,
		Time:     w.time(slotTime, slotStart, slotLastDetected, slotOriginalTime, slotSignalOriginalTime),
		Event:    w.time(slotOriginalTime, slotSignalOriginalTime),
		Reason:   w.text(slotReason, slotSignalReason),
		Status:   status(w.text(slotWorkflowStatus, slotSignalStatus)),
		Risk:     w.risk(slotRisk, slotRuleRisk, slotSignalRisk),
		Host:     w.text(slotHost),
		User:     w.text(slotUser),
		Threat:   p.threat(),
		Rule: alert.Rule{
			Name:        w.text(slotRuleName, slotSignalName),
			ID:          w.text(slotRuleID, slotParamRuleID, slotSignalRuleID),
			UUID:        w.text(slotRuleUUID, slotSignalUUID),
			Type:        w.ruleType(),
			Description: w.text(slotRuleDescription, slotSignalDescription),
			Version:     w.text(slotRuleVersion, slotSignalVersion),
			References:  w.texts(slotRuleReferences, slotSignalReferences),
			Fields:      w.texts(slotParamHighlighted),
		},
		BuildingBlock: w.text(slotBuildingBlock, slotRuleBuildingBlock, slotSignalBuildingBlock) != "",
		Maintenance:   w.texts(slotMaintenance),
		Document:      append(make([]byte, 0, len(w.out)), w.out...),
	}
	a.Updated = a.Time
	for _, s := range changeSlots {
		if t := w.time(s); t.After(a.Updated) {
			a.Updated = t
		}
	}
	a.Severity = w.severity()
	for _, tag := range w.texts(slotRuleTags, slotSignalTags) {
		if !strings.HasPrefix(tag, "__internal_") {
			a.Tags = append(a.Tags, tag)
		}
	}
	a.Count = w.count()
	a.Facts = w.facts()
	// A threshold is a condition that lasts until an analyst takes it up.
	a.Ongoing = a.Rule.Type == "threshold" && (a.Status == alert.StatusOpen || a.Status == "")
	if a.Reason == "" {
		a.Reason = w.reason(a.Severity, a.Rule.Name)
	}
	p.link(&a)
	return a, nil
}

// changeSlots tell when a document was changed in place, without a new @timestamp.
var changeSlots = []slot{slotLastDetected, slotStatusUpdated, slotUpdated}

func status(word string) alert.Status {
	switch s := alert.Status(strings.ToLower(word)); s {
	case alert.StatusOpen, alert.StatusAcknowledged, alert.StatusClosed:
		return s
	case "in-progress":
		return alert.StatusAcknowledged
	}
	return ""
}

func (w *walk) severity() alert.Severity {
	for _, s := range []slot{slotSeverity, slotRuleSeverity, slotSignalSeverity} {
		if v := alert.ParseSeverity(w.text(s)); v != alert.SeverityUnknown {
			return v
		}
	}
	return alert.SeverityUnknown
}

func (w *walk) risk(of ...slot) float64 {
	for _, s := range of {
		v, err := strconv.ParseFloat(w.text(s), 64)
		if err == nil && v > 0 && !math.IsInf(v, 0) {
			return v
		}
	}
	return 0
}

// ruleTypes are the rule's types by the ids the alerting framework has for them.
var ruleTypes = map[string]string{
	"siem.queryRule":      "query",
	"siem.savedQueryRule": "saved_query",
	"siem.eqlRule":        "eql",
	"siem.esqlRule":       "esql",
	"siem.thresholdRule":  "threshold",
	"siem.newTermsRule":   "new_terms",
	"siem.indicatorRule":  "threat_match",
	"siem.mlRule":         "machine_learning",
}

func (w *walk) ruleType() string {
	if t := w.text(slotRuleType, slotParamType, slotSignalType); t != "" {
		return t
	}
	id := w.text(slotRuleTypeID)
	if t := ruleTypes[id]; t != "" {
		return t
	}
	return id
}

// maxThreats bounds the memory of what rules say of ATT&CK: one rule says the same in every alert.
const maxThreats = 4096

func (p *Parser) threat() []alert.Threat {
	raw := p.walk.got[slotRuleThreat]
	if raw == nil {
		raw = p.walk.got[slotSignalThreat]
	}
	if len(raw) < 3 {
		return nil
	}
	if known, ok := p.threats[string(raw)]; ok {
		return known
	}
	var out []alert.Threat
	for _, entry := range objects(decode(raw)) {
		tactic := alert.Threat{TacticID: text(entry.get("tactic.id")), TacticName: text(entry.get("tactic.name"))}
		techniques := objects(entry.get("technique"))
		if len(techniques) == 0 && tactic != (alert.Threat{}) {
			out = append(out, tactic)
		}
		for _, technique := range techniques {
			for _, o := range append([]object{technique}, objects(technique.get("subtechnique"))...) {
				t := tactic
				t.TechniqueID, t.TechniqueName = text(o.get("id")), text(o.get("name"))
				if t != (alert.Threat{}) {
					out = append(out, t)
				}
			}
		}
	}
	if len(p.threats) >= maxThreats {
		clear(p.threats)
	}
	p.threats[string(raw)] = out
	return out
}

// time is the first of the slots that holds a time, in UTC; zero when none does.
func (w *walk) time(of ...slot) time.Time {
	for _, s := range of {
		if w.got[s] == nil {
			continue
		}
		if t, ok := ParseTime(w.text(s)); ok {
			return t
		}
	}
	return time.Time{}
}

// ParseTime reads a date as the clusters write them: ISO 8601 with or without a fraction, a time of
// day and a zone (none is UTC), or milliseconds since 1970. Years JSON cannot write are refused.
func ParseTime(s string) (time.Time, bool) {
	if s == "" {
		return time.Time{}, false
	}
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return inYears(t)
	}
	if ms, err := strconv.ParseInt(s, 10, 64); err == nil && len(s) != len("2006") {
		return inYears(time.UnixMilli(ms))
	}
	for _, layout := range dateLayouts {
		if t, err := time.Parse(layout, s); err == nil {
			return inYears(t)
		}
	}
	if ms, err := strconv.ParseFloat(s, 64); err == nil && math.Abs(ms) < 1e17 {
		return inYears(time.UnixMicro(int64(ms * 1000)))
	}
	return time.Time{}, false
}

// dateLayouts are the forms of strict_date_optional_time besides RFC 3339. Go reads a fraction after
// the seconds, with a dot or a comma, whether a layout names it or not.
var dateLayouts = []string{
	"2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05Z07", "2006-01-02T15:04:05",
	"2006-01-02T15:04Z07:00", "2006-01-02T15:04Z0700", "2006-01-02T15:04", "2006-01-02T15Z07:00", "2006-01-02T15",
	"2006-01-02", "2006-01", "2006",
}

func inYears(t time.Time) (time.Time, bool) {
	t = t.UTC()
	if t.Year() < 1 || t.Year() > 9999 {
		return time.Time{}, false
	}
	return t, true
}

// isLink reports whether a text is an http or https URL of one line with a host.
func isLink(s string) bool {
	if strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return false
	}
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}

// untimed reports whether the Kibana that wrote the document parsed last sets no time when an analyst
// changes an alert's status: 7.x does not, and of 8.x only the later ones do.
func (p *Parser) untimed() bool { return p.walk.release().before(8, 12) }
