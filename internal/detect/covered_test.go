package detect

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// moments is a set of the moments 0 to 63, told one by one.
type moments uint64

func momentsOf(s Set) (m moments) {
	for _, span := range s {
		for k := max(span.From, 0); k < min(span.To, 64); k++ {
			m |= 1 << k
		}
	}
	return m
}

var anySpan = rapid.Custom(func(t *rapid.T) Span {
	return Span{int64(rapid.IntRange(0, 63).Draw(t, "from")), int64(rapid.IntRange(0, 64).Draw(t, "to"))}
})

var anySet = rapid.Custom(func(t *rapid.T) Set { return Of(rapid.SliceOfN(anySpan, 0, 8).Draw(t, "spans")...) })

func TestSetIsASetOfMoments(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, span := anySet.Draw(t, "a"), anySet.Draw(t, "b"), anySpan.Draw(t, "span")
		in := momentsOf(Of(span))
		for _, law := range []struct {
			name string
			got  Set
			want moments
		}{
			{"add", a.Add(span), momentsOf(a) | in},
			{"union", a.Add(b...), momentsOf(a) | momentsOf(b)},
			{"without", a.Without(b), momentsOf(a) &^ momentsOf(b)},
			{"within", a.Within(span), momentsOf(a) & in},
			{"gaps", a.Gaps(span), in &^ momentsOf(a)},
		} {
			if momentsOf(law.got) != law.want {
				t.Fatalf("%s: %v has other moments than it must", law.name, law.got)
			}
			for i, s := range law.got {
				if s.Empty() || i > 0 && s.From <= law.got[i-1].To {
					t.Fatalf("%s: %v is not in its one form", law.name, law.got)
				}
			}
		}
		if a.Contains(span) != (in&^momentsOf(a) == 0) {
			t.Fatalf("%v contains %v: %v", a, span, a.Contains(span))
		}
		text, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		var back Set
		if err := json.Unmarshal(text, &back); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(a, back); diff != "" && len(a)+len(back) > 0 {
			t.Fatalf("read back: %s", diff)
		}
		if n := a.Length(); n != int64(popcount(momentsOf(a))) {
			t.Fatalf("%v is %d long", a, n)
		}
	})
}

func popcount(m moments) (n int) {
	for ; m != 0; m &= m - 1 {
		n++
	}
	return n
}
