package ledger

// CountQuery is the query that counts fates.
const CountQuery = countQuery

// StillOpen is how what is still open is read.
const StillOpen = `SELECT COUNT(*)` + stillOpen
