package config

import _ "embed"

//go:embed example.yaml
var example string

// Example is a configuration file with every section and a comment on each key. It is valid once
// the variables it names are set.
func Example() string { return example }
