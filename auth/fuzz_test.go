package auth

import (
	"net/url"
	"os"
	"strings"
	"testing"
)

// What parse takes stands for somebody: with a valid name, a right, and no
// room that could not exist. What it refuses, it refuses with a line number.
func FuzzParse(f *testing.F) {
	f.Add([]byte("# x\n" + `{"name":"Ann","sha256":"` + hashA + `","access":"read","rooms":["a*"]}` + "\n"))
	f.Add([]byte(`{"name":"Ann","sha256":"","access":"none"}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		entries, err := parse("tokens", raw)
		if err != nil {
			if entries != nil || !strings.Contains(err.Error(), "tokens:") {
				t.Fatalf("%v, %v", entries, err)
			}
			return
		}
		for _, e := range entries {
			if CheckName(e.Name) != nil || e.Access < None || e.Access > Write || e.hash == [32]byte{} && !strings.Contains(e.SHA256, "00") {
				t.Fatalf("took %+v", e)
			}
			for _, p := range e.Rooms {
				if err := checkPattern(p); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

// Whatever FromRequest would take for the token is not in what Redact returns.
func FuzzRedact(f *testing.F) {
	f.Add("since=all&token=edc_secretsecret")
	f.Add("a=b;token=edc_secretsecret&%74oken=edc_secretsecret")
	f.Fuzz(func(t *testing.T, query string) {
		u := &url.URL{Path: "/chat/room/den", RawQuery: query}
		text := Redact(u)
		if u.RawQuery != query {
			t.Fatal("the argument was changed")
		}
		for _, token := range u.Query()["token"] {
			if len(token) < 12 {
				continue // short ones may stand elsewhere by chance
			}
			rest := strings.ReplaceAll(text, "redacted", "")
			if strings.Contains(rest, token) && strings.Count(query, token) == 1 {
				t.Fatalf("token %q of %q is in %q", token, query, text)
			}
		}
	})
}

// A fuzz target without seeds runs as a test that tests nothing.
func TestCorpus(t *testing.T) {
	for _, name := range []string{"FuzzParse", "FuzzRedact"} {
		if files, err := os.ReadDir("testdata/fuzz/" + name); err != nil || len(files) == 0 {
			t.Errorf("%s has no seeds: %v", name, err)
		}
	}
}
