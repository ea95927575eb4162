package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"edgechat/cert"
	"edgechat/internal/settings"
	"edgechat/server"
)

// caOptions are the settings of the commands about the local authority.
type caOptions struct {
	data, folder string
	names        []string
	now          bool
}

func (o *caOptions) table(getenv func(string) string) []settings.Setting {
	return []settings.Setting{
		dataFolder(&o.data, getenv),
		settings.Path(settings.Setting{Name: "folder", Takes: "FOLDER", DefaultText: "tls in the data folder", NoEnv: true,
			Usage: "folder of the authority and of the certificate by it"}, &o.folder),
		settings.List(settings.Setting{Name: "name", Takes: "NAME", DefaultText: "this machine's name, alone and with .local", NoEnv: true,
			Usage: "name that the certificate is for; repeatable, or separated by commas"}, &o.names, func(string) error { return nil }),
	}
}

func (o *caOptions) renewTable(getenv func(string) string) []settings.Setting {
	return append(o.table(getenv), settings.Toggle(settings.Setting{Name: "now", NoEnv: true,
		Usage: "renew a certificate that is not due"}, &o.now))
}

func caCommand() command {
	return command{
		name: "ca", summary: "make certificates that phones on a local network can trust",
		about: "An authority of this server's own vouches for names that end in .local, for this machine's names and for\n" +
			"private addresses, and for nothing else. Its key is in ca.key: take it off the board if you like, and put it\n" +
			"back to renew.\n",
		sub: []command{
			{name: "ca init", summary: "make an authority and a certificate by it, and print the settings", settings: new(caOptions).table, run: caInit},
			{name: "ca renew", summary: "make a new certificate, if the old one ends within 60 days or is not for all addresses",
				settings: new(caOptions).renewTable, run: caRenew, about: "A server that runs picks it up within seconds; connections go on.\n"},
		},
	}
}

// dir is the folder of the authority.
func (o *caOptions) dir() string {
	if o.folder != "" {
		return o.folder
	}
	return filepath.Join(o.data, "tls")
}

// host returns what a certificate is to be for.
func (o *caOptions) host() cert.Host {
	return cert.Host{Names: o.names, Addresses: server.LocalAddresses()}
}

func caInit(_ context.Context, a *app) error {
	a.warnOfStrays()
	var o caOptions
	if _, err := a.flagsAlone(o.table(a.getenv)); err != nil {
		return err
	}
	h := o.host()
	if name, err := os.Hostname(); len(h.Names) == 0 && err == nil && name != "" {
		name, _, _ = strings.Cut(name, ".")
		h.Names = []string{name + ".local", name}
	}
	until, err := cert.Init(o.dir(), h)
	if err != nil {
		return err
	}
	dir, err := filepath.Abs(o.dir())
	if err != nil {
		return err
	}
	fmt.Fprintf(a.stdout, "An authority and a certificate for %s are in %s, until %s.\n", strings.Join(h.Names, ", "), dir, until.Format(time.DateOnly))
	fmt.Fprintf(a.stdout, "\nSettings of the server, for /etc/default/edgechat:\n\n")
	_, err = fmt.Fprintf(a.stdout, "EDGECHAT_TLS_LISTEN=:3443\nEDGECHAT_TLS_CERT=%s\nEDGECHAT_TLS_KEY=%s\n\n"+
		"Then open /trust on each phone. Daily, to renew in time: edgechat ca renew --folder %s\n", filepath.Join(dir, cert.ServerCert), filepath.Join(dir, cert.ServerKey), dir)
	return err
}

func caRenew(_ context.Context, a *app) error {
	a.warnOfStrays()
	var o caOptions
	if _, err := a.flagsAlone(o.renewTable(a.getenv)); err != nil {
		return err
	}
	until, renewed, err := cert.Renew(o.dir(), o.host(), o.now)
	if err != nil {
		return err
	}
	word := "is not due: it ends on"
	if renewed {
		word = "was renewed until"
	}
	_, err = fmt.Fprintf(a.stdout, "The certificate in %s %s %s.\n", o.dir(), word, until.Format(time.DateOnly))
	return err
}
