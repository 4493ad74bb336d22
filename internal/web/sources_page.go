package web

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"tocsin/internal/account"
	"tocsin/internal/config"
	"tocsin/internal/settings"
)

// sourceLine is a source as the page lists it.
type sourceLine struct {
	SourceState
	Delay string // until 99 of 100 documents are there; empty where they do not say
}

type sourcesView struct {
	Lines    []sourceLine
	InFile   bool
	File     string
	CanEdit  bool
	Forwards []config.Detection
}

// Product is how a source's product is called; a template asks.
func (v sourcesView) Product(name string) string {
	for _, l := range v.Lines {
		if l.Name == name {
			return l.SourceState.Product
		}
	}
	return ""
}

// sourcesPage asks every source how it is, all at once.
func (s *settingsPart) sourcesPage(rw http.ResponseWriter, r *http.Request) {
	v := sourcesView{
		Lines: make([]sourceLine, len(s.o.Sources)), File: s.o.Config.File, Forwards: s.o.Config.Detections,
		CanEdit: s.o.Settings != nil && who(r).Role.Allows(account.Admin),
	}
	var asked sync.WaitGroup
	for i := range s.o.Sources {
		asked.Go(func() {
			v.Lines[i].SourceState = s.o.Sources[i].state(r.Context())
			if v.Lines[i].Answers {
				v.Lines[i].Delay = s.delayOf(r.Context(), s.o.Sources[i].Name)
			}
		})
	}
	asked.Wait()
	if s.o.Settings != nil {
		section, err := s.o.Settings.Section(r.Context(), "sources")
		if err != nil {
			s.broken(rw, r, err)
			return
		}
		v.InFile = section.InFile
	} else {
		v.InFile = true
	}
	s.render(rw, r, http.StatusOK, "sources", v)
}

// delayOf measures how long documents of a source take to come in; empty where that is not known.
func (s *settingsPart) delayOf(ctx context.Context, name string) string {
	in := Range{Source: name, From: "-1d"}
	sc, err := s.searches.scope(in)
	if err != nil {
		return ""
	}
	looked, err := s.searches.sampleOf(ctx, sc, rangeKey(in))
	if err != nil || len(looked.delays) == 0 {
		return ""
	}
	delays := slices.Sorted(slices.Values(looked.delays))
	return max(0, delays[(len(delays)*99+99)/100-1]).Round(time.Millisecond).String()
}

// sourceForm is a source as the form has it. No stored secret is in it.
type sourceForm struct {
	Was, Name, Kind, URLs, CloudID, Auth, APIKey, Username, Password, CAFile, CA, CAFingerprint, ProxyURL, Indices string
	HasAPIKey, HasPassword                                                                                         bool   // one is stored
	Typed                                                                                                          string // by what those that were tested are asked for
}

type sourceEdit struct {
	Form    sourceForm
	Version int64
	Wrong   string
	Test    *SourceTest
	Welcome bool
}

func (s *settingsPart) editPage(rw http.ResponseWriter, r *http.Request) {
	section, items, err := s.items(r.Context(), "sources")
	if err != nil {
		s.cannot(rw, r, "/sources", err)
		return
	}
	v := sourceEdit{Version: section.Version, Form: sourceForm{Kind: string(config.Elasticsearch), Auth: "key", Name: "siem"}, Welcome: r.URL.Query().Has("welcome")}
	if name := r.URL.Query().Get("name"); name != "" {
		i := slices.IndexFunc(items, func(one settings.Values) bool { return one.Text("name") == name })
		if i < 0 || items[i].Text("kind") == string(config.Embedded) {
			s.sorry(rw, r, http.StatusNotFound, "There is no such source to edit", "It may have been removed, or it is the embedded engine, which has its keys under Settings.")
			return
		}
		v.Form = formOf(items[i])
	}
	s.render(rw, r, http.StatusOK, "source_edit", v)
}

// items are what a section holds, where it can be set here.
func (s *settingsPart) items(ctx context.Context, name string) (settings.Section, []settings.Values, error) {
	section, err := s.o.Settings.Section(ctx, name)
	if err != nil {
		return section, nil, err
	}
	if section.InFile {
		return section, nil, &settings.InFileError{Section: name, File: s.o.Config.File}
	}
	items, err := settings.Items(name, section.Text)
	return section, items, err
}

func formOf(v settings.Values) sourceForm {
	f := sourceForm{
		Was: v.Text("name"), Name: v.Text("name"), Kind: v.Text("kind"), URLs: v.Text("urls"), CloudID: v.Text("cloud_id"), Username: v.Text("username"),
		CAFile: v.Text("ca_file"), CAFingerprint: v.Text("ca_fingerprint"), ProxyURL: v.Text("proxy_url"), Indices: v.Text("indices"),
		HasAPIKey: v["api_key"] != nil, HasPassword: v["password"] != nil, Auth: "none",
	}
	switch {
	case f.HasAPIKey:
		f.Auth = "key"
	case f.Username != "":
		f.Auth = "user"
	}
	return f
}

func readSourceForm(r *http.Request) sourceForm {
	f := func(name string) string { return strings.TrimSpace(r.PostFormValue(name)) }
	return sourceForm{
		Was: f("was"), Name: f("name"), Kind: f("kind"), URLs: f("urls"), CloudID: f("cloud_id"), Auth: f("auth"), APIKey: f("api_key"), Username: f("username"),
		Password: r.PostFormValue("password"), CAFile: f("ca_file"), CA: f("ca"), CAFingerprint: f("ca_fingerprint"), ProxyURL: f("proxy_url"), Indices: f("indices"),
		HasAPIKey: f("has_api_key") != "", HasPassword: f("has_password") != "",
		Typed: f("typed"),
	}
}

// values are what the form makes of the source it is of, whose other keys stay.
func (f *sourceForm) values(before settings.Values) settings.Values {
	out := settings.Values{}
	for key, value := range before {
		out[key] = value
	}
	set := func(key string, value any, there bool) {
		if there {
			out[key] = value
		} else {
			delete(out, key)
		}
	}
	split := func(text string) []string {
		return strings.FieldsFunc(text, func(c rune) bool { return c == ',' || c == '\n' || c == '\r' || c == ' ' })
	}
	secret := func(written string, stored bool) string {
		if written == "" && stored {
			return config.Kept
		}
		return written
	}
	set("name", f.Name, f.Name != "")
	set("kind", f.Kind, f.Kind != "")
	set("urls", split(f.URLs), f.URLs != "")
	set("cloud_id", f.CloudID, f.CloudID != "")
	key, password := secret(f.APIKey, f.HasAPIKey), secret(f.Password, f.HasPassword)
	set("api_key", key, f.Auth == "key" && key != "")
	set("username", f.Username, f.Auth == "user" && f.Username != "")
	set("password", password, f.Auth == "user" && password != "")
	set("ca_file", f.CAFile, f.CAFile != "")
	set("ca_fingerprint", f.CAFingerprint, f.CAFingerprint != "")
	set("proxy_url", f.ProxyURL, f.ProxyURL != "")
	set("indices", split(f.Indices), f.Indices != "")
	return out
}

// editForm tests a source, keeps it or removes it.
func (s *settingsPart) editForm(rw http.ResponseWriter, r *http.Request) {
	if !s.form(rw, r) {
		return
	}
	section, items, err := s.items(r.Context(), "sources")
	if err != nil {
		s.cannot(rw, r, "/sources", err)
		return
	}
	v := sourceEdit{Form: readSourceForm(r), Version: number(r.PostFormValue("version")), Welcome: r.PostFormValue("welcome") != ""}
	f := &v.Form
	if f.CA != "" {
		path, err := s.o.KeepCA(f.CA)
		if err != nil {
			v.Wrong = "CA certificate: " + err.Error()
			s.render(rw, r, http.StatusUnprocessableEntity, "source_edit", v)
			return
		}
		f.CAFile, f.CA = path, ""
	}
	at := slices.IndexFunc(items, func(one settings.Values) bool { return f.Was != "" && one.Text("name") == f.Was })
	if r.PostFormValue("do") == "remove" {
		if at < 0 {
			s.done(rw, r, "/sources", "It is removed.")
			return
		}
		items = slices.Delete(items, at, at+1)
		s.keepSources(rw, r, items, section.Version, &v, "The source "+f.Was+" is removed.", "/sources")
		return
	}
	if at < 0 {
		items, at = append(items, nil), len(items)
	}
	items[at] = f.values(items[at])
	if f.Auth == "key" && f.APIKey == "" {
		s.tested.fill(f.Typed, who(r).Name, items[at], "api_key")
	} else if f.Auth == "user" && f.Password == "" {
		s.tested.fill(f.Typed, who(r).Name, items[at], "password")
	}
	if f.Name == "" {
		v.Wrong = "The source needs a name, such as siem."
		s.render(rw, r, http.StatusUnprocessableEntity, "source_edit", v)
		return
	}
	if r.PostFormValue("do") == "save" {
		to := "/sources"
		if v.Welcome {
			to = "/welcome"
		}
		s.keepSources(rw, r, items, v.Version, &v, "The source "+f.Name+" is kept.", to)
		return
	}
	s.testForm(rw, r, items, items[at], &v)
}

// testForm connects to what the form says, and keeps nothing.
func (s *settingsPart) testForm(rw http.ResponseWriter, r *http.Request, items []settings.Values, one settings.Values, v *sourceEdit) {
	text, err := settings.Write("sources", items)
	if err != nil {
		s.broken(rw, r, err)
		return
	}
	cfg, err := s.o.Settings.Preview(r.Context(), settings.Change{Section: "sources", Text: text})
	if err != nil {
		s.wrongSource(rw, r, err, v)
		return
	}
	source := cfg.Source(v.Form.Name)
	if source == nil {
		s.broken(rw, r, errors.New("the source of the form is not in the configuration made of it"))
		return
	}
	test := s.o.TestSource(r.Context(), source)
	v.Test = &test
	v.Form.Typed = s.tested.keep(who(r).Name, one)
	s.render(rw, r, http.StatusOK, "source_edit", v)
}

func (s *settingsPart) keepSources(rw http.ResponseWriter, r *http.Request, items []settings.Values, version int64, v *sourceEdit, said, to string) {
	text, err := settings.Write("sources", items)
	if err == nil {
		_, err = s.o.Settings.Put(context.WithoutCancel(r.Context()), settings.Change{Section: "sources", Text: text, Based: version, Who: who(r).Name, Note: said})
	}
	if err != nil {
		s.wrongSource(rw, r, err, v)
		return
	}
	noted(r, "sources", said)
	spaces := r.PostForm["forward"]
	if len(spaces) > 0 {
		if err := s.forward(r, v.Form.Name, spaces, r.PostFormValue("kibana_url")); err != nil {
			s.setFlash(rw, "warn", said+" Its detections are not forwarded: "+err.Error())
			http.Redirect(rw, r, to, http.StatusSeeOther)
			return
		}
		said += " Its detections are forwarded."
	}
	s.done(rw, r, to, said)
}

// forward adds the detections of spaces to those that are forwarded.
func (s *settingsPart) forward(r *http.Request, source string, spaces []string, kibana string) error {
	section, items, err := s.items(context.WithoutCancel(r.Context()), "detections")
	if err != nil {
		return err
	}
	for _, space := range spaces {
		if slices.ContainsFunc(items, func(one settings.Values) bool {
			return one.Text("source") == source && (one.Text("space") == space || one.Text("space") == "" && space == "default")
		}) {
			continue
		}
		one := settings.Values{"source": source, "space": space}
		if kibana = strings.TrimSpace(kibana); kibana != "" {
			one["kibana_url"] = kibana
		}
		items = append(items, one)
	}
	text, err := settings.Write("detections", items)
	if err != nil {
		return err
	}
	_, err = s.o.Settings.Put(context.WithoutCancel(r.Context()), settings.Change{Section: "detections", Text: text, Based: section.Version, Who: who(r).Name, Note: "detections of " + source + " are forwarded"})
	return err
}

// wrongSource shows the form again with what is wrong.
func (s *settingsPart) wrongSource(rw http.ResponseWriter, r *http.Request, err error, v *sourceEdit) {
	status, said := settingFault(err)
	if status == 0 {
		s.broken(rw, r, err)
		return
	}
	v.Wrong = plainProblems(said)
	s.render(rw, r, status, "source_edit", v)
}

// plainProblems are the sentences without places, for those who filled a form in and see no text with lines.
func plainProblems(f SettingFailure) string {
	if len(f.Problems) == 0 {
		return f.Error
	}
	var out []string
	for _, p := range f.Problems {
		out = append(out, p.Text)
	}
	return strings.Join(out, "\n")
}

// cannot goes back to a page with what forbids a change.
func (s *settingsPart) cannot(rw http.ResponseWriter, r *http.Request, to string, err error) {
	status, said := settingFault(err)
	if status == 0 {
		s.broken(rw, r, err)
		return
	}
	s.setFlash(rw, "bad", said.Error)
	http.Redirect(rw, r, to, http.StatusSeeOther)
}
