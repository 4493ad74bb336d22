package alert_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/alert"
)

func TestACauseIsReadAsWritten(t *testing.T) {
	for _, want := range []alert.Cause{{}, alert.NewCause(alert.CauseBuildingBlock), alert.NewCause(alert.CauseSilence, "id", "s1", "by", "", "until", "18:00")} {
		got, err := alert.ParseCause(want.Text())
		if err != nil || cmp.Diff(want, got) != "" {
			t.Errorf("%v was read as %v, %v", want, got, err)
		}
	}
	if _, err := alert.ParseCause("{"); err == nil {
		t.Error("a broken text is read")
	}
	if c := alert.NewCause(alert.CauseSilence, "id", "s1", "by", ""); len(c.Params) != 1 {
		t.Errorf("an empty param is kept: %v", c)
	}
}
