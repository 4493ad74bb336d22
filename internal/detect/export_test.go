package detect

// Jitter is how long after its turn a rule runs.
var Jitter = jitter
