package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"

	"edgechat/internal/doctor"
	"edgechat/internal/settings"
	"edgechat/server"
)

// doctorOptions are the settings of doctor. Data and addresses are those of serve.
type doctorOptions struct {
	listen    []string
	data      string
	cert, key string
	json      bool
}

func (o *doctorOptions) table(getenv func(string) string) []settings.Setting {
	return []settings.Setting{
		listen(settings.Setting{Name: "listen", Default: server.DefaultListen,
			Usage: "address that the server is to serve on; repeatable, or separated by commas"}, &o.listen),
		dataFolder(&o.data, getenv),
		settings.Path(settings.Setting{Name: "tls-cert", Takes: "FILE", DefaultText: "none",
			Usage: "certificate of the server, to be looked at"}, &o.cert),
		settings.Path(settings.Setting{Name: "tls-key", Takes: "FILE", DefaultText: "none",
			Usage: "its private key"}, &o.key),
		settings.Toggle(settings.Setting{Name: "json", NoEnv: true,
			Usage: "print an object for programs"}, &o.json),
	}
}

func doctorCommand() command {
	return command{
		name: "doctor", summary: "look at this board and say what will hurt",
		about: "Each finding is shown with what was seen, what it means, and the line that mends it; what could not\n" +
			"be looked at is said, too. Nothing is changed; 80 KiB are written to the data folder and removed. Some of it is visible to root alone:\n\n" +
			"    sudo edgechat doctor --data /var/lib/edgechat\n\n" +
			"Exit code 0: all is well, or there are notes; 1: there are warnings; 2: there are problems, or a\nmistake in the flags.\n",
		settings: new(doctorOptions).table, run: examine,
	}
}

// examine prints what is found, and ends with the code of the worst.
func examine(ctx context.Context, a *app) error {
	a.warnOfStrays()
	var o doctorOptions
	if _, err := a.flagsAlone(o.table(a.getenv)); err != nil {
		return err
	}
	b := doctor.Board{Data: o.data, Cert: o.cert, Key: o.key, Names: ownNames()}
	for _, addr := range o.listen {
		// A unix socket has no port, and port 0 is any.
		if _, port, err := net.SplitHostPort(addr); err == nil {
			if n, err := strconv.Atoi(port); err == nil && n > 0 {
				b.Ports = append(b.Ports, n)
			}
		}
	}
	findings := doctor.Examine(ctx, b)
	write := doctor.WriteText
	if o.json {
		write = doctor.WriteJSON
	}
	if err := write(a.stdout, findings); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	switch doctor.Worst(findings) {
	case doctor.Warning:
		return &failure{code: 1} // the report says all there is
	case doctor.Problem:
		return &failure{code: 2}
	}
	return nil
}

// ownNames are the names and addresses under which others reach this machine in its network.
func ownNames() (list []string) {
	if name, err := os.Hostname(); err == nil && name != "" {
		name, _, _ = strings.Cut(name, ".")
		list = append(list, name+".local")
	}
	for _, a := range server.LocalAddresses() {
		if a.Is4() { // of IPv6 there are many, which change
			list = append(list, a.String())
		}
	}
	return list
}
