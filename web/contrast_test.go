package web

import (
	"fmt"
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// luminance is how bright a color such as #1a2b3c is, from 0 to 1 (WCAG 2.2, relative luminance).
func luminance(t *testing.T, color string) (l float64) {
	t.Helper()
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		n, err := strconv.ParseUint(color[1+2*i:3+2*i], 16, 8)
		if err != nil {
			t.Fatal(color, err)
		}
		c := float64(n) / 255
		if c <= 0.04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+0.055)/1.055, 2.4)
		}
		l += weight * c
	}
	return l
}

func contrast(t *testing.T, a, b string) float64 {
	t.Helper()
	x, y := luminance(t, a), luminance(t, b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

// TestContrast: in light and in dark, each color that a name can have, and each that text has, differs by 4.5 to 1 and more from all that it
// stands on. The colors are those of style.css, and how many of them names have that of item.js.
func TestContrast(t *testing.T) {
	css, err := os.ReadFile("static/assets/style.css")
	if err != nil {
		t.Fatal(err)
	}
	item, err := os.ReadFile("static/assets/item.js")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`const COLORS = (\d+);`).FindSubmatch(item)
	if m == nil {
		t.Fatal("item.js does not say how many colors names have")
	}
	names, err := strconv.Atoi(string(m[1]))
	if err != nil || names < 6 {
		t.Fatal(names, err)
	}
	// What each stands on.
	on := map[string]string{
		"ink": "page surface hover mine bad-surface", "soft": "page surface hover", "accent": "page surface hover", "on-accent": "accent", "bad": "page surface bad-surface", "waiting": "page waiting-surface",
	}
	for i := range names {
		name := fmt.Sprint("c", i)
		on[name] = "page surface hover"
		if rule := fmt.Sprintf(`[data-color="%d"] { color: var(--%s); }`, i, name); !strings.Contains(string(css), rule) {
			t.Errorf("style.css lacks %s", rule)
		}
	}
	themes := regexp.MustCompile(`(?s)(:root[^{]*)\{([^}]*color-scheme[^}]*)\}`).FindAllStringSubmatch(string(css), -1)
	if len(themes) != 2 {
		t.Fatalf("%d themes", len(themes))
	}
	for _, theme := range themes {
		colors := map[string]string{}
		for _, v := range regexp.MustCompile(`--([\w-]+): (#[0-9a-f]{6});`).FindAllStringSubmatch(theme[2], -1) {
			colors[v[1]] = v[2]
		}
		for text, grounds := range on {
			for ground := range strings.FieldsSeq(grounds) {
				if colors[text] == "" || colors[ground] == "" {
					t.Errorf("%s has no %s or no %s", theme[1], text, ground)
				} else if c := contrast(t, colors[text], colors[ground]); c < 4.5 {
					t.Errorf("%s %s on %s: %.2f", theme[1], text, ground, c)
				}
			}
		}
	}
}
