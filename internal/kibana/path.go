package kibana

import "strings"

// slot is one thing an alert document can tell. Several paths may tell it, the best first.
type slot uint8

const (
	none slot = iota
	slotTime
	slotUUID
	slotVersion
	slotStart
	slotLastDetected
	slotUpdated
	slotStatusUpdated
	slotOriginalTime
	slotReason
	slotSeverity
	slotRuleSeverity
	slotRisk
	slotRuleRisk
	slotWorkflowStatus
	slotURL
	slotBuildingBlock
	slotRuleBuildingBlock
	slotMaintenance
	slotSuppressionTerms
	slotSuppressionCount
	slotThresholdTerms
	slotThresholdCardinality
	slotThresholdCount
	slotNewTerms
	slotRuleName
	slotRuleID
	slotRuleUUID
	slotRuleType
	slotRuleTypeID
	slotRuleDescription
	slotRuleVersion
	slotRuleReferences
	slotRuleTags
	slotRuleThreat
	slotRuleMeta
	slotParamRuleID
	slotParamType
	slotParamNewTermsFields
	slotParamHighlighted
	slotParamThresholdField
	slotSignalStatus
	slotSignalReason
	slotSignalOriginalTime
	slotSignalMeta
	slotSignalThresholdTerms
	slotSignalThresholdCardinality
	slotSignalThresholdCount
	slotSignalThresholdValue
	slotSignalThresholdCount79
	slotSignalBuildingBlock
	slotSignalSeverity
	slotSignalRisk
	slotSignalName
	slotSignalRuleID
	slotSignalUUID
	slotSignalType
	slotSignalDescription
	slotSignalVersion
	slotSignalReferences
	slotSignalTags
	slotSignalThreat
	slotSignalRuleMeta
	slotSignalThresholdField
	slotEnrichments
	slotIndicators
	slotCategory
	slotProcess
	slotParent
	slotFile
	slotSourceIP
	slotSourcePort
	slotDestinationIP
	slotDestinationPort
	slotUser
	slotHost
	slots
)

var captured = map[string]slot{
	"@timestamp":                                                    slotTime,
	"kibana.alert.uuid":                                             slotUUID,
	"kibana.version":                                                slotVersion,
	"kibana.alert.start":                                            slotStart,
	"kibana.alert.last_detected":                                    slotLastDetected,
	"kibana.alert.updated_at":                                       slotUpdated,
	"kibana.alert.workflow_status_updated_at":                       slotStatusUpdated,
	"kibana.alert.original_time":                                    slotOriginalTime,
	"kibana.alert.reason":                                           slotReason,
	"kibana.alert.severity":                                         slotSeverity,
	"kibana.alert.rule.severity":                                    slotRuleSeverity,
	"kibana.alert.risk_score":                                       slotRisk,
	"kibana.alert.rule.risk_score":                                  slotRuleRisk,
	"kibana.alert.workflow_status":                                  slotWorkflowStatus,
	"kibana.alert.url":                                              slotURL,
	"kibana.alert.building_block_type":                              slotBuildingBlock,
	"kibana.alert.rule.building_block_type":                         slotRuleBuildingBlock,
	"kibana.alert.maintenance_window_ids":                           slotMaintenance,
	"kibana.alert.suppression.terms":                                slotSuppressionTerms,
	"kibana.alert.suppression.docs_count":                           slotSuppressionCount,
	"kibana.alert.threshold_result.terms":                           slotThresholdTerms,
	"kibana.alert.threshold_result.cardinality":                     slotThresholdCardinality,
	"kibana.alert.threshold_result.count":                           slotThresholdCount,
	"kibana.alert.new_terms":                                        slotNewTerms,
	"kibana.alert.rule.name":                                        slotRuleName,
	"kibana.alert.rule.rule_id":                                     slotRuleID,
	"kibana.alert.rule.uuid":                                        slotRuleUUID,
	"kibana.alert.rule.type":                                        slotRuleType,
	"kibana.alert.rule.rule_type_id":                                slotRuleTypeID,
	"kibana.alert.rule.description":                                 slotRuleDescription,
	"kibana.alert.rule.version":                                     slotRuleVersion,
	"kibana.alert.rule.references":                                  slotRuleReferences,
	"kibana.alert.rule.tags":                                        slotRuleTags,
	"kibana.alert.rule.threat":                                      slotRuleThreat,
	"kibana.alert.rule.meta.kibana_siem_app_url":                    slotRuleMeta,
	"kibana.alert.rule.parameters.rule_id":                          slotParamRuleID,
	"kibana.alert.rule.parameters.type":                             slotParamType,
	"kibana.alert.rule.parameters.new_terms_fields":                 slotParamNewTermsFields,
	"kibana.alert.rule.parameters.threshold.field":                  slotParamThresholdField,
	"kibana.alert.rule.parameters.investigation_fields.field_names": slotParamHighlighted,
	"signal.status":                                                 slotSignalStatus,
	"signal.reason":                                                 slotSignalReason,
	"signal.original_time":                                          slotSignalOriginalTime,
	"signal._meta.version":                                          slotSignalMeta,
	"signal.threshold_result.terms":                                 slotSignalThresholdTerms,
	"signal.threshold_result.cardinality":                           slotSignalThresholdCardinality,
	"signal.threshold_result.count":                                 slotSignalThresholdCount,
	"signal.threshold_result.value":                                 slotSignalThresholdValue,
	"signal.threshold_count":                                        slotSignalThresholdCount79,
	"signal.rule.building_block_type":                               slotSignalBuildingBlock,
	"signal.rule.severity":                                          slotSignalSeverity,
	"signal.rule.risk_score":                                        slotSignalRisk,
	"signal.rule.name":                                              slotSignalName,
	"signal.rule.rule_id":                                           slotSignalRuleID,
	"signal.rule.id":                                                slotSignalUUID,
	"signal.rule.type":                                              slotSignalType,
	"signal.rule.description":                                       slotSignalDescription,
	"signal.rule.version":                                           slotSignalVersion,
	"signal.rule.references":                                        slotSignalReferences,
	"signal.rule.tags":                                              slotSignalTags,
	"signal.rule.threat":                                            slotSignalThreat,
	"signal.rule.meta.kibana_siem_app_url":                          slotSignalRuleMeta,
	"signal.rule.threshold.field":                                   slotSignalThresholdField,
	"threat.enrichments":                                            slotEnrichments,
	"threat.indicator":                                              slotIndicators,
	"event.category":                                                slotCategory,
	"process.name":                                                  slotProcess,
	"process.parent.name":                                           slotParent,
	"file.name":                                                     slotFile,
	"source.ip":                                                     slotSourceIP,
	"source.port":                                                   slotSourcePort,
	"destination.ip":                                                slotDestinationIP,
	"destination.port":                                              slotDestinationPort,
	"user.name":                                                     slotUser,
	"host.name":                                                     slotHost,
}

// heavyRule are the parts of a rule inside an alert that no one filters alerts by. They are most of
// a document's size.
var heavyRule = []string{
	"actions", "exceptions_list", "filters", "investigation_fields", "note", "query", "related_integrations",
	"required_fields", "response_actions", "risk_score_mapping", "setup", "severity_mapping", "threat_filters",
	"threat_mapping", "threat_query",
}

// heavyParameters are left out of the rule's parameters besides; the rule itself tells them again.
var heavyParameters = []string{"author", "description", "false_positives", "references", "threat"}

// Excludes are the paths left out when documents are read from a cluster.
var Excludes = func() []string {
	var out []string
	for _, rule := range []string{"kibana.alert.rule.", "kibana.alert.rule.parameters.", "signal.rule."} {
		for _, name := range heavyRule {
			out = append(out, rule+name)
		}
	}
	for _, name := range heavyParameters {
		out = append(out, "kibana.alert.rule.parameters."+name)
	}
	return out
}()

// dropped are the paths left out of an alert's Document. What the alert tells in a field of its own
// and no one matches by path is left out as well.
var dropped = append([]string{
	"kibana.alert.rule.parameters", "kibana.alert.rule.meta", "kibana.alert.rule.description",
	"kibana.alert.rule.references", "kibana.alert.rule.false_positives", "kibana.alert.rule.license", "kibana.alert.url",
	"signal.rule.meta", "signal.rule.description", "signal.rule.references", "signal.rule.false_positives",
	"signal.rule.license",
}, Excludes...)

// place is what the parser does at a path.
type place struct {
	slot    slot
	drop    bool
	descend bool // something below it is captured or dropped
}

var places = func() map[string]place {
	out := map[string]place{}
	above := func(path string) {
		for i := strings.LastIndexByte(path, '.'); i > 0; i = strings.LastIndexByte(path, '.') {
			path = path[:i]
			p := out[path]
			p.descend = true
			out[path] = p
		}
	}
	for path, s := range captured {
		p := out[path]
		p.slot = s
		out[path] = p
		above(path)
	}
	for _, path := range dropped {
		p := out[path]
		p.drop = true
		out[path] = p
		above(path)
	}
	for path, p := range out {
		for _, part := range dropped {
			p.drop = p.drop || strings.HasPrefix(path, part+".")
		}
		out[path] = p
	}
	return out
}()
