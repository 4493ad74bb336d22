package kibana

// The aliases Kibana writes detections to, up to the space's name. From 8.0 on the second, where it
// exists, is another name of the first one's indices, and those of 7.x may be behind both.
const (
	alertsPrefix  = ".alerts-security.alerts-"
	signalsPrefix = ".siem-signals-"
)
