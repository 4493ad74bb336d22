package notice

import (
	"reflect"
	"time"

	"tocsin/internal/alert"
)

// ItemOf tells of an alert what a message tells.
func ItemOf(a *alert.Alert) Item {
	i := Item{
		Alert: a.ID, Rule: a.Rule.Name, RuleURL: a.Rule.URL, Severity: a.Severity, Risk: a.Risk, Reason: a.Reason,
		Host: a.Host, User: a.User, Time: a.Time, Count: a.Count, Attack: a.Threat, Facts: facts(a),
		Status: a.Status, URL: a.URL, Late: a.Late, First: a.First, Last: a.Last, Owner: a.Rule.Owner, Runbook: a.Rule.Runbook,
	}
	switch {
	case a.MergedInto != "":
		i.State = StateMerged
	case a.Withdrawn:
		i.State = StateWithdrawn
	case !a.Ended.IsZero():
		i.State, i.StateAt = StateResolved, a.Ended
	}
	return i
}

// Fill has the notice name some alerts, first to last. What is over keeps the values that fired.
func (n *Notice) Fill(alerts []alert.Alert) {
	before := n.Items
	n.Items = make([]Item, 0, len(alerts))
	for k := range alerts {
		n.Items = append(n.Items, ItemOf(&alerts[k]))
	}
	Keep(before, n.Items)
}

// facts are the alert's, without those that say the host or the user once more.
func facts(a *alert.Alert) []alert.Fact {
	var out []alert.Fact
	for _, f := range a.Facts {
		if f.Value == a.Host && f.Name == "host.name" || f.Value == a.User && f.Name == "user.name" {
			continue
		}
		out = append(out, f)
	}
	return out
}

// Alone is the notice of one alert.
func Alone(key Key, channel string, a *alert.Alert) Notice {
	return Notice{
		Key: key, Revision: 1, Channel: channel, Kind: KindAlert, Severity: a.Severity,
		Items: []Item{ItemOf(a)}, Count: 1, Since: a.Time, Until: a.Time,
	}
}

// Same reports whether two items read the same.
func (i Item) Same(other Item) bool {
	for _, pair := range [][2]*time.Time{{&i.Time, &other.Time}, {&i.First, &other.First}, {&i.Last, &other.Last}, {&i.StateAt, &other.StateAt}} {
		if !pair[0].Equal(*pair[1]) {
			return false
		}
		*pair[0], *pair[1] = time.Time{}, time.Time{}
	}
	return reflect.DeepEqual(i, other)
}
