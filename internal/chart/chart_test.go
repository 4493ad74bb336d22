package chart_test

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tocsin/internal/chart"
	"tocsin/internal/notice"
)

func series(values ...float64) []notice.Point {
	at := time.Date(2026, 3, 25, 7, 0, 0, 0, time.UTC)
	var out []notice.Point
	for i, v := range values {
		out = append(out, notice.Point{At: at.Add(time.Duration(i) * 5 * time.Minute), Value: v})
	}
	return out
}

func picture(t interface {
	Helper()
	Fatal(...any)
}, c *notice.Chart,
) image.Image {
	t.Helper()
	b, err := chart.PNG(c)
	if err != nil {
		t.Fatal(err)
	}
	im, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return im
}

// pixels are how many of the picture have about a colour, and the rows where they are.
func pixels(im image.Image, want color.RGBA) (n, highest, lowest int) {
	highest = im.Bounds().Dy()
	near := func(a uint32, b uint8) bool { return math.Abs(float64(a>>8)-float64(b)) < 24 }
	for y := range im.Bounds().Dy() {
		for x := range im.Bounds().Dx() {
			r, g, b, _ := im.At(x, y).RGBA()
			if near(r, want.R) && near(g, want.G) && near(b, want.B) {
				n++
				highest, lowest = min(highest, y), max(lowest, y)
			}
		}
	}
	return n, highest, lowest
}

var (
	red  = color.RGBA{0xc4, 0x16, 0x2a, 0xff}
	blue = color.RGBA{0x1a, 0x5f, 0xb4, 0xff}
)

func TestTheBoundIsRedAndTheLineIsBlue(t *testing.T) {
	limit := 10.0
	c := &notice.Chart{Title: "count", Points: series(2, 3, 1, 4, 2, 5, 3, 8, 6, 4, 2, 3), Threshold: &limit}
	im := picture(t, c)
	if im.Bounds().Dx() != 1200 || im.Bounds().Dy() != 420 {
		t.Errorf("the picture is %v", im.Bounds())
	}
	calm, high, _ := pixels(im, red)
	if calm < 500 {
		t.Errorf("%d red pixels: no bound", calm)
	}
	drawn, top, _ := pixels(im, blue)
	if drawn < 2000 || top <= high {
		t.Errorf("%d blue pixels from row %d, below the bound at row %d", drawn, top, high)
	}
	c.Points = series(2, 3, 1, 4, 2, 5, 3, 8, 16, 14, 12, 13)
	if over, _, _ := pixels(picture(t, c), red); over <= calm {
		t.Errorf("%d red pixels with points over the bound, %d without", over, calm)
	}
	c.Threshold = nil
	if none, _, _ := pixels(picture(t, c), red); none != 0 {
		t.Errorf("%d red pixels without a bound", none)
	}
}

func TestWhatFiredHasARing(t *testing.T) {
	limit := 16.0
	c := &notice.Chart{Title: "count", Points: series(2, 3, 1, 4, 2, 5, 3, 8, 16, 14, 12, 13), Threshold: &limit}
	at, _, _ := pixels(picture(t, c), red)
	c.Inclusive = true
	on, _, _ := pixels(picture(t, c), red)
	c.Fired = &c.Points[8]
	fired, _, _ := pixels(picture(t, c), red)
	if at >= on || on >= fired {
		t.Errorf("%d red pixels where the bound itself does not fire, %d where it does, %d with what fired", at, on, fired)
	}
	for _, f := range []notice.Point{{}, {At: c.Points[0].At, Value: math.Inf(1)}, {At: c.Points[0].At.Add(-time.Hour), Value: 3}, {At: c.Points[3].At, Value: 1e9}} {
		c.Fired = &f
		picture(t, c)
	}
}

func TestTooFewPointsAreNoPicture(t *testing.T) {
	for _, points := range [][]notice.Point{nil, series(1), {{}, {}}, series(1, math.NaN()), series(math.Inf(1), 3)} {
		if _, err := chart.PNG(&notice.Chart{Points: points}); err == nil {
			t.Errorf("%v was drawn", points)
		}
	}
}

func TestAnyMeasureIsDrawn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := &notice.Chart{Title: rapid.String().Draw(t, "title"), Below: rapid.Bool().Draw(t, "below")}
		at := time.Date(2026, 3, 25, 7, 0, 0, 0, time.UTC)
		for i, v := range rapid.SliceOfN(rapid.Float64(), 2, 30).Draw(t, "values") {
			c.Points = append(c.Points, notice.Point{At: at.Add(time.Duration(i) * time.Duration(rapid.Int64Range(0, 1<<40).Draw(t, "step"))), Value: v})
		}
		if rapid.Bool().Draw(t, "bound") {
			f := rapid.Float64().Draw(t, "at")
			c.Threshold = &f
		}
		if rapid.Bool().Draw(t, "fired") {
			c.Fired = &c.Points[0]
		}
		if b, err := chart.PNG(c); err == nil {
			if _, err := png.Decode(bytes.NewReader(b)); err != nil {
				t.Fatal(err)
			}
			if len(b) > 200<<10 {
				t.Fatalf("%d bytes", len(b))
			}
		}
	})
}

// With TOCSIN_MESSAGES set to a directory, a chart is written there to look at.
func TestChartsCanBeLookedAt(t *testing.T) {
	limit := 10.0
	b, err := chart.PNG(&notice.Chart{Title: "failed logins of root on web-01", Points: series(2, 3, 1, 4, 2, 5, 3, 8, 7, 9, 14, 31, 28, 12, 11), Threshold: &limit})
	if err != nil {
		t.Fatal(err)
	}
	if dir := os.Getenv("TOCSIN_MESSAGES"); dir != "" {
		if err := os.WriteFile(dir+"/chart.png", b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
