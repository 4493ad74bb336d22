package app

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tocsin/internal/check"
	"tocsin/internal/config"
	"tocsin/internal/elastic"
	"tocsin/internal/notice"
	"tocsin/internal/slack"
	"tocsin/internal/web"
)

// settingPages are the pages on which connections are set, tested and looked at.
func (a *App) settingPages(cfg *config.Config, states []web.StateSource, searched []web.SearchSource) web.Part {
	o := web.SettingsOptions{
		Settings: a.settings, Config: cfg, Sources: states, Searches: searched, Rules: a.rules.All, TLS: cfg.TLS(),
		TestSource: testSource, TestSlack: func(ctx context.Context, cfg *config.Config, say bool) web.SlackTest {
			return testSlack(ctx, cfg, say, a.log)
		},
		KeepCA:  func(pem string) (string, error) { return keepCA(cfg.DataDir, pem) },
		Address: func() string { return reachable(a.listener.Addr()) },
	}
	if a.engine != nil {
		o.Samples = a.samples.ask
	}
	return web.Settings(o)
}

// testWait bounds a look at a source or at Slack.
const testWait = 15 * time.Second

// testSource connects to a source and tells what can be read there.
func testSource(ctx context.Context, s *config.Source) (out web.SourceTest) {
	began := time.Now()
	out.Name = s.Name
	ctx, cancel := context.WithTimeout(ctx, testWait)
	defer cancel()
	defer func() { out.Took = time.Since(began).Milliseconds() }()
	if s.Kind == config.Embedded {
		out.OK, out.Product, out.Readable = true, "tocsin", "Everything that was sent here."
		return out
	}
	failed := func(err error) web.SourceTest {
		out.Error, out.Hint = err.Error(), testHint(s, err)
		return out
	}
	client, err := newClient(s, slog.New(slog.DiscardHandler), testWait)
	if err != nil {
		return failed(err)
	}
	defer client.Close()
	product, err := client.Product(ctx)
	if err != nil {
		return failed(err)
	}
	out.Product, out.Version = product.Name, product.Version
	if product.Name != "" && product.Name != string(s.Kind) {
		out.Warnings = append(out.Warnings, fmt.Sprintf("This is %s, and the kind says %s: choose the kind %s.", product.Name, s.Kind, product.Name))
	}
	if client.Insecure() {
		out.Warnings = append(out.Warnings, "The connection is not encrypted (http): what is read and the credentials can be seen on the network.")
	}
	out.License = licenseOf(ctx, client, product)
	if err := readable(ctx, client, s, &out); err != nil {
		return failed(err)
	}
	if err := detectionsFound(ctx, client, &out); err != nil && !elastic.IsForbidden(err) && !elastic.IsNotFound(err) {
		out.Warnings = append(out.Warnings, "Kibana's detections could not be looked for: "+err.Error())
	}
	out.OK = true
	return out
}

// licenseOf is the cluster's licence; empty where it may not be asked for.
func licenseOf(ctx context.Context, client *elastic.Client, p elastic.Product) string {
	if p.Name == string(config.OpenSearch) {
		return "Apache 2.0"
	}
	var answer struct {
		License struct {
			Type   string `json:"type"`
			Status string `json:"status"`
		} `json:"license"`
	}
	if client.Do(ctx, http.MethodGet, "/_license", nil, nil, &answer) != nil || answer.License.Type == "" {
		return ""
	}
	if answer.License.Status == "active" {
		return answer.License.Type
	}
	return answer.License.Type + ", " + answer.License.Status
}

// newestOf asks for how many documents there are and the newest of them.
var newestOf = map[string]any{"size": 0, "track_total_hits": 10_000_000, "aggs": map[string]any{"newest": map[string]any{"max": map[string]any{"field": "@timestamp"}}}}

func readable(ctx context.Context, client *elastic.Client, s *config.Source, out *web.SourceTest) error {
	indices, what := s.Indices, strings.Join(s.Indices, ", ")
	if len(indices) == 0 {
		indices, what = []string{"*"}, "all indices"
	}
	r, err := client.Search(ctx, elastic.Search{Indices: indices, Body: newestOf, IgnoreUnavailable: true, AllowNoIndices: true})
	if err != nil {
		return err
	}
	out.Documents, out.AtLeast = r.Total, r.TotalIsLowerBound
	newest, err := maxOf(r)
	if err != nil {
		return err
	}
	out.Newest = newest
	switch {
	case r.Shards.Total == 0:
		out.Readable = "No index is called " + what + ", or none of that name may be read."
		if len(s.Indices) == 0 {
			out.Readable = "There is no index that may be read."
		}
		out.Warnings = append(out.Warnings, "There is nothing to read yet: look whether the indices are right, and what the key may read.")
	case r.Total == 0:
		out.Readable = "There are no documents in " + what + " yet."
	default:
		n := fmt.Sprint(r.Total)
		if r.TotalIsLowerBound {
			n = "over " + n
		}
		out.Readable = fmt.Sprintf("%s documents in %s can be read.", n, what)
		if newest.IsZero() {
			out.Warnings = append(out.Warnings, "No document has a time in @timestamp: searches of a span of time find nothing.")
		}
	}
	return nil
}

// detectionsFound counts Kibana's detections of the last seven days, by space.
func detectionsFound(ctx context.Context, client *elastic.Client, out *web.SourceTest) error {
	r, err := client.Search(ctx, elastic.Search{
		Indices: []string{".alerts-security.alerts-*", ".siem-signals-*"}, IgnoreUnavailable: true, AllowNoIndices: true,
		Body: map[string]any{
			"size": 0, "track_total_hits": true, "query": map[string]any{"range": map[string]any{"@timestamp": map[string]any{"gte": "now-7d"}}},
			"aggs": map[string]any{"indices": map[string]any{"terms": map[string]any{"field": "_index", "size": 200}}},
		},
	})
	if err != nil {
		return err
	}
	out.Detections = r.Total
	if r.Total == 0 {
		return nil
	}
	buckets, err := bucketsOf(r)
	if err != nil {
		return err
	}
	for _, b := range buckets {
		space := spaceOf(b.Key)
		known := false
		for i := range out.Spaces {
			if out.Spaces[i].Space == space {
				out.Spaces[i].Count, known = out.Spaces[i].Count+b.Count, true
			}
		}
		if !known {
			out.Spaces = append(out.Spaces, web.DetectionsFound{Space: space, Count: b.Count})
		}
	}
	return nil
}

// spaceOf is the space in the name of an index of detections: what stands between the prefix and the number.
func spaceOf(index string) string {
	for _, prefix := range []string{".internal.alerts-security.alerts-", ".alerts-security.alerts-", ".siem-signals-"} {
		if rest, ok := strings.CutPrefix(index, prefix); ok {
			if i := strings.LastIndex(rest, "-"); i > 0 && strings.Trim(rest[i+1:], "0123456789") == "" {
				rest = rest[:i]
			}
			return rest
		}
	}
	return "default"
}

// testHint says what to do about a source that cannot be reached or read.
func testHint(s *config.Source, err error) string {
	var (
		unknown  x509.UnknownAuthorityError
		hostname x509.HostnameError
		text     = err.Error()
	)
	switch {
	case elastic.IsUnauthorized(err):
		return "The key or the password is wrong, or has expired. Make a new one: docs/least-privilege.md has the role."
	case elastic.IsForbidden(err):
		return "The key or user may not read that: give it read on these indices, docs/least-privilege.md has the role."
	case errors.As(err, &unknown), strings.Contains(text, "certificate signed by unknown authority"):
		return "The certificate is not one this machine knows: paste the cluster's CA (http_ca.crt of Elasticsearch), or give its fingerprint."
	case errors.As(err, &hostname):
		return "The certificate is of another name: use the name it is for in the URL."
	case strings.Contains(text, "HTTP response to HTTPS"), strings.Contains(text, "TLS handshake"):
		return "The cluster speaks plain http: write http:// in the URL, or turn TLS on there."
	case strings.Contains(text, "EOF"), strings.Contains(text, "malformed HTTP"):
		return "Try https:// in place of http://, or look whether this is the port of the HTTP API, usually 9200."
	case strings.Contains(text, "connection refused"):
		return "Nothing listens there: look at the port, usually 9200, and whether the cluster runs."
	case strings.Contains(text, "no such host"):
		return "The name is not known: look for a mistake in it."
	case errors.Is(err, context.DeadlineExceeded), strings.Contains(text, "timeout"), strings.Contains(text, "deadline"):
		return "There was no answer in time: a firewall may drop the packets, or a proxy is needed."
	case len(s.URLs) > 0:
		return "Open " + (&url.URL{Scheme: s.URLs[0].Scheme, Host: s.URLs[0].Host}).String() + " from this machine to see what answers there."
	}
	return ""
}

// testSlack asks Slack what can be sent, and posts where that is wanted.
func testSlack(ctx context.Context, cfg *config.Config, say bool, log *slog.Logger) web.SlackTest {
	ctx, cancel := context.WithTimeout(ctx, testWait)
	defer cancel()
	out := web.SlackTest{Findings: []web.SlackFinding{}}
	add := func(level, text, hint string) {
		out.Findings = append(out.Findings, web.SlackFinding{Level: level, Text: text, Hint: hint})
	}
	sender, err := Sender(cfg, log, prometheus.NewRegistry(), nil)
	switch {
	case err != nil:
		add("problem", err.Error(), "")
		return out
	case sender == nil:
		add("problem", "Slack is not connected", "enter a bot token and a channel first")
		return out
	}
	out.OK = true
	for _, f := range sender.Check(ctx, check.Channels(cfg.Route)...) {
		level := "ok"
		switch f.Level {
		case slack.LevelProblem:
			level, out.OK = "problem", false
		case slack.LevelWarning:
			level = "warning"
		}
		add(level, f.What, f.Try)
	}
	if !say || !out.OK {
		return out
	}
	now := time.Now()
	n := notice.Notice{
		Key: notice.Key("test-" + rand.Text()), Revision: 1, Channel: cfg.Slack.Channel, Kind: notice.KindHealth,
		Health: &notice.Health{Part: "test message", Text: "Slack is connected: alerts will be said here", Since: now, Ended: now},
	}
	if _, err := sender.Post(ctx, n); err != nil {
		out.OK = false
		var rejected *notice.RejectedError
		hint := "look at the token and the channel, and test again"
		if errors.As(err, &rejected) {
			hint = rejected.Hint
		}
		add("problem", "the test message was not posted: "+err.Error(), hint)
		return out
	}
	out.Said = true
	return out
}

// keepCA keeps a certificate in data_dir under the name of its content.
func keepCA(dir, pem string) (string, error) {
	if !x509.NewCertPool().AppendCertsFromPEM([]byte(pem)) {
		return "", errors.New("it holds no certificate: paste it whole, from BEGIN CERTIFICATE to END CERTIFICATE")
	}
	sum := sha256.Sum256([]byte(pem))
	path, err := filepath.Abs(filepath.Join(dir, "ca", hex.EncodeToString(sum[:16])+".pem"))
	if err != nil {
		return "", fmt.Errorf("find data_dir: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", fmt.Errorf("keep the certificate: %w", err)
	}
	if err := os.WriteFile(path, []byte(pem), 0o600); err != nil {
		return "", fmt.Errorf("keep the certificate: %w", err)
	}
	return path, nil
}

// bucket is one of a terms aggregation.
type bucket struct {
	Key   string `json:"key"`
	Count int64  `json:"doc_count"`
}

func bucketsOf(r *elastic.Response) ([]bucket, error) {
	var aggs struct {
		Indices struct {
			Buckets []bucket `json:"buckets"`
		} `json:"indices"`
	}
	if err := json.Unmarshal(r.Aggregations, &aggs); err != nil {
		return nil, fmt.Errorf("read how many detections there are: %w", err)
	}
	return aggs.Indices.Buckets, nil
}

// maxOf is the time of the newest document; zero without one.
func maxOf(r *elastic.Response) (time.Time, error) {
	if len(r.Aggregations) == 0 {
		return time.Time{}, nil
	}
	var aggs struct {
		Newest struct {
			Value *float64 `json:"value"`
		} `json:"newest"`
	}
	if err := json.Unmarshal(r.Aggregations, &aggs); err != nil {
		return time.Time{}, fmt.Errorf("read the newest time: %w", err)
	}
	if aggs.Newest.Value == nil {
		return time.Time{}, nil
	}
	return time.UnixMilli(int64(*aggs.Newest.Value)).UTC(), nil
}
