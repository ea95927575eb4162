package auth

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"strings"
)

// Bounds of a key file.
const (
	maxKeyFile = 1 << 20 // bytes
	minSecret  = 32      // bytes: what HS256 gives (RFC 7518, section 3.2)
	minRSA     = 2048    // bits (RFC 7518, section 3.3)
	maxRSA     = 8192    // bits: what is larger keeps a board busy
)

// readKeys reads a key file.
func readKeys(path string, log *slog.Logger) ([]key, error) {
	raw, st, err := readRegular(keyFile, path)
	if err != nil {
		return nil, err
	}
	if err := checkOwner(ErrKeyFile, path, st); err != nil {
		return nil, err
	}
	keys, passed, err := parseKeys(raw)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrKeyFile, path, err)
	}
	for _, k := range keys {
		if mode := st.Mode().Perm(); k.alg == algSecret && mode&0o004 != 0 {
			return nil, fmt.Errorf("%w: others can read the secret in %s (mode %04o), and so make tokens: chmod o-r %[2]s, and make another", ErrKeyFile, path, mode)
		}
	}
	for _, why := range passed {
		log.Warn("key passed over", "path", path, "why", why)
	}
	return keys, nil
}

// The algorithms (RFC 7518, RFC 8037). There is no other.
const (
	algSecret = "HS256"
	algEd     = "EdDSA"
	algEC     = "ES256"
	algRSA    = "RS256"
)

// parseKeys reads a PEM public key, a JWK set or a single JWK, or else a secret; passed says of each key of a set that is not used why.
// Nothing that is a public key in whatever form is taken for a secret: whoever knows it could make tokens.
func parseKeys(raw []byte) (keys []key, passed []string, err error) {
	text := bytes.TrimSpace(raw)
	switch {
	case len(text) == 0:
		return nil, nil, errors.New("it is empty: put a public key there, or a secret such as that of \"openssl rand -base64 32\"")
	case text[0] == '{' || text[0] == '[':
		return parseJWKs(text)
	case bytes.Contains(raw, []byte("-----BEGIN")):
		k, err := parsePEM(text)
		if err != nil {
			return nil, nil, err
		}
		return []key{k}, nil, nil
	}
	k, err := parseSecret(raw)
	if err != nil {
		return nil, nil, err
	}
	return []key{k}, nil, nil
}

// parsePEM reads one public key.
func parsePEM(text []byte) (key, error) {
	block, rest := pem.Decode(text)
	switch {
	case block == nil || !bytes.HasPrefix(text, []byte("-----BEGIN")):
		return key{}, errors.New("it is not PEM from its first line to its last: put there what \"openssl pkey -pubout\" writes, and nothing else")
	case len(bytes.TrimSpace(rest)) > 0:
		return key{}, errors.New("there is more behind the first PEM block: put one public key there, or a JWK set for several")
	case strings.Contains(block.Type, "PRIVATE KEY"):
		return key{}, errors.New("it is a private key, which only the one who makes tokens needs: put there what \"openssl pkey -in FILE -pubout\" writes")
	case block.Type == "CERTIFICATE":
		return key{}, errors.New("it is a certificate: put there the public key, which \"openssl x509 -in FILE -pubkey -noout\" writes")
	case block.Type == "RSA PUBLIC KEY":
		return key{}, errors.New("it is a public key in the old form: put there what \"openssl rsa -RSAPublicKey_in -in FILE -pubout\" writes")
	case block.Type != "PUBLIC KEY":
		return key{}, fmt.Errorf("it holds a %.40q, not a PUBLIC KEY: put there what \"openssl pkey -pubout\" writes", block.Type)
	}
	public, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return key{}, fmt.Errorf("its public key is damaged, or of a kind that is not known: %w", err)
	}
	return publicKey(public)
}

// errCurve says what is wrong with an elliptic curve.
var errCurve = errors.New("its curve must be P-256, for ES256: \"openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256\" makes such a key")

// publicKey is a key of the algorithm that it is for.
func publicKey(public any) (key, error) {
	k := key{value: public}
	switch p := public.(type) {
	case ed25519.PublicKey:
		k.alg = algEd
	case *ecdsa.PublicKey:
		if k.alg = algEC; p.Curve != elliptic.P256() {
			return key{}, errCurve
		}
	case *rsa.PublicKey:
		k.alg = algRSA
		if bits := p.N.BitLen(); bits < minRSA || bits > maxRSA {
			return key{}, fmt.Errorf("its RSA key has %d bits: it must have %d to %d", bits, minRSA, maxRSA)
		}
		if p.E < 3 || p.E%2 == 0 || p.N.Bit(0) == 0 {
			return key{}, errors.New("its RSA key is damaged: modulus and exponent must be odd")
		}
	default:
		return key{}, errors.New("its public key must be Ed25519, P-256 or RSA, for EdDSA, ES256 or RS256")
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return key{}, fmt.Errorf("its public key is damaged: %w", err)
	}
	k.id = sha256.Sum256(append([]byte(k.alg+"\x00"), der...))
	return k, nil
}

func secretKey(secret []byte) (key, error) {
	if len(secret) < minSecret {
		return key{}, fmt.Errorf("the secret has %d bytes: it must have %d or more, such as those that \"openssl rand -base64 32\" writes", len(secret), minSecret)
	}
	if isPublic(secret) {
		return key{}, errors.New("the secret is a public key or a certificate, an address on the web, or begins as a text in Unicode does: for a public key put its PEM there, which \"openssl pkey -pubin -inform DER -in FILE\" writes")
	}
	return key{alg: algSecret, value: secret, id: sha256.Sum256(append([]byte(algSecret+"\x00"), secret...))}, nil
}

// parseSecret takes the bytes as they are; of a text, without the end of its line.
func parseSecret(raw []byte) (key, error) {
	if isText(raw) {
		raw = bytes.TrimRight(raw, "\r\n")
	}
	return secretKey(raw)
}

// isText reports whether raw is printable ASCII, in lines.
func isText(raw []byte) bool {
	return !bytes.ContainsFunc(raw, func(r rune) bool { return (r < ' ' || r > '~') && r != '\n' && r != '\r' && r != '\t' })
}

// isPublic reports whether raw is a public key in one of the other forms in which they are handed on, or the address of one.
func isPublic(raw []byte) bool {
	for _, mark := range []string{"ssh-", "ecdsa-sha2-", "sk-ssh-", "http://", "https://", "\xef\xbb\xbf", "\xff\xfe", "\xfe\xff"} { // the last three begin texts in Unicode
		if bytes.HasPrefix(raw, []byte(mark)) {
			return true
		}
	}
	forms := [][]byte{raw}
	tight := strings.Join(strings.Fields(string(raw)), "")
	for _, e := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
		if der, err := e.DecodeString(tight); err == nil {
			forms = append(forms, der)
		}
	}
	if der, err := hex.DecodeString(tight); err == nil {
		forms = append(forms, der)
	}
	for _, der := range forms {
		if _, err := x509.ParsePKIXPublicKey(der); err == nil {
			return true
		}
		if _, err := x509.ParsePKCS1PublicKey(der); err == nil {
			return true
		}
		if _, err := x509.ParseCertificate(der); err == nil {
			return true
		}
	}
	return false
}
