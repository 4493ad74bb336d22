package forecast

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"tocsin/internal/alert"
	"tocsin/internal/detect"
	"tocsin/internal/query"
)

// ofAlert looks at what the rule makes of the document together with others, whether that was judged, and what
// became of the alert.
func (w *asked) ofAlert(ctx context.Context, x *detect.Examination) error {
	made, err := w.made(ctx, x)
	if err != nil {
		return err
	}
	w.ofValue(x)
	if len(made) == 0 && x.Holding == 0 && x.To.After(w.now) && x.Kind == query.Windowed && x.Command == "" {
		w.say("covered", Notes, "events until %s count together with it, and that time is not over: it may alert yet", clock(x.To.Add(-time.Microsecond).Truncate(time.Second)))
	}
	if len(made) > 0 {
		return w.ofMade(ctx, made)
	}
	if x.Holding == 0 {
		return nil
	}
	if x.Alert != nil {
		if err := w.ofHeld(ctx, x.Alert); err != nil {
			return err
		}
	}
	return w.ofCover(ctx, x)
}

func (w *asked) made(ctx context.Context, x *detect.Examination) ([]detect.Made, error) {
	d := w.forecaster.options.Detect
	if d == nil {
		return nil, nil
	}
	keys, ids := x.Names()
	all, err := d.Made(ctx, w.rule.ID, ids, keys, x.At, x.To)
	if err != nil {
		return nil, fmt.Errorf("read what the rule found: %w", err)
	}
	var out []detect.Made
	for _, m := range all {
		if m.First.After(x.At) && x.Kind == query.Windowed { // it began after the document
			continue
		}
		out = append(out, m)
	}
	if len(out) == 0 && x.Kind == query.RowWise && w.question.Fate != nil { // what was found long ago is known to the ledger alone
		for _, id := range ids {
			_, there, err := w.question.Fate(ctx, alert.ID(id))
			if err != nil {
				return nil, fmt.Errorf("read alert %s: %w", id, err)
			}
			if there {
				out = append(out, detect.Made{ID: alert.ID(id), First: x.At, Last: x.At})
			}
		}
	}
	return out, nil
}

// number writes a value without needless digits.
func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// whom names the keys of a document.
func whom(x *detect.Examination) string {
	var all []string
	for _, key := range x.Keys {
		var parts []string
		for _, fact := range key {
			parts = append(parts, fact.Name+" "+short(fact.Value))
		}
		all = append(all, strings.Join(parts, ", "))
	}
	if s := strings.Join(all, "; "); s != "" {
		return " of " + s
	}
	return ""
}

// ofValue says what the windows that hold the document come to.
func (w *asked) ofValue(x *detect.Examination) {
	switch {
	case x.Kind == query.RowWise:
		w.say("value", Passes, "each document is judged alone: this one makes an alert")
	case x.Kind == query.RangeWise:
		w.ofTicks(x)
	case x.Command != "":
		if x.Holding > 0 {
			w.say("value", Passes, "%s finds something%s that it takes part in", x.Command, whom(x))
			return
		}
		switch x.Command {
		case "newterms":
			w.stop("value", "it did not alert, for "+strings.TrimPrefix(whom(x), " of ")+" is not new",
				"newterms: %s is not new, it was seen before within the time that it looks back", strings.TrimPrefix(whom(x), " of "))
		case "changed":
			w.stop("value", "it did not alert, for nothing changed"+whom(x), "changed: the value%s is as it was before", whom(x))
		default:
			w.stop("value", "it did not alert, for "+x.Command+" finds nothing"+whom(x)+" there",
				"%s finds nothing%s between %s and %s, the time in which this event counts", x.Command, whom(x), clock(x.At), clock(x.To))
		}
	case len(x.Keys) == 0:
		w.stop("value", "it did not alert, for it has none of the fields by which the search counts",
			"the search counts by fields that the document does not have: it belongs to no key")
	default:
		value := fmt.Sprintf("of the %s windows of %s%s that hold it", grouped(x.Windows), inWords(x.Window), whom(x))
		if x.Windows == 1 {
			value = fmt.Sprintf("of the one window of %s%s that holds it", inWords(x.Window), whom(x))
		}
		needs := ""
		if x.Threshold != "" {
			needs = ", needs " + x.Threshold
		}
		switch {
		case x.Holding > 0 && x.Valued:
			w.say("value", Passes, "%s: the greatest %s is %s, at %s%s", value, x.Measure, number(x.Best), clock(x.BestAt), needs)
		case x.Holding > 0:
			w.say("value", Passes, "%s, %d pass", value, x.Holding)
		case x.Valued:
			w.stop("value", fmt.Sprintf("it did not alert: %s %s%s", x.Measure, number(x.Best), needs),
				"%s: the greatest %s is %s, at %s%s", value, x.Measure, number(x.Best), clock(x.BestAt), needs)
		default:
			w.stop("value", "it did not alert, for no window that holds it passes", "%s, none passes", value)
		}
	}
}

// ofTicks says what each tick gave whose window holds the document.
func (w *asked) ofTicks(x *detect.Examination) {
	var parts []string
	for _, t := range x.Rows {
		parts = append(parts, count(t.Rows, "row")+" at "+clock(t.At))
	}
	text := fmt.Sprintf("the search is judged per window of %s, every %s; those that hold the document give %s",
		inWords(w.rule.Window), inWords(w.rule.Every), strings.Join(parts, ", "))
	if x.Holding == 0 {
		w.stop("value", "it did not alert, for the windows that hold it give no rows", "%s", text)
		return
	}
	w.say("value", Passes, "%s; whether a row is made of this document cannot be told", text)
}

// ofMade says what became of the alerts that it takes part in.
func (w *asked) ofMade(ctx context.Context, made []detect.Made) error {
	w.answer.Alerts = true
	for _, m := range made {
		switch {
		case m.MergedInto != "":
			w.say("alert", Notes, "alert %s became part of %s", m.ID, m.MergedInto)
		case m.Withdrawn:
			w.say("alert", Notes, "alert %s was withdrawn: events that came late undid its condition", m.ID)
		default:
			w.say("alert", Passes, "it takes part in alert %s, of events from %s to %s", m.ID, clock(m.First), clock(m.Last))
		}
		if w.question.Fate == nil {
			continue
		}
		fate, there, err := w.question.Fate(ctx, m.ID)
		if err != nil {
			return fmt.Errorf("read alert %s: %w", m.ID, err)
		}
		if !there {
			continue
		}
		result := Stops
		if fate.Fate == string(alert.Sent) || fate.Fate == string(alert.Grouped) || fate.Fate == string(alert.Pending) {
			result = Passes
		}
		for _, step := range fate.Steps {
			w.say("said", result, "%s", step)
		}
		if m.MergedInto == "" {
			did := "it did alert: "
			if result == Stops {
				did = "it did alert, and nobody was told: "
			}
			w.answer.Sentence = did + string(m.ID) + " is " + fate.Fate + before(", ", fate.Reason)
		}
	}
	if w.answer.Sentence == "" {
		w.answer.Sentence = "it did alert: " + string(made[0].ID)
	}
	return nil
}

// ofHeld says what would keep the alert back.
func (w *asked) ofHeld(ctx context.Context, a *alert.Alert) error {
	fields, err := a.Fields()
	if err != nil {
		return err
	}
	if x := w.rule.Excepted(fields, w.now); x != nil {
		w.say("held", Notes, "an exception of the rule matches its alert: %s (%s)", x.Match, x.Reason)
	}
	for i := range w.rule.Exceptions {
		if x := &w.rule.Exceptions[i]; x.Expired(w.now) {
			w.say("held", Notes, "the exception %s has expired at %s", x.Match, clock(x.Until))
		}
	}
	if runs := w.rule.Schedule.Runs; !runs.Contains(a.Time) {
		w.stop("held", "it did not alert, for it lies outside the hours in which the rule runs",
			"it lies outside the hours in which the rule runs: %s", runs)
		return nil
	}
	decide, err := w.forecaster.options.Policy(ctx)
	if err != nil {
		return err
	}
	v, err := decide.Judge(w.now, a)
	if err != nil {
		return err
	}
	switch {
	case v.Kept != "":
		w.say("held", Notes, "policy would keep its alert back: %s", v.Reason)
	default:
		w.say("held", Passes, "its alert would go to %s: %s", v.Channel, v.Reason)
	}
	return nil
}

// ofCover says of a condition that holds whether it was judged.
func (w *asked) ofCover(ctx context.Context, x *detect.Examination) error {
	d := w.forecaster.options.Detect
	if d == nil {
		w.say("covered", Notes, "the rule would alert; no process runs it that could tell whether it did")
		w.answer.Sentence = orElse(w.answer.Sentence, "it would alert")
		return nil
	}
	s, err := d.Standing(ctx, w.rule.ID)
	if err != nil {
		return fmt.Errorf("read what the rule covered: %w", err)
	}
	span := detect.Span{From: x.From.UnixMicro(), To: x.To.UnixMicro()}
	gaps := s.Covered.Gaps(span)
	failed := ""
	if s.Error != "" {
		failed = "; its last run failed: " + s.Error
	}
	if s.Wrong != "" {
		failed = "; it cannot run: " + s.Wrong
	}
	switch {
	case s.Since.IsZero():
		w.stop("covered", "it did not alert, for the rule has not run yet", "the rule has not run yet%s", failed)
	case x.At.Before(s.Since) && !s.Covered.Contains(span):
		w.stop("covered", "it did not alert, for it happened before the rule began",
			"it happened before the rule began, which looks at events from %s on", clock(s.Since))
	case len(gaps) > 0:
		first := time.UnixMicro(gaps[0].From)
		w.stop("covered", "it did not alert, for its time was not judged yet",
			"what it takes part in is judged up to %s, and not all of that was yet (from %s on); the rule ran last at %s%s", clock(x.To), clock(first), clock(s.Ran), failed)
	default:
		w.stop("covered", "it did not alert when its time was judged; it would now",
			"its time was judged, at the latest at %s, and the rule found nothing then: the document came later, or the rule or other documents were changed since; "+
				"what comes late is found at the next run", clock(s.Worked))
	}
	return nil
}

func orElse(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
