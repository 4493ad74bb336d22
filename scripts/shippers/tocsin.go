// Package shippers owns the proof that the log shippers and bulk helpers people have can send to Tocsin
// as to Elasticsearch. Its tests start the real program. It is a module of its own, so that the program does
// not depend on the clients it is tested with.
package shippers
