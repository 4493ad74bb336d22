package forecast

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tocsin/internal/alert"
	"tocsin/internal/detect"
	"tocsin/internal/policy"
	"tocsin/internal/rule"
)

// Ask is a backtest to be made.
type Ask struct {
	Rule *rule.Rule
	// From and To bound the event times, half open.
	From, To time.Time
	// Zone is where days begin; nil is UTC.
	Zone *time.Location
	// Progress is told the share that is done, from 0 to 1; nil is not told.
	Progress func(done float64)
}

// Backtest is what a rule would have said. Its times are UTC.
type Backtest struct {
	Rule string    `json:"rule"`
	Name string    `json:"name"`
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	// Sentence sums it up for people.
	Sentence string `json:"sentence"`
	// Exact says that it is what the rule would have made while every event came at once; where it is not, Reasons
	// say why.
	Exact    bool     `json:"exact"`
	Reasons  []string `json:"reasons,omitempty"`
	Warnings []string `json:"warnings,omitempty"`

	// Alerts is how many alerts would have been forwarded, Keys how many values of By they are about.
	Alerts int      `json:"alerts"`
	Keys   int      `json:"keys"`
	By     []string `json:"by,omitempty"`
	// Messages is how many messages would have been said, Edits how often alerts would have been added
	// to one of them.
	Messages int `json:"messages"`
	Edits    int `json:"edits"`
	// Held counts the alerts kept back: as excluded, suppressed, silenced.
	Held map[alert.Fate]int `json:"held,omitempty"`
	// Unsaid is how many of Messages have no channel yet: they would be said once there is one.
	Unsaid int `json:"unsaid,omitempty"`

	Days  []Day `json:"days"`
	Worst *Day  `json:"worst,omitempty"`
	// Top are the keys with the most alerts.
	Top []Key `json:"top"`
	// Threshold is what the search asks of its value, in words; Misses are the keys that came near and never
	// reached it. MissesFrom is the least value that was looked at for them.
	Threshold  string        `json:"threshold,omitempty"`
	Misses     []detect.Miss `json:"misses,omitempty"`
	MissesFrom float64       `json:"misses_from,omitempty"`
	// Found are the alerts in the order in which they would have been made, those kept back too: the first of
	// them, of which FoundAll is the count.
	Found    []Found `json:"found"`
	FoundAll int     `json:"found_all"`
	// Said are the messages, the first of them.
	Said []Message `json:"said"`

	Searches int           `json:"searches"`
	Took     time.Duration `json:"took_ns"`

	// Newest is the newest alert whole, of those forwarded where there is one; nil for none.
	Newest *alert.Alert `json:"-"`

	all []Found
}

// Day is one day of a backtest.
type Day struct {
	// Day is its date, such as 2026-11-24.
	Day      string `json:"day"`
	Alerts   int    `json:"alerts"`
	Held     int    `json:"held"`
	Messages int    `json:"messages"`
}

// Key is one value of the by-fields, with what there would have been about it.
type Key struct {
	Key    []alert.Fact `json:"key"`
	Alerts int          `json:"alerts"`
	Held   int          `json:"held"`
	Last   time.Time    `json:"last"`
}

// Found is one alert that would have been made.
type Found struct {
	ID alert.ID `json:"id"`
	// At is when it would have been made; First and Last are the times of its first and last event.
	At       time.Time      `json:"at"`
	First    time.Time      `json:"first"`
	Last     time.Time      `json:"last"`
	Key      []alert.Fact   `json:"key,omitempty"`
	Severity alert.Severity `json:"severity"`
	Count    int            `json:"count,omitempty"`
	Reason   string         `json:"reason"`
	// Held is why it would have been kept back; empty where it is forwarded to Channel.
	Held       alert.Fate `json:"held,omitempty"`
	HeldReason string     `json:"held_reason,omitempty"`
	Channel    string     `json:"channel,omitempty"`
}

// The bounds of what is told.
const (
	mostTop    = 10
	mostFound  = 200
	mostAlerts = 200_000
)

// errMany ends a backtest that makes more alerts than anyone can read.
var errMany = errors.New("too many alerts")

// Backtest tells what a rule would have said.
func (f *Forecaster) Backtest(ctx context.Context, a Ask) (*Backtest, error) {
	began := time.Now()
	b, err := f.backtest(ctx, a)
	if err != nil {
		return nil, fmt.Errorf("backtest rule %s: %w", a.Rule.ID, err)
	}
	b.Took = time.Since(began)
	return b, nil
}

func (f *Forecaster) backtest(ctx context.Context, a Ask) (*Backtest, error) {
	if !a.From.Before(a.To) {
		return nil, wrong("from %s is not before to %s", a.From.UTC().Format(time.RFC3339), a.To.UTC().Format(time.RFC3339))
	}
	source, err := f.source(a.Rule.Source)
	if err != nil {
		return nil, err
	}
	if a.Zone == nil {
		a.Zone = time.UTC
	}
	decide, err := f.options.Imagined(ctx)
	if err != nil {
		return nil, err
	}
	t := &tally{ask: &a, said: newMessages(decide), unsaid: f.options.Unsaid, index: map[alert.ID]int{}}
	offline := &detect.Offline{
		Rule: a.Rule, Source: source, Lookups: f.options.Lookups(), From: a.From, To: a.To, Replay: f.options.Replay, Progress: a.Progress,
		Run: t.take,
	}
	b := &Backtest{Rule: a.Rule.ID, Name: a.Rule.Name, From: a.From.UTC(), To: a.To.UTC(), Exact: true}
	outcome, err := offline.Judge(ctx)
	if errors.Is(err, errMany) {
		b.Exact = false
		b.To = t.last.UTC()
		b.Reasons = append(b.Reasons, fmt.Sprintf("the rule makes more than %d alerts: only the time until %s was judged", mostAlerts, t.last.UTC().Format(time.RFC3339)))
		outcome, err = &detect.Outcome{}, nil
	}
	if err != nil {
		return nil, err
	}
	if outcome.Inexact != "" {
		b.Exact, b.Reasons = false, append(b.Reasons, outcome.Inexact)
	}
	if t.said.repeats {
		b.Exact, b.Reasons = false, append(b.Reasons, "repeat_interval of its route: what is said again of conditions that are still open is not counted")
	}
	if t.said.escalates {
		b.Exact, b.Reasons = false, append(b.Reasons, "escalation of its route: what is said again where nobody takes it up is not counted")
	}
	if t.said.owes {
		b.Exact, b.Reasons = false, append(b.Reasons, reasonOwed)
	}
	// What waits when the time ends is said in the end: a week's forecast counts all that the week brought.
	t.said.until(b.To.Add(farAfter))
	b.Warnings, b.Searches, b.Threshold, b.Misses, b.MissesFrom = outcome.Warnings, outcome.Searches, outcome.Threshold, outcome.Misses, outcome.MissesFrom
	t.sumUp(b)
	return b, nil
}

// reasonOwed is said of a backtest in which a repeat was kept back.
const reasonOwed = "what was to be said again while its channel had no room or was quiet: it is counted when its alert grows again"

// farAfter is how long after its end the messages of a time are followed, which no route makes wait so long.
const farAfter = 7 * 24 * time.Hour

// tally counts what runs make.
type tally struct {
	ask   *Ask
	said  *messages
	found []Found
	index map[alert.ID]int
	last  time.Time
	// newest is the newest alert, and said that it is forwarded.
	newest     alert.Alert
	newestSaid bool
	// unsaid tells the channels that are not there yet.
	unsaid func(channel string) bool
}

// take takes in the alerts of one run.
func (t *tally) take(at time.Time, alerts []alert.Alert) error {
	t.last = at
	err := t.said.take(at, alerts, func(a *alert.Alert, fresh bool, v *policy.Verdict) {
		if said := v.Kept == policy.Said || v.Cause.Code == alert.CauseNoChannel; said || !t.newestSaid {
			t.newest, t.newestSaid = *a, said
		}
		if !fresh {
			one := &t.found[t.index[a.ID]]
			one.Last, one.Count, one.Reason = lastOf(a), a.Count, a.Reason
			if one.Held != "" && v.Kept == policy.Said { // what kept it back is over
				one.Held, one.HeldReason, one.Channel = "", "", t.channel(v)
			}
			return
		}
		one := Found{ID: a.ID, At: at.UTC(), First: firstOf(a), Last: lastOf(a), Severity: a.Severity, Count: a.Count, Reason: a.Reason, Key: t.key(a)}
		if v.Kept != policy.Said && v.Cause.Code != alert.CauseNoChannel {
			one.Held, one.HeldReason = fates[v.Kept], v.Reason
		} else {
			one.Channel = t.channel(v)
		}
		t.index[a.ID] = len(t.found)
		t.found = append(t.found, one)
	})
	if err != nil {
		return err
	}
	if len(t.found) > mostAlerts {
		return errMany
	}
	return nil
}

// channel is where a verdict sends an alert; empty where that is not there yet.
func (t *tally) channel(v *policy.Verdict) string {
	if t.unsaid(v.Channel) {
		return ""
	}
	return v.Channel
}

var fates = map[policy.Kept]alert.Fate{
	policy.Excluded: alert.Excluded, policy.Silenced: alert.Silenced, policy.Suppressed: alert.Suppressed, policy.Shadow: alert.Shadow,
}

func firstOf(a *alert.Alert) time.Time {
	if !a.First.IsZero() {
		return a.First.UTC()
	}
	return a.Event.UTC()
}

func lastOf(a *alert.Alert) time.Time {
	if !a.Last.IsZero() {
		return a.Last.UTC()
	}
	return firstOf(a)
}

// key is whom an alert is about: the values of its by-fields, else of what the rule tells alerts apart by, else
// the user or the host that it names.
func (t *tally) key(a *alert.Alert) []alert.Fact {
	if len(a.Facts) > 0 {
		return a.Facts
	}
	if by := t.ask.Rule.DedupeBy; len(by) > 0 {
		if fields, err := a.Fields(); err == nil {
			var out []alert.Fact
			for _, name := range by {
				if v := fields.First(name); v != "" {
					out = append(out, alert.Fact{Name: name, Value: v})
				}
			}
			return out
		}
	}
	switch {
	case a.User != "":
		return []alert.Fact{{Name: "user.name", Value: a.User}}
	case a.Host != "":
		return []alert.Fact{{Name: "host.name", Value: a.Host}}
	}
	return nil
}

// sumUp fills in what is counted.
func (t *tally) sumUp(b *Backtest) {
	b.all, b.FoundAll = t.found, len(t.found)
	if len(t.found) > 0 {
		b.Newest = &t.newest
	}
	b.Found = t.found[:min(len(t.found), mostFound)]
	b.Held = map[alert.Fate]int{}
	days := map[string]*Day{}
	day := func(at time.Time) *Day {
		name := at.In(t.ask.Zone).Format(time.DateOnly)
		if days[name] == nil {
			days[name] = &Day{Day: name}
		}
		return days[name]
	}
	for at := b.From.In(t.ask.Zone); at.Before(b.To); at = time.Date(at.Year(), at.Month(), at.Day()+1, 0, 0, 0, 0, t.ask.Zone) {
		day(at)
	}
	keys := map[string]*Key{}
	var names []string
	said := map[string]bool{}
	for i := range t.found {
		one := &t.found[i]
		var k *Key
		if one.Key != nil {
			text := keyText(one.Key)
			if k = keys[text]; k == nil {
				k = &Key{Key: one.Key}
				keys[text] = k
				names = append(names, text)
			}
			if one.Last.After(k.Last) {
				k.Last = one.Last
			}
		}
		if one.Held != "" {
			b.Held[one.Held]++
			day(one.At).Held++
			if k != nil {
				k.Held++
			}
			continue
		}
		b.Alerts++
		day(one.At).Alerts++
		if k != nil {
			k.Alerts++
			said[keyText(one.Key)] = true
			if b.By == nil {
				for _, fact := range one.Key {
					b.By = append(b.By, fact.Name)
				}
			}
		}
	}
	b.Keys = len(said)
	for _, one := range t.said.said {
		b.Messages++
		if t.unsaid(one.Channel) {
			b.Unsaid++
			one.Channel = ""
		}
		b.Edits += one.Edits
		if one.At.Before(b.To) {
			day(one.At).Messages++
		} else {
			day(b.To.Add(-1)).Messages++
		}
		if len(b.Said) < mostFound {
			b.Said = append(b.Said, *one)
		}
	}
	for _, d := range days {
		b.Days = append(b.Days, *d)
	}
	slices.SortFunc(b.Days, func(a, b Day) int { return cmp.Compare(a.Day, b.Day) })
	for i := range b.Days {
		d := &b.Days[i]
		if w := b.Worst; d.Alerts+d.Messages > 0 && (w == nil || d.Messages > w.Messages || d.Messages == w.Messages && d.Alerts > w.Alerts) {
			b.Worst = d
		}
	}
	slices.SortFunc(names, func(x, y string) int {
		return cmp.Or(cmp.Compare(keys[y].Alerts, keys[x].Alerts), cmp.Compare(keys[y].Held, keys[x].Held), cmp.Compare(x, y))
	})
	b.Top = []Key{}
	for _, name := range names[:min(len(names), mostTop)] {
		b.Top = append(b.Top, *keys[name])
	}
	if b.Found == nil {
		b.Found = []Found{}
	}
	if b.Said == nil {
		b.Said = []Message{}
	}
	b.Sentence = sentence(b)
}

// keyText names a key; equal keys have equal texts.
func keyText(key []alert.Fact) string {
	parts := make([]string, len(key))
	for i, fact := range key {
		parts[i] = fmt.Sprintf("%q:%q", fact.Name, fact.Value)
	}
	slices.Sort(parts)
	return strings.Join(parts, ",")
}
