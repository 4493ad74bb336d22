package slack

import "tocsin/internal/notice"

type rendering struct {
	text        string
	blocks      []block
	attachments []attachment
}

func render(n notice.Notice, prefix string) rendering { return rendering{text: prefix} }

func cutTo(s string, most int) string { return s }
