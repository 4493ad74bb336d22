package web

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"tocsin/internal/account"
	"tocsin/internal/config"
	"tocsin/internal/rule"
	"tocsin/internal/settings"
)

// SettingsOptions say what can be set in the browser.
type SettingsOptions struct {
	// Settings keep it; nil where nothing can be set, as in the demo.
	Settings *settings.Settings
	// Config is the configuration that holds.
	Config *config.Config
	// Sources are asked how they are.
	Sources []StateSource
	// Searches open the sources that are searched.
	Searches []SearchSource
	// TestSource connects to a source that need not be kept yet. The error of a source that does not answer is in what
	// it gives.
	TestSource func(context.Context, *config.Source) SourceTest
	// TestSlack asks the Slack of a configuration what can be sent, and posts a message there where say is set.
	TestSlack func(ctx context.Context, cfg *config.Config, say bool) SlackTest
	// KeepCA keeps a certificate that was pasted, and gives its path.
	KeepCA func(pem string) (string, error)
	// Rules are all rules; nil for none.
	Rules func() []rule.Entry
	// Samples fills the embedded engine with made-up logs; nil without one. It returns at once; what it says is how far it is.
	Samples func(start bool) string
	// Address gives host and port by which shippers of this machine reach us; TLS says over what.
	Address func() string
	TLS     bool
}

// SourceTest is what a look at a source found.
type SourceTest struct {
	Name    string `json:"name"`
	OK      bool   `json:"ok"`
	Error   string `json:"error,omitempty"`
	Hint    string `json:"hint,omitempty" doc:"What to do about the error."`
	Product string `json:"product,omitempty"`
	Version string `json:"version,omitempty"`
	License string `json:"license,omitempty" doc:"Where the cluster tells it."`
	// Documents are those of the indices that are read.
	Documents int64     `json:"documents"`
	AtLeast   bool      `json:"at_least,omitempty" doc:"There are more documents than that."`
	Newest    time.Time `json:"newest,omitzero" doc:"The newest @timestamp among them."`
	Readable  string    `json:"readable" doc:"What can be read, a sentence."`
	// Spaces are where Kibana's detections of the last seven days are.
	Detections int64             `json:"detections" doc:"Kibana's detections of the last 7 days that can be read."`
	Spaces     []DetectionsFound `json:"spaces,omitempty"`
	Warnings   []string          `json:"warnings,omitempty"`
	Took       int64             `json:"took_ms"`
}

// DetectionsFound are the detections of one space of Kibana.
type DetectionsFound struct {
	Space string `json:"space"`
	Count int64  `json:"count"`
}

// SlackTest is what a look at Slack found.
type SlackTest struct {
	OK       bool           `json:"ok"`
	Said     bool           `json:"said" doc:"The test message was posted."`
	Findings []SlackFinding `json:"findings"`
}

// SlackFinding is one thing found.
type SlackFinding struct {
	Level string `json:"level" enum:"ok,warning,problem"`
	Text  string `json:"text"`
	Hint  string `json:"hint,omitempty"`
}

// SectionList are the sections that can be set.
type SectionList struct {
	Sections []settings.Section `json:"sections"`
}

// SectionRequest is a section to be set.
type SectionRequest struct {
	Text    string `json:"text" doc:"YAML with the one key that is the section's name, as in the file; [secret] keeps a stored secret. Empty takes the section back."`
	Version *int64 `json:"version,omitempty" doc:"The version that was changed; without it whatever is set is replaced."`
	Note    string `json:"note,omitempty"`
}

// SectionAnswer is a section with its versions.
type SectionAnswer struct {
	settings.Section
	Versions []settings.Version `json:"versions" doc:"Newest first."`
}

// SourceTestRequest names what is tested.
type SourceTestRequest struct {
	Name string `json:"name" doc:"Which source."`
	Text string `json:"text,omitempty" doc:"The section sources as it is to be; without it, as it is."`
}

// SlackTestRequest is how Slack is tested.
type SlackTestRequest struct {
	Text string `json:"text,omitempty" doc:"The section slack as it is to be; without it, as it is."`
	Post bool   `json:"post,omitempty" doc:"Post a test message into the default channel."`
}

// SettingFailure says why a section cannot be set.
type SettingFailure struct {
	Error    string           `json:"error"`
	Problems []config.Problem `json:"problems,omitempty" doc:"All that is wrong, with its place."`
}

const mostSection = 1 << 18

// settingsPart serves what can be set.
type settingsPart struct {
	*Web
	o        SettingsOptions
	searches *searches
	tested   tested
}

// Settings adds what can be set in the browser: its API, and the pages of sources, settings and the beginning.
func Settings(o SettingsOptions) Part {
	return func(w *Web) {
		s := &settingsPart{Web: w, o: o, searches: &searches{Web: w, o: SearchOptions{Sources: o.Searches}, samples: newCache[*sample](cacheLife)}}
		if o.Settings != nil {
			s.routeSections()
			w.page(Page{Method: "GET", Path: "/settings", Role: account.Viewer, Handle: s.settingsPage})
			w.page(Page{Method: "POST", Path: "/settings", Role: account.Admin, Handle: s.settingsForm})
			w.page(Page{Method: "GET", Path: "/sources/edit", Role: account.Admin, Handle: s.editPage})
			w.page(Page{Method: "POST", Path: "/sources/edit", Role: account.Admin, Handle: s.editForm})
			w.page(Page{Method: "GET", Path: "/welcome", Role: account.Viewer, Handle: s.welcomePage})
			w.page(Page{Method: "POST", Path: "/welcome", Role: account.Admin, Handle: s.welcomeForm})
			w.page(Page{Method: "GET", Path: "/welcome/events", Role: account.Viewer, Handle: s.eventsPart})
			w.beginning = s.beginning
		}
		w.page(Page{Method: "GET", Path: "/sources", Role: account.Viewer, Handle: s.sourcesPage})
	}
}

func (s *settingsPart) routeSections() {
	for _, r := range []Route{
		{Method: "GET", Path: "/settings", Summary: "List the sections that can be set in the browser", Answer: SectionList{}, Handle: s.list},
		{Method: "GET", Path: "/settings/{section}", Summary: "Show a section and its versions", Answer: SectionAnswer{}, Fails: []int{404}, Handle: s.show},
		{
			Method: "PUT", Path: "/settings/{section}", Summary: "Set a section", Text: "It takes hold within seconds; what waits goes on.",
			Body: SectionRequest{}, Answer: settings.Section{}, Fails: []int{404, 409, 422}, Failure: SettingFailure{}, Handle: s.set,
		},
		{
			Method: "POST", Path: "/sources/test", Summary: "Connect to a source, as it is or as it is to be", Body: SourceTestRequest{}, Answer: SourceTest{},
			Fails: []int{404, 409, 422}, Failure: SettingFailure{}, Reads: true, Handle: s.testSource,
		},
		{
			Method: "POST", Path: "/slack/test", Summary: "Ask Slack what can be sent, and post a test message where wanted", Body: SlackTestRequest{}, Answer: SlackTest{},
			Fails: []int{404, 409, 422}, Failure: SettingFailure{}, Handle: s.testSlack,
		},
	} {
		r.Tag, r.Role = "settings", account.Admin
		s.add(r)
	}
}

func (s *settingsPart) list(rw http.ResponseWriter, r *http.Request) {
	all, err := s.o.Settings.Sections(r.Context())
	if err != nil {
		s.broken(rw, r, err)
		return
	}
	answer(rw, http.StatusOK, SectionList{all})
}

func (s *settingsPart) show(rw http.ResponseWriter, r *http.Request) {
	one, err := s.o.Settings.Section(r.Context(), r.PathValue("section"))
	if err == nil {
		var versions []settings.Version
		if versions, err = s.o.Settings.Versions(r.Context(), one.Name); err == nil {
			answer(rw, http.StatusOK, SectionAnswer{one, versions})
			return
		}
	}
	s.refuse(rw, r, err)
}

func (s *settingsPart) set(rw http.ResponseWriter, r *http.Request) {
	in, ok := body[SectionRequest](rw, r, mostSection)
	if !ok {
		return
	}
	c := settings.Change{Section: r.PathValue("section"), Text: in.Text, Based: settings.AnyVersion, Who: who(r).Name, Note: in.Note}
	if in.Version != nil {
		c.Based = *in.Version
	}
	out, err := s.o.Settings.Put(r.Context(), c)
	if err != nil {
		s.refuse(rw, r, err)
		return
	}
	answer(rw, http.StatusOK, out)
}

func (s *settingsPart) testSource(rw http.ResponseWriter, r *http.Request) {
	in, ok := body[SourceTestRequest](rw, r, mostSection)
	if !ok {
		return
	}
	cfg, err := s.as(r.Context(), "sources", in.Text)
	if err != nil {
		s.refuse(rw, r, err)
		return
	}
	source := cfg.Source(in.Name)
	if source == nil {
		fail(rw, http.StatusNotFound, "no source is called \""+in.Name+"\": "+apiRoot+"/sources lists what there is")
		return
	}
	answer(rw, http.StatusOK, s.o.TestSource(r.Context(), source))
}

func (s *settingsPart) testSlack(rw http.ResponseWriter, r *http.Request) {
	in, ok := body[SlackTestRequest](rw, r, mostSection)
	if !ok {
		return
	}
	cfg, err := s.as(r.Context(), "slack", in.Text)
	if err != nil {
		s.refuse(rw, r, err)
		return
	}
	answer(rw, http.StatusOK, s.o.TestSlack(r.Context(), cfg, in.Post))
}

// as is the configuration with a section as it is to be; as it is without a text.
func (s *settingsPart) as(ctx context.Context, section, text string) (*config.Config, error) {
	if strings.TrimSpace(text) == "" {
		return s.o.Config, nil
	}
	return s.o.Settings.Preview(ctx, settings.Change{Section: section, Text: text})
}

// settingFault is how an error of settings is answered; 0 for one that is ours.
func settingFault(err error) (int, SettingFailure) {
	var (
		problems *config.Problems
		inFile   *settings.InFileError
		unknown  *settings.UnknownError
		conflict *settings.ConflictError
		refused  *settings.RefusedError
	)
	switch {
	case errors.As(err, &problems):
		return http.StatusUnprocessableEntity, SettingFailure{Error: err.Error(), Problems: problems.List}
	case errors.As(err, &unknown):
		return http.StatusNotFound, SettingFailure{Error: err.Error()}
	case errors.As(err, &conflict), errors.As(err, &inFile):
		return http.StatusConflict, SettingFailure{Error: err.Error()}
	case errors.As(err, &refused):
		return http.StatusUnprocessableEntity, SettingFailure{Error: err.Error()}
	}
	return 0, SettingFailure{}
}

func (s *settingsPart) refuse(rw http.ResponseWriter, r *http.Request, err error) {
	status, said := settingFault(err)
	if status == 0 {
		s.broken(rw, r, err)
		return
	}
	answer(rw, status, said)
}
