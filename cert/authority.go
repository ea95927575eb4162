package cert

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"edgechat/internal/durable"
)

// Files of an authority, in its folder.
const (
	RootCert   = "ca.crt"     // everyone may have it
	RootKey    = "ca.key"     // needed by Renew alone: it may be kept elsewhere
	ServerCert = "server.crt" // for --tls-cert; ends with the certificate of the authority
	ServerKey  = "server.key" // for --tls-key
)

const (
	rootDays = 3650
	// leafDays is the most that Apple's systems take (support.apple.com/102028), less one for clocks.
	leafDays = 397
	// renewDays before the end a certificate is due.
	renewDays = 60
	// leeway is how long before now it is valid, for clients whose clock is behind.
	leeway = 24 * time.Hour
)

// private are the networks for which an authority may vouch, besides names: those that are nobody's alone.
var private = []netip.Prefix{
	netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("192.168.0.0/16"),
	netip.MustParsePrefix("169.254.0.0/16"), netip.MustParsePrefix("127.0.0.0/8"),
	netip.MustParsePrefix("fc00::/7"), netip.MustParsePrefix("fe80::/10"), netip.MustParsePrefix("::1/128"),
}

// A Host is what a certificate is for.
type Host struct {
	Names     []string     // such as "raspberrypi.local"; the first is shown to people
	Addresses []netip.Addr // those that are not private are left out
}

var errClock = errors.New("cert: the clock of this machine is not set: it is before 2025")

// Init makes an authority in dir, which is made if it is missing, and a first certificate by it for h. The authority can
// vouch for h.Names, for what ends in .local and for private addresses, and for nothing else. Files that are there are an error.
func Init(dir string, h Host) (until time.Time, err error) {
	if time.Now().Year() < 2025 {
		return until, errClock
	}
	if h, err = h.checked(); err != nil {
		return until, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return until, fmt.Errorf("cert: make the folder of the authority: %w", err)
	}
	for _, name := range []string{RootCert, RootKey} {
		if _, err := os.Lstat(filepath.Join(dir, name)); !errors.Is(err, fs.ErrNotExist) {
			return until, fmt.Errorf("cert: %s is there already: \"edgechat ca renew\" makes a new certificate by it; to begin again, which every phone has to be told, move it away", filepath.Join(dir, name))
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return until, err
	}
	root := template(h.Names[0]+" edgechat CA", rootDays)
	root.IsCA, root.BasicConstraintsValid, root.MaxPathLenZero = true, true, true
	root.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	root.PermittedDNSDomainsCritical = true
	root.PermittedDNSDomains = slices.Compact(slices.Sorted(slices.Values(append(slices.Clone(h.Names), "local", "localhost"))))
	for _, p := range private {
		root.PermittedIPRanges = append(root.PermittedIPRanges, &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())})
	}
	der, err := x509.CreateCertificate(rand.Reader, root, root, key.Public(), key)
	if err != nil {
		return until, err
	}
	if err := errors.Join(writeKey(filepath.Join(dir, RootKey), key), write(filepath.Join(dir, RootCert), 0o644, "CERTIFICATE", der)); err != nil {
		return until, err
	}
	return issue(dir, h)
}

// Renew makes a new certificate, by the authority in dir, for h; without names in h those of the last one stay. Unless
// now, it does so only for one that ends within 60 days or is not for the same names and addresses. until is when the
// certificate that is there afterwards ends.
func Renew(dir string, h Host, now bool) (until time.Time, renewed bool, err error) {
	old, oldErr := readCert(filepath.Join(dir, ServerCert))
	if len(h.Names) == 0 && oldErr == nil {
		h.Names = old.DNSNames
	}
	if time.Now().Year() < 2025 {
		return until, false, errClock
	}
	if h, err = h.checked(); err != nil {
		return until, false, err
	}
	if !now && oldErr == nil && time.Until(old.NotAfter) > renewDays*24*time.Hour && isFor(old, h) {
		return old.NotAfter, false, nil
	}
	until, err = issue(dir, h)
	return until, err == nil, err
}

// isFor reports whether c covers all of h.
func isFor(c *x509.Certificate, h Host) bool {
	for _, name := range h.Names {
		if !slices.Contains(c.DNSNames, name) {
			return false
		}
	}
	for _, a := range h.Addresses {
		if !slices.ContainsFunc(c.IPAddresses, func(ip net.IP) bool { return ip.Equal(a.AsSlice()) }) {
			return false
		}
	}
	return true
}

// checked returns h with what an authority can vouch for, and this machine's own names.
func (h Host) checked() (Host, error) {
	if len(h.Names) == 0 {
		return h, errors.New("cert: no name: write --name, such as --name raspberrypi.local")
	}
	var c Host
	for _, name := range h.Names {
		name = strings.ToLower(strings.TrimSuffix(name, "."))
		if name == "" || len(name) > 253 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-.") != "" {
			return h, fmt.Errorf("cert: %q is no name of a machine: letters, digits, hyphens and dots are allowed", name)
		}
		if !slices.Contains(c.Names, name) {
			c.Names = append(c.Names, name)
		}
	}
	for _, a := range append(slices.Clone(h.Addresses), netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("::1")) {
		a = a.Unmap().WithZone("")
		if slices.ContainsFunc(private, func(p netip.Prefix) bool { return p.Contains(a) }) && !slices.Contains(c.Addresses, a) {
			c.Addresses = append(c.Addresses, a)
		}
	}
	return c, nil
}

// issue makes a certificate for h by the authority in dir.
func issue(dir string, h Host) (until time.Time, err error) {
	root, err := readCert(filepath.Join(dir, RootCert))
	if err != nil {
		return until, fmt.Errorf("cert: certificate of the authority: %w: \"edgechat ca init\" makes one", err)
	}
	signer, err := readKey(filepath.Join(dir, RootKey))
	if err != nil {
		return until, fmt.Errorf("cert: key of the authority: %w: put it back if it is kept elsewhere", err)
	}
	if !root.PublicKey.(*ecdsa.PublicKey).Equal(signer.Public()) {
		return until, fmt.Errorf("cert: %s is not the key of %s", filepath.Join(dir, RootKey), filepath.Join(dir, RootCert))
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return until, err
	}
	leaf := template(h.Names[0], leafDays)
	leaf.KeyUsage, leaf.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	leaf.BasicConstraintsValid = true
	leaf.DNSNames = h.Names
	for _, a := range h.Addresses {
		leaf.IPAddresses = append(leaf.IPAddresses, a.AsSlice())
	}
	if leaf.NotAfter.After(root.NotAfter) {
		leaf.NotAfter = root.NotAfter
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, root, key.Public(), signer)
	if err != nil {
		return until, err
	}
	// As clients will: a name that the authority may not vouch for would show on each phone, and nowhere else.
	made, err := x509.ParseCertificate(der)
	if err != nil {
		return until, err
	}
	roots := x509.NewCertPool()
	roots.AddCert(root)
	if _, err := made.Verify(x509.VerifyOptions{Roots: roots}); err != nil {
		return until, fmt.Errorf("cert: the authority may not vouch for this: %w: it is for names that end in .local, private addresses and what --name gave to \"edgechat ca init\"", err)
	}
	// The key first: between the two the server keeps what it has.
	err = errors.Join(writeKey(filepath.Join(dir, ServerKey), key), write(filepath.Join(dir, ServerCert), 0o644, "CERTIFICATE", der, root.Raw))
	return leaf.NotAfter, err
}

func template(name string, days int) *x509.Certificate {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		panic("cert: no random numbers: " + err.Error()) // crypto/rand ends the program itself
	}
	from := time.Now().Add(-leeway).UTC().Truncate(time.Second)
	return &x509.Certificate{
		SerialNumber: serial.Add(serial, big.NewInt(1)), Subject: pkix.Name{CommonName: name, Organization: []string{"edgechat"}},
		NotBefore: from, NotAfter: from.AddDate(0, 0, days),
	}
}

func readCert(path string) (*x509.Certificate, error) {
	p, err := readFile(path, false)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(p)
	if block == nil {
		return nil, fmt.Errorf("%s is no certificate in PEM", path)
	}
	return x509.ParseCertificate(block.Bytes)
}

func readKey(path string) (crypto.Signer, error) {
	p, err := readFile(path, true)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(p)
	if block == nil {
		return nil, fmt.Errorf("%s is no key in PEM", path)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if signer, ok := key.(*ecdsa.PrivateKey); ok {
		return signer, err
	}
	return nil, errors.Join(err, fmt.Errorf("%s is no key that this program has made", path))
}

func writeKey(path string, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return write(path, 0o600, "PRIVATE KEY", der)
}

// write puts a file in place as whole, with a mode, for the owner of its folder: root makes them, and the server reads them.
func write(path string, mode fs.FileMode, kind string, ders ...[]byte) error {
	dir, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("cert: %w", err)
	}
	err = durable.Replace(path, func(f *os.File) error {
		for _, der := range ders {
			if err := pem.Encode(f, &pem.Block{Type: kind, Bytes: der}); err != nil {
				return err
			}
		}
		return durable.SameOwner(f, dir)
	})
	if err == nil {
		err = os.Chmod(path, mode)
	}
	if err != nil {
		return fmt.Errorf("cert: write %s: %w", path, err)
	}
	return nil
}
