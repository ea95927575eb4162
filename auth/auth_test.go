package auth

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func must[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func TestAccessText(t *testing.T) {
	for a, s := range map[Access]string{None: "none", Read: "read", Write: "write", Moderate: "moderate", Admin: "admin", Metrics: "metrics"} {
		if got, err := ParseAccess(s); got != a || err != nil {
			t.Errorf("ParseAccess(%q) = %v, %v", s, got, err)
		}
		if a.String() != s {
			t.Errorf("%d prints %q, want %q", a, a, s)
		}
	}
	for _, s := range []string{"", "Read", "root", "readwrite"} {
		a := Write
		if err := a.UnmarshalText([]byte(s)); err == nil || a != Write {
			t.Errorf("UnmarshalText(%q) gave %v and %v, want an error and the value kept", s, a, err)
		}
	}
}

func TestMay(t *testing.T) {
	tests := []struct {
		name  string
		id    *Identity
		read  []string // rooms that may be read, of those below
		write []string
	}{
		{"nil", nil, nil, nil},
		{"zero", &Identity{}, nil, nil},
		{"none", &Identity{Access: None}, nil, nil},
		{"out of range", &Identity{Access: 200}, nil, nil},
		{"read all", &Identity{Access: Read}, []string{"den", "den-2", "nas", "Den", ""}, nil},
		{"write all", &Identity{Access: Write}, []string{"den", "den-2", "nas", "Den", ""}, []string{"den", "den-2", "nas", "Den", ""}},
		{"exact", &Identity{Access: Write, Rooms: []string{"den"}}, []string{"den"}, []string{"den"}},
		{"prefix", &Identity{Access: Read, Rooms: []string{"den*"}}, []string{"den", "den-2"}, nil},
		{"two", &Identity{Access: Write, Rooms: []string{"nas", "den-*"}}, []string{"den-2", "nas"}, []string{"den-2", "nas"}},
		{"star", &Identity{Access: Read, Rooms: []string{"*"}}, []string{"den", "den-2", "nas", "Den", ""}, nil},
	}
	for _, test := range tests {
		for _, room := range []string{"den", "den-2", "nas", "Den", ""} {
			if got, want := test.id.May(Read, room), slices.Contains(test.read, room); got != want {
				t.Errorf("%s: May(Read, %q) = %v", test.name, room, got)
			}
			if got, want := test.id.May(Write, room), slices.Contains(test.write, room); got != want {
				t.Errorf("%s: May(Write, %q) = %v", test.name, room, got)
			}
		}
		for _, a := range []Access{Unset, None, Metrics, Moderate, Admin} {
			if test.id.May(a, "den") {
				t.Errorf("%s: May(%v) is no question and must be false", test.name, a)
			}
		}
	}
}

// TestNames: the grammar of names is codec's; a pattern is a name, or the beginning of one.
func TestNames(t *testing.T) {
	for pattern, ok := range map[string]bool{
		"den": true, "*": true, "den*": true, ".*": true, "..*": true, "Küche-2*": true, "...": true,
		strings.Repeat("r", 64): true, strings.Repeat("r", 64) + "*": true,
		strings.Repeat("r", 65): false, strings.Repeat("r", 65) + "*": false,
		"": false, ".": false, "..": false, "**": false, "*a": false, "a b": false, "a/b": false, "a\xff*": false, "\u202e": false,
	} {
		if err := checkPattern(pattern); (err == nil) != ok {
			t.Errorf("pattern %q: %v", pattern, err)
		}
	}
	for name, ok := range map[string]bool{
		"Ann": true, "lab bot": true, "👩\u200d💻": true, strings.Repeat("ö", 32): true,
		strings.Repeat("ö", 33): false, "": false, " Ann": false, "Ann\u00a0": false, "a\u202eb": false, "\u2800": false, "a\nb": false, "\xff": false,
	} {
		if err := checkName(name); (err == nil) != ok {
			t.Errorf("name %q: %v", name, err)
		} else if err != nil && strings.Contains(err.Error(), "invalid_") {
			t.Errorf("name %q: the error has a code for clients: %v", name, err)
		}
	}
}

func request(target string, header ...string) *http.Request {
	r := httptest.NewRequest("GET", target, nil)
	for _, h := range header {
		r.Header.Add("Authorization", h)
	}
	return r
}

func TestFromRequest(t *testing.T) {
	tests := []struct {
		name   string
		target string
		header []string
		token  string
		err    error
	}{
		{"none", "/chat", nil, "", nil},
		{"header", "/chat", []string{"Bearer edc_a-b"}, "edc_a-b", nil},
		{"scheme in any case", "/chat", []string{"bEARER edc_a"}, "edc_a", nil},
		{"spaces", "/chat", []string{"  Bearer   edc_a "}, "edc_a", nil},
		{"query", "/chat?since=all&token=edc_q", nil, "edc_q", nil},
		{"escaped key and value", "/chat?%74oken=edc%5Fq", nil, "edc_q", nil},
		{"padding", "/chat", []string{"Bearer abc=="}, "abc==", nil},
		{"both the same", "/chat?token=edc_a", []string{"Bearer edc_a"}, "edc_a", nil},
		{"both and different", "/chat?token=edc_b", []string{"Bearer edc_a"}, "", ErrRequest},
		{"two in the query", "/chat?token=edc_a&token=edc_b", nil, "", ErrRequest},
		{"two headers", "/chat", []string{"Bearer edc_a", "Bearer edc_b"}, "", ErrRequest},
		{"other scheme", "/chat", []string{"Basic dXNlcjpwYXNz"}, "", nil},
		{"other scheme and query", "/chat?token=edc_a", []string{"Basic dXNlcjpwYXNz"}, "edc_a", nil},
		{"empty header", "/chat", []string{"Bearer"}, "", ErrBadToken},
		{"empty header, space", "/chat", []string{"Bearer "}, "", ErrBadToken},
		{"empty query", "/chat?token=", nil, "", ErrBadToken},
		{"two words", "/chat", []string{"Bearer edc_a edc_b"}, "", ErrBadToken},
		{"control", "/chat?token=edc%00a", nil, "", ErrBadToken},
		{"semicolon", "/chat?token=edc_a;x=1", nil, "", ErrRequest},
		{"broken escape", "/chat?token=edc_a%zz", nil, "", ErrRequest},
	}
	for _, test := range tests {
		token, ok, err := FromRequest(request(test.target, test.header...))
		if token != test.token || ok != (test.token != "") || !errors.Is(err, test.err) {
			t.Errorf("%s: got %q, %v, %v; want %q, %v", test.name, token, ok, err, test.token, test.err)
		}
		if err != nil && (strings.Contains(err.Error(), "edc_") || strings.Contains(err.Error(), "%z")) {
			t.Errorf("%s: the error shows the token: %v", test.name, err)
		}
	}
}

func TestChecker(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens")
	alice := must[string](t)(Create(path, Grant{Name: "Alice", Access: Write}))
	tokens := must[*Tokens](t)(Load(path, nil))
	tests := []struct {
		name      string
		cfg       Config
		target    string
		anonymous Access // of the identity, if it is the anonymous one
		user      string
		err       error
	}{
		{"open by default", Config{}, "/", Write, "", nil},
		{"closed once there are tokens", Config{Tokens: tokens}, "/", 0, "", ErrNoToken},
		{"readers", Config{Tokens: tokens, Anonymous: Read}, "/", Read, "", nil},
		{"writers", Config{Tokens: tokens, Anonymous: Write}, "/", Write, "", nil},
		{"nobody", Config{Anonymous: None}, "/", 0, "", ErrNoToken},
		{"token", Config{Tokens: tokens}, "/?token=" + alice, 0, "Alice", nil},
		{"token where none is needed", Config{Tokens: tokens, Anonymous: Write}, "/?token=" + alice, 0, "Alice", nil},
		{"wrong token", Config{Tokens: tokens}, "/?token=edc_x", 0, "", ErrBadToken},
		{"wrong token where none is needed", Config{Tokens: tokens, Anonymous: Write}, "/?token=edc_x", 0, "", ErrBadToken},
		{"token without a file", Config{}, "/?token=" + alice, Write, "", nil},
		{"two without a file", Config{}, "/?token=a&token=b", Write, "", nil},
		{"unreadable", Config{Tokens: tokens}, "/?token=a&token=b", 0, "", ErrRequest},
	}
	for _, test := range tests {
		c := must[*Checker](t)(New(test.cfg))
		id, err := c.Identify(request(test.target))
		if !errors.Is(err, test.err) || (err == nil) != (test.err == nil) {
			t.Errorf("%s: error %v, want %v", test.name, err, test.err)
			continue
		}
		if err != nil {
			if id != nil {
				t.Errorf("%s: an identity besides the error", test.name)
			}
			continue
		}
		if id.Name != test.user || id.Anonymous != (test.user == "") {
			t.Errorf("%s: got %+v", test.name, id)
		}
		if id.Anonymous && id.Access != test.anonymous {
			t.Errorf("%s: anonymous may %v, want %v", test.name, id.Access, test.anonymous)
		}
	}
	if _, err := New(Config{Anonymous: 9}); !errors.Is(err, ErrInvalid) {
		t.Errorf("Anonymous 9: %v", err)
	}
}
