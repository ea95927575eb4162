package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"edgechat/client"
	"edgechat/internal/settings"
)

// talkOptions are the settings of the commands that talk in a room: where, as whom, with which token.
type talkOptions struct {
	url, as, tokenFile, token, ca string
}

func (o *talkOptions) table(getenv func(string) string) []settings.Setting {
	address := settings.Setting{Name: "url", Default: "http://127.0.0.1:3000", Takes: "URL", Allowed: "http://host:port, https://, ws:// or wss://",
		Usage: "the server", Set: func(v []string) error {
			_, err := client.ParseURL(v[0])
			o.url = v[0]
			return err
		}}
	name := settings.Setting{Name: "as", Takes: "NAME", DefaultText: "$USER, else $LOGNAME, else Anonymous", NoEnv: true,
		Usage: "name to speak under; with a token, its name is used", Set: func(v []string) error { o.as = v[0]; return nil }}
	name.Preset = func() (string, string) {
		for _, variable := range []string{"USER", "LOGNAME"} {
			if v := getenv(variable); v != "" {
				return v, "environment " + variable
			}
		}
		return "", "default"
	}
	return []settings.Setting{address, name,
		settings.Path(settings.Setting{Name: "token-file", Takes: "FILE", DefaultText: "none; the token may also be in EDGECHAT_TOKEN",
			Usage: "file that holds a bearer token and nothing else"}, &o.tokenFile),
		settings.Path(settings.Setting{Name: "ca", Takes: "FILE", DefaultText: "those that this machine trusts",
			Usage: "certificate of one more authority that the server's may be by, such as ca.crt of \"edgechat ca init\""}, &o.ca)}
}

// aboutTalk is for the commands that talk in a room.
const aboutTalk = "--url, --ca and --token-file may also be set as EDGECHAT_URL, EDGECHAT_CA and EDGECHAT_TOKEN_FILE. A token is never an argument, which\n" +
	"everybody on this machine could read: EDGECHAT_TOKEN holds it, or the file.\n"

// config is what o says of a room. The token is read here.
func (o *talkOptions) config(a *app, room string) (client.Config, error) {
	o.token = a.getenv("EDGECHAT_TOKEN")
	from := "EDGECHAT_TOKEN"
	if o.tokenFile != "" {
		from = "--token-file"
		text, err := os.ReadFile(o.tokenFile)
		if err != nil {
			return client.Config{}, &failure{errs: []error{err}, hint: fmt.Sprintf("is it the right name, and may user %s read it?", userName()), code: 2}
		}
		o.token = strings.TrimSpace(string(text))
		if o.token == "" {
			return client.Config{}, misuse("edgechat token create prints one, which belongs there", "%s: %s is empty", from, o.tokenFile)
		}
	}
	check := settings.Secret(settings.Setting{}, new(string))
	if err := check.Set([]string{o.token}); err != nil {
		return client.Config{}, misuse("edgechat token create prints one", "%s: %v", from, err)
	}
	cfg := client.Config{URL: o.url, Room: room, Username: o.as, Token: o.token}
	if o.ca != "" {
		roots, err := authorities(o.ca)
		if err != nil {
			return client.Config{}, err
		}
		cfg.TLS = &tls.Config{RootCAs: roots}
	}
	return cfg, nil
}

// authorities are those that this machine trusts and the one in a file, in PEM, or in DER, as /trust/ca.crt has it.
func authorities(file string) (*x509.CertPool, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, &failure{errs: []error{fmt.Errorf("--ca: %w", err)}, hint: "the server has it at /trust/ca.crt, and in ca.crt of the folder of \"edgechat ca init\"", code: 2}
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool() // there is none here
	}
	if roots.AppendCertsFromPEM(raw) {
		return roots, nil
	}
	one, err := x509.ParseCertificate(raw)
	if err != nil {
		return nil, misuse("the server has it at /trust/ca.crt, and in ca.crt of the folder of \"edgechat ca init\"", "--ca: %s holds no certificate, neither in PEM nor in DER", file)
	}
	roots.AddCert(one)
	return roots, nil
}

// lost returns a client.Config.OnLost that says on stderr, once in each outage, that another try will come.
func (a *app) lost(o *talkOptions) func(error, time.Duration) {
	last := ""
	return func(err error, _ time.Duration) {
		text := fmt.Sprintf("%s: %v", o.url, err)
		if text != last {
			fmt.Fprintf(a.stderr, "edgechat: warning: %s; trying again\n", printable(text))
		}
		last = text
	}
}

// talkFailure adds what to do about an error of package client.
func talkFailure(err error, o *talkOptions) error {
	f := &failure{errs: []error{fmt.Errorf("%s: %w", o.url, err)}, code: 1}
	refusal, refused := errors.AsType[*client.Refusal](err)
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	var dns *net.DNSError
	switch {
	case refused && refusal.Status == 0 && refusal.Close == 0:
		f.errs[0] = errors.New(refusal.Message)
	case refused && refusal.Status == 401:
		f.hint = "make a token: edgechat token create NAME --tokens FILE, then put it into EDGECHAT_TOKEN, or a file for --token-file"
	case refused && refusal.Status == 404, errors.Is(err, client.ErrNotEdgechat):
		f.hint = "something else serves there; name the server with --url http://host:port"
	case refused && refusal.Code == "invalid_username":
		f.hint = "name yourself: --as NAME"
	case errors.Is(err, syscall.ECONNREFUSED):
		f.hint = "no server listens there; start it: edgechat serve, or name another: --url http://pi.local:3000"
	case errors.As(err, &dns) && strings.HasSuffix(strings.TrimSuffix(dns.Name, "."), ".local"):
		f.hint = "this machine's resolver does not know .local; take the address that this prints: avahi-resolve -4 -n " + dns.Name
	case errors.As(err, &dns):
		f.hint = "name a server that this machine knows: --url http://ADDRESS:3000"
	case errors.As(err, &unknown):
		f.hint = "--ca FILE, or EDGECHAT_CA, names who signed its certificate: ca.crt of the folder of \"edgechat ca init\", which the server also has at http://HOST:3000/trust/ca.crt; compare it with the one on the board, over SSH"
	case errors.As(err, &name):
		f.hint = "use a name or an address that the certificate is for, or have it renewed for this one, on the board: edgechat ca renew --now --name NAME"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		f.hint = "is this machine's clock right? It is " + time.Now().Format(time.DateTime) + "; else renew the certificate, on the board: edgechat ca renew --now"
	case errors.As(err, &invalid):
		f.hint = "the authority may not vouch for that name: \"edgechat ca init\" makes one for local names and private addresses"
	}
	for i, e := range f.errs {
		f.errs[i] = &safeError{e}
	}
	return f
}

// safeError is an error whose text is safe on a terminal: it may quote a server.
type safeError struct{ error }

func (s *safeError) Error() string { return printable(s.error.Error()) }
func (s *safeError) Unwrap() error { return s.error }

// roomArg wants what args begin with to be a room.
func (a *app) roomArg(rest []string) (room string, more []string, err error) {
	if len(rest) == 0 {
		return "", nil, misuse("edgechat help "+a.command.name, "%s needs the ROOM", a.command.name)
	}
	return rest[0], rest[1:], nil
}

// cause is why ctx ended, if that is why err is there.
func cause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}
