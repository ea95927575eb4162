package codec

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"
)

// codes are all codes, in the order of errors.go.
var codes = []string{
	CodeInvalidMessage, CodeInvalidRoom, CodeInvalidUsername, CodeInvalidQuery, CodeUnauthorized,
	CodeForbidden, CodeOriginNotAllowed, CodeKicked, CodeNotFound, CodeMethodNotAllowed, CodeTooLarge,
	CodeUnsupportedMediaType, CodeUpgradeRequired, CodeBadHandshake, CodeTooManyConnections,
	CodeRateLimited, CodeTooSlow, CodeRestarting, CodeUnavailable, CodeInternal,
}

// TestCodes checks that the list above is complete and that each code was
// given an answer of its own; CodeInternal alone is what unknown ones get.
func TestCodes(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "errors.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var declared []string
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if ok && strings.HasPrefix(spec.Names[0].Name, "Code") {
			code, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			declared = append(declared, code)
		}
		return true
	})
	if strings.Join(declared, " ") != strings.Join(codes, " ") {
		t.Errorf("errors.go has %v, the test %v", declared, codes)
	}
	for _, code := range codes {
		if internal := HTTPStatus(code) == 500 || CloseCode(code) == 1011; internal != (code == CodeInternal) {
			t.Errorf("%s has status %d and close code %d", code, HTTPStatus(code), CloseCode(code))
		}
	}
	if HTTPStatus("nonsense") != 500 || CloseCode("nonsense") != 1011 {
		t.Error("an unknown code is not the server's fault")
	}
}

func TestErrorIsAnError(t *testing.T) {
	var err error = Errorf(CodeForbidden, "no %s today", "bread")
	e, ok := errors.AsType[*Error](err)
	if !ok || *e != (Error{Code: "forbidden", Message: "no bread today"}) || err.Error() != "forbidden: no bread today" {
		t.Errorf("got %#v, %v", e, err)
	}
}

func TestQuote(t *testing.T) {
	for in, want := range map[string]string{
		"":                            `""`,
		"a\"b\n":                      `"a\"b\n"`,
		strings.Repeat("x", 32):       `"` + strings.Repeat("x", 32) + `"`,
		strings.Repeat("x", 33):       `"` + strings.Repeat("x", 32) + `"...`,
		strings.Repeat("x", 31) + "é": `"` + strings.Repeat("x", 31) + `"...`,
		strings.Repeat("\x80", 40):    `"` + strings.Repeat(`\x80`, 28) + `"...`,
	} {
		if got := quote(in); got != want {
			t.Errorf("quote(%q) is %s, want %s", in, got, want)
		}
	}
}
