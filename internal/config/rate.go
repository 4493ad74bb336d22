package config

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"tocsin/internal/duration"
)

// Rate is at most Count of something in Per. The zero Rate is off: no limit.
type Rate struct {
	Count int
	Per   time.Duration
}

// Off says whether there is no limit.
func (r Rate) Off() bool { return r.Count == 0 }

// String is the rate as the file writes it.
func (r Rate) String() string {
	if r.Off() {
		return "off"
	}
	per := duration.Format(r.Per)
	if one, ok := strings.CutPrefix(per, "1"); ok && strings.Trim(one, "abcdefghijklmnopqrstuvwxyz") == "" {
		per = one
	}
	return fmt.Sprintf("%d/%s", r.Count, per)
}

// ParseRate reads a rate: off, or a whole number of at least 1, a slash, and a time: 6/m, 1/s,
// 10/5m. The error's text goes on after the quoted text.
func ParseRate(text string) (Rate, error) {
	if text == "off" {
		return Rate{}, nil
	}
	wrong := errors.New("is not a rate: write a number and a time, such as 6/m or 1/s, or off")
	number, per, ok := strings.Cut(text, "/")
	count, err := strconv.ParseInt(number, 10, 32)
	if !ok || err != nil || number[0] == '+' || number[0] == '-' {
		return Rate{}, wrong
	}
	if count == 0 {
		return Rate{}, errors.New("lets nothing through: write at least 1, or off for no limit")
	}
	if strings.Trim(per, "abcdefghijklmnopqrstuvwxyz") == "" { // a unit alone is one of it
		per = "1" + per
	}
	d, err := duration.Parse(per)
	if err != nil || d <= 0 {
		return Rate{}, wrong
	}
	return Rate{Count: int(count), Per: d}, nil
}
