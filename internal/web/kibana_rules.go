package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"tocsin/internal/account"
	"tocsin/internal/alert"
	"tocsin/internal/ledger"
	"tocsin/internal/policy"
	"tocsin/internal/tuning"
)

// KibanaRulesOptions say what tells of the rules of Kibana.
type KibanaRulesOptions struct {
	// Detections are the names of what forwards Kibana's detections.
	Detections []string
	// Explain says what becomes of an alert now.
	Explain func(context.Context, *alert.Alert) (policy.Explanation, error)
	Book    *tuning.Book
}

// KibanaRuleList are the rules of Kibana whose alerts were seen.
type KibanaRuleList struct {
	Rules []KibanaRule `json:"rules"`
}

// KibanaRule is a rule of Kibana as its alerts tell of it.
type KibanaRule struct {
	Name       string    `json:"name"`
	Detections string    `json:"detections" doc:"What forwards its alerts."`
	Severity   string    `json:"severity" doc:"Of its newest alert."`
	URL        string    `json:"url,omitempty"`
	Alerts     int       `json:"alerts" doc:"Seen in the last 7 days."`
	Said       int       `json:"said" doc:"Of those, the ones that messages name or count."`
	Newest     time.Time `json:"newest"`
	Judged     int       `json:"judged,omitempty" doc:"Alerts that people closed in the last 30 days."`
	False      int       `json:"false_positives,omitempty" doc:"Those of them that they called false positives."`
	Forwarded  bool      `json:"forwarded" doc:"Whether its newest alert would be forwarded now."`
	Reason     string    `json:"reason" doc:"Why."`
	Switch     string    `json:"switch,omitempty" doc:"The id of the switch that turns it off."`
}

// Share is how many of the closed alerts were false positives, in percent.
func (k KibanaRule) Share() int { return share(k.False, k.Judged) }

// kibanaBack is how far back rules of Kibana are known by their alerts, and kibanaCounted how far back those are counted.
const (
	kibanaBack    = 30 * 24 * time.Hour
	kibanaCounted = 7 * 24 * time.Hour
)

type kibanaRules struct {
	*Web
	o KibanaRulesOptions
}

// KibanaRules adds the list of Kibana's rules, and the page that forwards them or not.
func KibanaRules(o KibanaRulesOptions) Part {
	return func(w *Web) {
		s := &kibanaRules{w, o}
		w.add(Route{
			Method: "GET", Path: "/kibana-rules", Tag: "forwarding", Role: account.Viewer, Summary: "List the rules of Kibana whose detections were seen, and which are forwarded",
			Text: "A rule is known while it made an alert in the last 30 days. POST /forwarding with its name in rule turns it off or on.", Answer: KibanaRuleList{}, Handle: s.list,
		})
		w.page(Page{Method: "GET", Path: "/rules/kibana", Role: account.Viewer, Handle: s.page})
		w.page(Page{Method: "POST", Path: "/rules/kibana", Role: account.Editor, Handle: s.turn})
	}
}

// rules are those whose alerts were seen, by name, and of them those that are asked for.
func (s *kibanaRules) rules(ctx context.Context, asked func(name string) bool) ([]KibanaRule, error) {
	now := time.Now()
	seen, err := s.ledger.Rules(ctx, now.Add(-kibanaBack), now.Add(-kibanaCounted))
	if err != nil {
		return nil, err
	}
	closed, wrong, err := s.judged(ctx)
	if err != nil {
		return nil, err
	}
	out := []KibanaRule{}
	for _, of := range seen {
		if !slices.Contains(s.o.Detections, of.Source) || !asked(of.Rule) {
			continue
		}
		k := KibanaRule{
			Name: of.Rule, Detections: of.Source, Alerts: of.Alerts, Said: of.Said, Newest: of.Newest, Judged: closed[of.Rule], False: wrong[of.Rule], Forwarded: true,
		}
		entries, _, err := s.ledger.List(ctx, ledger.Filter{Source: of.Source, Rule: of.Rule, Limit: 1, Documents: true})
		if err != nil {
			return nil, err
		}
		if len(entries) == 1 {
			if err := s.stand(ctx, &k, &entries[0].Alert); err != nil {
				return nil, err
			}
		}
		out = append(out, k)
	}
	slices.SortStableFunc(out, func(a, b KibanaRule) int { return strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)) })
	return out, nil
}

// stand tells whether an alert like this one would be forwarded now. What keeps this one back alone, such as that it is
// closed, says nothing of the rule.
func (s *kibanaRules) stand(ctx context.Context, k *KibanaRule, a *alert.Alert) error {
	k.Severity, k.URL = a.Severity.String(), a.Rule.URL
	fresh := *a
	fresh.Status, fresh.Withdrawn, fresh.Maintenance = alert.StatusOpen, false, nil
	e, err := s.o.Explain(ctx, &fresh)
	if err != nil {
		return err
	}
	k.Reason = e.Reason
	switch e.Cause.Code {
	case alert.CauseSwitchedOff:
		k.Forwarded, k.Switch = false, e.Cause.Params["id"]
	case alert.CauseNotForwarded, alert.CauseBuildingBlock, alert.CauseHeld:
		k.Forwarded = false
	}
	return nil
}

func (s *kibanaRules) list(rw http.ResponseWriter, r *http.Request) {
	all, err := s.rules(r.Context(), func(string) bool { return true })
	if err != nil {
		s.broken(rw, r, err)
		return
	}
	answer(rw, http.StatusOK, KibanaRuleList{all})
}

// kibanaView is what the page shows.
type kibanaView struct {
	Rules      []KibanaRule
	All        int
	Filter     string
	Detections []string
	CanEdit    bool
}

func (s *kibanaRules) page(rw http.ResponseWriter, r *http.Request) {
	all, err := s.rules(r.Context(), func(string) bool { return true })
	if err != nil {
		s.broken(rw, r, err)
		return
	}
	v := kibanaView{All: len(all), Filter: strings.TrimSpace(r.URL.Query().Get("q")), Detections: s.o.Detections, CanEdit: mayEdit(r)}
	for _, k := range all {
		if strings.Contains(strings.ToLower(k.Name), strings.ToLower(v.Filter)) {
			v.Rules = append(v.Rules, k)
		}
	}
	s.render(rw, r, http.StatusOK, "kibana_rules", v)
}

// turn stops or resumes the forwarding of rules: the one whose button was pressed, or those that were ticked.
func (s *kibanaRules) turn(rw http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		s.sorry(rw, r, http.StatusBadRequest, "The form could not be read", err.Error())
		return
	}
	back := "/rules/kibana"
	if q := r.PostForm.Get("q"); q != "" {
		back += "?q=" + url.QueryEscape(q)
	}
	do, names := r.PostForm.Get("do"), r.PostForm["rule"]
	if action, name, ok := strings.Cut(do, ":"); ok {
		do, names = action, []string{name}
	}
	if len(names) == 0 || do != "stop" && do != "resume" {
		s.setFlash(rw, "warn", "No rule was chosen: tick some, or press x on a row.")
		http.Redirect(rw, r, back, http.StatusSeeOther)
		return
	}
	why := strings.TrimSpace(r.PostForm.Get("why"))
	for _, name := range names {
		var err error
		if do == "stop" {
			err = s.stop(r.Context(), name, who(r).Name, why)
		} else {
			err = s.resume(r.Context(), name, who(r).Name, why)
		}
		if err != nil {
			s.setFlash(rw, "bad", fmt.Sprintf("%s: %v", name, err))
			http.Redirect(rw, r, back, http.StatusSeeOther)
			return
		}
	}
	said := countOf(len(names), "rule is", "rules are")
	if len(names) == 1 {
		said = names[0] + " is"
	}
	if do == "stop" {
		s.done(rw, r, back, said+" no longer forwarded. What it finds is kept, and said to no one.")
	} else {
		s.done(rw, r, back, said+" forwarded again.")
	}
}

// stop makes a switch that turns a rule off.
func (s *kibanaRules) stop(ctx context.Context, name, who, why string) error {
	if why == "" {
		why = "stopped on the page of Kibana's rules"
	}
	_, err := s.o.Book.Add(ctx, tuning.Draft{Kind: policy.Forwarding, Rule: name, Forever: true, Who: who, Why: why})
	return err
}

// resume ends the switches that turn off this rule alone. Where something wider still keeps it back, a newer switch turns
// it on.
func (s *kibanaRules) resume(ctx context.Context, name, who, why string) error {
	all, err := s.o.Book.List(ctx, policy.Forwarding, tuning.Active)
	if err != nil {
		return err
	}
	alone := tuning.OfRule(name)
	for _, e := range all {
		if e.Rule == name && e.Match == alone && e.Forward != nil && !*e.Forward {
			var over *tuning.ConflictError // somebody ended it meanwhile
			if _, err := s.o.Book.Expire(ctx, policy.Forwarding, e.ID, who, why); err != nil && !errors.As(err, &over) {
				return err
			}
		}
	}
	rules, err := s.rules(ctx, func(one string) bool { return one == name })
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(rules, func(k KibanaRule) bool { return !k.Forwarded }) {
		return nil
	}
	if why == "" {
		why = "resumed on the page of Kibana's rules"
	}
	_, err = s.o.Book.Add(ctx, tuning.Draft{Kind: policy.Forwarding, Rule: name, Forward: true, Forever: true, Who: who, Why: why})
	return err
}
