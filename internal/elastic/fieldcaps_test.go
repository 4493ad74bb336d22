package elastic_test

import (
	"fmt"
	"slices"
	"testing"

	"tocsin/internal/elastic"
)

func TestFieldCapsOfRealNodes(t *testing.T) {
	onEach(t, func(t *testing.T, c *elastic.Client, name string) {
		create(t, c, name+"-1", 1)
		if err := c.Do(t.Context(), "PUT", "/"+name+"-2", nil, map[string]any{"mappings": map[string]any{"properties": map[string]any{
			"user": map[string]any{"type": "text", "fields": map[string]any{"keyword": map[string]any{"type": "keyword"}}},
		}}}, nil); err != nil {
			t.Fatal(err)
		}
		fields := []string{"user", "user.keyword", "n", "none"}
		for i := range 400 { // more than one request can carry
			fields = append(fields, fmt.Sprint("some.field.that.is.not.there.", i))
		}
		caps, err := c.FieldCaps(t.Context(), []string{name + "-*"}, fields)
		if err != nil {
			t.Fatal(err)
		}
		if want := []string{name + "-1", name + "-2"}; !slices.Equal(caps.Indices, want) {
			t.Errorf("indices %v", caps.Indices)
		}
		user := caps.Fields["user"]
		if !user["keyword"].Aggregatable || user["text"].Aggregatable || !user["text"].Searchable || !slices.Equal(user["text"].Indices, []string{name + "-2"}) {
			t.Errorf("user %+v", user)
		}
		if _, unmapped := caps.Fields["n"]["unmapped"]; !unmapped || caps.Fields["n"]["long"].Type != "long" {
			t.Errorf("n %+v", caps.Fields["n"])
		}
		if len(caps.Fields["none"]) > 1 || len(caps.Fields) < 3 {
			t.Errorf("%+v", caps.Fields)
		}
		caps, err = c.FieldCaps(t.Context(), []string{name + "-none-*", name + "-none"}, []string{"*"})
		if err != nil || len(caps.Indices) != 0 {
			t.Errorf("%+v %v", caps, err)
		}
	})
}
