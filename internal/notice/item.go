package notice

import (
	"reflect"
	"time"

	"tocsin/internal/alert"
)

// ItemOf tells of an alert what a message tells. A document that cannot be read tells nothing.
func ItemOf(a *alert.Alert) Item {
	i := Item{
		Alert: a.ID, Rule: a.Rule.Name, RuleURL: a.Rule.URL, Severity: a.Severity, Risk: a.Risk, Reason: a.Reason,
		Host: a.Host, User: a.User, Time: a.Time, Count: a.Count, Attack: a.Threat, Facts: facts(a, flat(a)),
		Status: a.Status, URL: a.URL, Late: a.Late, First: a.First, Last: a.Last, Owner: a.Rule.Owner, Runbook: a.Rule.Runbook,
	}
	i.Table, i.Chart = evidence(a.Document)
	switch {
	case a.MergedInto != "":
		i.State = StateMerged
	case a.Withdrawn:
		i.State = StateWithdrawn
	case a.Unfollowed != "":
		i.State, i.StateAt, i.StateWhy = StateUnfollowed, a.Ended, a.Unfollowed
	case !a.Ended.IsZero():
		i.State, i.StateAt = StateResolved, a.Ended
	}
	return i
}

// flat are the fields of the alert's document.
func flat(a *alert.Alert) alert.Fields {
	fields, err := alert.Flatten(a.Document)
	if err != nil {
		return alert.Fields{}
	}
	return fields
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
	for _, pair := range [][2]*time.Time{{&i.Time, &other.Time}, {&i.First, &other.First}, {&i.Last, &other.Last}, {&i.StateAt, &other.StateAt}, {&i.ByAt, &other.ByAt}} {
		if !pair[0].Equal(*pair[1]) {
			return false
		}
		*pair[0], *pair[1] = time.Time{}, time.Time{}
	}
	return reflect.DeepEqual(i, other)
}
