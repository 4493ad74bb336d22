package web

import (
	"html/template"
	"net/http"
	"slices"
)

// channelsView is what the page of channels shows.
type channelsView struct {
	Channels []channelCard
	Before   []HeldRow
	CanEdit  bool
	Tested   string
	Test     ChannelTested
}

// channelCard is a channel as the page shows it.
type channelCard struct {
	ChannelRow
	State string // ok, pending, failing
	// Shown is the last message, made by the reader of Block Kit, which escapes all that stands in it.
	Shown template.HTML
}

func (s *channels) view(r *http.Request) (channelsView, error) {
	v := channelsView{CanEdit: mayEdit(r)}
	all, err := s.all(r.Context())
	if err != nil {
		return v, err
	}
	v.Before = all.Before
	for _, c := range all.Channels {
		card := channelCard{ChannelRow: c, State: "ok"}
		if c.Last != nil {
			card.Shown = template.HTML(c.Last.HTML) //nolint:gosec // of blockkit, which escapes
		}
		switch {
		case c.Unheard != "" || c.fails:
			card.State = "failing"
		case c.pends:
			card.State = "pending"
		}
		v.Channels = append(v.Channels, card)
	}
	return v, nil
}

func (s *channels) page(rw http.ResponseWriter, r *http.Request) {
	v, err := s.view(r)
	if err != nil {
		s.broken(rw, r, err)
		return
	}
	s.render(rw, r, http.StatusOK, "channels", v)
}

// testForm posts a test message and shows what came of it.
func (s *channels) testForm(rw http.ResponseWriter, r *http.Request) {
	channel := r.PostFormValue("channel")
	known, err := s.known(r.Context())
	if err != nil {
		s.broken(rw, r, err)
		return
	}
	if !slices.Contains(known, channel) {
		s.sorry(rw, r, http.StatusNotFound, "There is no such channel", "No route, rule, digest or output names it.")
		return
	}
	noted(r, channel, "")
	if test := s.tried(r.Context(), channel, who(r).Name); test.OK {
		s.done(rw, r, "/channels", "A test message was posted in "+channel+": look whether it is there.")
	} else {
		v, err := s.view(r)
		if err != nil {
			s.broken(rw, r, err)
			return
		}
		v.Tested, v.Test = channel, test
		s.render(rw, r, http.StatusBadGateway, "channels", v)
	}
}
