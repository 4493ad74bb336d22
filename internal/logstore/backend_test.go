package logstore_test

import (
	"fmt"
	"testing"

	"tocsin/internal/logstore"
	"tocsin/internal/query/backendtest"
	"tocsin/internal/query/exec"
)

func TestBackendAnswersAsRowsDo(t *testing.T) {
	for seed := range 4 {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			backendtest.Suite{Seed: seed, Random: 100, Open: func(t *testing.T, documents []backendtest.Document) exec.Backend {
				s := open(t)
				var operations []logstore.Operation
				for i, d := range documents {
					operations = append(operations, logstore.Operation{Index: []string{"logs-a", "logs-b"}[i%2], ID: d.ID, Source: []byte(d.JSON)})
				}
				store(t, s, operations)
				return logstore.NewBackend(s, []string{"logs-*"})
			}}.Run(t)
		})
	}
}

func open(t *testing.T) *logstore.Store {
	t.Helper()
	s, err := logstore.New(t.Context(), logstore.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func store(t *testing.T, s *logstore.Store, operations []logstore.Operation) {
	t.Helper()
	outcomes, err := s.Ingest(t.Context(), operations, true)
	if err != nil {
		t.Fatal(err)
	}
	for i, o := range outcomes {
		if o.Failure != nil {
			t.Fatalf("%s: %s", operations[i].Source, o.Failure.Reason)
		}
	}
}
