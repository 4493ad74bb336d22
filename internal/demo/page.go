package demo

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"tocsin/internal/blockkit"
)

// pageMessages is how many messages of a channel the page shows.
const pageMessages = 150

// pagePace is the least time between two changes told to an open page.
const pagePace = 250 * time.Millisecond

//go:embed assets
var assets embed.FS

var pageTemplate = template.Must(blockkit.Define(template.Must(template.New("").ParseFS(assets, "assets/*.html"))))

// Stat is a number at the top of the page.
type Stat struct {
	Label string
	Value string
}

// PageOptions configure a page of messages. The zero value will do.
type PageOptions struct {
	Title string // "" is Tocsin demo
	Intro string // what is shown here, a sentence or two
	// Status gives numbers from outside, shown before the page's own. It is called for every open page
	// once a second, by many goroutines at once.
	Status func() []Stat
}

// page shows the messages of a Slack.
type page struct {
	slack *Slack
	opts  PageOptions
}

// NewPage makes the page of messages of a Slack: / with its own style and script, and a stream that
// tells the open page of changes. Its addresses are relative, so it may stand under any path that
// ends in a slash. The stream ends with the request's context: give the server a BaseContext that
// ends when it should stop.
func NewPage(slack *Slack, opts PageOptions) http.Handler {
	if opts.Title == "" {
		opts.Title = "Tocsin demo"
	}
	if opts.Intro == "" {
		opts.Intro = "This page shows what Tocsin says in Slack. A stand-in on this machine takes the messages; nothing leaves it."
	}
	p := &page{slack: slack, opts: opts}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", p.show("page.html"))
	mux.HandleFunc("GET /messages", p.show("live"))
	mux.HandleFunc("GET /events", p.events)
	mux.HandleFunc("GET /files/{id}", p.picture)
	mux.HandleFunc("GET /page.css", asset("page.css", "text/css; charset=utf-8", blockkit.Style))
	mux.HandleFunc("GET /page.js", asset("page.js", "text/javascript; charset=utf-8"))
	mux.HandleFunc("GET /icon.svg", asset("icon.svg", "image/svg+xml"))
	return guarded(mux)
}

// guarded sets the headers that keep a message from doing anything but being read.
func guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; "+
			"base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

func asset(name, kind string, before ...string) http.HandlerFunc {
	text, err := assets.ReadFile("assets/" + name)
	if err != nil {
		panic(err) // the file is embedded
	}
	text = append([]byte(strings.Join(before, "")), text...)
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		_, _ = w.Write(text) // a reader that went away misses nothing
	}
}

// show answers with a template about the channel asked for.
func (p *page) show(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var out bytes.Buffer
		if err := pageTemplate.ExecuteTemplate(&out, name, p.view(r.URL.Query().Get("channel"))); err != nil {
			http.Error(w, "the page could not be made: "+err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write(out.Bytes()) // a reader that went away misses nothing
	}
}

// events tells an open page that there is something new: when a message changed, and when a number
// from outside did. Between two of them the page has time to draw.
func (p *page) events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	out := http.NewResponseController(w)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	told := ""
	for quiet := 0; ; quiet++ {
		version, changed := p.slack.changes()
		state := fmt.Sprint(version, p.status())
		text := ""
		switch {
		case state != told:
			text, told, quiet = "data: "+strconv.FormatUint(version, 10)+"\n\n", state, 0
		case quiet >= 15:
			text, quiet = ": still here\n\n", 0
		}
		if text != "" {
			if _, err := w.Write([]byte(text)); err != nil || out.Flush() != nil {
				return
			}
			wait(r, pagePace)
		}
		select {
		case <-r.Context().Done():
			return
		case <-changed:
		case <-tick.C:
		}
	}
}

func (p *page) status() []Stat {
	if p.opts.Status == nil {
		return nil
	}
	return p.opts.Status()
}

// pageView is everything the templates show.
type pageView struct {
	Title, Intro string
	Stats        []Stat
	Channels     []channelView
	Channel      channelView
	Messages     []messageView
	Earlier      int // messages too old to be shown
	Lately       string
}

type channelView struct {
	Name     string
	Href     string
	Count    int
	Current  bool
	Archived bool
	Private  bool
}

// messageView is one message, ready for the template.
type messageView struct {
	ID     string // for the page's own use
	Rev    string // changes when anything shown does
	App    string
	Person bool
	Hook   bool
	At     time.Time
	blockkit.Content
	Edits       []editView
	EditCount   int
	Part, Parts int
	Reactions   []template.HTML
	Files       []SlackFile
	Replies     []messageView
}

type editView struct {
	Until time.Time
	blockkit.Content
}

// view gathers what is to be shown of a channel; of the first one that has messages if none is named.
func (p *page) view(name string) pageView {
	v := pageView{Title: p.opts.Title, Intro: p.opts.Intro, Stats: p.status()}
	counts := p.slack.Counts()
	v.Stats = append(v.Stats, Stat{"messages posted", strconv.Itoa(counts.Posts)}, Stat{"edits in place", strconv.Itoa(counts.Edits)})
	channels, shown := p.slack.timeline(name, pageMessages)
	v.Channels = channels
	for _, c := range channels {
		if c.Current {
			v.Channel = c
		}
	}
	for _, m := range shown {
		v.Messages = append(v.Messages, viewMessage(m))
	}
	v.Earlier = max(0, v.Channel.Count-len(shown))
	if n := len(v.Messages); n > 0 {
		v.Lately = v.Messages[n-1].At.Format("15:04:05")
	}
	return v
}

// thread is a message and the replies to it.
type thread struct {
	SlackMessage
	replies []SlackMessage
}

// timeline gives all channels, and the newest messages of one of them, oldest first.
func (s *Slack) timeline(name string, most int) ([]channelView, []thread) {
	s.mu.Lock()
	defer s.mu.Unlock()
	current := s.find(trimHash(name))
	for _, ch := range s.channels {
		if current == nil && ch.alive > 0 {
			current = ch
		}
	}
	if current == nil {
		current = s.channels[0]
	}
	var channels []channelView
	for _, ch := range s.channels {
		channels = append(channels, channelView{
			Name: ch.Name, Href: "?" + url.Values{"channel": {ch.Name}}.Encode(), Count: ch.alive,
			Current: ch == current, Archived: ch.Archived, Private: ch.Private,
		})
	}
	var out []thread
	for i := len(current.messages) - 1; i >= 0 && len(out) < most; i-- {
		m := current.messages[i]
		if m.parent != nil || !m.Deleted.IsZero() {
			continue
		}
		t := thread{SlackMessage: m.snapshot()}
		for _, r := range liveReplies(m) {
			t.replies = append(t.replies, r.snapshot())
		}
		out = append(out, t)
	}
	slices.Reverse(out)
	return channels, out
}

func viewMessage(t thread) messageView {
	m := t.SlackMessage
	v := messageView{
		ID: "m" + strings.ReplaceAll(m.TS, ".", "-"), App: m.App, Person: m.Via == "person", Hook: m.Via == "webhook", At: m.At.Local(),
		Content: blockkit.Read(m.Text, m.Blocks, m.Attachments), Files: m.Files, EditCount: m.EditCount, Part: m.Part, Parts: m.Parts,
	}
	for _, e := range m.Edits {
		old := editView{Until: e.Until.Local(), Content: blockkit.Read(e.Text, e.Blocks, e.Attachments)}
		v.Edits = append(v.Edits, old)
	}
	slices.Reverse(v.Edits)
	for _, name := range m.Reactions {
		v.Reactions = append(v.Reactions, blockkit.Plain(":"+name+":", true))
	}
	rev := fmt.Sprint(m.EditCount, "r", len(m.Reactions))
	for _, r := range t.replies {
		reply := viewMessage(thread{SlackMessage: r})
		rev += "." + reply.ID + reply.Rev
		v.Replies = append(v.Replies, reply)
	}
	v.Rev = rev
	return v
}
