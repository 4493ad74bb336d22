package notice

import (
	"reflect"
	"time"

	"tocsin/internal/alert"
)

// ItemOf tells of an alert what a message tells.
func ItemOf(a *alert.Alert) Item {
	return Item{
		Alert: a.ID, Rule: a.Rule.Name, RuleURL: a.Rule.URL, Severity: a.Severity, Risk: a.Risk, Reason: a.Reason,
		Host: a.Host, User: a.User, Time: a.Time, Count: a.Count, Attack: a.Threat, Facts: facts(a),
		Status: a.Status, URL: a.URL, Late: a.Late,
	}
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
	if !i.Time.Equal(other.Time) {
		return false
	}
	i.Time, other.Time = time.Time{}, time.Time{}
	return reflect.DeepEqual(i, other)
}
