// Package query owns the one door to the language: compiling what people write and running it. The
// language itself is in the rooms below it (kql, pipe, plan, exec, dsl); it owns no source of data.
package query
