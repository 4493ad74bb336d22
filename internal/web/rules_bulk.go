package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"tocsin/internal/account"
	"tocsin/internal/rule"
)

// RulesChange changes several rules alike: all that it names.
type RulesChange struct {
	Rules      []string `json:"rules" doc:"The ids of the rules."`
	Enabled    any      `json:"enabled,omitempty" doc:"true, false or shadow."`
	Channel    *string  `json:"channel,omitempty" doc:"Where their alerts are said; empty leaves it to the routes."`
	AddTags    []string `json:"add_tags,omitempty"`
	RemoveTags []string `json:"remove_tags,omitempty"`
	Note       string   `json:"note,omitempty" doc:"Why, for their versions."`
}

// RulesChanged says what became of each.
type RulesChanged struct {
	Changed []string     `json:"changed" doc:"The ids of the rules that are as asked for now."`
	Failed  []RuleFailed `json:"failed" doc:"Those that could not be changed."`
}

// RuleFailed is why a rule could not be changed.
type RuleFailed struct {
	ID    string `json:"id"`
	Error string `json:"error"`
}

// mostRules is how many rules one change may name.
const mostRules = 5000

// RuleBulk adds the endpoint that changes several rules at once.
func RuleBulk(library *rule.Library) Part {
	return func(w *Web) {
		w.add(Route{
			Method: "POST", Path: "/rules-change", Tag: "rules", Role: account.Editor, Summary: "Change several rules at once",
			Text: "Each rule is changed by itself, as a version of its own; one that cannot be changed keeps no other from it.",
			Body: RulesChange{}, Answer: RulesChanged{}, Handle: func(rw http.ResponseWriter, r *http.Request) {
				in, ok := body[RulesChange](rw, r, mostRule)
				if !ok {
					return
				}
				edit, err := in.edit()
				if err == nil && len(in.Rules) > mostRules {
					err = fmt.Errorf("%d rules at most can be changed at once", mostRules)
				}
				if err != nil {
					fail(rw, http.StatusBadRequest, err.Error())
					return
				}
				noted(r, strings.Join(in.Rules, ", "), in.Note)
				answer(rw, http.StatusOK, changeRules(r.Context(), library, in.Rules, rule.Change{Base: rule.Any, Who: who(r).Name, Note: in.Note}, edit))
			},
		})
	}
}

// ruleEdit changes one rule.
type ruleEdit func(ctx context.Context, library *rule.Library, e rule.Entry, c rule.Change) error

// edit is what a change does with each of its rules.
func (in *RulesChange) edit() (ruleEdit, error) {
	var state rule.State
	if in.Enabled != nil {
		var err error
		if state, err = rule.StateOf(in.Enabled); err != nil {
			return nil, err
		}
	}
	if state == "" && in.Channel == nil && len(in.AddTags)+len(in.RemoveTags) == 0 {
		return nil, errors.New("say what is to change: enabled, channel, add_tags or remove_tags")
	}
	return func(ctx context.Context, library *rule.Library, e rule.Entry, c rule.Change) error {
		content, err := in.content(e.Content)
		if err != nil {
			return err
		}
		if string(content) != string(e.Content) {
			files, err := e.Attached()
			if err != nil {
				return err
			}
			c := c
			c.ID, c.Base = e.ID, e.Version
			if _, _, err := library.Apply(ctx, content, false, files, c); err != nil {
				return err
			}
		}
		if state != "" {
			_, _, err = library.SetState(ctx, e.ID, state, c)
		}
		return err
	}, nil
}

func (in *RulesChange) content(content []byte) ([]byte, error) {
	var err error
	if in.Channel != nil {
		content, err = rule.WithChannel(content, strings.TrimSpace(*in.Channel))
	}
	if err == nil && len(in.RemoveTags) > 0 {
		content, err = rule.WithoutTags(content, in.RemoveTags)
	}
	if err == nil && len(in.AddTags) > 0 {
		content, err = rule.WithTags(content, in.AddTags)
	}
	return content, err
}

// changeRules changes rules one by one.
func changeRules(ctx context.Context, library *rule.Library, ids []string, c rule.Change, edit ruleEdit) RulesChanged {
	out := RulesChanged{Changed: []string{}, Failed: []RuleFailed{}}
	for _, id := range ids {
		e, err := library.Find(id)
		if err == nil && e.Origin != rule.FromDatabase {
			err = &rule.ReadOnlyError{ID: e.ID, File: e.File}
		}
		if err == nil {
			err = edit(ctx, library, e, c)
		}
		if err != nil {
			out.Failed = append(out.Failed, RuleFailed{ID: id, Error: err.Error()})
			continue
		}
		out.Changed = append(out.Changed, e.ID)
	}
	return out
}
