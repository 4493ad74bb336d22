package kibana

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"tocsin/internal/alert"
	"tocsin/internal/demo"
	"tocsin/internal/elastic"
	"tocsin/internal/testkit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var kinds = []testkit.Kind{testkit.OpenSearch, testkit.Elastic8, testkit.Elastic7}

// onEach runs a test on every real cluster.
func onEach(t *testing.T, test func(t *testing.T, s *site)) {
	for _, kind := range kinds {
		t.Run(string(kind), func(t *testing.T) { test(t, newSite(t, kind)) })
	}
}

// site is a space of its own on a real cluster.
type site struct {
	node   testkit.Node
	space  string
	client *elastic.Client
}

func newSite(t *testing.T, kind testkit.Kind) *site {
	t.Helper()
	n := testkit.Server(t, kind)
	s := &site{node: n, space: testkit.Unique("t")}
	for _, prefix := range []string{".internal.alerts-security.alerts-" + s.space, ".siem-signals-" + s.space} {
		n.CleanUp(t, prefix)
	}
	s.client = newClient(t, elastic.Options{Name: "siem", URLs: []string{n.URL}, Username: n.Username, Password: n.Password, CAFile: n.CAFile, Timeout: 2 * time.Minute})
	return s
}

func newClient(t testing.TB, o elastic.Options) *elastic.Client {
	t.Helper()
	c, err := elastic.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// The backing indices of a site, by generation and number.
func (s *site) signals(n int) string { return fmt.Sprintf(".siem-signals-%s-%06d", s.space, n) }

func (s *site) alerts(n int) string {
	return fmt.Sprintf(".internal.alerts-security.alerts-%s-%06d", s.space, n)
}

func (s *site) create(t testing.TB, index, kibana string, shards int, aliases ...string) {
	t.Helper()
	body := demo.DetectionsIndex(kibana, shards)
	names := map[string]any{}
	for _, a := range aliases {
		names[a+s.space] = map[string]any{}
	}
	body["aliases"] = names
	s.node.Ask(t, "PUT", "/"+index, body, nil)
}

// createNew makes an index as Kibana 8 has it: the old alias is another name of it.
func (s *site) createNew(t testing.TB) string {
	s.create(t, s.alerts(1), "8.19", 3, alertsPrefix, signalsPrefix)
	return s.alerts(1)
}

func (s *site) createOld(t testing.TB, more ...string) string {
	s.create(t, s.signals(1), "7.17", 3, append(more, signalsPrefix)...)
	return s.signals(1)
}

func (s *site) put(t testing.TB, index string, of ...demo.Detection) {
	t.Helper()
	for part := range slices.Chunk(of, 4000) {
		var lines [][]byte
		for _, d := range part {
			lines = append(lines, fmt.Appendf(nil, `{"index":{"_index":%q,"_id":%q}}`, index, d.ID), d.Source)
		}
		s.node.Bulk(t, lines...)
	}
}

// spread puts each detection into the index of its generation.
func (s *site) spread(t testing.TB, old, fresh string, of ...demo.Detection) {
	t.Helper()
	var oldOnes, freshOnes []demo.Detection
	for _, d := range of {
		if isOld(d) {
			oldOnes = append(oldOnes, d)
		} else {
			freshOnes = append(freshOnes, d)
		}
	}
	s.put(t, old, oldOnes...)
	s.put(t, fresh, freshOnes...)
}

// change changes fields of a document in place, as Kibana's updates do.
func (s *site) change(t testing.TB, index, id string, fields map[string]any) {
	t.Helper()
	s.node.Ask(t, "POST", "/"+index+"/_update/"+id+"?refresh=true", map[string]any{"doc": fields}, nil)
}

func (s *site) options() Options {
	return Options{Name: "siem", Client: s.client, Space: s.space, Since: 24 * time.Hour, Log: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry()}
}

func (s *site) source(t testing.TB, adjust ...func(*Options)) *Source {
	t.Helper()
	return newSource(t, s.options(), adjust...)
}

func newSource(t testing.TB, o Options, adjust ...func(*Options)) *Source {
	t.Helper()
	for _, a := range adjust {
		a(&o)
	}
	src, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { src.Close(context.Background()) })
	return src
}

// book is what has been committed.
type book struct {
	state  json.RawMessage
	alerts map[string]alert.Alert
	handed map[string]int // how often each was handed over
	live   []string
}

func newBook() *book { return &book{alerts: map[string]alert.Alert{}, handed: map[string]int{}} }

func (b *book) ask() alert.Ask {
	return alert.Ask{State: b.state, Live: b.live, Missing: func(_ context.Context, ids []string) ([]string, error) {
		var out []string
		for _, id := range ids {
			if _, ok := b.alerts[id]; !ok {
				out = append(out, id)
			}
		}
		return out, nil
	}}
}

func (b *book) commit(batch alert.Batch) {
	for _, a := range batch.Alerts {
		if before, ok := b.alerts[a.SourceID]; !ok || !a.Updated.Before(before.Updated) {
			b.alerts[a.SourceID] = a
		}
		b.handed[a.SourceID]++
	}
	if batch.State != nil {
		b.state = batch.State
	}
}

// settle commits batches until there is no more, and returns the alerts of all of them.
func (b *book) settle(t testing.TB, s *Source) []alert.Alert {
	t.Helper()
	var out []alert.Alert
	for {
		batch, err := s.Fetch(context.Background(), b.ask())
		if err != nil {
			t.Fatal(err)
		}
		if len(batch.Alerts) > 0 && batch.State == nil {
			t.Fatal("a batch with alerts has no state")
		}
		b.commit(batch)
		out = append(out, batch.Alerts...)
		if !batch.More {
			return out
		}
	}
}

// multiplied makes n detections of one time out of real documents, or of generated ones where there are none.
func multiplied(t testing.TB, n int, at time.Time) []demo.Detection {
	t.Helper()
	var sources []map[string]any
	if dir, ok := testkit.Documents(t); ok {
		files, err := filepath.Glob(filepath.Join(dir, "kibana-alerts", "*.json"))
		if err != nil || len(files) == 0 {
			t.Fatal("no real documents in ", dir, err)
		}
		for _, d := range realDocuments(t) {
			var source map[string]any
			if err := json.Unmarshal(d.Source, &source); err != nil {
				t.Fatal(err)
			}
			sources = append(sources, source)
		}
	} else {
		made := demo.NewDetections(1)
		for range 50 {
			var source map[string]any
			if err := json.Unmarshal(made.Next(at).Source, &source); err != nil {
				t.Fatal(err)
			}
			sources = append(sources, source)
		}
	}
	out := make([]demo.Detection, n)
	for i := range out {
		source := sources[i%len(sources)]
		source["@timestamp"] = at.UTC().Format(isoMillis)
		id := fmt.Sprintf("%064x", i)
		if source["kibana.alert.uuid"] != nil {
			source["kibana.alert.uuid"] = id
		}
		body, err := json.Marshal(source)
		if err != nil {
			t.Fatal(err)
		}
		out[i] = demo.Detection{ID: id, Time: at, Source: body}
		if source["signal"] != nil {
			out[i].Index = ".siem-signals-default-000001"
		}
	}
	return out
}

// several gives detections one second apart, the last of them at a time: of any shape, or only of 8.x and 9.x.
func several(seed uint64, n int, last time.Time, anyShape bool) []demo.Detection {
	made := demo.NewDetections(seed)
	out := make([]demo.Detection, n)
	for i := range out {
		for out[i].ID == "" || !anyShape && isOld(out[i]) {
			out[i] = made.Next(last.Add(time.Duration(i-n+1) * time.Second))
		}
	}
	return out
}

func isOld(d demo.Detection) bool { return strings.HasPrefix(d.Index, ".siem") }

func ids(of []alert.Alert) []string {
	out := make([]string, 0, len(of))
	for _, a := range of {
		out = append(out, a.SourceID)
	}
	slices.Sort(out)
	return out
}

func idsOfDetections(of []demo.Detection) []string {
	out := make([]string, 0, len(of))
	for _, d := range of {
		out = append(out, d.ID)
	}
	slices.Sort(out)
	return out
}
