package web

import (
	"net/http"
	"strings"
	"time"

	"tocsin/internal/account"
	"tocsin/internal/saved"
)

// SavedList are the saved searches, by name.
type SavedList struct {
	Saved []saved.Search `json:"saved"`
}

// SaveRequest is a search to be saved.
type SaveRequest struct {
	Name  string `json:"name"`
	Query string `json:"query"`
	Range
}

func (s *searches) routeSaved() {
	s.add(Route{Method: "GET", Path: "/saved-searches", Tag: "search", Role: account.Viewer, Summary: "The saved searches", Answer: SavedList{}, Handle: s.allSaved})
	s.add(Route{
		Method: "POST", Path: "/saved-searches", Tag: "search", Role: account.Editor, Summary: "Save a search by name, instead of one that has it",
		Body: SaveRequest{}, Answer: saved.Search{}, Handle: s.save,
	})
	s.add(Route{
		Method: "DELETE", Path: "/saved-searches/{name}", Tag: "search", Role: account.Editor, Summary: "Delete a saved search",
		Answer: struct{}{}, Fails: []int{404}, Handle: s.unsave,
	})
}

func (s *searches) allSaved(rw http.ResponseWriter, r *http.Request) {
	found, err := s.o.Saved.All(r.Context())
	if err != nil {
		s.broken(rw, r, err)
		return
	}
	answer(rw, http.StatusOK, SavedList{found})
}

func (s *searches) save(rw http.ResponseWriter, r *http.Request) {
	in, ok := body[SaveRequest](rw, r, mostSearch)
	if !ok {
		return
	}
	one := saved.Search{Name: strings.TrimSpace(in.Name), Query: in.Query, Source: in.Source, From: in.From, To: in.To, Who: who(r).Name, At: time.Now().UTC().Truncate(time.Microsecond)}
	if one.Name == "" || len(one.Name) > 200 {
		fail(rw, http.StatusBadRequest, "name: write one of 1 to 200 characters")
		return
	}
	if err := s.o.Saved.Put(r.Context(), one); err != nil {
		s.broken(rw, r, err)
		return
	}
	answer(rw, http.StatusOK, one)
}

func (s *searches) unsave(rw http.ResponseWriter, r *http.Request) {
	there, err := s.o.Saved.Delete(r.Context(), r.PathValue("name"))
	switch {
	case err != nil:
		s.broken(rw, r, err)
	case !there:
		fail(rw, http.StatusNotFound, "there is no saved search of this name")
	default:
		answer(rw, http.StatusOK, struct{}{})
	}
}
