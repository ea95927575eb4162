package auth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// A signer makes tokens of one algorithm.
type signer struct {
	method  jwt.SigningMethod
	private any
	public  crypto.PublicKey // nil for a secret
}

// signers are made once: an RSA key takes long.
var signers = sync.OnceValue(func() map[string]signer {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	ec, errEC := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	r, errRSA := rsa.GenerateKey(rand.Reader, 2048)
	if err := errors.Join(err, errEC, errRSA); err != nil {
		panic(err)
	}
	return map[string]signer{
		algSecret: {jwt.SigningMethodHS256, []byte("correct horse battery staple, and so on"), nil},
		algEd:     {jwt.SigningMethodEdDSA, private, public},
		algEC:     {jwt.SigningMethodES256, ec, &ec.PublicKey},
		algRSA:    {jwt.SigningMethodRS256, r, &r.PublicKey},
	}
})

// sign makes a token of claims, with header fields by twos.
func sign(t testing.TB, s signer, claims jwt.MapClaims, header ...any) string {
	t.Helper()
	token := jwt.NewWithClaims(s.method, claims)
	for i := 0; i < len(header); i += 2 {
		token.Header[header[i].(string)] = header[i+1]
	}
	text, err := token.SignedString(s.private)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// spki is a public key in PEM.
func spki(t testing.TB, public any) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

// file is what a key file of s holds.
func (s signer) file(t testing.TB) []byte {
	if s.public == nil {
		return append(s.private.([]byte), '\n')
	}
	return spki(t, s.public)
}

// jwk is s in a JWK set.
func (s signer) jwk(kid string) map[string]any {
	b64 := base64.RawURLEncoding.EncodeToString
	j := map[string]any{"kid": kid, "use": "sig", "alg": s.method.Alg()}
	switch p := s.public.(type) {
	case nil:
		j["kty"], j["k"] = "oct", b64(s.private.([]byte))
	case ed25519.PublicKey:
		j["kty"], j["crv"], j["x"] = "OKP", "Ed25519", b64(p)
	case *ecdsa.PublicKey:
		point, err := p.Bytes()
		if err != nil {
			panic(err)
		}
		j["kty"], j["crv"], j["x"], j["y"] = "EC", "P-256", b64(point[1:33]), b64(point[33:])
	case *rsa.PublicKey:
		j["kty"], j["n"], j["e"] = "RSA", b64(p.N.Bytes()), "AQAB"
	}
	return j
}

func jwks(t testing.TB, keys ...map[string]any) []byte {
	t.Helper()
	raw, err := json.Marshal(map[string]any{"keys": keys})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func keyPath(t testing.TB, raw []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func loadKeys(t testing.TB, raw []byte, audience string) *Keys {
	t.Helper()
	k, err := LoadKeys(KeysConfig{Path: keyPath(t, raw), Audience: audience})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// good are claims that are taken, with others by twos: nil takes one away.
func good(more ...any) jwt.MapClaims {
	c := jwt.MapClaims{"sub": "u-17", "name": "Ann", "access": "write", "rooms": []string{"den", "shed-*"}, "exp": time.Now().Add(time.Hour).Unix()}
	for i := 0; i < len(more); i += 2 {
		c[more[i].(string)] = more[i+1]
		if more[i+1] == nil {
			delete(c, more[i].(string))
		}
	}
	return c
}

// TestAlgorithms: each one, from a file of its own and out of a JWK set of all.
func TestAlgorithms(t *testing.T) {
	var set []map[string]any
	for alg, s := range signers() {
		set = append(set, s.jwk("key-"+alg))
	}
	all := loadKeys(t, jwks(t, set...), "")
	for alg, s := range signers() {
		for name, k := range map[string]*Keys{"own": loadKeys(t, s.file(t), ""), "one": loadKeys(t, must[[]byte](t)(json.Marshal(s.jwk("key-"+alg))), ""), "set": all} {
			claims := good()
			id, err := k.Verify(sign(t, s, claims, "kid", "key-"+alg))
			if err != nil || id.Name != "Ann" || id.Access != Write || strings.Join(id.Rooms, " ") != "den shed-*" || id.Anonymous || id.Expires != claims["exp"] || id.Owner() != "j\x00u-17" {
				t.Errorf("%s, %s: %+v, %v", alg, name, id, err)
			}
			if !id.May(Write, "shed-2") || id.May(Read, "attic") || id.Taken("Ann") {
				t.Errorf("%s, %s: rights of %+v", alg, name, id)
			}
			if other, err := k.Verify(tampered(sign(t, s, claims, "kid", "key-"+alg))); !errors.Is(err, ErrBadToken) || other != nil {
				t.Errorf("%s, %s: one with another content: %v", alg, name, err)
			}
		}
		if _, err := all.Verify(sign(t, s, good())); !errors.Is(err, ErrBadToken) || !strings.Contains(err.Error(), "has no kid") {
			t.Errorf("%s without a kid: %v", alg, err)
		}
		if _, err := all.Verify(sign(t, s, good(), "kid", "gone")); !errors.Is(err, ErrBadToken) || !strings.Contains(err.Error(), "no key of the kid") {
			t.Errorf("%s with another kid: %v", alg, err)
		}
	}
}

// tampered has claims of its own below a signature of others.
func tampered(token string) string {
	parts := strings.Split(token, ".")
	raw, _ := json.Marshal(good("name", "Eve", "access", "admin", "rooms", nil))
	return parts[0] + "." + base64.RawURLEncoding.EncodeToString(raw) + "." + parts[2]
}

// TestAlgorithmOfTheKey: a token does not choose how it is checked.
func TestAlgorithmOfTheKey(t *testing.T) {
	for alg, s := range signers() {
		if s.public == nil {
			continue
		}
		raw := s.file(t)
		der, _ := pem.Decode(raw)
		k, set := loadKeys(t, raw, ""), loadKeys(t, jwks(t, s.jwk("a"), signers()[algSecret].jwk("b")), "")
		for _, secret := range [][]byte{raw, []byte(strings.TrimSpace(string(raw))), der.Bytes} {
			forged := sign(t, signer{jwt.SigningMethodHS256, secret, nil}, good(), "kid", "a")
			if id, err := k.Verify(forged); !errors.Is(err, ErrBadToken) || id != nil {
				t.Errorf("%s: HS256 with the public key counts: %v", alg, err)
			}
			// The set takes HS256, of another key.
			if id, err := set.Verify(forged); !errors.Is(err, ErrBadToken) || id != nil || !strings.Contains(err.Error(), "another algorithm than its key is for, which is "+alg) {
				t.Errorf("%s: HS256 with the public key of a set counts: %v", alg, err)
			}
		}
	}
	for alg, s := range signers() {
		k := loadKeys(t, s.file(t), "")
		none := sign(t, signer{jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nil}, good())
		for _, header := range []string{"", "none", "None", "NONE", "nOnE"} {
			parts := strings.Split(none, ".")
			if header != "" {
				parts[0] = base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"` + header + `","typ":"JWT"}`))
			}
			for _, signature := range []string{"", strings.Split(sign(t, s, good()), ".")[2]} {
				if id, err := k.Verify(parts[0] + "." + parts[1] + "." + signature); !errors.Is(err, ErrBadToken) || id != nil {
					t.Errorf("%s: alg %q counts: %v", alg, header, err)
				}
			}
		}
		for other, o := range signers() {
			if id, err := k.Verify(sign(t, o, good())); (err == nil) != (other == alg) || (id == nil) != (err != nil) {
				t.Errorf("key for %s, token of %s: %v", alg, other, err)
			}
		}
	}
	// Of the same key, and yet another algorithm.
	r := signers()[algRSA]
	for _, m := range []jwt.SigningMethod{jwt.SigningMethodRS384, jwt.SigningMethodRS512, jwt.SigningMethodPS256} {
		if _, err := loadKeys(t, r.file(t), "").Verify(sign(t, signer{m, r.private, nil}, good())); !errors.Is(err, ErrBadToken) {
			t.Errorf("%s counts: %v", m.Alg(), err)
		}
	}
	h := signers()[algSecret]
	for _, m := range []jwt.SigningMethod{jwt.SigningMethodHS384, jwt.SigningMethodHS512} {
		if _, err := loadKeys(t, h.file(t), "").Verify(sign(t, signer{m, h.private, nil}, good())); !errors.Is(err, ErrBadToken) {
			t.Errorf("%s counts: %v", m.Alg(), err)
		}
	}
	if _, err := loadKeys(t, h.file(t), "").Verify(sign(t, h, good(), "crit", []string{"exp"})); !errors.Is(err, ErrBadToken) || !strings.Contains(err.Error(), "crit") {
		t.Errorf("crit: %v", err)
	}
}

// TestClaims: each one that cannot be used is named, with what it must be, and shows nothing of the token.
func TestClaims(t *testing.T) {
	h := signers()[algSecret]
	k := loadKeys(t, h.file(t), "board")
	now := time.Now()
	const shown = "s3cret"
	base := func(more ...any) jwt.MapClaims { return good(append([]any{"aud", "board"}, more...)...) }
	for name, c := range map[string]struct {
		claims jwt.MapClaims
		want   string // "" is taken
	}{
		"as they should be":    {base(), ""},
		"aud in a list":        {base("aud", []string{"x", "board"}), ""},
		"no aud":               {base("aud", nil), "aud must be"},
		"aud of somebody else": {base("aud", shown), "aud must be"},
		"aud list of others":   {base("aud", []string{shown, "Board"}), "aud must be"},
		"aud empty":            {base("aud", []string{}), "aud must be"},
		"aud number":           {base("aud", 7), "aud must be"},
		"no exp":               {base("exp", nil), "exp is missing"},
		"no exp and no aud":    {base("exp", nil, "aud", nil), "exp is missing"},
		"exp null":             {base("exp", json.RawMessage("null")), "exp is missing"},
		"exp text":             {base("exp", shown), "exp must be a number"},
		"exp 0":                {base("exp", 0), "exp must be a number"},
		"exp half":             {base("exp", 0.5), "exp must be a number"},
		"exp below":            {base("exp", -5), "exp must be a number"},
		"exp beyond":           {base("exp", 1e18), "exp must be a number"},
		"exp in another case":  {base("exp", nil, "EXP", now.Add(time.Hour).Unix()), "exp is missing"},
		"expired":              {base("exp", now.Unix()-1), "it has expired"},
		"nbf soon":             {base("nbf", now.Unix()+20), ""},
		"nbf later":            {base("nbf", now.Unix()+90), "not valid yet"},
		"nbf text":             {base("nbf", shown), "nbf must be a number"},
		"no sub":               {base("sub", nil), "sub is missing"},
		"sub empty":            {base("sub", ""), "sub is missing"},
		"sub number":           {base("sub", 7), "sub must be a string"},
		"sub long":             {base("sub", strings.Repeat("x", 256)), "longer than 255"},
		"sub for a name":       {base("name", nil, "sub", "Bob"), ""},
		"sub is no name":       {base("name", nil, "sub", shown+strings.Repeat("x", 33)), "a claim name would be used"},
		"name empty":           {base("name", ""), ""},
		"name number":          {base("name", 7), "name must be a string"},
		"name with spaces":     {base("name", "  Ann  "), ""},
		"name unseen":          {base("name", "\u2800"), "name cannot be a username"},
		"name long":            {base("name", shown+strings.Repeat("x", 33)), "name cannot be a username"},
		"no access":            {base("access", nil), "access is missing"},
		"access unknown":       {base("access", shown), "access must be none, metrics"},
		"access list":          {base("access", []string{"read"}), "access must be"},
		"no rooms":             {base("rooms", nil), ""},
		"rooms empty":          {base("rooms", []string{}), "rooms is empty"},
		"rooms text":           {base("rooms", "den"), "rooms must be a list"},
		"rooms of numbers":     {base("rooms", []int{7}), "rooms must be a list"},
		"rooms bad":            {base("rooms", []string{"den", shown + "/"}), "rooms: number 2 "},
		"admin":                {base("access", "admin", "rooms", nil), ""},
		"admin of a room":      {base("access", "admin"), "leave the claim rooms out"},
		"others are ignored":   {base("jti", shown, "iat", now.Unix(), "groups", []string{shown}), ""},
	} {
		id, err := k.Verify(sign(t, h, c.claims))
		switch {
		case c.want == "" && (err != nil || id.Name == ""):
			t.Errorf("%s: %+v, %v", name, id, err)
		case c.want != "" && (!errors.Is(err, ErrBadToken) || !strings.Contains(err.Error(), c.want) || id != nil):
			t.Errorf("%s: %v, want %q", name, err, c.want)
		case err != nil && strings.Contains(err.Error(), shown):
			t.Errorf("%s: the error shows the token: %v", name, err)
		}
	}
	if id, err := k.Verify(sign(t, h, base("name", "  Zoe\u0308  B "))); err != nil || id.Name != "Zo\u00eb B" {
		t.Errorf("the name is not in its form: %+v, %v", id, err)
	}
	if id, err := loadKeys(t, h.file(t), "").Verify(sign(t, h, base())); err != nil || id == nil {
		t.Errorf("an aud nobody asked for: %v", err)
	}
	token := sign(t, h, base())
	for _, broken := range []string{"", ".", "..", "...", "a.b.c", token + ".", token + "=", token[:len(token)-1], "." + token, strings.ReplaceAll(token, ".", "")} {
		if id, err := k.Verify(broken); !errors.Is(err, ErrBadToken) || id != nil {
			t.Errorf("%.20q counts: %v", broken, err)
		}
	}
	// The last letter of a signature of 32 bytes has two bits that say nothing: one token has one form.
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(letters, token[len(token)-1])
	if id, err := k.Verify(token[:len(token)-1] + letters[last|1:last|1+1]); !errors.Is(err, ErrBadToken) || id != nil {
		t.Errorf("another form of a token counts: %v", err)
	}
	for n, want := range map[int]error{maxJWT / 2: nil, maxJWT: ErrBadToken} {
		if _, err := k.Verify(sign(t, h, base("more", strings.Repeat("x", n)))); !errors.Is(err, want) {
			t.Errorf("one with a claim of %d bytes: %v, want %v", n, err, want)
		}
	}
}

// TestBesideTokens: both kinds count, and neither has the name of the other.
func TestBesideTokens(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens")
	own := must[string](t)(Create(path, Grant{Name: "Ann", Access: Read}))
	tokens := must[*Tokens](t)(Load(path, nil))
	h := signers()[algSecret]
	keys := loadKeys(t, h.file(t), "")
	both := must[*Checker](t)(New(Config{Tokens: tokens, Keys: keys}))
	alone := must[*Checker](t)(New(Config{Keys: keys}))
	signed := func(name string) string { return sign(t, h, good("name", name)) }
	for name, c := range map[string]struct {
		c     *Checker
		token string
		user  string
		want  string
	}{
		"own":               {both, own, "Ann", ""},
		"signed":            {both, signed("Bob"), "Bob", ""},
		"signed as another": {both, signed("Ann"), "", "that of a token of the server's own"},
		"one that looks so": {both, signed("\u0410nn"), "", "looks like one"},
		"alone":             {alone, signed("Ann"), "Ann", ""},
		"own without file":  {alone, own, "", "not valid"},
		"none":              {both, "", "", "a token is needed"},
		"none, alone":       {alone, "", "", "a token is needed"},
	} {
		var header []string
		if c.token != "" {
			header = []string{"Bearer " + c.token}
		}
		id, err := c.c.Identify(request("/", header...))
		switch {
		case c.want == "" && (err != nil || id.Name != c.user):
			t.Errorf("%s: %+v, %v", name, id, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// TestLostSigned: a connection ends when its token expires, its key is gone, or its name is given to another.
func TestLostSigned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "tokens")
		must[string](t)(Create(path, Grant{Name: "Ann", Access: Read}))
		tokens := must[*Tokens](t)(Load(path, nil))
		a, b := signers()[algEd], signers()[algEC]
		keys := loadKeys(t, jwks(t, a.jwk("a"), b.jwk("b")), "")
		c := must[*Checker](t)(New(Config{Tokens: tokens, Keys: keys}))
		identify := func(s signer, kid, name string, lasts time.Duration) *Identity {
			token := sign(t, s, good("name", name, "exp", time.Now().Add(lasts).Unix()), "kid", kid)
			return must[*Identity](t)(c.Identify(request("/", "Bearer "+token)))
		}
		ids := []*Identity{identify(a, "a", "Bob", time.Minute), identify(a, "a", "Cleo", 2*time.Hour), identify(b, "b", "Dan", 2*time.Hour)}
		lost := func(want ...string) {
			t.Helper()
			for i, id := range ids {
				if why := c.Lost(id); (why == "") != (want[i] == "") || !strings.Contains(why, want[i]) {
					t.Errorf("%s: %q, want %q", id.Name, why, want[i])
				}
			}
		}
		lost("", "", "")
		time.Sleep(59 * time.Second)
		if c.Due(time.Now()) {
			t.Error("due too early")
		}
		time.Sleep(time.Second)
		if !c.Due(time.Now()) {
			t.Error("not due")
		}
		lost("has expired", "", "")
		write := func(raw []byte) error { return errors.Join(os.WriteFile(keys.Path(), raw, 0o600), keys.Reload()) }
		if err := write(jwks(t, a.jwk("renamed"))); err != nil { // the key counts, not what it is called
			t.Fatal(err)
		}
		lost("has expired", "", "key that signed")
		if err := write([]byte("no key")); !errors.Is(err, ErrKeyFile) || keys.Len() != 1 {
			t.Errorf("%d keys, %v", keys.Len(), err)
		}
		lost("has expired", "", "key that signed")
		must[string](t)(Create(path, Grant{Name: "Cleo", Access: Read}))
		if err := errors.Join(tokens.Reload(), write(jwks(t, a.jwk("a"), b.jwk("b")))); err != nil {
			t.Fatal(err)
		}
		lost("has expired", "kept for another", "")
	})
}

// TestOwner: two with one name are two.
func TestOwner(t *testing.T) {
	h := signers()[algSecret]
	k := loadKeys(t, h.file(t), "")
	seen := map[string]bool{(&Identity{Name: "Ann"}).Owner(): true, (&Identity{Anonymous: true}).Owner(): true}
	for _, sub := range []string{"Ann", "u-1", "u-2"} {
		id := must[*Identity](t)(k.Verify(sign(t, h, good("sub", sub))))
		if seen[id.Owner()] {
			t.Errorf("%s is taken for somebody else", sub)
		}
		seen[id.Owner()] = true
		again := must[*Identity](t)(k.Verify(sign(t, h, good("sub", sub, "name", "Other"))))
		if again.Owner() != id.Owner() {
			t.Errorf("%s is another with another name", sub)
		}
	}
	if len(seen) != 5 {
		t.Errorf("%d owners", len(seen))
	}
}
