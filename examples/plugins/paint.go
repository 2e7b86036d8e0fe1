package plugins

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"math"
)

// canvas paints shapes with smooth edges. A shape is a signed distance: negative
// inside, in pixels.
type canvas struct{ img *image.RGBA }

type shape func(x, y float64) float64

type paint func(x, y float64) color.RGBA

func newCanvas(w, h int) canvas { return canvas{image.NewRGBA(image.Rect(0, 0, w, h))} }

func (c canvas) png() ([]byte, error) {
	var b bytes.Buffer
	err := png.Encode(&b, c.img)
	return b.Bytes(), err
}

// fill paints a shape that lies within the given box.
func (c canvas) fill(box image.Rectangle, s shape, p paint) {
	box = box.Intersect(c.img.Rect)
	for y := box.Min.Y; y < box.Max.Y; y++ {
		for x := box.Min.X; x < box.Max.X; x++ {
			fx, fy := float64(x)+0.5, float64(y)+0.5
			if cover := 0.5 - s(fx, fy); cover > 0 {
				c.blend(x, y, p(fx, fy), min(cover, 1))
			}
		}
	}
}

func (c canvas) blend(x, y int, over color.RGBA, cover float64) {
	a := cover * float64(over.A) / 255
	under := c.img.RGBAAt(x, y)
	ua := float64(under.A) / 255
	oa := a + ua*(1-a)
	mix := func(o, u uint8) uint8 { // RGBAAt is premultiplied
		return uint8(math.Round(float64(o)*a + float64(u)*(1-a)))
	}
	c.img.SetRGBA(x, y, color.RGBA{mix(over.R, under.R), mix(over.G, under.G), mix(over.B, under.B), uint8(math.Round(255 * oa))})
}

// box paints a rectangle with round corners.
func (c canvas) box(x, y, w, h, radius float64, p paint) {
	c.fill(around(x, y, w, h), roundBox(x, y, w, h, radius), p)
}

// disc paints a circle.
func (c canvas) disc(x, y, radius float64, p paint) {
	c.fill(around(x-radius, y-radius, 2*radius, 2*radius), disc(x, y, radius), p)
}

// line paints a line of the given width through points x0, y0, x1, y1, ...
func (c canvas) line(width float64, p paint, points ...float64) {
	x0, y0, x1, y1 := points[0], points[1], points[0], points[1]
	for i := 0; i+1 < len(points); i += 2 {
		x0, x1 = min(x0, points[i]), max(x1, points[i])
		y0, y1 = min(y0, points[i+1]), max(y1, points[i+1])
	}
	c.fill(around(x0-width, y0-width, x1-x0+2*width, y1-y0+2*width), polyline(width, points), p)
}

// ring paints a part of a ring, from and to in turns clockwise from the top.
func (c canvas) ring(x, y, radius, width, from, to float64, p paint) {
	c.fill(around(x-radius-width, y-radius-width, 2*(radius+width), 2*(radius+width)), func(px, py float64) float64 {
		turn := math.Atan2(px-x, y-py) / (2 * math.Pi)
		if turn < 0 {
			turn++
		}
		if turn < from || turn > to {
			return 1
		}
		return math.Abs(math.Hypot(px-x, py-y)-radius) - width/2
	}, p)
}

// area paints what lies between a line of heights and the bottom of a box.
func (c canvas) area(x, y, w, h float64, heights []float64, p paint) {
	c.fill(around(x, y, w, h), func(px, py float64) float64 {
		if px < x || px > x+w || py > y+h {
			return 1
		}
		at := (px - x) / w * float64(len(heights)-1)
		i := min(int(at), len(heights)-2)
		v := heights[i] + (heights[i+1]-heights[i])*(at-float64(i))
		return y + h - v*h - py
	}, p)
}

// curve returns the points of a line of heights, 0 to 1, in a box.
func curve(x, y, w, h float64, heights []float64) []float64 {
	var out []float64
	for i, v := range heights {
		out = append(out, x+w*float64(i)/float64(len(heights)-1), y+h-v*h)
	}
	return out
}

func around(x, y, w, h float64) image.Rectangle {
	return image.Rect(int(x)-1, int(y)-1, int(math.Ceil(x+w))+1, int(math.Ceil(y+h))+1)
}

func roundBox(x, y, w, h, radius float64) shape {
	return func(px, py float64) float64 {
		dx := math.Abs(px-x-w/2) - w/2 + radius
		dy := math.Abs(py-y-h/2) - h/2 + radius
		return math.Hypot(max(dx, 0), max(dy, 0)) + min(max(dx, dy), 0) - radius
	}
}

func disc(x, y, radius float64) shape {
	return func(px, py float64) float64 { return math.Hypot(px-x, py-y) - radius }
}

// without cuts one shape out of another.
func without(a, b shape) shape {
	return func(x, y float64) float64 { return max(a(x, y), -b(x, y)) }
}

func polyline(width float64, points []float64) shape {
	return func(px, py float64) float64 {
		d := math.Inf(1)
		for i := 0; i+3 < len(points); i += 2 {
			ax, ay, bx, by := points[i], points[i+1], points[i+2], points[i+3]
			t := ((px-ax)*(bx-ax) + (py-ay)*(by-ay)) / ((bx-ax)*(bx-ax) + (by-ay)*(by-ay))
			t = max(0, min(1, t))
			d = min(d, math.Hypot(px-ax-t*(bx-ax), py-ay-t*(by-ay)))
		}
		return d - width/2
	}
}

// rgb makes a colour from 0xRRGGBB.
func rgb(c uint32) color.RGBA {
	return color.RGBA{uint8(c >> 16), uint8(c >> 8), uint8(c), 255}
}

func plain(c uint32) paint {
	v := rgb(c)
	return func(_, _ float64) color.RGBA { return v }
}

// faint is a colour with an opacity of 0 to 1.
func faint(c uint32, opacity float64) paint {
	v := rgb(c)
	v.A = uint8(255 * opacity)
	return func(_, _ float64) color.RGBA { return v }
}

// fade goes from one colour at y0 to another at y1.
func fade(from, to uint32, y0, y1 float64) paint {
	a, b := rgb(from), rgb(to)
	return func(_, y float64) color.RGBA {
		t := max(0, min(1, (y-y0)/(y1-y0)))
		mix := func(p, q uint8) uint8 { return uint8(math.Round(float64(p) + (float64(q)-float64(p))*t)) }
		return color.RGBA{mix(a.R, b.R), mix(a.G, b.G), mix(a.B, b.B), 255}
	}
}
