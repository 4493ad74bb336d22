package check_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/internal/alert"
	"tocsin/internal/check"
	"tocsin/internal/config"
	"tocsin/internal/demo"
	"tocsin/internal/elastic"
	"tocsin/internal/kibana"
	"tocsin/internal/ledger"
	"tocsin/internal/notice"
	"tocsin/internal/outbox"
	"tocsin/internal/slack"
	"tocsin/internal/store"
)

// scene is an index, a ledger and a Slack that agree on two alerts.
type scene struct {
	check     *check.Check
	cluster   *demo.Cluster
	slack     *demo.Slack
	sender    *slack.Sender
	db        *store.DB
	documents []demo.Detection
	said      []notice.Receipt
}

func newScene(t *testing.T) *scene {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	s := &scene{cluster: demo.NewCluster(demo.ClusterOptions{}), slack: demo.NewSlack(demo.SlackOptions{})}
	clusterServer, slackServer := httptest.NewServer(s.cluster), httptest.NewServer(s.slack)
	t.Cleanup(clusterServer.Close)
	t.Cleanup(slackServer.Close)
	client, err := elastic.New(elastic.Options{Name: "siem", URLs: []string{clusterServer.URL}})
	must(err)
	t.Cleanup(client.Close)
	source, err := kibana.New(kibana.Options{Name: "siem/default", Client: client, All: true, Log: slog.New(slog.DiscardHandler)})
	must(err)
	s.sender, err = slack.New(slack.Options{BotToken: demo.DemoToken, APIURL: slackServer.URL + "/api/", DefaultChannel: "#alerts"})
	must(err)
	s.db, err = store.Open(t.Context(), store.Options{Dir: t.TempDir(), Migrations: slices.Concat(ledger.Migrations, outbox.Migrations)})
	must(err)
	t.Cleanup(func() { s.db.Close() })
	made := demo.NewDetections(3)
	for range 2 {
		s.documents = append(s.documents, made.Make("8.19.0", demo.QueryDetection, time.Now().Add(-time.Hour)))
	}
	must(s.cluster.Put(s.documents...))
	batch, err := source.Fetch(t.Context(), alert.Ask{Missing: func(context.Context, []string) ([]string, error) { return nil, nil }})
	must(err)
	for i := range batch.Alerts {
		a := &batch.Alerts[i]
		n := notice.Alone(notice.Key(fmt.Sprint("key-", i)), "#alerts", a)
		receipt, err := s.sender.Post(t.Context(), n)
		must(err)
		s.said = append(s.said, receipt)
		must(s.db.Update(t.Context(), func(tx *store.Tx) error {
			c, err := ledger.Prepare(a)
			if err != nil {
				return err
			}
			if _, err := ledger.Add(tx, c, ledger.Standing{Decision: ledger.Forward, Notice: n.Key, Revision: 1}, time.Now()); err != nil {
				return err
			}
			if err := outbox.Put(tx, n, time.Now()); err != nil {
				return err
			}
			return tx.Exec(`UPDATE notices SET state = 'said', said_revision = 1, said_channel = ?, ts = ?, said_at = ?, posted_at = ? WHERE key = ?`,
				receipt.Channel, receipt.TS, store.Micros(time.Now()), store.Micros(time.Now()), n.Key)
		}))
	}
	must(s.db.Update(t.Context(), func(tx *store.Tx) error {
		return ledger.SetSourceState(tx, "siem/default", batch.State, time.Now())
	}))
	l, err := ledger.New(ledger.Options{DB: s.db})
	must(err)
	o, err := outbox.NewReader(outbox.ReaderOptions{DB: s.db})
	must(err)
	cfg := config.Default()
	u, err := url.Parse(clusterServer.URL)
	must(err)
	cfg.Sources = []config.Source{{Name: "siem", Kind: config.Elasticsearch, URLs: []*url.URL{u}}}
	s.check, err = check.New(check.Options{
		Config: cfg, Clients: map[string]*elastic.Client{"siem": client}, Detections: []*kibana.Source{source}, Slack: s.sender, Ledger: l, Outbox: o,
	})
	must(err)
	return s
}

func (s *scene) verify(t *testing.T) *check.Verification {
	t.Helper()
	v, err := s.check.Verify(t.Context(), time.Now().Add(-24*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestVerifyNamesWhatIsMissingAndDoubled(t *testing.T) {
	for _, tc := range []struct {
		name             string
		spoil            func(t *testing.T, s *scene)
		missing, doubled string // a part of the one finding; "" is none
	}{
		{"all agree", func(*testing.T, *scene) {}, "", ""},
		{"a document that was never read", func(t *testing.T, s *scene) {
			if err := s.cluster.Put(demo.NewDetections(9).Make("8.19.0", demo.QueryDetection, time.Now().Add(-2*time.Minute))); err != nil {
				t.Fatal(err)
			}
		}, "is not in the ledger", ""},
		{"a message that a person deleted", func(_ *testing.T, s *scene) { s.slack.Delete("alerts", s.said[0].TS) }, "not in Slack's history", ""},
		{"a message said twice", func(t *testing.T, s *scene) {
			n := notice.Alone("key-1", "#alerts", &alert.Alert{ID: "x", Rule: alert.Rule{Name: "r"}})
			if _, err := s.sender.Post(t.Context(), n); err != nil {
				t.Fatal(err)
			}
		}, "", "stands 2 times"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newScene(t)
			tc.spoil(t, s)
			v := s.verify(t)
			for what, got := range map[string]struct {
				found []check.Named
				want  string
			}{"missing": {v.Missing, tc.missing}, "doubled": {v.Doubled, tc.doubled}} {
				if got.want == "" && len(got.found) > 0 || got.want != "" && (len(got.found) != 1 || !strings.Contains(got.found[0].Text, got.want)) {
					t.Errorf("%s: %+v, want one with %q", what, got.found, got.want)
				}
				for _, f := range got.found {
					if len(f.SourceIDs) == 0 {
						t.Errorf("%s names no document: %+v", what, f)
					}
				}
			}
			if v.OK != (tc.missing == "" && tc.doubled == "") {
				t.Errorf("ok is %v", v.OK)
			}
		})
	}
}

func TestRunTellsOfEverythingAtOnce(t *testing.T) {
	s := newScene(t)
	s.slack.SetChannel("alerts", func(c *demo.SlackChannel) { c.Archived = true })
	var said []string
	problems := 0
	for _, f := range s.check.Run(t.Context()) {
		said = append(said, f.Part+": "+f.Text)
		if f.Problem {
			problems++
		}
	}
	all := strings.Join(said, "\n")
	for _, want := range []string{"source siem: reached", "not encrypted", "would take in 2 detections", "archived"} {
		if !strings.Contains(all, want) {
			t.Errorf("no %q in\n%s", want, all)
		}
	}
	if problems == 0 {
		t.Error("an archived channel is no problem")
	}
}
