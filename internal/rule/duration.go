package rule

// durationPattern is what [duration.Parse] reads, but for a lone 0; it is in the schema.
const durationPattern = `^([0-9]+w)?([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$`
