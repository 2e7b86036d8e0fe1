package ui

import (
	"crypto/sha256"
	"fmt"
	"html/template"
	"math"
	"strings"
)

// Avatar returns a picture for something that has none, made from its id, so that
// it is always the same: two soft shapes and the first letter. It uses presentation
// attributes only and therefore holds under a strict style policy.
func Avatar(id string) template.HTML {
	sum := sha256.Sum256([]byte(id))
	hue := float64(int(sum[0])<<8|int(sum[1])) / 65536 * 360
	second := math.Mod(hue+35+float64(sum[2]%50), 360)
	base := hsl(hue, 0.52, 0.42)
	over := hsl(second, 0.60, 0.52)
	x, y, r := 8+int(sum[3])%48, 4+int(sum[4])%56, 18+int(sum[5])%16
	letter := "?"
	if name := id[strings.LastIndexByte(id, '/')+1:]; name != "" {
		for _, c := range strings.ToUpper(name) {
			letter = string(c)
			break
		}
	}
	var shape string
	switch sum[6] % 3 {
	case 0:
		shape = fmt.Sprintf("<circle cx=\"%d\" cy=\"%d\" r=\"%d\" fill=\"%s\"/>", x, y, r, over)
	case 1:
		shape = fmt.Sprintf("<rect x=\"%d\" y=\"%d\" width=\"44\" height=\"44\" rx=\"8\" fill=\"%s\" transform=\"rotate(%d %d %d)\"/>", x-22, y-22, over, int(sum[7])%90, x, y)
	default:
		shape = fmt.Sprintf("<path d=\"M0 %d L64 %d V64 H0 Z\" fill=\"%s\"/>", 20+int(sum[7])%32, 20+int(sum[8])%32, over)
	}
	return template.HTML(fmt.Sprintf("<svg class=\"souk-avatar\" viewBox=\"0 0 64 64\" width=\"48\" height=\"48\" aria-hidden=\"true\" focusable=\"false\">"+
		"<rect width=\"64\" height=\"64\" fill=\"%s\"/>%s<text x=\"32\" y=\"33\" fill=\"#fff\" font-size=\"30\" font-weight=\"600\" text-anchor=\"middle\" dominant-baseline=\"central\">%s</text></svg>",
		base, shape, template.HTMLEscapeString(letter)))
}

// hsl returns a colour as #rrggbb; hue in degrees, saturation and lightness 0 to 1.
func hsl(h, s, l float64) string {
	a := s * math.Min(l, 1-l)
	f := func(n float64) int {
		k := math.Mod(n+h/30, 12)
		return int(math.Round(255 * (l - a*math.Max(-1, math.Min(math.Min(k-3, 9-k), 1)))))
	}
	return fmt.Sprintf("#%02x%02x%02x", f(0), f(8), f(4))
}
