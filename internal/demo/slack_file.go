package demo

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
)

// fileMost is the longest file taken.
const fileMost = 8 << 20

// SlackFile is a file that was shared with a message.
type SlackFile struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Title string `json:"title,omitempty"`
	Alt   string `json:"alt_txt,omitempty"`
	Size  int    `json:"size"`
}

// file is a file from the asking for its upload on.
type file struct {
	SlackFile
	app     string
	ticket  string // the last part of its upload address; "" once it was used
	content []byte // nil until it was uploaded
	shared  bool
}

// uploadURL is files.getUploadURLExternal.
func (s *Slack) uploadURL(c *call) (map[string]any, *refusal) {
	name, bad := c.text("filename")
	if bad != nil {
		return nil, bad
	}
	length, bad := c.number("length", 0)
	if bad != nil {
		return nil, bad
	}
	alt, bad := c.text("alt_txt")
	switch {
	case bad != nil:
		return nil, bad
	case strings.TrimSpace(name) == "" || strings.ContainsAny(name, "/\\\x00") || length < 1:
		return nil, &refusal{code: "invalid_arguments", messages: []string{"[ERROR] filename and length are required"}}
	case length > fileMost:
		return nil, &refusal{code: "file_upload_size_restricted"}
	case chars(alt) > 1000:
		return nil, &refusal{code: "alt_txt_too_large"}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.files) + 1
	f := &file{
		SlackFile: SlackFile{ID: fmt.Sprintf("F0%07d", n), Name: name, Alt: alt, Size: length},
		app:       c.token.App, ticket: fmt.Sprintf("%016x", s.dice.Uint64()),
	}
	s.files[f.ID] = f
	return map[string]any{"upload_url": c.origin + "/upload/v1/" + f.ticket, "file_id": f.ID}, nil
}

// upload takes the bytes of a file. Its address is good once; whoever has it needs no token.
func (s *Slack) upload(w http.ResponseWriter, r *http.Request) {
	content, err := io.ReadAll(http.MaxBytesReader(w, r.Body, fileMost+1))
	ticket := strings.TrimPrefix(r.URL.Path, "/upload/v1/")
	seen := SlackRequest{At: s.now(), Method: "upload", Status: http.StatusOK}
	if r.Header.Get("Authorization") != "" { // which the address does not need
		seen.Token = "sent"
	}
	defer func() { s.log(seen) }()
	refuse := func(status int, code string) {
		seen.Status, seen.Error = status, code
		http.Error(w, code, status)
	}
	if err != nil || r.Method != http.MethodPost {
		refuse(http.StatusBadRequest, "bad_request")
		return
	}
	if strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/form-data") {
		r.Body = io.NopCloser(bytes.NewReader(content))
		if content, err = onlyPart(r); err != nil {
			refuse(http.StatusBadRequest, "bad_request")
			return
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.files {
		if f.ticket == "" || f.ticket != ticket {
			continue
		}
		if len(content) != f.Size {
			refuse(http.StatusBadRequest, "wrong_length")
			return
		}
		f.content, f.ticket = content, ""
		fmt.Fprintf(w, "OK - %d", len(content))
		return
	}
	refuse(http.StatusNotFound, "unknown_upload")
}

// onlyPart is the one file of a form.
func onlyPart(r *http.Request) ([]byte, error) {
	if err := r.ParseMultipartForm(fileMost); err != nil {
		return nil, err
	}
	for _, parts := range r.MultipartForm.File {
		part, err := parts[0].Open()
		if err != nil {
			return nil, err
		}
		defer part.Close()
		return io.ReadAll(part)
	}
	return nil, http.ErrMissingFile
}

var conversationID = regexp.MustCompile(`^[CGDZ][A-Z0-9]{8,}$`)

// completeUpload is files.completeUploadExternal.
func (s *Slack) completeUpload(c *call) (map[string]any, *refusal) {
	raw, ok := c.value("files")
	var wanted []struct {
		ID    string `json:"id"`
		Title string `json:"title"`
	}
	if !ok || raw == nil || json.Unmarshal(raw, &wanted) != nil || len(wanted) == 0 {
		return nil, wrongArg("files", "must be a list of files")
	}
	channelID, bad := c.text("channel_id")
	if bad != nil {
		return nil, bad
	}
	thread, bad := c.text("thread_ts")
	if bad != nil {
		return nil, bad
	}
	comment, bad := c.text("initial_comment")
	switch {
	case bad != nil:
		return nil, bad
	case channelID != "" && !conversationID.MatchString(channelID):
		return nil, wrongArg("channel_id", "input must match regex pattern: ^[CGDZ][A-Z0-9]{8,}$")
	case chars(comment) > textMost:
		return nil, &refusal{code: "msg_too_long"}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var files []*file
	for _, one := range wanted {
		f := s.files[one.ID]
		switch {
		case f == nil, f.app != c.token.App, f.content == nil, f.shared:
			return nil, &refusal{code: "file_not_found"}
		}
		f.Title = one.Title
		files = append(files, f)
	}
	var shown []map[string]any
	for _, f := range files {
		shown = append(shown, map[string]any{"id": f.ID, "title": f.Title})
	}
	body := map[string]any{"files": shown}
	if channelID == "" { // it stays private
		return body, nil
	}
	ch := s.find(channelID)
	switch {
	case ch == nil, ch.Private && ch.Outside:
		return nil, &refusal{code: "channel_not_found"}
	case ch.Archived:
		return nil, &refusal{code: "is_archived"}
	case ch.Outside:
		return nil, &refusal{code: "not_in_channel"}
	case ch.Error != "":
		return nil, &refusal{code: ch.Error}
	}
	parent, bad := s.thread(ch, thread)
	if bad != nil {
		return nil, bad
	}
	m := message{SlackMessage: SlackMessage{App: c.token.App, Via: c.method, At: c.at, Text: comment, Part: 1, Parts: 1}, parent: parent}
	for _, f := range files {
		f.shared = true
		m.Files = append(m.Files, f.SlackFile)
	}
	s.store(ch, &m)
	return body, nil
}

// File gives the bytes of a file that was uploaded.
func (s *Slack) File(id string) ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.files[id]
	if f == nil || f.content == nil {
		return nil, false
	}
	return f.content, true
}

// picture answers with an uploaded PNG; nothing else is shown to a browser.
func (p *page) picture(w http.ResponseWriter, r *http.Request) {
	content, ok := p.slack.File(r.PathValue("id"))
	if !ok || !bytes.HasPrefix(content, []byte("\x89PNG\r\n\x1a\n")) {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "image/png")
	w.Header().Set("Content-Length", strconv.Itoa(len(content)))
	_, _ = w.Write(content) // a reader that went away misses nothing
}
