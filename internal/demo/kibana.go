package demo

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Kibanas are the versions whose detections a [Detections] can make, oldest first. Their documents
// differ in shape, and which kinds they have.
var Kibanas = []string{"7.6", "7.9", "7.10", "7.12", "7.14", "7.15", "7.17", "8.1", "8.8", "8.19", "9.1"}

// DetectionKind is what kind of rule wrote a detection, as far as its document differs by it.
type DetectionKind string

// The kinds of detections.
const (
	QueryDetection      DetectionKind = "query"
	LearningDetection   DetectionKind = "machine learning"
	ThresholdDetection  DetectionKind = "threshold"
	SequenceDetection   DetectionKind = "sequence"       // the shell of an EQL sequence
	BlockDetection      DetectionKind = "building block" // one event of a sequence
	IndicatorDetection  DetectionKind = "indicator match"
	NewTermsDetection   DetectionKind = "new terms"
	SuppressedDetection DetectionKind = "suppressed" // stands for others like it
	LanguageDetection   DetectionKind = "esql"
	DiscoveryDetection  DetectionKind = "attack discovery"
)

// kindsSince says from which Kibana on there are detections of a kind.
var kindsSince = map[DetectionKind]string{
	QueryDetection: "7.6", LearningDetection: "7.6", ThresholdDetection: "7.9", SequenceDetection: "7.10", BlockDetection: "7.10",
	IndicatorDetection: "7.12", NewTermsDetection: "8.8", SuppressedDetection: "8.8", LanguageDetection: "8.19", DiscoveryDetection: "9.1",
}

// DetectionKinds are the kinds that a version of Kibana has, in a fixed order.
func DetectionKinds(kibana string) []DetectionKind {
	var out []DetectionKind
	for kind, since := range kindsSince {
		if !older(kibana, since) {
			out = append(out, kind)
		}
	}
	slices.Sort(out)
	return out
}

// older reports whether Kibana version a came before b.
func older(a, b string) bool {
	major, minor := version(a)
	otherMajor, otherMinor := version(b)
	return major < otherMajor || major == otherMajor && minor < otherMinor
}

func version(s string) (major, minor int) {
	a, b, _ := strings.Cut(s, ".")
	major, _ = strconv.Atoi(a)
	minor, _ = strconv.Atoi(b)
	return major, minor
}

// Detection is one sample document as Kibana would have written it.
type Detection struct {
	Index  string // a backing index, not the alias
	ID     string
	Time   time.Time // its @timestamp
	Source json.RawMessage
}

// Detections makes sample detections of one space. The same seed makes the same ones. It is not
// safe for concurrent use.
type Detections struct {
	random *rand.Rand
	seed   uint64
	made   int
	space  string
}

// NewDetections makes a generator of the default space.
func NewDetections(seed uint64) *Detections {
	return &Detections{random: rand.New(rand.NewPCG(seed, 0x70c5)), seed: seed, space: "default"}
}

// Next makes a detection of any version and kind, seen at a time.
func (d *Detections) Next(at time.Time) Detection {
	kibana := pick(d, Kibanas)
	return d.Make(kibana, pick(d, DetectionKinds(kibana)), at)
}

// Make makes a detection of a version of Kibana, seen at a time. A kind the version does not have
// becomes a query.
func (d *Detections) Make(kibana string, kind DetectionKind, at time.Time) Detection {
	if !slices.Contains(DetectionKinds(kibana), kind) {
		kind = QueryDetection
	}
	out, err := d.write(kibana, kind, d.find(kind, at))
	if err != nil {
		panic("demo: a sample cannot be written: " + err.Error()) // only strings, numbers and maps are in it
	}
	return out
}

// write gives a finding the shape of a version.
func (d *Detections) write(kibana string, kind DetectionKind, f finding) (Detection, error) {
	out := Detection{ID: f.id, Time: f.at}
	var source map[string]any
	if older(kibana, "8.0") {
		out.Index = ".siem-signals-" + d.space + "-000001"
		source = d.signal(kibana, kind, f)
	} else {
		out.Index = ".internal.alerts-security.alerts-" + d.space + "-000001"
		source = d.alert(kibana, kind, f)
	}
	body, err := json.Marshal(source)
	out.Source = body
	return out, err
}

// finding is what a detection is about, whatever shape it is written in.
type finding struct {
	id, docID string
	at, event time.Time
	rule      sampleRule
	severity  string
	risk      int
	host      sampleHost
	user      string
	process   string
	parent    string
	address   string
	port      int
	count     int
}

func (d *Detections) find(kind DetectionKind, at time.Time) finding {
	at = at.UTC().Truncate(time.Millisecond)
	rule := sampleRules[string(kind)][d.random.IntN(len(sampleRules[string(kind)]))]
	f := finding{
		id:       d.hash("alert"),
		docID:    d.hash("event")[:20],
		at:       at,
		event:    at.Add(-time.Duration(d.random.IntN(240_000)+1000) * time.Millisecond),
		rule:     rule,
		severity: rule.severity,
		risk:     rule.risk,
		host:     pick(d, sampleHosts),
		user:     pick(d, sampleUsers),
		process:  pick(d, rule.processes),
		parent:   pick(d, sampleParents),
		address:  fmt.Sprintf("%s.%d", pick(d, sampleNetworks), d.random.IntN(250)+2),
		port:     d.random.IntN(60_000) + 1024,
		count:    d.random.IntN(40) + 5,
	}
	return f
}

// hash gives the next id, in hex.
func (d *Detections) hash(what string) string {
	d.made++
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d %d", what, d.seed, d.made))
	return hex.EncodeToString(sum[:])
}

// uuid gives the id of a rule's object: the same rule has the same one in every detection.
func uuid(of string) string {
	sum := sha256.Sum256([]byte(of))
	h := hex.EncodeToString(sum[:16])
	return h[:8] + "-" + h[8:12] + "-4" + h[13:16] + "-a" + h[17:20] + "-" + h[20:32]
}

func pick[T any](d *Detections, of []T) T { return of[d.random.IntN(len(of))] }

func iso(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
