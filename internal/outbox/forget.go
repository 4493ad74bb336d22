package outbox

import (
	"fmt"
	"time"

	"tocsin/internal/store"
)

// Forget forgets notices that were last said before a time, at most so many, and tells how many. used is a condition on
// notices n that says which others still need.
func Forget(tx *store.Tx, before time.Time, used string, most int) (int, error) {
	n, err := tx.Change(`DELETE FROM notices WHERE seq IN (SELECT n.seq FROM notices n WHERE n.state IN ('said', 'failed') AND n.created_at < ? AND n.said_at < ?
		AND NOT (`+used+`) ORDER BY n.seq LIMIT ?)`, store.Micros(before), store.Micros(before), most)
	if err != nil {
		return 0, fmt.Errorf("forget notices: %w", err)
	}
	return int(n), nil
}
