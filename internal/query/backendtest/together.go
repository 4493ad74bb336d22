package backendtest

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"tocsin/internal/query/exec"
)

// togetherMost is how many searches the suite runs at the same time.
const togetherMost = 24

// asked is a search of the suite.
type asked struct {
	text string
	bounds
}

// together compares the answers that searches get in company with those of the reference. Among them are some that
// end before the others have asked.
func (s Suite) together(t *testing.T, reference, backend exec.Backend, all []asked) {
	t.Helper()
	for some := range slices.Chunk(all, togetherMost) {
		runs, leave := s.Together(backend, len(some))
		var wg sync.WaitGroup
		for i, one := range some {
			wg.Go(func() {
				defer leave(i)
				want, err := answer(reference, one.text, one.bounds, exec.Options{})
				if err != nil {
					t.Errorf("%s: the rows engine: %v", one.text, err)
					return
				}
				got, err := answer(runs[i], one.text, one.bounds, exec.Options{})
				if err != nil {
					t.Errorf("%s (together): %v", one.text, err)
					return
				}
				if !slices.Equal(got, want) {
					t.Errorf("%s (together, from %v to %v)\n got:\n%s\nwant:\n%s", one.text, one.earliest, one.latest, strings.Join(got, "\n"), strings.Join(want, "\n"))
				}
			})
		}
		wg.Wait()
	}
}
