package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"
)

// certificateFew is how many days before its end a certificate is a warning, as the server has it.
const certificateFew = 21

// renewLine makes the next certificate of an authority of the server's own.
const renewLine = "sudo -u edgechat edgechat ca renew --now --folder FOLDER, if \"edgechat ca init\" made it there; else put a new one in its place"

// certificate looks at what the server shows to those who speak TLS.
func certificate(_ context.Context, b *Board) []Finding {
	if b.Cert == "" && b.Key == "" {
		return []Finding{ok("none is set: TLS is not spoken (--tls-cert)")}
	}
	wrong := func(mend, format string, args ...any) []Finding {
		return []Finding{{Severity: Problem, Seen: fmt.Sprintf(format, args...), Means: "the server does not start with it, or keeps the one that it has", Mend: mend}}
	}
	if b.Cert == "" || b.Key == "" {
		return wrong("set both --tls-cert and --tls-key", "one of certificate and key is not set: %q and %q", b.Cert, b.Key)
	}
	chain, err := os.ReadFile(b.Cert)
	if err != nil {
		return unreadable(err, wrong)
	}
	list, err := parseChain(chain)
	if err != nil {
		return wrong("put there the certificate in PEM, and those above it behind it", "%s: %v", b.Cert, err)
	}
	found := append(b.validity(list[0]), b.namesOf(list[0])...)
	for i, c := range list[:len(list)-1] {
		if err := c.CheckSignatureFrom(list[i+1]); err != nil {
			found = append(found, Finding{Severity: Problem, Seen: fmt.Sprintf("%s: number %d is not signed by the one behind it: %v", b.Cert, i+1, err),
				Means: "clients find no way to an authority that they trust", Mend: "put the certificate first, then the one that signed it, and so on"})
		}
	}
	return append(found, b.keyOf(chain, wrong)...)
}

func unreadable(err error, wrong func(mend, format string, args ...any) []Finding) []Finding {
	if errors.Is(err, fs.ErrPermission) {
		return []Finding{unseen("sudo edgechat doctor", "%v", err)}
	}
	return wrong("name the file that there is: --tls-cert, --tls-key", "%v", err)
}

func parseChain(raw []byte) (list []*x509.Certificate, err error) {
	for {
		var block *pem.Block
		if block, raw = pem.Decode(raw); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d: %w", len(list)+1, err)
		}
		list = append(list, c)
	}
	if len(list) == 0 {
		return nil, errors.New("there is no certificate in it")
	}
	return list, nil
}

// validity says for how long c is good.
func (b *Board) validity(c *x509.Certificate) []Finding {
	now := time.Now()
	f := ok("%s is good until %s, %d days", b.Cert, c.NotAfter.Format(time.DateOnly), int(time.Until(c.NotAfter).Hours()/24))
	switch {
	case now.Before(c.NotBefore):
		f.Severity, f.Seen = Problem, fmt.Sprintf("%s is good from %s on, and it is %s now", b.Cert, c.NotBefore.Format(time.DateOnly), now.Format(time.DateOnly))
		f.Means, f.Mend = "browsers refuse it", "set the clock: timedatectl"
	case now.After(c.NotAfter):
		f.Severity, f.Seen = Problem, fmt.Sprintf("%s ended on %s", b.Cert, c.NotAfter.Format(time.DateOnly))
		f.Means, f.Mend = "browsers refuse it, and the server does not start with it", renewLine
	case time.Until(c.NotAfter) < certificateFew*24*time.Hour:
		f.Severity, f.Means, f.Mend = Warning, "browsers refuse it from then on", renewLine+"; daily: sudo systemctl enable --now edgechat-renew.timer"
	}
	return []Finding{f}
}

// namesOf says for which of this machine's names and addresses c is not.
func (b *Board) namesOf(c *x509.Certificate) []Finding {
	var missing []string
	for _, name := range b.Names {
		if c.VerifyHostname(name) != nil {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	f := Finding{Severity: Warning, Seen: fmt.Sprintf("%s is not for %s", b.Cert, strings.Join(missing, ", ")),
		Means: "browsers refuse it under that name or address", Mend: renewLine}
	if len(missing) < len(b.Names) {
		f.Severity = Note
	}
	return []Finding{f}
}

// keyOf looks at the key, and at whom it is safe from.
func (b *Board) keyOf(chain []byte, wrong func(mend, format string, args ...any) []Finding) []Finding {
	st, err := os.Stat(b.Key)
	if err != nil {
		return unreadable(err, wrong)
	}
	if mode := st.Mode().Perm(); mode&0o007 != 0 {
		return wrong("sudo chmod o= "+b.Key, "others can read or change the key %s (mode %04o)", b.Key, mode)
	}
	key, err := os.ReadFile(b.Key)
	if err != nil {
		return unreadable(err, wrong)
	}
	if _, err := tls.X509KeyPair(chain, key); err != nil {
		return wrong("name the two that belong together: --tls-cert, --tls-key", "%s and %s: %v", b.Cert, b.Key, err)
	}
	return nil
}
