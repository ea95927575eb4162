package auth

import (
	"encoding/base64"
	"errors"
	"os"
	"strings"
	"testing"
	"time"
)

// What parse takes stands for somebody: with a valid name, a right, and no
// room that could not exist. What it refuses, it refuses with a line number.
func FuzzParse(f *testing.F) {
	f.Add([]byte("# x\n" + `{"name":"Ann","sha256":"` + hashA + `","access":"read","rooms":["a*"]}` + "\n"))
	f.Add([]byte(`{"name":"Ann","sha256":"","access":"none"}`))
	f.Add([]byte(`{"name":"Ann","sha256":"` + hashB + `","access":"admin","expires":"2027-01-01T00:00:00Z"}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		entries, err := parse("tokens", raw)
		if err != nil {
			if entries != nil || !strings.Contains(err.Error(), "tokens:") {
				t.Fatalf("%v, %v", entries, err)
			}
			return
		}
		for _, e := range entries {
			if checkName(e.Name) != nil || e.Access < None || e.Access > Admin || e.Access.wholeServer() && e.Rooms != nil || e.hash == [32]byte{} && !strings.Contains(e.SHA256, "00") {
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

// What is signed and taken stands for somebody, until a time to come; whatever is refused is an ErrBadToken. The same claims below
// another signature are never taken.
func FuzzJWT(f *testing.F) {
	h := signers()[algSecret]
	k := loadKeys(f, h.file(f), "")
	for _, seed := range []string{
		`{"sub":"u","name":"Ann","access":"write","exp":9999999999}`, `{"sub":"u","access":"admin","exp":1e400}`, `null`, `[]`, `{"exp":null}`,
		`{"sub":"u","access":"read","rooms":["a*"],"exp":1e11,"nbf":-1,"aud":["x"]}`,
	} {
		f.Add(`{"alg":"HS256","typ":"JWT"}`, seed)
		f.Add(`{"alg":"none"}`, seed)
	}
	f.Fuzz(func(t *testing.T, header, payload string) {
		b64 := base64.RawURLEncoding.EncodeToString
		text := b64([]byte(header)) + "." + b64([]byte(payload))
		signature, err := h.method.Sign(text, h.private)
		if err != nil {
			t.Fatal(err)
		}
		id, err := k.Verify(text + "." + b64(signature))
		switch {
		case err != nil && (id != nil || !errors.Is(err, ErrBadToken)):
			t.Fatalf("%+v, %v", id, err)
		case err == nil && (checkName(id.Name) != nil || id.Access < None || id.Access > Admin || id.Access.wholeServer() && len(id.Rooms) > 0 || id.Expires <= time.Now().Unix() || id.Anonymous || id.subject == ""):
			t.Fatalf("took %+v", id)
		}
		if err == nil {
			for _, p := range id.Rooms {
				if err := checkPattern(p); err != nil {
					t.Fatal(err)
				}
			}
		}
		signature[0] ^= 1
		for _, forged := range []string{text + "." + b64(signature), text + ".", text, header + "." + payload} {
			if id, err := k.Verify(forged); id != nil || !errors.Is(err, ErrBadToken) {
				t.Fatalf("forged: %+v, %v", id, err)
			}
		}
	})
}

// What parseKeys takes are keys of the four algorithms, each for its kind, and no secret that is a public key.
func FuzzKeys(f *testing.F) {
	for alg, s := range signers() {
		f.Add(s.file(f))
		f.Add(jwks(f, s.jwk(alg)))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		keys, _, err := parseKeys(raw)
		if (err == nil) != (len(keys) > 0) {
			t.Fatalf("%d keys, %v", len(keys), err)
		}
		for _, k := range keys {
			switch v := k.value.(type) {
			case []byte:
				if k.alg != algSecret || len(v) < minSecret || isPublic(v) {
					t.Fatalf("took a secret of %d bytes for %s", len(v), k.alg)
				}
			default:
				if again, err := publicKey(v); err != nil || again.alg != k.alg || k.alg == algSecret {
					t.Fatalf("took a key for %s: %v", k.alg, err)
				}
			}
		}
	})
}

// A fuzz target without seeds runs as a test that tests nothing.
func TestCorpus(t *testing.T) {
	for _, target := range []string{"FuzzParse", "FuzzJWT", "FuzzKeys"} {
		if files, err := os.ReadDir("testdata/fuzz/" + target); err != nil || len(files) == 0 {
			t.Errorf("%s has no seeds: %v", target, err)
		}
	}
}
