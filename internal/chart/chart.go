// Package chart owns how a measure over time is drawn as a small picture, a PNG. It neither finds the measure
// nor sends the picture.
package chart

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"math"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
	"golang.org/x/image/vector"

	"tocsin/internal/notice"
)

// The picture is twice as large as it is shown, so that it stays sharp.
const (
	pictureWide = 1200
	pictureHigh = 420

	left, right, top, bottom = 110, 40, 84, 62

	titleMost  = 48 // characters
	pointsMost = 400
)

var (
	paper  = color.RGBA{0xff, 0xff, 0xff, 0xff}
	ink    = color.RGBA{0x1d, 0x1c, 0x1d, 0xff}
	soft   = color.RGBA{0x5a, 0x5a, 0x5f, 0xff}
	rule   = color.RGBA{0xe3, 0xe5, 0xe8, 0xff}
	line   = color.RGBA{0x1a, 0x5f, 0xb4, 0xff}
	area   = color.RGBA{0x04, 0x0e, 0x1b, 0x26} // premultiplied
	alarm  = color.RGBA{0xc4, 0x16, 0x2a, 0xff}
	shadow = color.RGBA{0xff, 0xff, 0xff, 0xff}
)

// faces are made once: parsing a font costs more than a picture.
var faces = sync.OnceValues(func() ([2]font.Face, error) {
	var out [2]font.Face
	for i, f := range []struct {
		ttf  []byte
		size float64
	}{{goregular.TTF, 24}, {gobold.TTF, 30}} {
		parsed, err := opentype.Parse(f.ttf)
		if err != nil {
			return out, err
		}
		if out[i], err = opentype.NewFace(parsed, &opentype.FaceOptions{Size: f.size, DPI: 72, Hinting: font.HintingFull}); err != nil {
			return out, err
		}
	}
	return out, nil
})

// drawing guards the faces, which are not safe for concurrent use.
var drawing sync.Mutex

// canvas is a picture under way.
type canvas struct {
	*image.RGBA
	small, large font.Face
	from, to     float64 // seconds
	low, high    float64
}

// PNG draws a measure: its points joined by a line, those beyond the bound marked, the one that fired with a ring,
// and the bound as a dashed red line. Times are UTC. Fewer than two points are an error.
func PNG(c *notice.Chart) ([]byte, error) {
	points := make([]notice.Point, 0, len(c.Points))
	for _, p := range c.Points {
		if finite(p.Value) && math.Abs(p.Value) < 1e300 && p.At.Year() > 1900 && p.At.Year() < 3000 {
			points = append(points, p)
		}
	}
	if over := len(points) - pointsMost; over > 0 {
		points = points[over:]
	}
	if len(points) < 2 {
		return nil, fmt.Errorf("a chart needs two points, there are %d", len(points))
	}
	drawing.Lock()
	defer drawing.Unlock()
	f, err := faces()
	if err != nil {
		return nil, fmt.Errorf("read the fonts of charts: %w", err)
	}
	v := &canvas{RGBA: image.NewRGBA(image.Rect(0, 0, pictureWide, pictureHigh)), small: f[0], large: f[1]}
	draw.Draw(v, v.Bounds(), image.NewUniform(paper), image.Point{}, draw.Src)
	v.from, v.to = math.Inf(1), math.Inf(-1)
	for _, p := range points {
		at := seconds(p.At)
		v.from, v.to = min(v.from, at), max(v.to, at)
		v.low, v.high = min(v.low, p.Value), max(v.high, p.Value)
	}
	if v.to == v.from {
		v.to++
	}
	bound := c.Threshold
	if bound != nil && (!finite(*bound) || math.Abs(*bound) >= 1e300) {
		bound = nil
	}
	if bound != nil {
		v.low, v.high = min(v.low, *bound), max(v.high, *bound)
	}
	ticks := v.scale()
	v.frame(ticks)
	v.measure(points)
	if bound != nil {
		v.bound(*bound)
	}
	for _, p := range points {
		if bound != nil && c.Beyond(p.Value) {
			v.disc(v.x(seconds(p.At)), v.y(p.Value), 7, shadow)
			v.disc(v.x(seconds(p.At)), v.y(p.Value), 5.5, alarm)
		}
	}
	last, label := points[len(points)-1], "last"
	if f := c.Fired; f != nil && finite(f.Value) && math.Abs(f.Value) < 1e300 {
		last, label = *f, f.At.UTC().Format("15:04:05")
		if at := seconds(f.At); at >= v.from && at <= v.to && f.Value >= v.low && f.Value <= v.high {
			v.disc(v.x(at), v.y(f.Value), 12, alarm)
			v.disc(v.x(at), v.y(f.Value), 9, shadow)
			v.disc(v.x(at), v.y(f.Value), 5.5, alarm)
		}
	}
	v.heading(c, last, label)
	var out bytes.Buffer
	if err := png.Encode(&out, v.RGBA); err != nil {
		return nil, fmt.Errorf("write the picture of a chart: %w", err)
	}
	return out.Bytes(), nil
}

func finite(f float64) bool { return !math.IsNaN(f) && !math.IsInf(f, 0) }

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

func (v *canvas) x(at float64) float64 {
	return left + (at-v.from)/(v.to-v.from)*(pictureWide-left-right)
}

func (v *canvas) y(value float64) float64 {
	return pictureHigh - bottom - (value-v.low)/(v.high-v.low)*(pictureHigh-top-bottom)
}

// scale widens the range to whole steps and gives them.
func (v *canvas) scale() []float64 {
	if v.high <= v.low {
		v.high = v.low + 1
	}
	raw := (v.high - v.low) / 4
	step := math.Pow(10, math.Floor(math.Log10(raw)))
	switch {
	case raw/step > 5:
		step *= 10
	case raw/step > 2:
		step *= 5
	case raw/step > 1:
		step *= 2
	}
	v.low, v.high = math.Floor(v.low/step)*step, math.Ceil(v.high/step)*step
	var ticks []float64
	for i := range 12 {
		tick := v.low + float64(i)*step
		if tick > v.high+step/2 {
			break
		}
		ticks = append(ticks, tick)
	}
	return ticks
}

// frame draws the lines and labels behind the measure.
func (v *canvas) frame(ticks []float64) {
	for _, tick := range ticks {
		y := v.y(tick)
		v.bar(left, y-1, pictureWide-right, y+1, rule)
		label := short(tick)
		v.write(v.small, left-16-v.wide(v.small, label), y+8, label, soft)
	}
	span := time.Duration((v.to - v.from) * float64(time.Second))
	layout := "15:04"
	switch {
	case span > 72*time.Hour:
		layout = "Jan 2"
	case span > 20*time.Hour:
		layout = "Jan 2 15:04"
	case span < 3*time.Minute:
		layout = "15:04:05"
	}
	const labels = 5
	end := -1e9
	for i := range labels {
		at := v.from + (v.to-v.from)*float64(i)/(labels-1)
		label := time.UnixMilli(int64(at * 1000)).UTC().Format(layout)
		if i == labels-1 {
			label += " UTC"
		}
		w := v.wide(v.small, label)
		x := min(max(v.x(at)-w/2, left-20), pictureWide-right/2-w)
		if x < end+16 {
			continue
		}
		v.write(v.small, x, pictureHigh-bottom+40, label, soft)
		end = x + w
	}
}

// measure draws the line and the area below it.
func (v *canvas) measure(points []notice.Point) {
	base := v.y(max(v.low, min(0, v.high)))
	r := vector.NewRasterizer(pictureWide, pictureHigh)
	r.MoveTo(float32(v.x(seconds(points[0].At))), float32(base))
	for _, p := range points {
		r.LineTo(float32(v.x(seconds(p.At))), float32(v.y(p.Value)))
	}
	r.LineTo(float32(v.x(seconds(points[len(points)-1].At))), float32(base))
	r.ClosePath()
	r.Draw(v, v.Bounds(), image.NewUniform(area), image.Point{})
	for i := 1; i < len(points); i++ {
		v.stroke(v.x(seconds(points[i-1].At)), v.y(points[i-1].Value), v.x(seconds(points[i].At)), v.y(points[i].Value), 5, line)
	}
	if len(points) <= 60 {
		for _, p := range points {
			v.disc(v.x(seconds(p.At)), v.y(p.Value), 4.5, line)
		}
	}
}

// bound draws the dashed line of the rule's bound, and its value.
func (v *canvas) bound(at float64) {
	y := v.y(at)
	for x := float64(left); x < pictureWide-right; x += 26 {
		v.bar(x, y-1.5, min(x+16, pictureWide-right), y+1.5, alarm)
	}
	label := "limit " + short(at)
	w := v.wide(v.small, label)
	x, baseline := float64(left+12), y-10
	if baseline < top+20 {
		baseline = y + 28
	}
	v.bar(x-6, baseline-22, x+w+6, baseline+6, color.RGBA{0xe6, 0xe6, 0xe6, 0xe6})
	v.write(v.small, x, baseline, label, alarm)
}

// heading says what is measured, and how much it was when it fired, else last.
func (v *canvas) heading(c *notice.Chart, last notice.Point, label string) {
	value := short(last.Value)
	w := v.wide(v.large, value)
	v.write(v.large, pictureWide-right-w, 48, value, ink)
	v.write(v.small, pictureWide-right-w-14-v.wide(v.small, label), 48, label, soft)
	title := readable(c.Title)
	if title == "" {
		title = "value"
	}
	v.write(v.large, left-20, 48, title, ink)
}

// readable are the characters of a title that the font has; whatever else there is of it is a box there too.
func readable(s string) string {
	var b strings.Builder
	n := 0
	for _, r := range s {
		if n == titleMost {
			b.WriteRune('…')
			break
		}
		if r < 0x20 || r == 0x7f || unicode.In(r, unicode.Cf, unicode.Cc, unicode.Co, unicode.Cs) {
			continue
		}
		b.WriteRune(r)
		n++
	}
	return strings.TrimSpace(b.String())
}

// short writes a value in few characters.
func short(f float64) string {
	switch abs := math.Abs(f); {
	case abs >= 1e15 || abs > 0 && abs < 0.001:
		return strconv.FormatFloat(f, 'e', 1, 64)
	case abs >= 1e9:
		return strconv.FormatFloat(math.Round(f/1e7)/100, 'f', -1, 64) + "G"
	case abs >= 1e6:
		return strconv.FormatFloat(math.Round(f/1e4)/100, 'f', -1, 64) + "M"
	case abs >= 1e4:
		return strconv.FormatFloat(math.Round(f/1e2)/10, 'f', -1, 64) + "k"
	case abs >= 100:
		return strconv.FormatFloat(math.Round(f), 'f', -1, 64)
	default:
		return strconv.FormatFloat(math.Round(f*1000)/1000, 'f', -1, 64)
	}
}

func (v *canvas) wide(f font.Face, s string) float64 { return float64(font.MeasureString(f, s).Ceil()) }

func (v *canvas) write(f font.Face, x, y float64, s string, c color.Color) {
	d := font.Drawer{Dst: v, Src: image.NewUniform(c), Face: f, Dot: fixed.P(int(math.Round(x)), int(math.Round(y)))}
	d.DrawString(s)
}

// bar fills a rectangle, its edges between pixels blended.
func (v *canvas) bar(x0, y0, x1, y1 float64, c color.Color) {
	v.fill([][2]float64{{x0, y0}, {x1, y0}, {x1, y1}, {x0, y1}}, c)
}

// stroke draws a line so many pixels thick.
func (v *canvas) stroke(x0, y0, x1, y1, thick float64, c color.Color) {
	dx, dy := x1-x0, y1-y0
	length := math.Hypot(dx, dy)
	if length == 0 {
		return
	}
	nx, ny := -dy/length*thick/2, dx/length*thick/2
	v.fill([][2]float64{{x0 + nx, y0 + ny}, {x1 + nx, y1 + ny}, {x1 - nx, y1 - ny}, {x0 - nx, y0 - ny}}, c)
	v.disc(x1, y1, thick/2, c)
}

func (v *canvas) disc(x, y, radius float64, c color.Color) {
	const corners = 24
	shape := make([][2]float64, corners)
	for i := range shape {
		sin, cos := math.Sincos(2 * math.Pi * float64(i) / corners)
		shape[i] = [2]float64{x + radius*cos, y + radius*sin}
	}
	v.fill(shape, c)
}

// fill fills a shape. Only the part of the picture around it is worked on.
func (v *canvas) fill(shape [][2]float64, c color.Color) {
	x0, y0, x1, y1 := shape[0][0], shape[0][1], shape[0][0], shape[0][1]
	for _, p := range shape {
		x0, y0, x1, y1 = min(x0, p[0]), min(y0, p[1]), max(x1, p[0]), max(y1, p[1])
	}
	box := image.Rect(int(math.Floor(x0)), int(math.Floor(y0)), int(math.Ceil(x1))+1, int(math.Ceil(y1))+1).Intersect(v.Bounds())
	if box.Empty() {
		return
	}
	r := vector.NewRasterizer(box.Dx(), box.Dy())
	for i, p := range shape {
		x, y := float32(p[0]-float64(box.Min.X)), float32(p[1]-float64(box.Min.Y))
		if i == 0 {
			r.MoveTo(x, y)
		} else {
			r.LineTo(x, y)
		}
	}
	r.ClosePath()
	r.Draw(v, box, image.NewUniform(c), image.Point{})
}
