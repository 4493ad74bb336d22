package web

import (
	"context"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"time"

	"tocsin/internal/account"
	"tocsin/internal/config"
	"tocsin/internal/notice"
	"tocsin/internal/outbox"
	"tocsin/internal/policy"
)

// DigestsOptions say what is known of digests.
type DigestsOptions struct {
	// Reports tells how each stands; Foretell makes what one would be if it were said now.
	Reports  func(context.Context) ([]policy.Reported, error)
	Foretell func(ctx context.Context, name string) (notice.Notice, bool, error)
	// Place is where a key stands in the file.
	Place func(key string) config.Place
}

// DigestList are the digests there are.
type DigestList struct {
	Digests []DigestRow `json:"digests"`
}

// DigestRow is a digest with how it stands.
type DigestRow struct {
	Name    string    `json:"name"`
	Channel string    `json:"channel"`
	Every   string    `json:"every" enum:"hourly,daily,weekly"`
	When    string    `json:"when" doc:"When it is said, in words."`
	Match   string    `json:"match,omitempty" doc:"Which alerts it tells of; all without one."`
	Next    time.Time `json:"next"`
	Told    time.Time `json:"told_until,omitzero" doc:"The end of what it last told of."`
}

// DigestMessage is a digest as a message.
type DigestMessage struct {
	From  time.Time `json:"from"`
	To    time.Time `json:"to"`
	Seen  int       `json:"seen" doc:"How many alerts it tells of."`
	State string    `json:"state,omitempty" doc:"Of one that was to be said: queued, sending, doubt, said or failed."`
	Said  time.Time `json:"posted_at,omitzero"`
	Text  string    `json:"text" doc:"What notifications say of it."`
	HTML  string    `json:"html" doc:"The message for a page: escaped, and with no link but to web pages."`
}

// DigestDetail is a digest with what it would be if it were said now, and those that were.
type DigestDetail struct {
	DigestRow
	Preview DigestMessage   `json:"preview"`
	Past    []DigestMessage `json:"past" doc:"Newest first."`
}

// pastShown is how many old digests are shown, and pastSought among how many they are looked for.
const (
	pastShown  = 10
	pastSought = 200
)

type digests struct {
	*Web
	o DigestsOptions
}

// Digests adds the API and the page of digests.
func Digests(o DigestsOptions) Part {
	return func(w *Web) {
		s := &digests{w, o}
		w.add(Route{Method: "GET", Path: "/digests", Tag: "digests", Role: account.Viewer, Summary: "List the digests, and when each is said next", Answer: DigestList{}, Handle: s.list})
		w.add(Route{
			Method: "GET", Path: "/digests/{name}", Tag: "digests", Role: account.Viewer, Summary: "Show a digest as it would be now, and the past ones",
			Answer: DigestDetail{}, Fails: []int{404}, Handle: s.show,
		})
		w.page(Page{Method: "GET", Path: "/digests", Role: account.Viewer, Handle: s.page})
		w.page(Page{Method: "GET", Path: "/digests/{name}", Role: account.Viewer, Handle: s.page})
	}
}

func (s *digests) rows(ctx context.Context) ([]DigestRow, []policy.Report, error) {
	all, err := s.o.Reports(ctx)
	if err != nil {
		return nil, nil, err
	}
	rows, reports := []DigestRow{}, []policy.Report{}
	for _, r := range all {
		row := DigestRow{Name: r.Name, Channel: r.Channel, Every: string(r.Every), When: whenSaid(&r.Report), Next: r.Due, Told: r.Said}
		if r.Match != nil {
			row.Match = r.Match.String()
		}
		rows, reports = append(rows, row), append(reports, r.Report)
	}
	return rows, reports, nil
}

// whenSaid says in words when a report is said.
func whenSaid(r *policy.Report) string {
	if r.Every == notice.Hourly {
		return fmt.Sprintf("every hour at minute %d", r.At)
	}
	zone := "UTC"
	if r.Location != nil {
		zone = r.Location.String()
	}
	at := fmt.Sprintf("at %02d:%02d %s", r.At/60, r.At%60, zone)
	if r.Every == notice.Weekly {
		return "every " + r.Weekday.String() + " " + at
	}
	return "every day " + at
}

func (s *digests) list(rw http.ResponseWriter, r *http.Request) {
	rows, _, err := s.rows(r.Context())
	if err != nil {
		s.broken(rw, r, err)
		return
	}
	answer(rw, http.StatusOK, DigestList{rows})
}

func (s *digests) show(rw http.ResponseWriter, r *http.Request) {
	rows, reports, err := s.rows(r.Context())
	if err != nil {
		s.broken(rw, r, err)
		return
	}
	name := r.PathValue("name")
	i := slices.IndexFunc(rows, func(row DigestRow) bool { return row.Name == name })
	if i < 0 {
		fail(rw, http.StatusNotFound, fmt.Sprintf("no digest is called %q", name))
		return
	}
	out, err := s.detail(r.Context(), rows[i], &reports[i])
	if err != nil {
		s.broken(rw, r, err)
		return
	}
	answer(rw, http.StatusOK, out)
}

func (s *digests) detail(ctx context.Context, row DigestRow, report *policy.Report) (DigestDetail, error) {
	out := DigestDetail{DigestRow: row, Past: []DigestMessage{}}
	n, _, err := s.o.Foretell(ctx, row.Name)
	if err != nil {
		return out, err
	}
	if out.Preview, err = digestMessage(n); err != nil {
		return out, err
	}
	all, err := s.outbox.Newest(ctx, notice.KindSummary, pastSought)
	if err != nil {
		return out, err
	}
	for _, m := range all {
		if m.Key != policy.ReportKey(report, m.Until) || len(out.Past) == pastShown {
			continue
		}
		old, err := digestMessage(m.Notice)
		if err != nil {
			return out, err
		}
		old.State, old.Said = string(m.State), m.PostedAt
		if m.State == outbox.Queued && m.Said > 0 {
			old.State = string(outbox.Said)
		}
		out.Past = append(out.Past, old)
	}
	return out, nil
}

func digestMessage(n notice.Notice) (DigestMessage, error) {
	m, err := laidOut(n)
	return DigestMessage{From: n.Since, To: n.Until, Seen: n.Count, Text: m.Text, HTML: m.HTML}, err
}

// digestsView is what the page shows: all digests, and one of them.
type digestsView struct {
	Digests []DigestRow
	Shown   *DigestDetail
	Preview template.HTML
	Past    []pastDigest
	Where   string // in the file
}

type pastDigest struct {
	DigestMessage
	Shown template.HTML
}

func (s *digests) page(rw http.ResponseWriter, r *http.Request) {
	rows, reports, err := s.rows(r.Context())
	if err != nil {
		s.broken(rw, r, err)
		return
	}
	v := digestsView{Digests: rows}
	if p := s.o.Place("digests"); p.Line > 0 {
		v.Where = p.String()
	}
	at, name := 0, r.PathValue("name")
	if name != "" {
		if at = slices.IndexFunc(rows, func(row DigestRow) bool { return row.Name == name }); at < 0 {
			s.sorry(rw, r, http.StatusNotFound, "There is no such digest", "It may have been taken out of the configuration.")
			return
		}
	}
	if len(rows) > 0 {
		d, err := s.detail(r.Context(), rows[at], &reports[at])
		if err != nil {
			s.broken(rw, r, err)
			return
		}
		v.Shown, v.Preview = &d, template.HTML(d.Preview.HTML) //nolint:gosec // of blockkit, which escapes
		for _, m := range d.Past {
			v.Past = append(v.Past, pastDigest{m, template.HTML(m.HTML)}) //nolint:gosec // as above
		}
	}
	s.render(rw, r, http.StatusOK, "digests", v)
}
