package query

import (
	"slices"
	"time"

	"tocsin/internal/query/pipe"
)

// Detection is the detection command of a search. What it says is a function of the events and of the range:
// a run on [From, To) reads what it needs of the events before, and gives the verdicts whose time lies in the
// range, so that the verdicts of ranges that meet are those of one run over both.
type Detection struct {
	// Command is its name: newterms, missing, spike, changed or sequence.
	Command string
	// By are the columns that name a key.
	By []string
	// History is how long before the time of a verdict the events are that it depends on, and so how long
	// after its own time an event that comes late can change verdicts.
	History time.Duration
	// Joins is how near the ends of verdicts of one key are that are one episode; 0 joins none. They are told
	// one by one with RunOptions.Windows.
	Joins time.Duration
	// Documents says that each row still is a document.
	Documents bool

	timeField string
	after     time.Duration // from the time that a row tells of to that of its verdict
	span      time.Duration // of a sequence that ends with what must not come: it is whole when that has passed
}

// Detection is the search's detection command; ok is false where it has none, and of several it is the last.
func (q *Query) Detection() (d Detection, ok bool) {
	for _, s := range q.plan.Steps {
		if s.Judged == nil {
			continue
		}
		d, ok = Detection{Command: s.Pipe.Name(), History: q.plan.History(), timeField: q.plan.TimeField()}, true
		switch p := s.Pipe.(type) {
		case *pipe.NewTerms:
			d.By, d.Documents = names(p.Fields), true
		case *pipe.Changed:
			d.By, d.Documents = names(p.By), true
		case *pipe.Missing:
			d.By = names(p.By)
			d.after, _ = p.Over.Fixed()
		case *pipe.Spike:
			d.By = names(p.By)
			d.Joins = s.Judged.Buckets.Length + 1 // ends of neighbours are less than this apart
		case *pipe.Sequence:
			d.By = names(p.By)
			if p.Steps[len(p.Steps)-1].Not {
				d.span, _ = p.MaxSpan.Fixed()
			}
		}
	}
	return d, ok
}

// Times are, in nanoseconds since 1970, the time by which a verdict is known (missing: of the key's last event;
// spike: the start of its first bucket; else of its first event) and the time it is of, which lies in the range
// of the run (a spike's, the end of its last bucket, may be the end of the range). ok is false where later pipes
// took the columns away that tell.
func (d *Detection) Times(columns []string, r *Row) (first, at int64, ok bool) {
	column := func(name string) (int64, bool) {
		i := slices.Index(columns, name)
		if i < 0 {
			return 0, false
		}
		return r.Get(i).AsTime()
	}
	switch d.Command {
	case "missing":
		last, ok := column("last")
		return last, last + int64(d.after), ok
	case "newterms", "changed":
		for _, name := range []string{d.timeField, "_time"} {
			if at, ok := column(name); ok {
				return at, at, true
			}
		}
		if r.Doc == nil {
			return 0, 0, false
		}
		at, ok, err := TimeOf(r.Doc.JSON, d.timeField)
		return at, at, ok && err == nil
	}
	first, ok1 := column("first")
	last, ok2 := column("last")
	if d.span > 0 {
		last = first + int64(d.span)
	}
	return first, last, ok1 && ok2
}

// History is how long before the range of the search the events are that its answer depends on: what a
// detection command looks back. A run reads them by itself.
func (q *Query) History() time.Duration { return q.plan.History() }

func names(fields []pipe.Field) []string {
	var out []string
	for _, f := range fields {
		out = append(out, f.Name)
	}
	return out
}
