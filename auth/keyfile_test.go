package auth

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestBadKeyFile: what cannot be used is refused, by name and with the mend, and shows nothing of a secret.
func TestBadKeyFile(t *testing.T) {
	const shown = "hunter2-"
	ed, ec, r, h := signers()[algEd], signers()[algEC], signers()[algRSA], signers()[algSecret]
	private := func(key any) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: must[[]byte](t)(x509.MarshalPKCS8PrivateKey(key))})
	}
	der := func(public any) []byte { return must[[]byte](t)(x509.MarshalPKIXPublicKey(public)) }
	curve := must[*ecdsa.PrivateKey](t)(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	weak := must[*rsa.PrivateKey](t)(rsa.GenerateKey(rand.Reader, 1024))
	with := func(j map[string]any, more ...any) map[string]any {
		for i := 0; i < len(more); i += 2 {
			j[more[i].(string)] = more[i+1]
		}
		return j
	}
	many := make([]map[string]any, maxKeys+1)
	for i := range many {
		many[i] = ed.jwk(fmt.Sprint(i))
	}
	for name, c := range map[string]struct {
		raw  []byte
		want string
	}{
		"empty":              {nil, "it is empty"},
		"blank":              {[]byte(" \n\n"), "it is empty"},
		"short":              {[]byte(shown + "23456789012345678901234"[:23] + "\n"), "31 bytes: it must have 32"},
		"large":              {make([]byte, maxKeyFile+1), "larger than 1 MiB"},
		"private Ed25519":    {private(ed.private), "private key"},
		"private RSA":        {private(r.private), "private key"},
		"certificate":        {pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")}), "openssl x509"},
		"old RSA":            {pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(r.public.(*rsa.PublicKey))}), "old form"},
		"other PEM":          {pem.EncodeToMemory(&pem.Block{Type: "MESSAGE", Bytes: []byte("x")}), "not a PUBLIC KEY"},
		"damaged":            {pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: []byte("xxxx")}), "damaged"},
		"cut":                {ed.file(t)[:60], "not PEM from its first line"},
		"words before":       {append([]byte("my key\n"), ed.file(t)...), "not PEM from its first line"},
		"two":                {append(ed.file(t), ec.file(t)...), "a JWK set for several"},
		"other curve":        {spki(t, &curve.PublicKey), "must be P-256"},
		"weak RSA":           {spki(t, &weak.PublicKey), "has 1024 bits"},
		"DER":                {der(r.public), "the secret is a public key"},
		"DER, Ed25519":       {der(ed.public), "the secret is a public key"},
		"base64 of DER":      {[]byte(base64.StdEncoding.EncodeToString(der(r.public)) + "\n"), "the secret is a public key"},
		"in lines":           {[]byte(strings.Join(strings.Split(string(spki(t, ec.public)), "\n")[1:3], "\r\n")), "the secret is a public key"},
		"PKCS #1":            {x509.MarshalPKCS1PublicKey(r.public.(*rsa.PublicKey)), "the secret is a public key"},
		"ssh":                {[]byte("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDWq ann@board\n"), "the secret is a public key"},
		"hex of DER":         {[]byte(hex.EncodeToString(der(ec.public)) + "\n"), "the secret is a public key"},
		"address":            {[]byte("https://login.example/realms/home/certs\n"), "an address on the web"},
		"marked as Unicode":  {append([]byte("\xef\xbb\xbf"), jwks(t, ed.jwk("a"))...), "begins as a text in Unicode"},
		"no JSON":            {[]byte(`{"keys":[` + shown + `]}`), "mend its JSON"},
		"no key":             {[]byte(`{"keys":[]}`), "no key that can be used, of 0"},
		"no JWK":             {[]byte(`{}`), "no key that can be used, of 1"},
		"a list":             {[]byte(`[]`), "mend its JSON"},
		"private JWK":        {jwks(t, with(ed.jwk("a"), "d", shown)), `key 1 (kid "a"): it is a private key`},
		"short x":            {jwks(t, with(ed.jwk("a"), "x", "AAAA")), "x is missing"},
		"off the curve":      {jwks(t, with(ec.jwk("a"), "x", ec.jwk("a")["y"])), "no point of the curve"},
		"no y":               {jwks(t, with(ec.jwk("a"), "y", "")), "y is missing"},
		"large e":            {jwks(t, with(r.jwk("a"), "e", "AQAAAAAB")), "larger than 31 bits"},
		"even e":             {jwks(t, with(r.jwk("a"), "e", "Ag")), "must be odd"},
		"weak RSA in a set":  {jwks(t, with(r.jwk("a"), "n", base64.RawURLEncoding.EncodeToString(weak.N.Bytes()))), "has 1024 bits"},
		"short k":            {jwks(t, with(h.jwk("a"), "k", "aHVudGVyMi0")), "8 bytes: it must have 32"},
		"padded k":           {jwks(t, with(h.jwk("a"), "k", "aHVudGVyMi0=")), "k is missing"},
		"public k":           {jwks(t, with(h.jwk("a"), "k", base64.RawURLEncoding.EncodeToString(der(r.public)))), "the secret is a public key"},
		"one without kid":    {jwks(t, ed.jwk("a"), with(ec.jwk("b"), "kid", "")), "has no kid"},
		"twice":              {jwks(t, ed.jwk("a"), ec.jwk("a")), "two keys of the kid"},
		"too many":           {jwks(t, many...), "it may have 64"},
		"only for others":    {jwks(t, with(ed.jwk("a"), "use", "enc"), with(r.jwk("b"), "alg", "RS512"), with(ec.jwk("c"), "crv", "P-384"), map[string]any{"kty": "XYZ"}), "of 4"},
		"not for signatures": {jwks(t, with(ed.jwk("a"), "key_ops", []string{"sign"})), "no key that can be used"},
	} {
		path := keyPath(t, c.raw)
		_, err := LoadKeys(KeysConfig{Path: path})
		if !errors.Is(err, ErrKeyFile) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q of %s", name, err, c.want, path)
		} else if strings.Contains(err.Error(), shown) {
			t.Errorf("%s: the error shows the file: %v", name, err)
		}
	}
}

// TestKeyFileModes: who can change a key file, or read a secret, makes tokens.
func TestKeyFileModes(t *testing.T) {
	secret, public := signers()[algSecret].file(t), signers()[algEd].file(t)
	set := jwks(t, signers()[algEd].jwk("a"), signers()[algSecret].jwk("b"))
	for _, c := range []struct {
		raw  []byte
		mode os.FileMode
		want string
	}{
		{secret, 0o600, ""}, {secret, 0o400, ""}, {secret, 0o640, ""},
		{secret, 0o644, "chmod o-r"}, {secret, 0o604, "chmod o-r"}, {secret, 0o660, "chmod go-w"},
		{public, 0o644, ""}, {public, 0o664, "chmod go-w"}, {public, 0o606, "chmod go-w"},
		{set, 0o640, ""}, {set, 0o644, "chmod o-r"},
	} {
		path := keyPath(t, c.raw)
		if err := os.Chmod(path, c.mode); err != nil {
			t.Fatal(err)
		}
		_, err := LoadKeys(KeysConfig{Path: path})
		if (err == nil) != (c.want == "") || err != nil && (!errors.Is(err, ErrKeyFile) || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path)) {
			t.Errorf("%04o: %v, want %q", c.mode, err, c.want)
		}
	}
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{dir: "is a folder", pipe: "is a pipe", filepath.Join(dir, "gone"): "read key file: "} {
		if _, err := LoadKeys(KeysConfig{Path: path}); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// TestSecretForms: the end of a line is not of the secret, unless it is no text.
func TestSecretForms(t *testing.T) {
	const text = "0123456789abcdefghijklmnopqrstuv"
	for _, c := range []struct{ file, secret string }{
		{text, text}, {text + "\n", text}, {text + "\r\n", text}, {" " + text + " \n", " " + text + " "}, {text + "\x00\n", text + "\x00\n"}, {text + "\xff\r\n", text + "\xff\r\n"},
	} {
		k := loadKeys(t, []byte(c.file), "")
		if got := k.set.Load().keys[0]; string(got.value.([]byte)) != c.secret || got.alg != algSecret {
			t.Errorf("%q is taken for %q", c.file, got.value)
		}
	}
}

// TestPassedOver: keys of a set for something else are said and not used.
func TestPassedOver(t *testing.T) {
	var log strings.Builder
	other := signers()[algRSA].jwk("enc-1")
	other["use"] = "enc"
	k, err := LoadKeys(KeysConfig{Path: keyPath(t, jwks(t, other, signers()[algEd].jwk(""))), Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil || k.Len() != 1 || !strings.Contains(log.String(), `enc-1\") is not for signatures`) {
		t.Errorf("%v, the log: %s", err, &log)
	}
	if _, err := k.Verify(sign(t, signers()[algEd], good(), "kid", "any")); err != nil { // one that stands alone has no name
		t.Error(err)
	}
	// RFC 8037 has such a key, and RFC 9864 another word for its algorithm.
	var j map[string]any
	if err := json.Unmarshal([]byte(`{"kty":"OKP","crv":"Ed25519","alg":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`), &j); err != nil {
		t.Fatal(err)
	}
	if p := loadKeys(t, jwks(t, j), "").set.Load().keys[0]; p.alg != algEd || len(p.value.(ed25519.PublicKey)) != 32 {
		t.Errorf("%+v", p)
	}
}
