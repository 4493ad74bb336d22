package notify

import (
	"context"
	"errors"
	"net/http"
	"time"

	"tocsin/internal/alert"
	"tocsin/internal/notice"
)

// pagerDutyURL is where the Events API v2 takes events.
const pagerDutyURL = "https://events.pagerduty.com/v2/enqueue"

// pagerDuty triggers one incident for each notice, by the notice's key: a repeat is no second incident, and the
// end of all it stands for resolves it.
type pagerDuty struct {
	service
	key  string
	page string
}

func newPagerDuty(o Options) (output, error) {
	if o.Secret == "" {
		return nil, errors.New("its routing_key is missing: the integration key of an Events API v2 integration")
	}
	if o.URL == "" {
		o.URL = pagerDutyURL
	}
	u, err := address(o.URL)
	if err != nil {
		return nil, err
	}
	return &pagerDuty{key: o.Secret, page: o.Page, service: service{client: o.Client, url: u.String(), hint: func(int) string {
		return "check its routing_key: it is the integration key of an Events API v2 integration"
	}}}, nil
}

// The event of the Events API v2 and its limits: a summary of 1,024 characters.
type pagerDutyEvent struct {
	RoutingKey string          `json:"routing_key"`
	Action     string          `json:"event_action"`
	DedupKey   string          `json:"dedup_key"`
	Client     string          `json:"client,omitempty"`
	ClientURL  string          `json:"client_url,omitempty"`
	Payload    *pagerDutyBody  `json:"payload,omitempty"`
	Links      []pagerDutyLink `json:"links,omitempty"`
}

type pagerDutyBody struct {
	Summary   string            `json:"summary"`
	Source    string            `json:"source"`
	Severity  string            `json:"severity"`
	Timestamp string            `json:"timestamp,omitempty"`
	Class     string            `json:"class,omitempty"`
	Details   map[string]string `json:"custom_details,omitempty"`
}

type pagerDutyLink struct {
	Href string `json:"href"`
	Text string `json:"text"`
}

// pagerDutySeverity are the four that PagerDuty has.
var pagerDutySeverity = map[alert.Severity]string{
	alert.SeverityCritical: "critical", alert.SeverityHigh: "error", alert.SeverityMedium: "warning", alert.SeverityLow: "info",
}

func (p *pagerDuty) post(ctx context.Context, n notice.Notice) error {
	e := pagerDutyEvent{RoutingKey: p.key, Action: "trigger", DedupKey: string(n.Key), Client: "Tocsin", ClientURL: p.page}
	switch over(n) {
	case alert.StatusClosed:
		e.Action = "resolve"
	case alert.StatusAcknowledged:
		e.Action = "acknowledge"
	}
	if e.Action == "trigger" {
		severity := pagerDutySeverity[n.Severity]
		if severity == "" {
			severity = "warning"
		}
		e.Payload = &pagerDutyBody{
			Summary: title(n), Source: source(n), Severity: severity, Class: first(rulesOf(n)),
			Details: map[string]string{"alerts": body(lines(n), bodyMost)},
		}
		if !n.Until.IsZero() {
			e.Payload.Timestamp = n.Until.UTC().Format(time.RFC3339)
		}
		for _, it := range n.Items[:min(len(n.Items), 5)] {
			if it.URL != "" {
				e.Links = append(e.Links, pagerDutyLink{Href: it.URL, Text: ruleName(it.Rule)})
			}
		}
	}
	b, err := encode(e)
	if err != nil {
		return err
	}
	return p.send(ctx, b, http.Header{})
}

func (*pagerDuty) edits() bool { return true }

// over is what all alerts of a notice have become: closed, acknowledged, or open while one of them is.
func over(n notice.Notice) alert.Status {
	if len(n.Items) == 0 || n.Count > len(n.Items) {
		return alert.StatusOpen
	}
	status := alert.StatusClosed
	for _, it := range n.Items {
		switch {
		case it.Over():
		case it.Status == alert.StatusAcknowledged:
			status = alert.StatusAcknowledged
		default:
			return alert.StatusOpen
		}
	}
	return status
}

// source is the system a notice is about: its host, else Tocsin.
func source(n notice.Notice) string {
	for _, it := range n.Items {
		if h := short(it.Host, 200); h != "" {
			return h
		}
	}
	return "tocsin"
}

func first(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return short(names[0], 200)
}
