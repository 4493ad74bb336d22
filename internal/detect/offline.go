package detect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"tocsin/internal/alert"
	"tocsin/internal/query"
	"tocsin/internal/rule"
)

// Offline is a rule and the time for which it is judged as if it had run then.
type Offline struct {
	Rule *rule.Rule
	// Source is where the rule searches, Lookups the tables there are.
	Source  *Source
	Lookups map[string]*query.Table
	// From and To bound the event times judged, half open.
	From, To time.Time
	// Replay makes a source of documents in memory, each the JSON of one, in their order. Without it a
	// search that is judged at ticks is one search per tick.
	Replay func(documents []string) query.Backend
	// Progress is told the share of the time that is done, from 0 to 1; nil is not told.
	Progress func(done float64)
	// Run takes what one run found, in order of time: when the run was, and its alerts, those that changed
	// too. An error of it ends the whole, and is returned as it is.
	Run func(at time.Time, alerts []alert.Alert) error
}

// Outcome is what is known of an Offline beside its alerts.
type Outcome struct {
	// Warnings are what the source says of its answers.
	Warnings []string
	// Searches is how many searches it took.
	Searches int
	// Inexact says why a detector may have made others; empty where it would not have.
	Inexact string
	// Threshold is the number that the search compares a value with, in words such as "more than 10"; empty
	// where it does not.
	Threshold string
	// Misses are, where the search compares a value with a least number, the keys that never reached it and came
	// nearest, the nearest first.
	Misses []Miss
	// MissesFrom is the least value that was looked at for Misses; 0 where none was.
	MissesFrom float64
}

// Miss is a key whose greatest value was not enough.
type Miss struct {
	Key   []alert.Fact `json:"key"`
	Value float64      `json:"value"`
	// Needs is what it would have taken, in words such as "more than 10", Limit the number in it.
	Needs string    `json:"needs"`
	Limit float64   `json:"limit"`
	At    time.Time `json:"at"`
}

// mostMisses is how many near misses are told.
const mostMisses = 10

// The bounds of what is read at once.
const (
	leastParts = 4      // parts that the whole time is read in at least, where a part does not read much twice
	mostFound  = 20_000 // documents or windows that a part should give
	readFor    = 2      // rows read that weigh as one of these: pages of groups cost the more the more of them there are
)

// Judge judges the time in order, each document read once but for the edges of the parts it is read in. What comes
// out is what a detector would have made that ran all the time while every event came at once. Rules in shadow
// mode, or off, are judged as if they were on.
func (o *Offline) Judge(ctx context.Context) (*Outcome, error) {
	r := *o.Rule
	r.Enabled = rule.On
	set, err := newRuleset(&r, "", o.Source, o.Lookups)
	if err != nil {
		return nil, err
	}
	b, err := o.Source.Open(ctx, r.Indices)
	if err != nil {
		return nil, fmt.Errorf("open source %s: %w", o.Source.Name, err)
	}
	p := &pastRuns{offline: o, set: set, backend: b, remembered: newRemembered(set.search.joins, set.search.kind == rowWise && r.MessagePer == rule.PerRow), finder: set.search}
	if err := p.prepare(); err != nil {
		return nil, err
	}
	if err := p.judge(ctx); err != nil {
		return nil, err
	}
	p.outcome.Misses = p.nearest()
	return &p.outcome, nil
}

// pastRuns are the runs of an Offline.
type pastRuns struct {
	offline    *Offline
	set        *ruleset
	backend    query.Backend
	remembered *remembered
	outcome    Outcome
	warned     map[string]bool

	// finder is the search that is asked: the rule's, or one that keeps values below the limit too.
	finder *search
	limit  *limit                    // what finder leaves to be judged here; nil for nothing
	near   func(least float64) error // makes finder keep values above least
	misses map[string]Miss
	passed map[string]bool // keys that reached the limit

	// ticks, where documents are read once and judged in memory: the rule's search after its filter.
	ticks *search
	// each says that every run has to be asked for itself, for the search depends on the time it is made at.
	each bool
	// carried are windows in a stretch of the grid that the next run judges again.
	carried []Window
}

// limit is a comparison of a column with a number, the last of a search.
type limit struct {
	column, op string
	n          float64
	words      string
}

func (l *limit) passes(v float64) bool {
	if l.op == ">=" {
		return v >= l.n
	}
	return v > l.n
}

// nowForm finds times that a search takes from the moment it is made at.
var nowForm = regexp.MustCompile(`(?i)\bnow\b|\btime\(\)|\brelative_time\b|\b(?:earliest|latest)\s*=`)

// prepare chooses how to ask.
func (p *pastRuns) prepare() error {
	s := p.set.search
	q, err := s.compile(time.Now(), time.Time{}, time.Time{})
	if err != nil {
		return err
	}
	p.warned = map[string]bool{}
	if p.each = nowForm.MatchString(s.text); p.each {
		p.outcome.Inexact = "the search asks for the time at which it runs: each run was made for itself, and what a run finds that reads an overlap again was not"
	}
	pipes := q.Pipes()
	switch {
	case s.kind == rangeWise && !q.Subsearches() && p.offline.Replay != nil && q.Leading() < len(pipes):
		after := *p.set.rule
		after.Search = "* | " + strings.Join(pipes[q.Leading():], " | ")
		if p.ticks, err = newSearch(&after, p.set.source, p.offline.Lookups); err != nil {
			return err
		}
		p.ticks.kind, p.ticks.by = s.kind, s.by
	case s.kind == windowed && s.commanded.Name == "" && len(s.by) > 0:
		p.relax(pipes)
	}
	return nil
}

// relax makes the search keep the windows of half the limit too, so that what came near can be told. A search
// without a limit of its own is asked as it is.
func (p *pastRuns) relax(pipes []string) {
	s := p.set.search
	p.outcome.Threshold = s.bound
	last := len(pipes) - 1
	word, rest, _ := strings.Cut(pipes[last], " ")
	m := boundForm.FindStringSubmatch(strings.TrimSpace(rest))
	if m == nil || m[1] != s.measure || word != "search" && word != "where" {
		return
	}
	n, err := strconv.ParseFloat(m[3], 64)
	if err != nil || m[2] != ">" && m[2] != ">=" || n < leastNear {
		return
	}
	p.limit = &limit{column: m[1], op: m[2], n: n, words: s.bound}
	p.misses, p.passed = map[string]Miss{}, map[string]bool{}
	p.near = func(least float64) error {
		near := *p.set.rule
		near.Search = strings.TrimSuffix(s.text, pipes[last]) + fmt.Sprintf("%s %s > %v", word, m[1], least)
		finder, err := newSearch(&near, p.set.source, p.offline.Lookups)
		if err == nil {
			p.finder, p.outcome.MissesFrom = finder, least
		}
		return err
	}
	if err := p.near(math.Floor(n / 2)); err != nil {
		p.limit = nil // it is asked as it is, and no near miss is told
	}
}

// mostNear is how many windows below the limit a part of the time may bring to tell of near misses.
const mostNear = 1000

// nearer looks at windows nearer to the limit from now on, where there were too many of them.
func (p *pastRuns) nearer() error {
	from, most := p.outcome.MissesFrom, p.limit.n
	if p.limit.op == ">=" {
		most = math.Ceil(most) - 1
	}
	least := min(math.Floor((from+most)/2)+1, most)
	if least <= from {
		return nil
	}
	return p.near(least)
}

// leastNear is the least limit of which something can be said to come near.
const leastNear = 4

// judge goes through the time.
func (p *pastRuns) judge(ctx context.Context) error {
	t := p.set.timing
	from, to := floor(p.offline.From.UnixMicro(), t.Grid), t.edge(p.offline.To.UnixMicro())
	if t.Ticks {
		from = floor(from, t.Every)
	}
	if from >= to {
		return errors.New("there is no time to judge: the rule needs at least one interval between from and to")
	}
	part := p.part(to - from)
	for at := from; at < to; {
		if err := ctx.Err(); err != nil {
			return err
		}
		end := min(p.edgeAfter(at+part-1), to)
		n, err := p.read(ctx, Span{at, end})
		if err != nil {
			return err
		}
		// Each search costs something of its own, so there are few of them, but the first ones: how far it is shows
		// soon, and where much is found less is held at once.
		if !p.each && part < to-from {
			switch {
			case n > 2*mostFound:
				part /= 2
			case n < mostFound/2:
				part *= 2
			}
			part = min(max(part, t.Every, 8*t.Reach), (to-from)/leastParts+1)
		}
		at = end
		if p.offline.Progress != nil {
			p.offline.Progress(float64(at-from) / float64(to-from))
		}
	}
	return nil
}

// part is how much of the time is read at once, in microseconds. What is read twice, where parts meet, is a
// small share of it.
func (p *pastRuns) part(whole int64) int64 {
	t := p.set.timing
	switch {
	case p.each:
		return 1
	case t.Ticks && p.ticks == nil:
		return max(t.Every, whole/100) // one search per tick in any case
	}
	part := max(t.Every, 8*t.Reach, whole/(4*leastParts))
	if 2*part > whole {
		return whole
	}
	return part
}

// jitter is how long after its turn the rule runs, in microseconds.
func (p *pastRuns) jitter() int64 {
	return jitter(p.set.rule.ID, p.set.rule.Every).Microseconds()
}

// run is the time of the first run that judges a moment, both in microseconds.
func (p *pastRuns) run(at int64) int64 {
	every, late := p.set.timing.Every, p.jitter()
	run := ceil(at+1-late, every) + late
	for p.set.timing.edge(run) <= at {
		run += every
	}
	for p.set.timing.edge(run-every) > at {
		run -= every
	}
	return run
}

// edgeAfter is up to when the run judges that judges a moment first.
func (p *pastRuns) edgeAfter(at int64) int64 { return p.set.timing.edge(p.run(at)) }

// read asks for a part of the time and judges it run by run. It tells how much was found.
func (p *pastRuns) read(ctx context.Context, span Span) (int, error) {
	f, err := p.find(ctx, span)
	if err != nil {
		return 0, err
	}
	for _, w := range f.warnings {
		if !p.warned[w] {
			p.warned[w] = true
			p.outcome.Warnings = append(p.outcome.Warnings, w)
		}
	}
	n := max(len(f.documents)+len(f.windows), int(f.read/readFor))
	// Each run takes what none before it could judge.
	at := func(end int64) int64 {
		if p.set.timing.Ticks { // a tick is the end of its stretch
			end--
		}
		return floor(end, 1000) / 1000
	}
	slices.SortStableFunc(f.documents, func(a, b document) int { return cmp.Compare(a.At, b.At) })
	slices.SortStableFunc(f.windows, func(a, b Window) int { return cmp.Compare(a.End, b.End) })
	for len(f.documents)+len(f.windows) > 0 {
		if err := ctx.Err(); err != nil {
			return n, err
		}
		first := span.To
		if len(f.documents) > 0 {
			first = min(first, at(f.documents[0].At))
		}
		if len(f.windows) > 0 {
			first = min(first, at(f.windows[0].End))
		}
		now := p.run(first)
		until := min(p.set.timing.edge(now), span.To)
		from := p.set.timing.edge(now - p.set.timing.Every)
		now = min(now, p.offline.To.UnixMicro())
		documents, _ := slices.BinarySearchFunc(f.documents, until, func(d document, t int64) int { return cmp.Compare(at(d.At), t) })
		windows, _ := slices.BinarySearchFunc(f.windows, until, func(w Window, t int64) int { return cmp.Compare(at(w.End), t) })
		mine := &found{documents: f.documents[:documents], windows: f.windows[:windows]}
		f.documents, f.windows = f.documents[documents:], f.windows[windows:]
		if err := p.settle(Span{min(from, first), until}, mine, micro(now)); err != nil {
			return n, err
		}
	}
	return n, nil
}

// settle makes the alerts of one run.
func (p *pastRuns) settle(span Span, f *found, now time.Time) error {
	if p.set.search.joins > 0 {
		// The stretch in which the last run ended is judged again, with what that run found there.
		span.From = floor(span.From, p.set.timing.Grid)
		kept := slices.DeleteFunc(p.carried, func(w Window) bool { return w.End < span.From*1000 })
		f.windows = append(kept, f.windows...)
		open := floor(span.To, p.set.timing.Grid) * 1000
		p.carried = nil
		for _, w := range f.windows {
			if w.End >= open {
				p.carried = append(p.carried, w)
			}
		}
	}
	e := &evaluation{rule: p.set, past: p.remembered, now: now, recent: map[string]said{}, known: map[string]bool{}, rows: map[int64][]alert.Alert{}}
	e.result.rule = p.set.rule.ID
	if err := e.judged(span, f); err != nil {
		return err
	}
	p.remembered.keep(&e.result)
	if len(e.alerts) == 0 {
		return nil
	}
	return p.offline.Run(now, e.alerts)
}

// find asks for what is in a part of the time.
func (p *pastRuns) find(ctx context.Context, span Span) (*found, error) {
	if p.ticks != nil && !p.each {
		return p.replay(ctx, span)
	}
	now := min(p.run(span.To-1), p.offline.To.UnixMicro())
	p.outcome.Searches++
	if p.set.timing.Ticks {
		p.outcome.Searches += int(span.Length()/p.set.timing.Every) - 1
	}
	f, err := p.finder.find(ctx, p.backend, span, micro(now))
	if err != nil || p.limit == nil {
		return f, err
	}
	all := len(f.windows)
	f.windows = slices.DeleteFunc(f.windows, func(w Window) bool { return !p.enough(&w) })
	if all-len(f.windows) > mostNear {
		err = p.nearer()
	}
	return f, err
}

// enough judges a window by the limit that was left out of the search, and remembers what came near.
func (p *pastRuns) enough(w *Window) bool {
	v, err := strconv.ParseFloat(column(w.Row, p.limit.column), 64)
	if err != nil {
		return false
	}
	if p.limit.passes(v) {
		p.passed[w.Key] = true
		delete(p.misses, w.Key)
		return true
	}
	if have, there := p.misses[w.Key]; p.passed[w.Key] || there && have.Value >= v {
		return false
	}
	miss := Miss{Value: v, Needs: p.limit.words, Limit: p.limit.n, At: time.Unix(0, w.End).UTC()}
	for _, name := range p.set.search.by {
		miss.Key = append(miss.Key, alert.Fact{Name: name, Value: column(w.Row, name)})
	}
	p.misses[w.Key] = miss
	return false
}

// nearest are the keys that came nearest to the limit, the nearest first.
func (p *pastRuns) nearest() []Miss {
	keys := make([]string, 0, len(p.misses))
	for key, miss := range p.misses {
		if miss.Value > p.outcome.MissesFrom {
			keys = append(keys, key)
		}
	}
	slices.SortFunc(keys, func(a, b string) int {
		return cmp.Or(cmp.Compare(p.misses[b].Value, p.misses[a].Value), cmp.Compare(a, b))
	})
	var out []Miss
	for _, key := range keys[:min(len(keys), mostMisses)] {
		out = append(out, p.misses[key])
	}
	return out
}

// mostReplayed bounds the documents kept in memory to be judged tick by tick, in bytes.
const mostReplayed = 512 << 20

// replay reads the documents of a part of the time once, and judges each tick of it in memory.
func (p *pastRuns) replay(ctx context.Context, span Span) (*found, error) {
	s := p.set.search
	low := micro(span.From + p.set.timing.Every).Add(-s.rule.Window).Add(s.precision)
	q, err := query.Compile(s.events, query.Options{
		TimeField: s.timeField, Now: micro(span.To), Earliest: low, Latest: micro(span.To).Add(s.precision), Lookups: p.offline.Lookups,
	})
	if err != nil {
		return nil, err
	}
	type timed struct {
		at   int64
		json string
	}
	var all []timed
	size := 0
	f := &found{}
	p.outcome.Searches++
	err = s.stream(ctx, q, query.RunOptions{Backend: p.backend, Documents: true}, f, func(_ []string, r *query.Row) error {
		if r.Doc == nil {
			return errors.New("a document came without its text")
		}
		at, err := s.timeOf(r.Doc.JSON)
		if err != nil {
			return err
		}
		if size += len(r.Doc.JSON); size > mostReplayed {
			return fmt.Errorf("the search looks at more than %d MB of documents between %s and %s: narrow its filter, or the time",
				mostReplayed>>20, low.Format(time.RFC3339), micro(span.To).Format(time.RFC3339))
		}
		all = append(all, timed{at, strings.Clone(r.Doc.JSON)})
		return nil
	})
	if err != nil {
		return nil, err
	}
	// Documents of one tick stay in the order in which the source gave them: pipes may depend on it.
	order := make([]int, len(all))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(all[a].at, all[b].at) })
	every := p.set.timing.Every
	for tick := span.From + every; tick <= span.To; tick += every {
		from, to := micro(tick).Add(-s.rule.Window).Add(s.precision).UnixNano(), micro(tick).Add(s.precision).UnixNano()
		at := func(i int, t int64) int { return cmp.Compare(all[i].at, t) }
		first, _ := slices.BinarySearchFunc(order, from, at)
		last, _ := slices.BinarySearchFunc(order, to, at)
		mine := slices.Sorted(slices.Values(order[first:last]))
		documents := make([]string, len(mine))
		for i, n := range mine {
			documents[i] = all[n].json
		}
		if err := p.ticks.findRows(ctx, p.offline.Replay(documents), tick, micro(tick), f); err != nil {
			return nil, err
		}
	}
	return f, nil
}
