package web

import (
	"context"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"regexp"
	"slices"
	"sync"
	"time"

	"tocsin/internal/account"
	"tocsin/internal/config"
	"tocsin/internal/rule"
)

// beginning reports whether there is nothing here yet: no cluster, no event, no rule that runs and no alert. Then / is
// the page that helps to begin.
func (s *settingsPart) beginning(r *http.Request) bool {
	for i := range s.o.Config.Sources {
		if s.o.Config.Sources[i].Kind != config.Embedded {
			return false
		}
	}
	if s.ownRules() > 0 {
		return false
	}
	counts, err := s.ledger.Count(r.Context())
	if err != nil || counts.Seen > 0 {
		return false
	}
	n, err := s.events(r, time.Second)
	return err == nil && n == 0
}

// ownRules counts rules that are not of the pack alone.
func (s *settingsPart) ownRules() int {
	if s.o.Rules == nil {
		return 0
	}
	n := 0
	for _, e := range s.o.Rules() {
		if e.Origin != rule.FromPack {
			n++
		}
	}
	return n
}

// example is a search that finds something here.
type example struct {
	Name, Text, Search, Source string
	Found                      int
	More                       bool
	Lately                     bool // found in the last quarter of an hour too
}

type welcomeView struct {
	Sources  []string // that are connected
	Embedded bool
	Events   int64
	Sample   string
	Address  string
	Snippets []snippet
	InFile   bool // sources are
	Login    bool
	Slack    settingsView
	HasSlack bool
	Rules    int
	Alerts   int
	Sent     int
	Examples []example
	CanEdit  bool
}

func (s *settingsPart) welcomePage(rw http.ResponseWriter, r *http.Request) {
	s.render(rw, r, http.StatusOK, "welcome", s.welcome(r))
}

// welcome looks at how far one is. What cannot be looked at counts as not there yet: the page helps on.
func (s *settingsPart) welcome(r *http.Request) welcomeView {
	v := welcomeView{
		Address: s.o.Address(), Login: s.access.Required, HasSlack: s.o.Config.Slack != nil, Rules: s.ownRules(),
		CanEdit: who(r).Role.Allows(account.Admin),
	}
	v.Snippets = snippets(v.Address, s.o.TLS, v.Login)
	v.InFile = s.o.Config.Sets("sources")
	for i := range s.o.Config.Sources {
		one := &s.o.Config.Sources[i]
		if one.Kind == config.Embedded {
			v.Embedded = true
		} else {
			v.Sources = append(v.Sources, one.Name)
		}
	}
	v.Events, _ = s.events(r, countWait)
	if s.o.Samples != nil {
		v.Sample = s.o.Samples(false)
	}
	if counts, err := s.ledger.Count(r.Context()); err == nil {
		v.Alerts = counts.Seen
		for fate, n := range counts.ByFate {
			if fate == "sent" || fate == "grouped" {
				v.Sent += n
			}
		}
	}
	if sv, err := s.settingsView(r); err == nil {
		v.Slack = sv
	}
	if v.Slack.Version > 0 && v.HasSlack || v.Slack.InFile {
		v.HasSlack = true
	}
	if len(v.Sources) > 0 || v.Events > 0 {
		v.Examples = s.examples(r)
	}
	return v
}

// events counts what the embedded engine holds; 0 without one.
func (s *settingsPart) events(r *http.Request, wait time.Duration) (int64, error) {
	i := slices.IndexFunc(s.o.Searches, func(one SearchSource) bool { return one.Kind == string(config.Embedded) })
	if i < 0 {
		return 0, nil
	}
	ctx, cancel := context.WithTimeout(r.Context(), wait)
	defer cancel()
	sc, err := s.searches.scope(Range{Source: s.o.Searches[i].Name, From: "all"})
	if err != nil {
		return 0, err
	}
	out, err := s.searches.rows(r.WithContext(ctx), sc, "* | count", 1, false)
	if err != nil || len(out.Rows) == 0 {
		return 0, err
	}
	var row struct {
		Count int64 `json:"count"`
	}
	if err := json.Unmarshal(out.Rows[0], &row); err != nil {
		return 0, fmt.Errorf("count events: %w", err)
	}
	return row.Count, nil
}

// countWait bounds a count of events.
const countWait = 2 * time.Second

// eventsPart is the counter, asked for again and again while the page is open.
func (s *settingsPart) eventsPart(rw http.ResponseWriter, r *http.Request) {
	n, err := s.events(r, countWait)
	said := "No event yet."
	switch {
	case err != nil:
		said = "Events cannot be counted just now."
	case n > 0:
		said = fmt.Sprintf("%d events so far.", n)
	}
	if s.o.Samples != nil {
		if sample := s.o.Samples(false); sample != "" {
			said += " " + sample
		}
	}
	rw.Header().Set("Content-Type", "text/html; charset=utf-8")
	rw.Header().Set("Cache-Control", "no-store")
	template.HTMLEscape(rw, []byte(said))
}

func (s *settingsPart) welcomeForm(rw http.ResponseWriter, r *http.Request) {
	if !s.form(rw, r) {
		return
	}
	switch r.PostFormValue("do") {
	case "samples":
		if s.o.Samples == nil {
			s.setFlash(rw, "bad", "Sample data goes into the embedded engine, and there is none: add a source of the kind embedded under Settings.")
			http.Redirect(rw, r, "/welcome", http.StatusSeeOther)
			return
		}
		s.done(rw, r, "/welcome", s.o.Samples(true))
	case "slack", "slack-test":
		s.slackForm(rw, r, "/welcome")
	default:
		s.sorry(rw, r, http.StatusBadRequest, "This form cannot be read", "Go back, reload the page, and send it again.")
	}
}

// Examples are looked for among these.
const (
	wantedExamples = 3
	exampleTime    = 6 * time.Second // for all of them
	exampleOne     = 2 * time.Second
	exampleRows    = 50
	examplesAtOnce = 4
)

// plainExamples are for data that no rule of the pack finds something in.
var plainExamples = []rule.Rule{
	{Name: "Failures by user", Description: "Whatever failed, for whom.", Search: "event.outcome:failure | count by user.name | search count > 5"},
	{Name: "Errors by host", Description: "What hosts say of their troubles.", Search: "log.level:(error or critical or fatal) | count by host.name | search count > 5"},
	{Name: "Server errors by path", Description: "Requests that the server could not answer.", Search: "http.response.status_code >= 500 | count by url.path | search count > 5"},
	{Name: "Errors in the text", Description: "Lines with the word error, by host.", Search: "message:error | count by host.name | search count > 5"},
	{Name: "Busiest hosts", Description: "Who sends the most events.", Search: "* | count by host.name | search count > 100"},
	{Name: "How much comes in", Description: "All events; an alert for too many.", Search: "* | count | search count > 1000"},
}

// looksBack matches searches that need more than the last day to find anything.
var looksBack = regexp.MustCompile(`\| *(newterms|spike|missing)`)

// examples are searches that find something in the last day here, of the pack before others.
func (s *settingsPart) examples(r *http.Request) []example {
	ctx, cancel := context.WithTimeout(r.Context(), exampleTime)
	defer cancel()
	var tried []example
	pack := slices.DeleteFunc(rule.Pack(), func(e rule.Entry) bool { return looksBack.MatchString(e.Rule.Search) })
	slices.SortStableFunc(pack, func(a, b rule.Entry) int { return len(a.Rule.Search) - len(b.Rule.Search) })
	add := func(r *rule.Rule) {
		for _, source := range s.o.Searches {
			tried = append(tried, example{Name: r.Name, Text: r.Description, Search: r.Search, Source: source.Name})
		}
	}
	for _, packed := range pack {
		add(packed.Rule)
	}
	for i := range plainExamples {
		add(&plainExamples[i])
	}
	var (
		mu   sync.Mutex
		next int
		done sync.WaitGroup
	)
	hits := map[int]example{}
	for range examplesAtOnce {
		done.Go(func() {
			for {
				mu.Lock()
				i := next
				next++
				enough := len(hits) >= 2*wantedExamples
				mu.Unlock()
				if i >= len(tried) || enough || ctx.Err() != nil {
					return
				}
				one := tried[i]
				found, more := s.finds(ctx, r, one, "-24h")
				if found > 0 {
					one.Found, one.More = found, more
					lately, _ := s.finds(ctx, r, one, "-15m")
					one.Lately = lately > 0
					mu.Lock()
					hits[i] = one
					mu.Unlock()
				}
			}
		})
	}
	done.Wait()
	var out []example
	for _, lately := range []bool{true, false} {
		for i := range tried {
			one, ok := hits[i]
			known := slices.ContainsFunc(out, func(e example) bool { return e.Name == one.Name })
			if ok && one.Lately == lately && !known && len(out) < wantedExamples {
				out = append(out, one)
			}
		}
	}
	return out
}

// finds counts the rows of a search from a time on; none where it has no answer in time.
func (s *settingsPart) finds(ctx context.Context, r *http.Request, e example, from string) (n int, more bool) {
	ctx, cancel := context.WithTimeout(ctx, exampleOne)
	defer cancel()
	sc, err := s.searches.scope(Range{Source: e.Source, From: from})
	if err != nil {
		return 0, false
	}
	out, err := s.searches.rows(r.WithContext(ctx), sc, e.Search, exampleRows, false)
	if err != nil {
		return 0, false
	}
	return len(out.Rows), out.More
}
