package web

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"rsc.io/qr"

	"edgechat/refusal"
)

// qrMost is how many bytes an address may have that becomes a QR code: what a phone still reads from a screen.
const qrMost = 300

// serveQR answers with the QR code of an address, ?text=http://..., as SVG: a phone that is held before the screen comes in. Which
// address is the right one, the page knows; it was opened by it.
func serveQR(w http.ResponseWriter, r *http.Request) {
	text := r.URL.Query().Get("text")
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || len(text) > qrMost {
		refusal.Errorf(refusal.InvalidQuery, "text must be an http or https address of at most %d bytes", qrMost).Answer(w, r)
		return
	}
	code, err := qr.Encode(text, qr.M)
	if err != nil {
		refusal.Errorf(refusal.InvalidQuery, "text has no QR code: %v", err).Answer(w, r)
		return
	}
	w.Header().Set("Content-Type", contentTypes[".svg"])
	w.Header().Set("Cache-Control", "no-store") // an address may hold a token
	if r.Method != http.MethodHead {
		_, _ = io.WriteString(w, svgOf(code)) // who does not take it has gone
	}
}

// svgOf draws a code with the four modules of white around it that ISO/IEC 18004 asks for.
func svgOf(code *qr.Code) string {
	const quiet = 4
	var path strings.Builder
	for y := range code.Size {
		for x := 0; x < code.Size; x++ {
			from := x
			for code.Black(x, y) {
				x++
			}
			if x > from {
				fmt.Fprintf(&path, "M%d %dh%dv1h-%dz", from+quiet, y+quiet, x-from, x-from)
			}
		}
	}
	size := code.Size + 2*quiet
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" shape-rendering="crispEdges"><path fill="#fff" d="M0 0h%dv%dH0z"/><path d="%s"/></svg>`, size, size, size, size, path.String())
}
