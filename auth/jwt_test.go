package auth

import (
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
)

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
