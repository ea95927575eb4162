package cert

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func authority(t *testing.T) (dir, crt, key string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "tls")
	if _, err := Init(dir, Host{Names: []string{"board.local", "board"}, Addresses: []netip.Addr{netip.MustParseAddr("10.1.2.3"), netip.MustParseAddr("8.8.8.8")}}); err != nil {
		t.Fatal(err)
	}
	return dir, filepath.Join(dir, ServerCert), filepath.Join(dir, ServerKey)
}

// TestAuthority: what it makes is as phones want it, and it can vouch for nothing else.
func TestAuthority(t *testing.T) {
	dir, crt, key := authority(t)
	for path, mode := range map[string]os.FileMode{crt: 0o644, key: 0o600, filepath.Join(dir, RootCert): 0o644, filepath.Join(dir, RootKey): 0o600} {
		if st, err := os.Stat(path); err != nil || st.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", path, st.Mode(), err)
		}
	}
	root, err := readCert(filepath.Join(dir, RootCert))
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := readCert(crt)
	if err != nil {
		t.Fatal(err)
	}
	if days := leaf.NotAfter.Sub(leaf.NotBefore).Hours() / 24; days > 397 {
		t.Errorf("for %v days", days)
	}
	if leaf.Subject.CommonName != "board.local" || len(leaf.ExtKeyUsage) != 1 || leaf.ExtKeyUsage[0] != x509.ExtKeyUsageServerAuth || leaf.IsCA {
		t.Errorf("leaf: %+v", leaf.Subject)
	}
	if !root.PermittedDNSDomainsCritical || !root.IsCA || !root.MaxPathLenZero {
		t.Error("the authority is not bound")
	}
	roots := x509.NewCertPool()
	roots.AddCert(root)
	for _, name := range []string{"board.local", "board", "10.1.2.3", "127.0.0.1", "::1"} {
		if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: name}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := leaf.VerifyHostname("8.8.8.8"); err == nil {
		t.Error("it is for a public address")
	}

	// What whoever has the key could make.
	signer, err := readKey(filepath.Join(dir, RootKey))
	if err != nil {
		t.Fatal(err)
	}
	for name, allowed := range map[string]bool{"other.local": true, "board": true, "bank.example": false, "local.example": false, "notlocal": false, "192.168.1.1": true, "fd00::1": true,
		"8.8.8.8": false, "172.32.0.1": false, "2001:db8::1": false} {
		mine, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		tmpl := template(name, 10)
		if ip := net.ParseIP(name); ip != nil {
			tmpl.IPAddresses = []net.IP{ip}
		} else {
			tmpl.DNSNames = []string{name}
		}
		der, err := x509.CreateCertificate(rand.Reader, tmpl, root, mine.Public(), signer)
		if err != nil {
			t.Fatal(err)
		}
		c, _ := x509.ParseCertificate(der)
		if _, err := c.Verify(x509.VerifyOptions{Roots: roots, DNSName: name}); (err == nil) != allowed {
			t.Errorf("%s: %v", name, err)
		}
	}

	if _, err := Init(dir, Host{Names: []string{"board.local"}}); err == nil || !strings.Contains(err.Error(), "there already") {
		t.Errorf("a second Init: %v", err)
	}
	if _, _, err := Renew(dir, Host{Names: []string{"bank.example"}}, true); err == nil || !strings.Contains(err.Error(), "may not vouch") {
		t.Errorf("outside of what it may: %v", err)
	}
	now, _ := readCert(crt)
	if !now.Equal(leaf) {
		t.Error("what failed has changed the certificate")
	}
}

// TestRenew: what is not due stays, new addresses are due, and the key of the authority may be elsewhere until then.
func TestRenew(t *testing.T) {
	dir, crt, _ := authority(t)
	before, _ := readCert(crt)
	if err := os.Rename(filepath.Join(dir, RootKey), filepath.Join(dir, "elsewhere")); err != nil {
		t.Fatal(err)
	}
	if _, renewed, err := Renew(dir, Host{}, false); err != nil || renewed {
		t.Errorf("not due: %v, %v", renewed, err)
	}
	moved := Host{Addresses: []netip.Addr{netip.MustParseAddr("192.168.9.9")}}
	if _, _, err := Renew(dir, moved, false); err == nil || !strings.Contains(err.Error(), "put it back") {
		t.Errorf("without the key: %v", err)
	}
	if err := os.Rename(filepath.Join(dir, "elsewhere"), filepath.Join(dir, RootKey)); err != nil {
		t.Fatal(err)
	}
	if _, renewed, err := Renew(dir, moved, false); err != nil || !renewed {
		t.Errorf("a new address: %v, %v", renewed, err)
	}
	after, _ := readCert(crt)
	if after.Equal(before) || after.VerifyHostname("192.168.9.9") != nil || after.VerifyHostname("board") != nil {
		t.Error("not renewed for all")
	}
}

// TestOpen: what is wrong with a pair is named.
func TestOpen(t *testing.T) {
	dir, crt, key := authority(t)
	other, _, otherKey := authority(t)
	_ = other
	put := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	secret, _ := os.ReadFile(key)
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	mine, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(-24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, mine.Public(), mine)
	if err != nil {
		t.Fatal(err)
	}
	ended := put("ended.crt", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), 0o644)
	if err := writeKey(filepath.Join(dir, "ended.key"), mine); err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct{ crt, key, want string }{
		"missing":        {crt + "x", key, "no such file"},
		"another's":      {crt, otherKey, "are no pair"},
		"others read it": {crt, put("open.key", string(secret), 0o644), "chmod 600"},
		"a group writes": {crt, put("group.key", string(secret), 0o660), "chmod 600"},
		"nothing":        {put("empty", "", 0o600), key, "does not begin with a certificate"},
		"a key":          {key, key, "does not begin with a certificate"},
		"a folder":       {dir, key, "is no file"},
		"a pipe":         {pipe, key, "is no file"},
		"ended":          {ended, filepath.Join(dir, "ended.key"), "ended on"},
		"long":           {put("long", strings.Repeat("x", mostFile+1), 0o600), key, "longer than"},
	} {
		if _, err := Open(Config{Cert: c.crt, Key: c.key}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", what, err, c.want)
		}
	}
}

// TestReload: a pair that changes is taken, one that is wrong is not, and that is told once.
func TestReload(t *testing.T) {
	dir, crt, key := authority(t)
	p, err := Open(Config{Cert: crt, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	before, _ := p.Get(nil)
	if len(before.Certificate) != 1 || p.Root() == nil {
		t.Error("the root is shown to everyone, or not found")
	}
	if _, _, err := Renew(dir, Host{}, true); err != nil {
		t.Fatal(err)
	}
	later := func() { p.looked.Store(-int64(time.Hour)) }
	later()
	after, _ := p.Get(nil)
	if after.Leaf.Equal(before.Leaf) {
		t.Error("the old one stays")
	}
	if err := os.WriteFile(crt, []byte("nonsense"), 0o644); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		later()
		if now, _ := p.Get(nil); now != after {
			t.Error("nonsense was taken")
		}
	}
	if s := p.Status(); s.Failures != 1 || s.Reloads != 1 {
		t.Errorf("%+v", s)
	}
	if err := p.Reload(); err == nil {
		t.Error("no error")
	}
}
