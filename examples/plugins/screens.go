package plugins

import "github.com/souk-dev/souk/catalog"

// look is the colours of a drawn panel.
type look struct{ ground, surface, border, text, muted, accent uint32 }

var (
	day  = look{0xf4f6fa, 0xffffff, 0xdfe4ec, 0x39424e, 0xc3cad5, 0x4f6bed}
	dusk = look{0x1d1a2b, 0x28243a, 0x453e5f, 0xd9d0e6, 0x6b6186, 0xffb38a}
)

// frame paints an empty panel: a side with its entries and the ground of the page.
func (l look) frame(c canvas, entry int) {
	c.box(0, 0, 800, 500, 0, plain(l.ground))
	c.box(0, 0, 150, 500, 0, plain(l.surface))
	c.box(150, 0, 1, 500, 0, plain(l.border))
	c.box(20, 22, 22, 22, 7, plain(l.accent))
	c.box(50, 28, 70, 10, 5, plain(l.text))
	for i := range 6 {
		y := 78 + float64(i)*36
		ink := l.muted
		if i == entry {
			c.box(10, y-11, 130, 30, 8, faint(l.accent, 0.15))
			ink = l.accent
		}
		c.disc(28, y+4, 6, plain(ink))
		c.box(44, y, 50+float64(i*37%30), 8, 4, plain(ink))
	}
	c.box(180, 28, 150, 14, 7, plain(l.text))
}

// card paints a card with its title.
func (l look) card(c canvas, x, y, w, h float64) {
	c.box(x, y, w, h, 12, plain(l.border))
	c.box(x+1, y+1, w-2, h-2, 11, plain(l.surface))
	c.box(x+20, y+20, min(90, w/3), 9, 4.5, plain(l.muted))
}

// chart paints a line over a soft area.
func (l look) chart(c canvas, x, y, w, h float64, ink uint32, heights []float64) {
	for i := range 4 {
		c.box(x, y+h*float64(i)/3, w, 1, 0, plain(l.border))
	}
	c.area(x, y, w, h, heights, faint(ink, 0.18))
	c.line(3, plain(ink), curve(x, y, w, h, heights)...)
}

// bar paints a bar that is partly full, with its label.
func (l look) bar(c canvas, x, y, w, part float64, ink uint32) {
	c.box(x, y, 60, 8, 4, plain(l.text))
	c.box(x+w-50, y, 50, 8, 4, plain(l.muted))
	c.box(x, y+18, w, 12, 6, faint(l.muted, 0.4))
	c.box(x, y+18, w*part, 12, 6, plain(ink))
}

// rows paints a list with coloured marks.
func (l look) rows(c canvas, x, y, w float64, marks ...uint32) {
	for i, ink := range marks {
		top := y + float64(i)*52
		if i > 0 {
			c.box(x, top-14, w, 1, 0, plain(l.border))
		}
		c.disc(x+12, top+12, 10, plain(ink))
		c.box(x+36, top+2, 120+float64(i*53%90), 8, 4, plain(l.text))
		c.box(x+36, top+16, 180-float64(i*41%70), 7, 3.5, plain(l.muted))
	}
}

const (
	green = 0x2fae7d
	amber = 0xf0a732
	red   = 0xe0484f
	blue  = 0x3f7df0
)

// dashboard paints a page with three cards; draw fills the large one.
func (l look) dashboard(draw func(c canvas, x, y float64)) func(canvas) {
	return func(c canvas) {
		l.frame(c, 0)
		l.card(c, 180, 70, 380, 250)
		l.card(c, 580, 70, 190, 115)
		l.card(c, 580, 205, 190, 115)
		l.card(c, 180, 340, 590, 130)
		c.box(600, 115, 80, 24, 8, plain(l.text))
		c.box(600, 250, 60, 24, 8, plain(l.text))
		l.chart(c, 200, 390, 550, 60, l.accent, wave())
		draw(c, 200, 115)
	}
}

func wave() []float64 {
	return []float64{0.3, 0.42, 0.36, 0.55, 0.5, 0.72, 0.6, 0.66, 0.48, 0.58, 0.8, 0.7, 0.76, 0.62, 0.7, 0.88}
}

func screens(id catalog.PluginID) [2]func(canvas) {
	switch id {
	case "acme/uptime":
		return [2]func(canvas){
			day.dashboard(func(c canvas, x, y float64) {
				c.box(x, y, 110, 32, 10, plain(day.text))
				c.box(x+122, y+16, 50, 12, 6, plain(day.muted))
				day.chart(c, x, y+65, 340, 110, green, wave())
			}),
			func(c canvas) {
				day.frame(c, 1)
				day.card(c, 180, 70, 590, 400)
				for i := range 30 {
					ink := uint32(green)
					if i == 21 {
						ink = amber
					}
					c.box(204+float64(i)*18.2, 130, 12, 150, 4, plain(ink))
				}
				day.rows(c, 204, 330, 540, green, amber)
			},
		}
	case "acme/disk-report":
		return [2]func(canvas){
			day.dashboard(func(c canvas, x, y float64) {
				for i, b := range []struct {
					part float64
					ink  uint32
				}{{0.42, green}, {0.78, amber}, {0.93, red}} {
					day.bar(c, x, y+10+float64(i)*62, 340, b.part, b.ink)
				}
			}),
			func(c canvas) {
				day.frame(c, 2)
				day.card(c, 180, 70, 290, 400)
				day.card(c, 490, 70, 280, 400)
				c.ring(325, 280, 90, 36, 0, 0.46, plain(blue))
				c.ring(325, 280, 90, 36, 0.47, 0.72, plain(0x8fb4fa))
				c.ring(325, 280, 90, 36, 0.73, 0.995, plain(0xdbe7fd))
				day.rows(c, 514, 120, 230, blue, 0x8fb4fa, 0xb9d0fb)
			},
		}
	case "acme/charts":
		violet := look{day.ground, day.surface, day.border, day.text, day.muted, 0x7a57e0}
		return [2]func(canvas){
			func(c canvas) {
				violet.frame(c, 3)
				violet.card(c, 180, 70, 285, 400)
				violet.card(c, 485, 70, 285, 400)
				violet.chart(c, 200, 140, 245, 290, violet.accent, wave())
				for i, h := range wave()[:9] {
					c.box(507+float64(i)*27.5, 430-290*h, 19, 290*h, 5, fade(0xb49cf7, violet.accent, 140, 430))
				}
			},
			func(c canvas) {
				violet.frame(c, 3)
				violet.card(c, 180, 70, 590, 400)
				violet.chart(c, 204, 130, 542, 300, violet.accent, wave())
			},
		}
	case "northwind/notes":
		return [2]func(canvas){
			func(c canvas) {
				day.frame(c, 4)
				for i, ink := range []uint32{0xfff0c2, 0xffe0d1, 0xe3f3d8, 0xdcebfb, 0xffe9a8, 0xf1e2fa} {
					x, y := 180+float64(i%3)*200, 70+float64(i/3)*205
					c.box(x, y, 185, 190, 12, plain(ink))
					for j := range 5 {
						c.box(x+20, y+26+float64(j)*26, 90+float64((i*31+j*47)%60), 9, 4.5, faint(day.text, 0.6))
					}
				}
			},
			day.dashboard(func(c canvas, x, y float64) { day.rows(c, x, y+10, 340, amber, amber, amber) }),
		}
	case "northwind/theme-dusk":
		return [2]func(canvas){
			dusk.dashboard(func(c canvas, x, y float64) {
				c.box(x, y, 110, 32, 10, plain(dusk.text))
				dusk.chart(c, x, y+65, 340, 110, dusk.accent, wave())
			}),
			func(c canvas) {
				c.box(0, 0, 800, 500, 0, fade(0x1d1a2b, 0x5b3a63, 0, 500))
				for i, ink := range []uint32{0x28243a, 0x453e5f, 0x6b6186, 0xb3a9c6, 0xf1ecf7, 0xffd479, 0xffb38a} {
					c.box(72+float64(i)*95, 170, 80, 160, 16, plain(ink))
				}
			},
		}
	case "northwind/alerts":
		return [2]func(canvas){
			func(c canvas) {
				day.frame(c, 5)
				day.card(c, 180, 70, 590, 400)
				day.rows(c, 204, 125, 540, red, red, amber, day.muted, day.muted, day.muted)
			},
			day.dashboard(func(c canvas, x, y float64) {
				c.disc(x+170, y+85, 55, faint(green, 0.2))
				c.disc(x+170, y+85, 40, plain(green))
				c.line(8, plain(white), x+152, y+86, x+165, y+100, x+190, y+72)
			}),
		}
	case "northwind/quiet":
		return [2]func(canvas){
			func(c canvas) {
				day.frame(c, 5)
				day.card(c, 180, 70, 590, 400)
				for d := range 7 {
					for h := range 24 {
						ink := uint32(0xe8edf6)
						if d > 4 || h < 7 || h >= 22 {
							ink = 0x3a4a6b
						}
						c.box(204+float64(d)*79, 116+float64(h)*14, 70, 11, 3, plain(ink))
					}
				}
			},
			day.dashboard(func(c canvas, x, y float64) {
				c.fill(c.img.Rect, without(disc(x+170, y+85, 62), disc(x+200, y+62, 54)), plain(0x3a4a6b))
			}),
		}
	}
	return [2]func(canvas){}
}
