// Package detect owns running rules: when each is due, which windows of event time it has covered, what
// it found there as episodes, and the alerts that come of them, which it hands to intake as a Source. It
// compiles no query, decides nothing about who is told, and says nothing to anyone.
package detect
