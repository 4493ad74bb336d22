package pipe

// AggregateNames are the names of all aggregates, sorted; perc95 stands for those of every percentile.
func AggregateNames() []string { return aggregateNames() }

// FunctionExample is how a function is written, "" for a name of none.
func FunctionExample(name string) string { return functions[name].usage }
