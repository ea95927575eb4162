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
	"sync"
	"testing"
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
