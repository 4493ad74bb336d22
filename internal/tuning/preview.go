package tuning

import (
	"cmp"
	"slices"
	"time"

	"tocsin/internal/alert"
	"tocsin/internal/query"
)

// Preview is what a tuning would have done about the alerts of a stretch of time.
type Preview struct {
	Since   time.Time     `json:"since"`
	Seen    int           `json:"seen"`           // all alerts
	Matched int           `json:"matched"`        // those it would have hidden
	Said    int           `json:"said"`           // of them said, or about to be
	Held    int           `json:"held"`           // of them held back anyway
	Worst   string        `json:"worst_severity"` // of them
	Rules   []PreviewRule `json:"rules"`          // by rule, most first
	Newest  []PreviewRow  `json:"newest"`         // the newest of them, at most five
}

// PreviewRule is how much of one rule would have been hidden.
type PreviewRule struct {
	Rule    string `json:"rule"`
	Matched int    `json:"matched"`
	Seen    int    `json:"seen"`
}

// PreviewRow is an alert that would have been hidden.
type PreviewRow struct {
	ID       alert.ID       `json:"id"`
	Rule     string         `json:"rule"`
	Severity alert.Severity `json:"severity"`
	Time     time.Time      `json:"time"`
	Host     string         `json:"host,omitempty"`
	User     string         `json:"user,omitempty"`
	Fate     alert.Fate     `json:"fate"`
}

const newestShown = 5

// Previewer counts what a filter would have hidden, one alert after the other, oldest first.
type Previewer struct {
	filter *query.Filter
	now    time.Time
	out    Preview
	worst  alert.Severity
	rules  map[string]*PreviewRule
}

// NewPreviewer makes a Previewer of the draft's filter; an error is an *InputError.
func NewPreviewer(d Draft, since, now time.Time) (*Previewer, error) {
	d.Who, d.Why, d.Until, d.Forever, d.From = "preview", "preview", time.Time{}, true, time.Time{}
	e, err := d.entry(now)
	if err != nil {
		return nil, err
	}
	f, err := query.CompileFilter(e.Match)
	if err != nil {
		return nil, err
	}
	return &Previewer{filter: f, now: now, out: Preview{Since: since}, rules: map[string]*PreviewRule{}}, nil
}

// Take looks at one alert, which comes with its document.
func (p *Previewer) Take(a *alert.Alert, fate alert.Fate) error {
	fields, err := a.Fields()
	if err == nil {
		p.TakeFields(a, fields, fate)
	}
	return err
}

// TakeFields looks at one alert whose fields the caller has read.
func (p *Previewer) TakeFields(a *alert.Alert, fields alert.Fields, fate alert.Fate) {
	p.out.Seen++
	rule := p.rules[a.Rule.Name]
	if rule == nil {
		rule = &PreviewRule{Rule: a.Rule.Name}
		p.rules[a.Rule.Name] = rule
	}
	rule.Seen++
	if !p.filter.Match(fields, p.now) {
		return
	}
	rule.Matched++
	p.out.Matched++
	p.worst = max(p.worst, a.Severity)
	switch fate {
	case alert.Sent, alert.Grouped, alert.Pending, alert.Failed:
		p.out.Said++
	default:
		p.out.Held++
	}
	p.out.Newest = append(p.out.Newest, PreviewRow{a.ID, a.Rule.Name, a.Severity, a.Time, a.Host, a.User, fate})
	if len(p.out.Newest) > newestShown {
		p.out.Newest = p.out.Newest[1:]
	}
}

// Done gives the preview.
func (p *Previewer) Done() Preview {
	out := p.out
	out.Rules, out.Newest = []PreviewRule{}, append([]PreviewRow{}, out.Newest...)
	slices.Reverse(out.Newest)
	if out.Matched > 0 {
		out.Worst = p.worst.String()
	}
	for _, r := range p.rules {
		if r.Matched > 0 {
			out.Rules = append(out.Rules, *r)
		}
	}
	slices.SortFunc(out.Rules, func(a, b PreviewRule) int {
		return cmp.Or(cmp.Compare(b.Matched, a.Matched), cmp.Compare(a.Rule, b.Rule))
	})
	return out
}
