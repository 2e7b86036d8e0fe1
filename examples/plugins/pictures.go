package plugins

import (
	"fmt"

	"github.com/souk-dev/souk/catalog"
)

// Pictures draws the icon (icon.png, 96 x 96) and the screenshots
// (screenshots/1.png and 2.png, 800 x 500) of a sample plugin, always the same.
func Pictures(id catalog.PluginID) (map[string][]byte, error) {
	icon, shots := icons(id), screens(id)
	if icon == nil || shots[0] == nil {
		return nil, fmt.Errorf("no pictures of %s", id)
	}
	c := newCanvas(96, 96)
	icon(c)
	out := make(map[string][]byte, 3)
	var err error
	if out["icon.png"], err = c.png(); err != nil {
		return nil, err
	}
	for i, draw := range shots {
		c := newCanvas(800, 500)
		draw(c)
		if out[fmt.Sprintf("screenshots/%d.png", i+1)], err = c.png(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

const white = 0xffffff

// tile is the ground of an icon.
func tile(c canvas, top, bottom uint32) { c.box(0, 0, 96, 96, 22, fade(top, bottom, 0, 96)) }

func icons(id catalog.PluginID) func(canvas) {
	switch id {
	case "acme/uptime":
		return func(c canvas) { // a pulse
			tile(c, 0x34c38f, 0x0f8a5f)
			c.line(7, plain(white), 14, 52, 32, 52, 41, 28, 54, 70, 63, 46, 67, 52, 82, 52)
		}
	case "acme/disk-report":
		return func(c canvas) { // a ring, three quarters full
			tile(c, 0x4f8ef7, 0x1f55c4)
			c.ring(48, 48, 25, 12, 0, 1, faint(white, 0.3))
			c.ring(48, 48, 25, 12, 0, 0.72, plain(white))
			c.disc(48, 48, 7, plain(white))
		}
	case "acme/charts":
		return func(c canvas) { // bars under a line
			tile(c, 0x9b7bf2, 0x5b35c9)
			for i, h := range []float64{20, 32, 26, 44} {
				c.box(20+float64(i)*15, 76-h, 10, h, 3, faint(white, 0.55))
			}
			c.line(5, plain(white), 20, 46, 38, 32, 52, 38, 76, 20)
		}
	case "northwind/notes":
		return func(c canvas) { // a sheet
			tile(c, 0xffc857, 0xe8930c)
			c.box(25, 20, 46, 56, 7, plain(white))
			for i, w := range []float64{30, 30, 18} {
				c.box(33, 34+float64(i)*12, w, 5, 2.5, plain(0xe8a33a))
			}
		}
	case "northwind/theme-dusk":
		return func(c canvas) { // a sun that sets
			tile(c, 0x3b2a63, 0xff9a6b)
			ground := roundBox(0, 0, 96, 96, 22)
			c.disc(48, 56, 19, fade(0xffe3a8, 0xff8f5c, 37, 75))
			c.fill(c.img.Rect, func(x, y float64) float64 { return max(ground(x, y), 62-y) }, plain(0x2a1f47))
			c.box(22, 70, 52, 4, 2, faint(0xffb38a, 0.7))
			c.box(32, 79, 32, 4, 2, faint(0xffb38a, 0.5))
		}
	case "northwind/alerts":
		return func(c canvas) { // a bell
			tile(c, 0xff7d6e, 0xd6313f)
			c.disc(48, 42, 19, plain(white))
			c.box(29, 42, 38, 22, 3, plain(white))
			c.box(22, 60, 52, 8, 4, plain(white))
			c.disc(48, 74, 7, plain(white))
			c.disc(48, 20, 5, plain(white))
		}
	case "northwind/quiet":
		return func(c canvas) { // a moon
			tile(c, 0x5d6f8f, 0x27344f)
			c.fill(c.img.Rect, without(disc(46, 50, 26), disc(58, 40, 22)), plain(0xfff3c9))
			c.disc(70, 28, 3, plain(white))
			c.disc(76, 46, 2, plain(white))
		}
	}
	return nil
}
