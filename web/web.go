// Package web is the browser client: one page with its style and its scripts, embedded,
// served as they are, with no build step.
//
// One rule for callers: the handler answers for "/", "/room/NAME" and "/assets/" with the chat's routes beside
// them, wherever a proxy has them: the page names its parts, and the scripts the chat's routes, relative to themselves. Who may read or write is decided on the chat's routes; the page itself
// holds nothing secret and is served to everyone.
package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"edgechat/refusal"
)

//go:embed static
var static embed.FS

// Content types by ending. mime.TypeByExtension reads the system's tables, and a browser
// refuses a module script whose type is not JavaScript's.
var contentTypes = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
}

// A Config says what the page may be used for. The zero value works.
type Config struct {
	// FrameAncestors are origins whose pages may have this one inside a frame, such as "https://intranet.example"; "*" is
	// all. Default none.
	FrameAncestors []string
}

// policy returns the page's Content-Security-Policy: it runs its own scripts and styles and talks to this host,
// nothing else. connect-src names the host's WebSockets since older browsers do not count them as 'self'.
func (h *handler) policy(host string) string {
	connect := "'self'"
	if isHost(host) {
		connect += " ws://" + host + " wss://" + host
	}
	return "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src " + connect +
		"; base-uri 'none'; form-action 'none'; frame-ancestors " + h.ancestors
}

// isHost reports whether a Host header is nothing but one, which a policy can name.
func isHost(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._:[]") == ""
}

// ancestorsOf checks a list of origins for the policy.
func ancestorsOf(origins []string) (string, error) {
	if len(origins) == 0 {
		return "'none'", nil
	}
	var list []string
	for _, s := range origins {
		if err := CheckAncestor(s); err != nil {
			return "", fmt.Errorf("web: frame ancestor %w", err)
		}
		list = append(list, strings.TrimSuffix(s, "/"))
	}
	return strings.Join(list, " "), nil
}

// CheckAncestor returns an error unless s can be one of Config.FrameAncestors.
func CheckAncestor(s string) error {
	u, err := url.Parse(s)
	if s != "*" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || !isHost(u.Host) || strings.TrimSuffix(s, "/") != u.Scheme+"://"+u.Host) {
		return fmt.Errorf("%q is not of the form https://host or https://host:port, nor *", s)
	}
	return nil
}

// A file is one embedded file, ready to serve, as it is and compressed: a third of the
// bytes for a phone at the end of a weak link, and never compressed twice.
type file struct {
	contentType   string
	plain, zipped variant // zipped only after handler.zip
}

type variant struct {
	body []byte
	etag string // strong: the hash of body
}

type handler struct {
	page, inRoom *file            // the same, for "/" and for "/room/NAME": links are relative
	assets       map[string]*file // by path, "/assets/app.js"
	ancestors    string
	zip          func() // compresses all of them, once, for whoever asks first: a compressor takes 0.8 MB, and many boards show no page
}

// Handler returns the handler of the page and its assets. It answers GET and HEAD of
// "/", "/room/NAME" for any NAME of one segment, and "/assets/FILE": 405 for another
// method, 404 for another path. It may be called from any goroutine.
func Handler(cfg Config) (http.Handler, error) {
	ancestors, err := ancestorsOf(cfg.FrameAncestors)
	if err != nil {
		return nil, err
	}
	h := &handler{assets: map[string]*file{}, ancestors: ancestors}
	h.zip = sync.OnceFunc(h.compress)
	err = fs.WalkDir(static, "static", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := static.ReadFile(name)
		if err != nil {
			return err
		}
		f := &file{contentType: contentTypes[path.Ext(name)], plain: newVariant(body)}
		if name == "static/index.html" {
			h.page = f
			up := bytes.ReplaceAll(body, []byte(`="assets/`), []byte(`="../assets/`))
			h.inRoom = &file{contentType: f.contentType, plain: newVariant(up)}
		} else {
			h.assets[strings.TrimPrefix(name, "static")] = f
		}
		return nil
	})
	if err != nil {
		panic("web: the embedded files cannot be read: " + err.Error()) // a broken binary
	}
	return h, nil
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("X-Content-Type-Options", "nosniff")
	// The address of the page may hold a token, until the page has put it away.
	header.Set("Referrer-Policy", "no-referrer")
	f, ok := h.find(r.URL)
	if !ok {
		refusal.New(refusal.NotFound, "no such page; a room is at /room/NAME").Answer(w, r)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		refusal.New(refusal.MethodNotAllowed, "a page takes GET and HEAD").With("Allow", "GET, HEAD").Answer(w, r)
		return
	}
	header.Set("Content-Type", f.contentType)
	header.Set("Content-Security-Policy", h.policy(r.Host))
	v := f.plain
	if acceptsGzip(r.Header.Values("Accept-Encoding")) {
		h.zip()
		v = f.zipped
		header.Set("Content-Encoding", "gzip")
	}
	header.Set("Vary", "Accept-Encoding")
	header.Set("ETag", v.etag)
	// Names stay the same when files change, so a browser asks each time; 304 costs little.
	header.Set("Cache-Control", "no-cache")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(v.body))
}

// find returns what is at u. The escaped path decides, so that a name with an
// escaped slash is one segment, as it is for the chat's routes.
func (h *handler) find(u *url.URL) (*file, bool) {
	p := u.EscapedPath()
	if p == "/" {
		return h.page, true
	}
	if name, ok := strings.CutPrefix(p, "/room/"); ok && name != "" && !strings.Contains(name, "/") {
		return h.inRoom, true
	}
	f, ok := h.assets[p]
	return f, ok
}

func newVariant(body []byte) variant {
	sum := sha256.Sum256(body)
	return variant{body, `"` + hex.EncodeToString(sum[:12]) + `"`}
}

func (h *handler) compress() {
	w, _ := gzip.NewWriterLevel(nil, gzip.BestCompression) // fails on an unknown level alone
	for _, f := range slices.AppendSeq([]*file{h.page, h.inRoom}, maps.Values(h.assets)) {
		var b bytes.Buffer
		w.Reset(&b)
		w.Write(f.plain.body) // a bytes.Buffer takes everything
		w.Close()
		f.zipped = newVariant(b.Bytes())
	}
}

// acceptsGzip reports whether one of the header lines names gzip without refusing it
// (RFC 9110, section 12.5.3). Weights are not compared: both forms are at hand.
func acceptsGzip(lines []string) bool {
	for coding := range strings.SplitSeq(strings.Join(lines, ","), ",") {
		name, weight, _ := strings.Cut(coding, ";")
		if strings.EqualFold(strings.TrimSpace(name), "gzip") {
			q, isWeight := strings.CutPrefix(strings.TrimSpace(weight), "q=")
			return !isWeight || strings.Trim(q, "0.") != ""
		}
	}
	return false
}
