package ledger

// CountQuery is the query that counts fates.
const CountQuery = countQuery

// StillOpen is how what is still open is read.
const StillOpen = `SELECT COUNT(*)` + stillOpen

// Old is how what is old is found.
const Old = `SELECT a.seq FROM alerts a WHERE` + finished + ` ORDER BY a.seen_at, a.seq LIMIT 10`
