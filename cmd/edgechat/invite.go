package main

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"edgechat/internal/settings"
)

// inviteOptions are the settings of token invite.
type inviteOptions struct {
	tokenOptions
	url string
}

func (o *inviteOptions) table(getenv func(string) string) []settings.Setting {
	return append(o.createTable(getenv), urlSetting(&o.url))
}

// invite makes a token, and prints the address that opens the chat with it: alone on stdout, so that $(...) is enough, or on a terminal
// with its QR code. The token is in the fragment, which browsers send to nobody.
func invite(_ context.Context, a *app) error {
	a.warnOfStrays()
	var o inviteOptions
	name, err := a.oneArg(o.table(a.getenv), "the NAME of the token")
	if err == nil {
		err = o.needFile(a)
	}
	if err == nil {
		err = o.fill()
	}
	if err != nil {
		return err
	}
	secret, what, err := o.create(name)
	if err != nil {
		return err
	}
	address := o.url + "#token=" + secret
	code := ""
	if isTerminal(a.stdout) {
		code, err = qrLines(address, true)
		code = "\n" + code
	}
	if err == nil {
		_, err = fmt.Fprintf(a.stdout, "%s\n%s", address, code)
	}
	if err == nil {
		_, err = fmt.Fprintf(a.stderr, "edgechat: %s\nedgechat: hint: whoever has the address is %q; a server that runs already takes it after: %s\n", what, name, rereads(o.file))
	}
	return err
}

// fill makes the address of the page: that of its room, if the token opens one alone.
func (o *inviteOptions) fill() error {
	base, err := pageURL(o.url)
	if err != nil {
		return err
	}
	o.url = strings.TrimSuffix(base, "/") + "/"
	if len(o.rooms) == 1 && !strings.HasSuffix(o.rooms[0], "*") {
		o.url += "room/" + url.PathEscape(o.rooms[0])
	}
	return nil
}
