package refusal

import (
	"bufio"
	"bytes"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestDocumented: docs/protocol.md has the codes that are declared here, in this order, each with
// its own status first, or "frame" if HTTP has none.
func TestDocumented(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "refusal.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var declared []string
	var all []Code
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if typ, ok := spec.Type.(*ast.Ident); ok && typ.Name == "Code" {
			code, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			declared = append(declared, code+" "+strconv.Itoa(Code(code).Status()))
			all = append(all, Code(code))
		}
		return true
	})
	if !slices.Equal(all, codes[:]) {
		t.Errorf("counts.go counts %v; declared are %v", codes, all)
	}
	text, err := os.ReadFile("../docs/protocol.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "## 6. Error codes")
	var documented, inFrames []string
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| (\\d+|frame)[ ,]").FindAllStringSubmatch(section, -1) {
		status := row[2]
		if status == "frame" {
			inFrames = append(inFrames, row[1])
			status = "500"
		}
		documented = append(documented, row[1]+" "+status)
	}
	if len(declared) == 0 || !slices.Equal(documented, declared) {
		t.Errorf("the table of codes in docs/protocol.md:\n%s\nrefusal.go:\n%s", strings.Join(documented, "\n"), strings.Join(declared, "\n"))
	}
	for _, row := range declared { // each has a case of its own
		if code, status, _ := strings.Cut(row, " "); (status == "500") != (code == string(Internal) || slices.Contains(inFrames, code)) {
			t.Errorf("%s has status %s", code, status)
		}
	}
	if Code("nonsense").Status() != 500 {
		t.Error("an unknown code is not the server's fault")
	}
}

func TestAnswer(t *testing.T) {
	e := Errorf(Unauthorized, "no %s & no <b>, \u2028 or \xff", "\"key\"").With("WWW-Authenticate", "Bearer").With("WWW-Authenticate", "Basic")
	if _, ok := errors.AsType[*Error](error(e)); !ok || !strings.HasPrefix(e.Error(), `unauthorized: no "key"`) {
		t.Errorf("as an error it is %q", e)
	}
	const body = `{"error":{"code":"unauthorized","message":"no \"key\" & no <b>, \u2028 or \ufffd"}}` + "\n"
	for _, method := range []string{"GET", "HEAD", "POST"} {
		w := httptest.NewRecorder()
		w.Header().Set("Cache-Control", "max-age=3600")
		w.Header().Set("Referrer-Policy", "no-referrer")
		r := httptest.NewRequest(method, "/", nil)
		e.Answer(w, r)
		same(t, method, w.Result(), 401, map[bool]string{true: "", false: body}[method == "HEAD"])
		if w.Header().Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%s: what was set before is gone: %v", method, w.Header())
		}
	}
	resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(e.Bytes())), nil)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "Bytes", resp, 401, body)
	if !resp.Close || resp.ContentLength != int64(len(body)) {
		t.Errorf("Bytes: closes %t, length %d", resp.Close, resp.ContentLength)
	}
	e.Status = 499
	w := httptest.NewRecorder()
	e.Answer(w, httptest.NewRequest("GET", "/", nil))
	same(t, "with a status of its own", w.Result(), 499, body)
}

func same(t *testing.T, what string, resp *http.Response, status int, body string) {
	t.Helper()
	got, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != status || string(got) != body {
		t.Errorf("%s: %d %q, %v; want %d %q", what, resp.StatusCode, got, err, status, body)
	}
	for key, want := range map[string][]string{
		"Content-Type": {"application/json; charset=utf-8"}, "X-Content-Type-Options": {"nosniff"},
		"Cache-Control": {"no-store"}, "Www-Authenticate": {"Bearer", "Basic"},
	} {
		if got := resp.Header[key]; !slices.Equal(got, want) {
			t.Errorf("%s: %s is %q, want %q", what, key, got, want)
		}
	}
}
