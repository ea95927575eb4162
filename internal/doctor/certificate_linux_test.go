package doctor

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestCertificate: what is wrong with a certificate is a problem before it is one for clients.
func TestCertificate(t *testing.T) {
	now, day := time.Now(), 24*time.Hour
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	made := func(from, to time.Time) []byte {
		c := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: from, NotAfter: to, DNSNames: []string{"pi.local"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
		der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	}
	good := made(now.Add(-day), now.Add(100*day))
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(2), NotAfter: now.Add(day)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, other.Public(), other)
	if err != nil {
		t.Fatal(err)
	}
	stranger := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	for name, test := range map[string]struct {
		chain []byte
		names []string
		want  []want
	}{
		"good":      {good, []string{"pi.local"}, []want{{OK, "is good until"}}},
		"ended":     {made(now.Add(-9*day), now.Add(-day)), nil, []want{{Problem, "ended on"}}},
		"ends soon": {made(now.Add(-day), now.Add(9*day)), nil, []want{{Warning, "is good until"}}},
		"not yet":   {made(now.Add(day), now.Add(9*day)), nil, []want{{Problem, "is good from"}}},
		"no name":   {good, []string{"attic.local", "192.168.1.5"}, []want{{OK, "is good until"}, {Warning, "is not for attic.local, 192.168.1.5"}}},
		"one name":  {good, []string{"pi.local", "192.168.1.5"}, []want{{OK, "is good until"}, {Note, "is not for 192.168.1.5"}}},
		"chain":     {append(bytes.Clone(good), stranger...), nil, []want{{OK, "is good until"}, {Problem, "number 1 is not signed by the one behind it"}}},
		"damaged":   {pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")}), nil, []want{{Problem, "certificate 1: "}}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			b := tree{}.board(t)
			b.Cert, b.Key, b.Names = filepath.Join(dir, "crt"), filepath.Join(dir, "key"), test.names
			if err := errors.Join(os.WriteFile(b.Cert, test.chain, 0o644), os.WriteFile(b.Key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600)); err != nil {
				t.Fatal(err)
			}
			look(t, b, "certificate", test.want...)
		})
	}
}
