package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"maps"
	"net/url"
	"path"
	"slices"
	"strings"
)

//go:embed static npm/*.js npm/*.d.ts
var embedded embed.FS

// Content types by ending. mime.TypeByExtension reads the system's tables, and a browser
// refuses a module script whose type is not JavaScript's.
var contentTypes = map[string]string{
	".html":        "text/html; charset=utf-8",
	".css":         "text/css; charset=utf-8",
	".js":          "text/javascript; charset=utf-8",
	".ts":          "text/plain; charset=utf-8",
	".svg":         "image/svg+xml",
	".png":         "image/png",
	".webmanifest": "application/manifest+json",
}

// A file is one embedded file, ready to serve, as it is and compressed: a third of the
// bytes for a phone at the end of a weak link, and never compressed twice.
type file struct {
	contentType   string
	forever       string  // the folder in which its name changes with the files, "" if there is none
	plain, zipped variant // zipped is empty for what is compressed already
}

type variant struct {
	body []byte
	etag string // strong: the hash of body
}

// files are all that there is to serve.
type files struct {
	page, inRoom *file            // the same, for "/" and for "/room/NAME": links are relative
	others       map[string]*file // by path, "/assets/page.js", "/assets/3f21.../page.js" and "/edgechat.js"
}

// importedLater returns the names of the parts that a script loads when it needs them, by import('./NAME').
func importedLater(body []byte) (names []string) {
	for {
		_, rest, ok := bytes.Cut(body, []byte("import('./"))
		if !ok {
			return names
		}
		name, rest, _ := bytes.Cut(rest, []byte("')"))
		names, body = append(names, string(name)), rest
	}
}

// load reads the embedded files. What the page loads is in a folder that is named by the hash of all of it, so that a browser
// keeps it for ever and asks for nothing again: page.js, which is its modules in one, and what these import later.
func load() *files {
	all := &files{others: map[string]*file{}}
	modules, parts := map[string][]byte{}, map[string][]byte{} // by name
	for name, body := range read("npm") {
		all.others["/"+name] = newFile(name, body)
		if path.Ext(name) == ".js" {
			modules[name] = lean(name, body)
		}
	}
	for name, body := range read("static/assets") {
		if path.Ext(name) == ".js" {
			modules[name] = lean(name, body)
		} else {
			parts[name] = lean(name, body)
		}
	}
	parts["page.js"] = join(modules, "app.js")
	for _, later := range importedLater(parts["page.js"]) {
		parts[later] = modules[later]
	}
	sum := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(parts)) {
		sum.Write([]byte(name))
		sum.Write(parts[name])
	}
	folder := "assets/" + hex.EncodeToString(sum.Sum(nil)[:6]) + "/"
	for name, body := range parts {
		f := newFile(name, body)
		f.forever = "/" + folder
		all.others["/assets/"+name] = f
		all.others["/"+folder+name] = f
	}
	html := bytes.Replace(read("static")["index.html"], []byte("assets/app.js"), []byte("assets/page.js"), 1)
	html = lean("index.html", bytes.ReplaceAll(html, []byte(`="assets/`), []byte(`="`+folder)))
	all.page = newFile("index.html", html)
	all.inRoom = newFile("index.html", bytes.ReplaceAll(html, []byte(`="assets/`), []byte(`="../assets/`)))
	return all
}

// find returns what is at u. The escaped path decides, so that a name with an
// escaped slash is one segment, as it is for the chat's routes.
func (all *files) find(u *url.URL) (*file, bool) {
	p := u.EscapedPath()
	if p == "/" {
		return all.page, true
	}
	if name, ok := strings.CutPrefix(p, "/room/"); ok && name != "" && !strings.Contains(name, "/") {
		return all.inRoom, true
	}
	f, ok := all.others[p]
	return f, ok
}

// read returns the embedded files of a folder by name.
func read(folder string) map[string][]byte {
	found := map[string][]byte{}
	entries, err := fs.ReadDir(embedded, folder)
	for _, e := range entries {
		if e.IsDir() {
			continue
		}
		var body []byte
		if body, err = embedded.ReadFile(path.Join(folder, e.Name())); err != nil {
			break
		}
		found[e.Name()] = body
	}
	if err != nil {
		panic("web: the embedded files cannot be read: " + err.Error()) // a broken binary
	}
	return found
}

// lean leaves out what is for people who read the source: indentation, and comments that stand alone on their line or,
// in scripts, behind what holds no string and no slash; and spaces, in styles and in lines of scripts that hold neither. Lines stay where they are.
func lean(name string, body []byte) []byte {
	comment := map[string]string{".js": "//", ".css": "/*", ".html": "<!--"}[path.Ext(name)]
	if comment == "" {
		return body
	}
	var b bytes.Buffer
	for line := range bytes.Lines(body) {
		line = bytes.TrimSpace(line)
		whole := comment != "/*" && comment != "<!--" || bytes.HasSuffix(line, []byte("*/")) || bytes.HasSuffix(line, []byte("-->"))
		if !bytes.HasPrefix(line, []byte(comment)) || !whole {
			if comment == "/*" {
				line = []byte(tight.Replace(string(line)))
			}
			if code, _, ok := bytes.Cut(line, []byte("//")); ok && comment == "//" && !bytes.ContainsAny(code, "'\"`/") {
				line = bytes.TrimSpace(code)
			}
			if comment == "//" && !bytes.ContainsAny(line, "'\"`/") && !bytes.HasPrefix(line, []byte("export ")) {
				line = []byte(tightScript.Replace(string(line)))
			}
			b.Write(line)
		}
		b.WriteByte('\n')
	}
	return b.Bytes()
}

// tight takes the spaces out of a line of a style sheet that mean nothing there. Those in selectors and between values do.
var tight = strings.NewReplacer("; }", "}", " }", "}", " { ", "{", " {", "{", ": ", ":", "; ", ";", ", ", ",")

// tightScript is the same of a line of a script that holds no string, no expression of a pattern, and no comment.
var tightScript = strings.NewReplacer(" === ", "===", " !== ", "!==", " => ", "=>", " = ", "=", " && ", "&&", " || ", "||", " ?? ", "??",
	" { ", "{", " {", "{", "{ ", "{", " }", "}", "; ", ";", ", ", ",", "if (", "if(",
	"for (", "for(", " ? ", "?", " : ", ":", " < ", "<", " > ", ">", " <= ", "<=", " >= ", ">=",
	" += ", "+=", " -= ", "-=")

func newFile(name string, body []byte) *file {
	f := &file{contentType: contentTypes[path.Ext(name)], plain: newVariant(body)}
	if path.Ext(name) == ".png" {
		return f
	}
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestCompression) // fails on an unknown level alone
	w.Write(body)                                         // a bytes.Buffer takes everything
	w.Close()
	f.zipped = newVariant(b.Bytes())
	return f
}

func newVariant(body []byte) variant {
	sum := sha256.Sum256(body)
	return variant{body, `"` + hex.EncodeToString(sum[:12]) + `"`}
}
