package auth

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
)

// maxKeys bounds a JWK set.
const maxKeys = 64

// A jwk is a key of RFC 7517, with what is looked at.
type jwk struct {
	Kty string   `json:"kty"`
	Kid string   `json:"kid"`
	Alg string   `json:"alg"`
	Use string   `json:"use"`
	Ops []string `json:"key_ops"`
	Crv string   `json:"crv"`
	X   string   `json:"x"`
	Y   string   `json:"y"`
	N   string   `json:"n"`
	E   string   `json:"e"`
	K   string   `json:"k"`
	D   *string  `json:"d"` // of a private key
}

// parseJWKs reads a JWK set, or one JWK.
func parseJWKs(text []byte) (keys []key, passed []string, err error) {
	var file struct {
		Keys []jwk `json:"keys"`
		jwk
	}
	if err := json.Unmarshal(text, &file); err != nil {
		// The error of json may quote what is there, and that may be a secret.
		return nil, nil, errors.New("it is neither a JWK set, {\"keys\":[...]}, nor a JWK: mend its JSON")
	}
	list := file.Keys
	if list == nil {
		list = []jwk{file.jwk}
	}
	if len(list) > maxKeys {
		return nil, nil, fmt.Errorf("its JWK set has %d keys: it may have %d", len(list), maxKeys)
	}
	for i, j := range list {
		which := fmt.Sprintf("key %d", i+1)
		if j.Kid != "" {
			which += fmt.Sprintf(" (kid %.64q)", j.Kid)
		}
		if why := j.foreign(); why != "" { // RFC 7517, section 5: such are passed over
			passed = append(passed, which+" "+why)
			continue
		}
		k, err := j.key()
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", which, err)
		}
		k.kid = j.Kid
		keys = append(keys, k)
	}
	for i, k := range keys {
		switch {
		case len(keys) > 1 && k.kid == "":
			return nil, nil, errors.New("its JWK set has several keys and one has no kid: give each one, by which tokens name it")
		case slices.ContainsFunc(keys[:i], func(o key) bool { return o.kid == k.kid }):
			return nil, nil, fmt.Errorf("its JWK set has two keys of the kid %.64q: give each its own", k.kid)
		}
	}
	if len(keys) == 0 {
		return nil, nil, fmt.Errorf("its JWK set has no key that can be used, of %d: one must be for HS256, EdDSA (Ed25519), ES256 or RS256", len(list))
	}
	return keys, passed, nil
}

// foreign says why j is for something else than for what is done here, or "".
func (j *jwk) foreign() string {
	alg := map[string]string{"oct": algSecret, "OKP": algEd, "EC": algEC, "RSA": algRSA}[j.Kty]
	switch {
	case j.Use != "" && j.Use != "sig":
		return "is not for signatures"
	case j.Ops != nil && !slices.Contains(j.Ops, "verify"):
		return "is not for checking signatures"
	case alg == "":
		return "is of a kind (kty) that is not used here"
	case j.Kty == "OKP" && j.Crv != "Ed25519", j.Kty == "EC" && j.Crv != "P-256":
		return "is of a curve (crv) that is not used here"
	case j.Alg != "" && j.Alg != alg && !(alg == algEd && j.Alg == "Ed25519"): // RFC 9864 calls it so
		return "is for an algorithm (alg) that is not used here"
	}
	return ""
}

func (j *jwk) key() (key, error) {
	if j.D != nil {
		return key{}, errors.New("it is a private key, which only the one who makes tokens needs: leave out d and what belongs to it")
	}
	part := func(name, s string, size int) ([]byte, error) {
		b, err := base64.RawURLEncoding.DecodeString(s)
		if err != nil || len(b) == 0 || size != 0 && len(b) != size {
			return nil, fmt.Errorf("%s is missing, of another length, or not base64url without padding", name)
		}
		return b, nil
	}
	switch j.Kty {
	case "oct":
		secret, err := part("k", j.K, 0)
		if err != nil {
			return key{}, err
		}
		return secretKey(secret)
	case "OKP":
		x, err := part("x", j.X, ed25519.PublicKeySize)
		if err != nil {
			return key{}, err
		}
		return publicKey(ed25519.PublicKey(x))
	case "EC":
		x, errX := part("x", j.X, 32)
		y, errY := part("y", j.Y, 32)
		if err := cmp.Or(errX, errY); err != nil {
			return key{}, err
		}
		public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), slices.Concat([]byte{4}, x, y))
		if err != nil {
			return key{}, errors.New("x and y are no point of the curve")
		}
		return publicKey(public)
	}
	n, errN := part("n", j.N, 0)
	e, errE := part("e", j.E, 0)
	if err := cmp.Or(errN, errE); err != nil {
		return key{}, err
	}
	exponent := new(big.Int).SetBytes(e)
	if exponent.BitLen() > 31 {
		return key{}, errors.New("e is larger than 31 bits")
	}
	return publicKey(&rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(exponent.Int64())})
}
