package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"tocsin/internal/demo"
)

// waiting makes documents in the shape of Kibana 8.19, of every kind that is said, within the half hour before now.
func waiting(seed uint64, n int, now time.Time) []demo.Detection {
	made := demo.NewDetections(seed)
	var kinds []demo.DetectionKind
	for _, kind := range demo.DetectionKinds("8.19") {
		if kind != demo.BlockDetection { // said only as part of its sequence
			kinds = append(kinds, kind)
		}
	}
	out := make([]demo.Detection, 0, n)
	for k := range n {
		at := now.Add(-30*time.Minute + time.Duration(k)*30*time.Minute/time.Duration(n))
		out = append(out, made.Make("8.19", kinds[k%len(kinds)], at))
	}
	return out
}

// fatten gives a document the size that those of endpoint agents have in Kibana, 10 to 60 kB: half of it in
// the rule's parameters, which a reader can leave in the cluster, and half in the event, which it cannot.
func fatten(dice *rand.Rand, d *demo.Detection) error {
	var source map[string]any
	if err := json.Unmarshal(d.Source, &source); err != nil {
		return err
	}
	half := (10_000 + dice.IntN(50_000) - len(d.Source)) / 2
	source["kibana.alert.rule.note"] = text(dice, half)
	entries := []any{}
	for room := half; room > 0; room -= 400 {
		entries = append(entries, map[string]any{
			"entity_id": text(dice, 40), "command_line": text(dice, 250), "executable": text(dice, 60), "pid": dice.IntN(1 << 16),
		})
	}
	source["process.Ext"] = map[string]any{"ancestry": entries}
	b, err := json.Marshal(source)
	d.Source = b
	return err
}

// text is n bytes of words that do not compress to nothing.
func text(dice *rand.Rand, n int) string {
	var b strings.Builder
	for b.Len() < n {
		fmt.Fprintf(&b, "%x ", dice.Uint64())
	}
	return b.String()[:n]
}

// size tells how large documents are: together, and the mean and the largest of them.
func size(documents []demo.Detection) string {
	all, most := 0, 0
	for _, d := range documents {
		all, most = all+len(d.Source), max(most, len(d.Source))
	}
	return fmt.Sprintf("%d documents of %.1f kB, at most %.1f kB", len(documents), float64(all)/float64(len(documents))/1e3, float64(most)/1e3)
}

func lower(s string) string { return string(bytes.ToLower([]byte(s))) }
