package detect

import "tocsin/internal/store"

// past is what is known of the earlier runs of rules, as far as the next one depends on it. Times are those of
// the functions of the same names.
type past interface {
	episode(id string) (Stored, bool, error)
	bucketKeys(rule string, span Span) ([]string, error)
	bucketsOf(rule, key string, span Span) ([]Bucket, error)
	episodesOf(rule, key string, from, to int64) ([]Stored, error)
	episodesEnding(rule string, from, to int64) ([]Stored, error)
	lastSaid(rule, same string) (said, bool, error)
}

// stored is the past that the database has.
type stored struct{ tx *store.Tx }

func (s stored) episode(id string) (Stored, bool, error) { return episode(s.tx, id) }

func (s stored) bucketKeys(rule string, span Span) ([]string, error) {
	return bucketKeys(s.tx, rule, span)
}

func (s stored) bucketsOf(rule, key string, span Span) ([]Bucket, error) {
	return bucketsOf(s.tx, rule, key, span)
}

func (s stored) episodesOf(rule, key string, from, to int64) ([]Stored, error) {
	return episodesOf(s.tx, rule, key, from, to)
}

func (s stored) episodesEnding(rule string, from, to int64) ([]Stored, error) {
	return episodesEnding(s.tx, rule, from, to)
}

func (s stored) lastSaid(rule, same string) (said, bool, error) { return lastSaid(s.tx, rule, same) }
