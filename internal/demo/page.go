package demo

import "net/http"

// PageOptions configure a page of messages.
type PageOptions struct{}

// NewPage makes the page of messages of a Slack.
func NewPage(slack *Slack, opts PageOptions) http.Handler { return http.NotFoundHandler() }
