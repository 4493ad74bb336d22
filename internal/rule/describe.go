package rule

// IDPattern is what the id of a rule looks like.
const IDPattern = `^[A-Za-z0-9_][A-Za-z0-9_./-]{0,199}$`

var severities = words("low", "medium", "high", "critical")

// oneLine is text without line ends and what else could give a terminal or a page orders.
var oneLine = pattern(`^[^\x00-\x1f\x7f]*\S[^\x00-\x1f\x7f]*$`, "must be one line of text")

var fieldNames = &shape{form: listForm, of: texts}

// described is all there is to a rule: the keys, in the order rules are written.
var described = section(
	key{name: "name", shape: oneLine, needed: true, doc: "What the rule finds, in a few words; no two rules have the same."},
	key{
		name: "id", shape: pattern(IDPattern, "is not an id: write letters, digits, _ . / and - only, at most 200"),
		doc: "Names the rule for ever, so that it may be renamed. Without one a file has its path in rules_dir, another rule its name.",
	},
	key{name: "description", shape: texts, doc: "What the rule finds and why that matters."},
	key{name: "search", shape: texts, needed: true, doc: "A KQL filter, then pipes."},
	key{name: "source", shape: texts, doc: "The name of the source searched. Without one it is the only source there is."},
	key{name: "indices", shape: listOf(texts), doc: "The index patterns searched. Without them they are the source's."},
	key{name: "every", shape: durations, preset: "5m", doc: "How often the rule runs, at least 1s."},
	key{name: "window", shape: durations, doc: "What an aggregation without a window of its own looks at. Without one it is as long as every."},
	key{
		name: "lookback", shape: pattern(`^auto$|`+durationPattern, "is not a duration: write auto, or whole numbers and units such as 10m"), preset: "auto",
		doc: "How much of the time before is read again on each run, for events that came late. It never widens the window; auto is the measured delay.",
	},
	key{name: "timestamp_field", shape: texts, doc: "The field with the time of an event. Without one it is the source's, @timestamp."},
	key{name: "timestamp_fallback", shape: texts, doc: "The field with the time of an event that lacks timestamp_field."},
	key{
		name: "severity", preset: "medium", doc: "How bad an alert is, fixed or from a field.",
		shape: either(severities, section(
			key{name: "field", shape: texts, needed: true, doc: "The field that tells the severity."},
			key{name: "values", shape: mapOf(severities), doc: "The severity for each value of the field. Without them the field itself says low, medium, high or critical."},
			key{name: "default", shape: severities, preset: "medium", doc: "The severity where the field says nothing."},
		)),
	},
	key{
		name: "risk_score", doc: "A number from 0 to 100, fixed or from a field. Without one it follows the severity: 21, 47, 73, 99.",
		shape: either(numbers(0, 100), section(
			key{name: "field", shape: texts, needed: true, doc: "The field that holds the score."},
			key{name: "default", shape: numbers(0, 100), doc: "The score where the field holds none from 0 to 100."},
		)),
	},
	key{name: "message_per", shape: words("row", "run"), preset: "row", doc: "Whether each row of a run is an alert, or all rows of a run are one."},
	key{name: "dedupe_by", shape: fieldNames, doc: "The fields whose values make two alerts the same. Without them they are the by-fields of the search."},
	key{
		name: "same_again_after", shape: pattern(`^off$|`+durationPattern, "is not a duration: write off, or whole numbers and units such as 1h"),
		doc: "How long alerts that are the same say nothing again. Without one it is off, and window for a search judged per window.",
	},
	key{
		name: "channel", shape: pattern(`^#?[^\s\x00-\x1f\x7f#<>&,]+$`, "is not a channel: write its name, such as \"#alerts\", its id, such as C0123456789, or an output, such as notify:oncall"),
		doc: "Where the alerts are said unless a route sends them elsewhere. Without one it is the channel of the routes' root.",
	},
	key{name: "group_by", shape: fieldNames, doc: "The fields by which the rule's alerts are put into one message. Without them the route decides."},
	key{name: "fields", shape: fieldNames, doc: "The fields of an alert that its message shows, in this order. Without them those that people look for first."},
	key{name: "max_alerts", shape: integers(1, 100_000), preset: 1000, doc: "The most alerts of one run; what is over it is counted and said in one more."},
	key{
		name: "exceptions", doc: "What the rule does not alert on.",
		shape: &shape{form: listForm, of: section(
			key{name: "match", shape: texts, needed: true, doc: "A KQL filter on the fields of the alert."},
			key{name: "until", shape: texts, doc: "When the exception ends: a day such as 2027-01-31, to the end of which it holds in UTC, or a time. Without one it never does."},
			key{name: "reason", shape: texts, needed: true, doc: "Why this is no alert."},
			key{name: "who", shape: texts, doc: "Who made the exception."},
		)},
	},
	key{
		name: "attack", doc: "The ids of ATT&CK techniques.",
		shape: listOf(pattern(`^T[0-9]{4}(\.[0-9]{3})?$`, "is not an ATT&CK technique: write an id such as T1110 or T1110.001")),
	},
	key{name: "tags", shape: listOf(texts), doc: "Words to find and route the rule's alerts by."},
	key{name: "owner", shape: texts, doc: "Who looks after the rule."},
	key{name: "references", shape: listOf(texts), doc: "Links to read about what the rule finds."},
	key{name: "runbook", shape: pattern(`^https?://\S+$`, "is not a link: write one that begins with https://, or put text under guide"), doc: "A link to what to do about an alert."},
	key{name: "guide", shape: texts, doc: "What to do about an alert, in a few lines."},
	key{name: "noise", shape: texts, doc: "How often the rule speaks where nothing is wrong, and what to do about it."},
	key{name: "message", shape: texts, doc: "A template for the sentence of an alert, such as {{.user.name}} failed {{.count}} times."},
	key{
		name: "schedule", doc: "When the rule runs and when it speaks. Without one it is always.",
		shape: section(
			key{name: "time_zone", shape: texts, preset: "UTC", doc: "The time zone of the hours, such as Europe/Berlin."},
			key{name: "runs", shape: either(texts, hourList), doc: "The hours whose events are judged, such as mon-fri 08:00-18:00, or a cron expression; events outside alert no one."},
			key{name: "speaks", shape: either(texts, hourList), doc: "The hours in which alerts are said; those made outside are kept, and silenced."},
		),
	},
	key{
		name: "kibana", doc: "The rule of Kibana that this one is the same as: what both find is one alert.",
		shape: section(
			key{name: "uuid", shape: oneLine, doc: "The id of the rule in Kibana 8 and later, as in the address of its page."},
			key{name: "rule_id", shape: oneLine, doc: "The rule_id, of which Kibana 7.14 to 7.17 make the ids of alerts."},
			key{name: "space", shape: pattern("^[a-z0-9_-]+$", "is not the id of a Kibana space"), preset: "default", doc: "The id of the Kibana space the rule is in."},
			key{name: "type", shape: words("query", "new_terms", "threshold"), doc: "The type of the rule in Kibana, checked against the search; query also stands for saved_query, and eql of single events. Without one it follows from the search."},
			key{name: "detections", shape: oneLine, doc: "The name of the detections that forward the alerts of the space. Without one it is SOURCE/SPACE."},
		),
	},
	key{
		name: "enabled", shape: either(&shape{form: boolForm}, words("shadow")), preset: true,
		doc: "Whether the rule runs; with shadow it runs and its alerts are kept, and said to no one.",
	},
	key{
		name: "tests", doc: "What the rule must find and must not.",
		shape: &shape{form: listForm, of: section(
			key{name: "name", shape: oneLine, needed: true, doc: "What the test shows."},
			key{name: "events", shape: either(texts, &shape{form: listForm, repeats: true, of: mapOf(anything)}), needed: true, doc: "A file of documents (NDJSON or a JSON array) beside the rule, or the documents themselves."},
			key{name: "now", shape: texts, doc: "When the test runs, such as 2024-07-01T10:30:00Z. Without it that is just after the newest document."},
			key{
				name: "alerts", shape: either(integers(0, 100_000), &shape{form: listForm, repeats: true, of: mapOf(anything)}), needed: true,
				doc: "How many alerts are expected, or for each of them some of its fields.",
			},
		)},
	},
)

var hourList = listOf(texts)
