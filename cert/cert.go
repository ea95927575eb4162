// Package cert has the certificate that the server shows: read, checked, and read again when its files change. It also
// makes certificates, by an authority of its own for a local network ([Init], [Renew]).
//
// One rule for callers: [Open] says what is wrong with a pair of files before anyone connects; a
// pair that goes wrong later is told in the log, and the one before stays.
package cert

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// mostFile is how long a file of certificates may be, in bytes.
const mostFile = 1 << 20

// lookEvery is how often the files are looked at, when somebody shakes hands.
const lookEvery = 2 * time.Second

// A Config says where the pair is. Both must be set.
type Config struct {
	Cert   string       // PEM: the certificate, then those above it
	Key    string       // PEM: its private key, which others may not read
	Logger *slog.Logger // gets reloads, and why there was none; nil discards
}

// A Pair is a certificate and its key, as the files have them. It may be used from any goroutine.
type Pair struct {
	cfg    Config
	now    atomic.Pointer[loaded]
	looked atomic.Int64 // when the files were looked at last, as time since began
	began  time.Time

	mu   sync.Mutex // one reload at a time
	seen [2]stamp   // of the files, when they were read last

	reloads, failures atomic.Uint64
}

// loaded is what was read.
type loaded struct {
	tls  tls.Certificate // without a root: whoever trusts it has it
	root []byte          // DER: the authority at the end of the file, if it is one that signs itself
}

// A stamp tells a file from what was at its path before.
type stamp struct {
	size int64
	mod  time.Time
	info fs.FileInfo
}

func (s stamp) same(o stamp) bool {
	return s.size == o.size && s.mod.Equal(o.mod) && (s.info == nil) == (o.info == nil) && (s.info == nil || os.SameFile(s.info, o.info))
}

// A Status is what is shown of a Pair.
type Status struct {
	Path     string
	Names    []string // and addresses, for which the certificate is
	From, To time.Time
	Reloads  uint64 // since the start
	Failures uint64 // times that the files had changed, and could not be used
}

// Open reads the pair. The error names the file, what is wrong with it and how to mend that.
func Open(cfg Config) (*Pair, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	p := &Pair{cfg: cfg, began: time.Now()}
	p.seen = p.stamps()
	l, err := load(cfg.Cert, cfg.Key)
	if err != nil {
		return nil, err
	}
	p.now.Store(l)
	if leaf := l.tls.Leaf; time.Now().Before(leaf.NotBefore) {
		cfg.Logger.Warn("the certificate is not valid yet: is the clock right?", "cert", cfg.Cert, "from", leaf.NotBefore, "now", time.Now())
	}
	return p, nil
}

// Get returns the certificate, for tls.Config.GetCertificate.
func (p *Pair) Get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	p.look()
	return &p.now.Load().tls, nil
}

// Root returns the authority that the file ends with, in DER; nil if that is none which signs itself.
func (p *Pair) Root() []byte {
	p.look()
	return p.now.Load().root
}

// Status returns how the pair is.
func (p *Pair) Status() Status {
	p.look()
	leaf := p.now.Load().tls.Leaf
	s := Status{Path: p.cfg.Cert, Names: slices.Clone(leaf.DNSNames), From: leaf.NotBefore, To: leaf.NotAfter, Reloads: p.reloads.Load(), Failures: p.failures.Load()}
	for _, ip := range leaf.IPAddresses {
		s.Names = append(s.Names, ip.String())
	}
	return s
}

// look reads files that have changed, now and then.
func (p *Pair) look() {
	since, last := int64(time.Since(p.began)), p.looked.Load()
	if since-last < int64(lookEvery) || !p.looked.CompareAndSwap(last, since) {
		return
	}
	_ = p.reload(false) // which the log has
}

// Reload reads the files again. An error leaves the pair as it was.
func (p *Pair) Reload() error { return p.reload(true) }

func (p *Pair) reload(anyway bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	seen := p.stamps()
	if !anyway && seen[0].same(p.seen[0]) && seen[1].same(p.seen[1]) {
		return nil
	}
	p.seen = seen // what is wrong is told once
	l, err := load(p.cfg.Cert, p.cfg.Key)
	if err != nil {
		p.failures.Add(1)
		p.cfg.Logger.Error("certificate not reloaded, the old one stays", "until", p.now.Load().tls.Leaf.NotAfter, "err", err)
		return err
	}
	p.now.Store(l)
	p.reloads.Add(1)
	p.cfg.Logger.Info("certificate reloaded", "cert", p.cfg.Cert, "until", l.tls.Leaf.NotAfter)
	return nil
}

func (p *Pair) stamps() (s [2]stamp) {
	for i, path := range []string{p.cfg.Cert, p.cfg.Key} {
		if info, err := os.Stat(path); err == nil {
			s[i] = stamp{info.Size(), info.ModTime(), info}
		}
	}
	return s
}

// load reads a pair and says what is wrong with it.
func load(cert, key string) (*loaded, error) {
	chain, err := readFile(cert, false)
	if err != nil {
		return nil, fmt.Errorf("cert: certificate: %w", err)
	}
	secret, err := readFile(key, true)
	if err != nil {
		return nil, fmt.Errorf("cert: key: %w", err)
	}
	if block, _ := pem.Decode(chain); block == nil || block.Type != "CERTIFICATE" {
		return nil, fmt.Errorf("cert: certificate: %s does not begin with a certificate in PEM: \"-----BEGIN CERTIFICATE-----\"", cert)
	}
	pair, err := tls.X509KeyPair(chain, secret)
	if err != nil {
		return nil, fmt.Errorf("cert: %s and %s are no pair: %w: name the certificate and the key that were made together", cert, key, err)
	}
	if now := time.Now(); now.After(pair.Leaf.NotAfter) {
		return nil, fmt.Errorf("cert: %s ended on %s, and now it is %s: renew it (edgechat ca renew, if it was made so), or set the clock", cert,
			pair.Leaf.NotAfter.Format(time.DateOnly), now.UTC().Format(time.DateOnly))
	}
	l := &loaded{tls: pair}
	if last := len(pair.Certificate) - 1; last > 0 {
		if c, err := x509.ParseCertificate(pair.Certificate[last]); err == nil && c.IsCA && c.CheckSignatureFrom(c) == nil {
			l.root, l.tls.Certificate = c.Raw, pair.Certificate[:last:last]
		}
	}
	return l, nil
}

// readFile reads a file that is one, at most mostFile of it.
func readFile(path string, secret bool) ([]byte, error) {
	info, err := os.Stat(path) // before it is opened, for which a pipe without a writer would wait
	switch {
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("%w: the user of the server must be able to read it", err)
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is no file", path)
	case secret && info.Mode().Perm()&0o027 != 0:
		return nil, fmt.Errorf("others may read or change %s, whose mode is %04o: chmod 600 %s", path, info.Mode().Perm(), path)
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrPermission) {
		return nil, fmt.Errorf("%w: the user of the server must be able to read it", err)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	p, err := io.ReadAll(io.LimitReader(f, mostFile+1))
	if err == nil && len(p) > mostFile {
		return nil, fmt.Errorf("%s is longer than 1 MiB", path)
	}
	return p, err
}
