package kibana

import (
	"math"
	"strconv"
	"strings"

	"tocsin/internal/alert"
)

// maxFacts bounds the labelled values of one alert; the document holds the rest.
const maxFacts = 12

// count is how many events or suppressed alerts the alert stands for.
func (w *walk) count() int {
	if n := w.number(slotSuppressionCount); n > 0 && n < math.MaxInt32 {
		return n + 1 // the suppressed ones and this one
	}
	return w.number(slotThresholdCount, slotSignalThresholdCount, slotSignalThresholdCount79)
}

// number is the first of the slots that holds a whole number above zero; 0 when none does.
func (w *walk) number(of ...slot) int {
	for _, s := range of {
		if v, err := strconv.ParseFloat(w.text(s), 64); err == nil && v >= 1 && v <= math.MaxInt32 {
			return int(v)
		}
	}
	return 0
}

// facts are the group keys of a threshold, the new terms, what was suppressed together, and what
// an indicator matched.
func (w *walk) facts() []alert.Fact {
	var out []alert.Fact
	add := func(name, value string) {
		if name == "" || value == "" || len(out) == maxFacts {
			return
		}
		for _, f := range out {
			if f.Name == name && f.Value == value {
				return
			}
		}
		out = append(out, alert.Fact{Name: name, Value: value})
	}
	for _, o := range w.objects(slotThresholdTerms, slotSignalThresholdTerms) {
		add(text(o.get("field")), strings.Join(texts(o.get("value")), ", "))
	}
	// 7.10 and 7.11 group by one field and tell its value only.
	if fields := w.texts(slotSignalThresholdField); len(fields) > 0 {
		add(fields[0], w.text(slotSignalThresholdValue))
	}
	for _, o := range w.objects(slotThresholdCardinality, slotSignalThresholdCardinality) {
		if field := text(o.get("field")); field != "" {
			add("distinct "+field, text(o.get("value")))
		}
	}
	if terms := w.texts(slotNewTerms); terms != nil {
		fields := w.texts(slotParamNewTermsFields)
		for i, term := range terms {
			name := "new term"
			if i < len(fields) {
				name = fields[i]
			}
			add(name, term)
		}
	}
	for _, o := range w.objects(slotSuppressionTerms) {
		value := strings.Join(texts(o.get("value")), ", ")
		if value == "" {
			value = "(none)" // alerts without the field are a group of their own
		}
		add(text(o.get("field")), value)
	}
	for _, s := range []slot{slotEnrichments, slotIndicators} {
		for _, o := range w.objects(s) {
			if field := text(o.get("matched.field")); field != "" {
				add("indicator for "+field, text(o.get("matched.atomic")))
			}
		}
	}
	return out
}
