package slack

import (
	"bytes"
	"image/png"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/internal/demo"
	"tocsin/internal/notice"
)

// charted is a notice of one alert with a chart.
func charted() notice.Notice {
	n := samples()[0]
	limit := 10.0
	c := &notice.Chart{Title: "count <!channel>", Threshold: &limit}
	for i := range 12 {
		c.Points = append(c.Points, notice.Point{At: n.Since.Add(time.Duration(i) * time.Minute), Value: float64(i * 2)})
	}
	n.Items = slices.Clone(n.Items)
	n.Items[0].Chart = c
	return n
}

func TestAChartIsSharedInTheThread(t *testing.T) {
	slack, s := standIn(t, demo.SlackOptions{})
	n := charted()
	said, err := s.Post(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Attach(t.Context(), n, said, true); err != nil {
		t.Fatal(err)
	}
	all := slack.Messages("alerts")
	if len(all) != 2 || all[1].ThreadTS != said.TS || len(all[1].Files) != 1 || all[1].Key != "" {
		t.Fatalf("slack has %+v", all)
	}
	f := all[1].Files[0]
	content, _ := slack.File(f.ID)
	if _, err := png.Decode(bytes.NewReader(content)); err != nil {
		t.Errorf("the file is no picture: %v", err)
	}
	if !strings.Contains(f.Alt, "0, 2, 4") || !strings.Contains(f.Alt, "limit 10") || f.Name != "chart.png" {
		t.Errorf("the file says %+v", f)
	}
	if !strings.Contains(string(all[0].Blocks), "▁") {
		t.Error("the message has no line of the chart")
	}
	for _, r := range slack.Requests() {
		if r.Method == "upload" && r.Token != "" {
			t.Error("the address of the upload got the token")
		}
	}
	if err := s.Attach(t.Context(), n, said, false); err != nil || len(slack.Messages("alerts")) != 2 {
		t.Errorf("an edit shares the chart again: %v", err)
	}
}

func TestWithoutTheScopeAChartStaysText(t *testing.T) {
	slack, s := standIn(t, demo.SlackOptions{Tokens: []demo.SlackToken{{Token: demo.DemoToken, Scopes: []string{"chat:write"}}}})
	n := charted()
	said, err := s.Post(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := s.Attach(t.Context(), n, said, true); err != nil {
			t.Error(err)
		}
	}
	asked := 0
	for _, r := range slack.Requests() {
		if strings.HasPrefix(r.Method, "files.") {
			asked++
		}
	}
	if asked != 1 || len(slack.Messages("alerts")) != 1 {
		t.Errorf("asked %d times, %d messages", asked, len(slack.Messages("alerts")))
	}
}

func TestDetailsGoIntoTheThread(t *testing.T) {
	slack, s := standIn(t, demo.SlackOptions{})
	n := samples()[1]
	n.Tops = []notice.Top{{Field: "host.name", Values: []notice.Share{{Value: "web-01", Count: 2}}}}
	n.Thread = n.Items
	said, err := s.Post(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Attach(t.Context(), n, said, false); err != nil {
		t.Fatal(err)
	}
	all := slack.Messages("alerts")
	if len(all) != 2 || all[1].ThreadTS != said.TS || !strings.Contains(string(all[1].Blocks), "db_1") {
		t.Fatalf("slack has %+v", all)
	}
}

func TestAnUploadGoesNowhereElse(t *testing.T) {
	var address string
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("another host was asked") }))
	defer other.Close()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Write([]byte(`{"ok":true,"upload_url":"` + address + `","file_id":"F1"}`))
	}))
	defer server.Close()
	s := bot(t, server.URL)
	for _, address = range []string{"", "file:///etc/passwd", other.URL + "/upload", "https://user:pw@files.example/x"} {
		if err := s.Attach(t.Context(), charted(), notice.Receipt{Channel: "C012345678", TS: "1.000001"}, true); err == nil {
			t.Errorf("%q was taken for an address", address)
		}
	}
}

// Whatever the alerts of a thread hold, the reply is a message that nobody has smuggled anything into.
func TestAnyThreadMakesAMessage(t *testing.T) {
	n := notice.Notice{Kind: notice.KindAlert, Count: 400}
	for _, h := range hostile {
		n.Thread = append(n.Thread, notice.Item{Rule: h, Host: h, User: h, Reason: h})
	}
	judge(t, renderThread(n, ""))
}
