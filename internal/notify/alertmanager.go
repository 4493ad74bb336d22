package notify

import (
	"context"
	"net/http"
	"strings"
	"time"

	"tocsin/internal/notice"
)

// alertmanager posts the alerts of a notice to an Alertmanager's API v2, which groups, silences and sends them
// by its own routes. Equal labels are the same alert there, so a repeat is none.
type alertmanager struct {
	service
	page string
}

// holds is how long an alert that is no ongoing condition stays active in Alertmanager after it was said.
const holds = time.Hour

func newAlertmanager(o Options) (output, error) {
	u, err := address(o.URL)
	if err != nil {
		return nil, err
	}
	if !strings.HasSuffix(u.Path, "/api/v2/alerts") {
		u = u.JoinPath("api/v2/alerts")
	}
	return &alertmanager{page: o.Page, service: service{client: o.Client, url: u.String(), header: basic(o)}}, nil
}

type alertmanagerAlert struct {
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations,omitempty"`
	StartsAt    string            `json:"startsAt,omitempty"`
	EndsAt      string            `json:"endsAt,omitempty"`
	URL         string            `json:"generatorURL,omitempty"`
}

func (a *alertmanager) post(ctx context.Context, n notice.Notice) error {
	now := time.Now().UTC()
	var all []alertmanagerAlert
	for _, it := range n.Items {
		one := alertmanagerAlert{
			Labels: map[string]string{
				"alertname": ruleName(it.Rule), "severity": it.Severity.String(), "tocsin_alert": string(it.Alert), "job": "tocsin",
			},
			Annotations: map[string]string{"summary": short(it.Reason, lineMost), "description": body(item(it, true), 4000)},
			URL:         it.URL,
		}
		if h := short(it.Host, 200); h != "" {
			one.Labels["instance"] = h
		}
		if u := short(it.User, 200); u != "" {
			one.Labels["user"] = u
		}
		if !it.Time.IsZero() {
			one.StartsAt = it.Time.UTC().Format(time.RFC3339)
		}
		one.EndsAt = now.Add(holds).Format(time.RFC3339)
		if it.Over() {
			one.EndsAt = now.Format(time.RFC3339)
		}
		all = append(all, one)
	}
	if rest := n.Count - len(n.Items); rest > 0 || len(n.Items) == 0 { // those that no item names
		all = append(all, alertmanagerAlert{
			Labels:      map[string]string{"alertname": title(n), "severity": n.Severity.String(), "tocsin_notice": string(n.Key), "job": "tocsin"},
			Annotations: map[string]string{"summary": title(n), "description": body(lines(n), 4000)},
			EndsAt:      now.Add(holds).Format(time.RFC3339), URL: a.page,
		})
	}
	b, err := encode(all)
	if err != nil {
		return err
	}
	return a.send(ctx, b, http.Header{})
}

func (*alertmanager) edits() bool { return true }
