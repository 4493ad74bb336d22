package slack

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"tocsin/internal/chart"
	"tocsin/internal/notice"
)

const (
	methodUploadURL = "files.getUploadURLExternal"
	methodComplete  = "files.completeUploadExternal"
	methodUpload    = "upload"
)

// threaded is the body of chat.postMessage into a thread.
type threaded struct {
	message
	Thread string `json:"thread_ts"`
}

// Attach adds to a message that was said what stands beside it: the lines of its thread and, where it was said
// for the first time, the picture of its chart. One try each: the message says all that matters without them,
// and what is lost here is not missed. Without the scope for files no picture is tried again.
func (s *Sender) Attach(ctx context.Context, n notice.Notice, said notice.Receipt, first bool) error {
	if s.webhook != "" || said.TS == "" || said.Channel == "" {
		return nil
	}
	var errs []error
	if len(n.Thread) > 0 {
		errs = append(errs, s.attachThread(ctx, n, said))
	}
	if c := chartOf(n); c != nil && first {
		errs = append(errs, s.attachChart(ctx, n, c, said))
	}
	return errors.Join(errs...)
}

// chartOf is the chart of the one alert that a notice is about.
func chartOf(n notice.Notice) *notice.Chart {
	if n.Plain || n.Kind != notice.KindAlert || n.Count > 1 || len(n.Items) != 1 || n.Items[0].Chart == nil {
		return nil
	}
	return n.Items[0].Chart
}

func (s *Sender) attachThread(ctx context.Context, n notice.Notice, said notice.Receipt) error {
	looks := renderThread(n, s.prefix)
	m := threaded{Thread: said.TS, message: message{Channel: said.Channel, Text: looks.text, Blocks: looks.blocks, Attachments: looks.attachments, Parse: "none"}}
	return s.attached(methodPost, "reply in the thread of "+string(n.Key), s.post(ctx, methodPost, m, &posted{}))
}

// attached counts and wraps the error of an attachment.
func (s *Sender) attached(method, what string, err error) error {
	if err == nil {
		s.metrics.answers.WithLabelValues(method, "ok").Inc()
		return nil
	}
	s.metrics.answers.WithLabelValues(method, "lost").Inc()
	return fmt.Errorf("%s: %w", what, err)
}

func (s *Sender) attachChart(ctx context.Context, n notice.Notice, c *notice.Chart, said notice.Receipt) error {
	s.mu.Lock()
	without := s.noFiles
	s.mu.Unlock()
	if without {
		return nil
	}
	what := "share the chart of " + string(n.Key)
	picture, err := chart.PNG(c)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	alt := chartWords(n.Items[0], c)
	var place struct {
		URL  string `json:"upload_url"`
		File string `json:"file_id"`
	}
	err = s.get(ctx, methodUploadURL, url.Values{"filename": {"chart.png"}, "length": {strconv.Itoa(len(picture))}, "alt_txt": {alt}}, &place)
	var f *failure
	if errors.As(err, &f) && slices.Contains([]string{"missing_scope", "not_allowed_token_type", "file_uploads_disabled", "unknown_method"}, f.code) {
		s.mu.Lock()
		s.noFiles = true
		s.mu.Unlock()
		s.log.Info("charts stay text: pictures cannot be shared; add the scope files:write for them", "code", f.code)
		return nil
	}
	if err != nil {
		return s.attached(methodUploadURL, what, err)
	}
	if err := s.upload(ctx, place.URL, picture); err != nil {
		return s.attached(methodUpload, what, err)
	}
	title := fit(cmp.Or(c.Title, "chart"), bare, 80)
	files, err := json.Marshal([]map[string]string{{"id": place.File, "title": title}})
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	args := url.Values{"files": {string(files)}, "channel_id": {said.Channel}, "thread_ts": {said.TS}}
	return s.attached(methodComplete, what, s.get(ctx, methodComplete, args, nil))
}

// upload sends the bytes of a file to the address that Slack named for it. The address is all it needs: it gets
// no token, as its host may be another.
func (s *Sender) upload(ctx context.Context, address string, content []byte) error {
	u, err := parseBase(address)
	if err != nil || u.User != nil || u.Scheme != "https" && (s.api.Scheme != "http" || u.Host != s.api.Host) {
		return errors.New("the address for an upload is not one of https")
	}
	r, f := s.exchange(ctx, methodUpload, address, "application/octet-stream", content)
	if f != nil {
		return f
	}
	if r.status != 200 {
		return &failure{method: methodUpload, wrote: true, status: r.status, err: errors.New("the upload was refused")}
	}
	return nil
}

// chartWords say what a chart shows, for those who do not see it.
func chartWords(it notice.Item, c *notice.Chart) string {
	values := make([]string, 0, 12)
	step := max(1, len(c.Points)/12)
	for i := 0; i < len(c.Points); i += step {
		values = append(values, measure(c.Points[i].Value))
	}
	words := cmp.Or(tidy(c.Title), "value") + " of " + cmp.Or(tidy(it.Rule), "an alert") + " over time: " + strings.Join(values, ", ")
	if c.Fired != nil {
		words += "; it fired at " + measure(c.Fired.Value)
	}
	if c.Threshold != nil {
		words += "; limit " + measure(*c.Threshold)
	}
	return fit(words, bare, 900)
}

// renderThread lays out the lines of a notice's thread.
func renderThread(n notice.Notice, prefix string) rendering {
	m := n
	m.Items, m.Thread, m.Tops, m.Tallies, m.Body, m.BodyError, m.Note, m.Escalation = n.Thread, nil, nil, nil, "", "", "", nil
	m.Items = m.Items[:min(len(m.Items), notice.NamedMost)]
	m.Kind, m.Count = notice.KindAlert, len(n.Thread)+max(0, min(n.ThreadMore, 1<<40))
	m.Prefix = cmp.Or(n.Prefix, prefix)
	s := summarise(m)
	r := rendering{text: plainText(m, textMost, false)}
	r.pack(s.lines(m, totalMost-100))
	r.trim()
	return r
}
