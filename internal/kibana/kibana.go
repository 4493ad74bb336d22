// Package kibana owns what Kibana's Security detections look like: it reads their documents, in every
// shape from 7.6 to 9.x, out of a cluster and hands them over as alerts, makes the links back, and writes
// alerts of our own rules as such documents. It does not decide what is said, keeps nothing on disk, and
// does not speak to Kibana itself.
package kibana
