package web

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"tocsin/internal/account"
	"tocsin/internal/alert"
	"tocsin/internal/detect"
	"tocsin/internal/query"
	"tocsin/internal/rule"
)

// RulePagesOptions say what the pages of rules show.
type RulePagesOptions struct {
	Library *rule.Library
	Tester  *rule.Tester
	// Standing tells how a rule's runs stand.
	Standing func(ctx context.Context, id string) (detect.Standing, error)
	// Sources are the names of what rules can search.
	Sources []string
	// Channels are the names of channels that are known; nil for none.
	Channels func() []string
	// Detections are the names of what forwards Kibana's detections.
	Detections []string
}

// rulePages serves the pages of rules.
type rulePages struct {
	*Web
	RulePagesOptions
}

// RulePages adds the pages of rules: the list, one rule with its versions, its editor, and the starter pack.
func RulePages(o RulePagesOptions) Part {
	return func(w *Web) {
		s := &rulePages{w, o}
		for _, p := range []Page{
			{Method: "GET", Path: "/rules", Role: account.Viewer, Handle: s.list},
			{Method: "POST", Path: "/rules", Role: account.Editor, Handle: s.bulk},
			{Method: "GET", Path: "/rules/pack", Role: account.Viewer, Handle: s.pack},
			{Method: "POST", Path: "/rules/pack", Role: account.Editor, Handle: s.install},
			{Method: "GET", Path: "/rules/new", Role: account.Editor, Handle: s.fresh},
			{Method: "POST", Path: "/rules/new", Role: account.Editor, Handle: s.save},
			{Method: "GET", Path: "/rules/{id}", Role: account.Viewer, Handle: s.one},
			{Method: "POST", Path: "/rules/{id}/tests", Role: account.Viewer, Handle: s.one},
			{Method: "GET", Path: "/rules/{id}/edit", Role: account.Editor, Handle: s.edit},
			{Method: "POST", Path: "/rules/{id}/edit", Role: account.Editor, Handle: s.save},
			{Method: "POST", Path: "/rules/{id}/undo", Role: account.Editor, Handle: s.undo},
			{Method: "POST", Path: "/rules/{id}/delete", Role: account.Editor, Handle: s.remove},
		} {
			w.page(p)
		}
	}
}

// ruleLine is one rule in the list.
type ruleLine struct {
	RuleRow
	State    string // on, off, shadow, failing, wrong
	Trouble  string
	Ran      time.Time
	Next     time.Time
	Coverage template.HTML
	Holes    int
	Days     []int
	Messages int
}

// Share is how many of the closed alerts were false positives, in percent.
func (l ruleLine) Share() int { return share(l.False, l.Judged) }

func share(part, whole int) int {
	if whole == 0 {
		return 0
	}
	return (part*100 + whole/2) / whole
}

// rulesView is what the list shows.
type rulesView struct {
	Rules   []ruleLine
	All     int
	Filter  string
	Wrong   string
	Sources []string
	States  []stateCount
	CanEdit bool
	// Channels are known, for the form to complete. Kibana says that there are detections that are forwarded.
	Channels []string
	Kibana   bool
}

type stateCount struct {
	State string
	N     int
}

// judgedFor is how far back what people said of alerts counts, as in digests.
const judgedFor = 30 * 24 * time.Hour

// judged counts, by the name of the rule, the alerts that people closed lately, and those that they called false positives.
func (w *Web) judged(ctx context.Context) (closed, wrong map[string]int, err error) {
	now := time.Now()
	return w.ledger.Judged(ctx, now.Add(-judgedFor), now.Add(time.Minute))
}

// shownDays is how far back the list tells of messages and coverage.
const shownDays = 7

func (s *rulePages) list(rw http.ResponseWriter, r *http.Request) {
	v, err := s.lines(r.Context(), r.URL.Query().Get("q"))
	if err != nil {
		s.broken(rw, r, err)
		return
	}
	v.CanEdit, v.Kibana = mayEdit(r), len(s.Detections) > 0
	if v.CanEdit {
		v.Channels = s.known()
	}
	s.render(rw, r, http.StatusOK, "rules", v)
}

// mayEdit reports whether who asks may change rules and what tunes alerts.
func mayEdit(r *http.Request) bool { return who(r).Role.Allows(account.Editor) }

// lines are the rules that a filter chooses.
func (s *rulePages) lines(ctx context.Context, filter string) (rulesView, error) {
	v := rulesView{Filter: filter, Sources: s.Sources}
	matches := func(alert.Fields) bool { return true }
	if strings.TrimSpace(filter) != "" {
		f, err := query.CompileFilter(filter)
		if err != nil {
			v.Wrong = err.Error()
		} else {
			now := time.Now()
			matches = func(fields alert.Fields) bool { return f.Match(fields, now) }
		}
	}
	now := time.Now().UTC()
	activity, err := s.ledger.Activity(ctx, now.Truncate(24*time.Hour).AddDate(0, 0, -shownDays+1))
	if err != nil {
		return v, err
	}
	closed, wrong, err := s.judged(ctx)
	if err != nil {
		return v, err
	}
	counts := map[string]int{}
	for _, e := range s.Library.All() {
		line, err := s.line(ctx, &e, now)
		if err != nil {
			return v, err
		}
		v.All++
		counts[line.State]++
		if !matches(ruleFields(&line)) {
			continue
		}
		line.Judged, line.False = closed[line.Name], wrong[line.Name]
		line.Days = make([]int, shownDays)
		for _, d := range activity[line.Name] {
			if i := shownDays - 1 - int(now.Truncate(24*time.Hour).Sub(d.Start)/(24*time.Hour)); i >= 0 && i < shownDays {
				line.Days[i] = d.Messages
				line.Messages += d.Messages
			}
		}
		v.Rules = append(v.Rules, line)
	}
	for _, state := range []string{"on", "shadow", "off", "failing", "wrong"} {
		if counts[state] > 0 {
			v.States = append(v.States, stateCount{state, counts[state]})
		}
	}
	slices.SortStableFunc(v.Rules, func(a, b ruleLine) int { return strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)) })
	return v, nil
}

// line is a rule with how it stands.
func (s *rulePages) line(ctx context.Context, e *rule.Entry, now time.Time) (ruleLine, error) {
	line := ruleLine{RuleRow: RuleRowOf(e), State: "on"}
	standing, err := s.Standing(ctx, e.ID)
	if err != nil {
		return line, err
	}
	line.Ran = standing.Ran
	switch {
	case e.Rule == nil:
		line.State = "wrong"
		line.Trouble = "it never was right"
	case len(e.Problems) > 0:
		line.State = "wrong"
		line.Trouble = e.Problems[0].String()
	case e.Rule.Enabled == rule.Off:
		line.State = "off"
	case standing.Wrong != "":
		line.State, line.Trouble = "failing", standing.Wrong
	case standing.Error != "":
		line.State, line.Trouble = "failing", standing.Error
	case e.Rule.Enabled == rule.Shadow:
		line.State = "shadow"
	}
	if e.Runs() {
		if !standing.Ran.IsZero() {
			line.Next = standing.Ran.Add(e.Rule.Every)
		}
		line.Coverage, line.Holes = coverage(standing, now.Add(-24*time.Hour), now, e.Rule.Every)
	}
	return line, nil
}

// ruleFields are what a rule is filtered by.
func ruleFields(l *ruleLine) alert.Fields {
	f := alert.Fields{}
	set := func(name string, values ...string) {
		for _, v := range values {
			if v != "" {
				f[name] = append(f[name], v)
			}
		}
	}
	set("name", l.Name)
	set("id", l.ID)
	set("state", l.State)
	set("severity", l.Severity)
	set("owner", l.Owner)
	set("origin", string(l.Origin))
	set("source", l.Source)
	set("search", l.Search)
	set("kind", string(l.Kind))
	set("channel", l.Channel)
	set("tags", l.Tags...)
	set("attack", l.Attack...)
	return f
}

// coverage draws which of the windows between two times were judged: what was not is a hole, in red. What is older
// than the rule, or not due yet, is neither.
func coverage(st detect.Standing, from, to time.Time, every time.Duration) (template.HTML, int) {
	if st.Since.IsZero() {
		return "", 0
	}
	wanted := detect.Span{From: max(from.UnixMicro(), st.Since.UnixMicro()), To: to.Add(-2 * every).UnixMicro()}
	gaps := st.Covered.Gaps(wanted)
	if wanted.Empty() {
		gaps = nil
	}
	const width, height = 240, 10
	whole := float64(to.Sub(from).Microseconds())
	x := func(at int64) float64 { return max(0, float64(at-from.UnixMicro())/whole*width) }
	var b strings.Builder
	said := "all windows of the last 24 hours were judged"
	if len(gaps) > 0 {
		said = fmt.Sprintf("%s not judged in the last 24 hours", countOf(len(gaps), "window was", "windows were"))
	}
	fmt.Fprintf(&b, `<svg class="coverage" viewBox="0 0 %d %d" preserveAspectRatio="none" role="img" aria-label="%s">`, width, height, template.HTMLEscapeString(said))
	fmt.Fprintf(&b, `<rect class="base" width="%d" height="%d"/>`, width, height)
	for _, part := range st.Covered.Within(detect.Span{From: from.UnixMicro(), To: to.UnixMicro()}) {
		fmt.Fprintf(&b, `<rect class="done" x="%.2f" width="%.2f" height="%d"/>`, x(part.From), max(.4, x(part.To)-x(part.From)), height)
	}
	for _, gap := range gaps {
		fmt.Fprintf(&b, `<rect class="hole" x="%.2f" width="%.2f" height="%d"/>`, x(gap.From), max(1.5, x(gap.To)-x(gap.From)), height)
	}
	b.WriteString(`</svg>`)
	return template.HTML(b.String()), len(gaps) //nolint:gosec // numbers, and a label that is escaped
}

// bulk changes the rules that were ticked, or the one whose button was pressed.
func (s *rulePages) bulk(rw http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		s.sorry(rw, r, http.StatusBadRequest, "The form could not be read", err.Error())
		return
	}
	back := "/rules"
	if q := r.PostForm.Get("q"); q != "" {
		back += "?q=" + url.QueryEscape(q)
	}
	ids := r.PostForm["id"]
	do := r.PostForm.Get("do")
	if action, id, ok := strings.Cut(do, ":"); ok {
		do, ids = action, []string{id}
	}
	if len(ids) == 0 {
		s.setFlash(rw, "warn", "No rule was chosen: tick some, or press x on a row.")
		http.Redirect(rw, r, back, http.StatusSeeOther)
		return
	}
	change := RulesChange{Rules: ids}
	words := map[string]string{"on": "on", "off": "off", "shadow": "in shadow mode", "tag": "tagged", "untag": "without the tags", "channel": "said in ", "delete": "deleted"}
	tags := strings.Fields(strings.ReplaceAll(r.PostForm.Get("tags"), ",", " "))
	var err error
	switch do {
	case "on":
		change.Enabled = true
	case "off":
		change.Enabled = false
	case "shadow":
		change.Enabled = "shadow"
	case "tag":
		change.AddTags = tags
	case "untag":
		change.RemoveTags = tags
	case "channel":
		channel := strings.TrimSpace(r.PostForm.Get("channel"))
		change.Channel = &channel
		if words[do] += channel; channel == "" {
			words[do] = "said where the routes say"
		}
	}
	if len(tags) == 0 && (do == "tag" || do == "untag") {
		err = errors.New("no tag was written")
	}
	var edit ruleEdit
	switch {
	case err != nil:
	case do == "delete":
		edit = func(ctx context.Context, library *rule.Library, e rule.Entry, c rule.Change) error {
			return library.Delete(ctx, e.ID, c)
		}
	default:
		edit, err = change.edit()
	}
	if err != nil {
		s.setFlash(rw, "bad", err.Error())
		http.Redirect(rw, r, back, http.StatusSeeOther)
		return
	}
	out := changeRules(r.Context(), s.Library, ids, rule.Change{Base: rule.Any, Who: who(r).Name}, edit)
	changed := len(out.Changed)
	switch {
	case len(out.Failed) == 0:
		s.done(rw, r, back, fmt.Sprintf("%s now %s.", countOf(changed, "rule is", "rules are"), words[do]))
	default:
		var failed []string
		for _, f := range out.Failed[:min(len(out.Failed), 3)] {
			failed = append(failed, f.Error)
		}
		s.setFlash(rw, "bad", fmt.Sprintf("%s changed. %s", countOf(changed, "rule was", "rules were"), strings.Join(failed, " ")))
		http.Redirect(rw, r, back, http.StatusSeeOther)
	}
}

// packLine is one rule of the pack.
type packLine struct {
	RuleRow
	Enabled bool // it is a rule of the database or a file
}

// packView is what the page of the starter pack shows.
type packView struct {
	Rules   []packLine
	Filter  string
	Wrong   string
	Sources []string
	All     int
	CanEdit bool
}

func (s *rulePages) pack(rw http.ResponseWriter, r *http.Request) {
	v := packView{Filter: r.URL.Query().Get("q"), Sources: s.Sources, CanEdit: mayEdit(r)}
	var filter *query.Filter
	if strings.TrimSpace(v.Filter) != "" {
		var err error
		if filter, err = query.CompileFilter(v.Filter); err != nil {
			v.Wrong = err.Error()
		}
	}
	for _, e := range rule.Pack() {
		row := packLine{RuleRow: RuleRowOf(&e)}
		_, err := s.Library.Find(e.ID)
		row.Enabled = err == nil
		v.All++
		if filter == nil || filter.Match(ruleFields(&ruleLine{RuleRow: row.RuleRow, State: "off"}), time.Now()) {
			v.Rules = append(v.Rules, row)
		}
	}
	s.render(rw, r, http.StatusOK, "pack", v)
}

// install makes rules of the pack ones of the database.
func (s *rulePages) install(rw http.ResponseWriter, r *http.Request) {
	state := rule.On
	do, id, _ := strings.Cut(r.PostFormValue("do"), ":")
	if do == "shadow" {
		state = rule.Shadow
	}
	packed, err := rule.FindInPack(id)
	if err == nil {
		_, err = s.Library.Install(r.Context(), packed, state, r.PostFormValue("source"), rule.Change{Base: rule.Any, Who: who(r).Name})
	}
	if err != nil {
		s.setFlash(rw, "bad", err.Error())
		http.Redirect(rw, r, "/rules/pack", http.StatusSeeOther)
		return
	}
	s.done(rw, r, "/rules/"+url.PathEscape(packed.ID), packed.Name()+" runs from now on.")
}
