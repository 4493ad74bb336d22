package ledger

// CountQuery is the query that counts fates.
const CountQuery = countQuery
