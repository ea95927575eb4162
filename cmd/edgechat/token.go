package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"edgechat/auth"
	"edgechat/internal/settings"
	"edgechat/moderation"
)

// tokenOptions are the settings of the token commands. The file alone has an
// environment variable: it is the one that serve reads too.
type tokenOptions struct {
	file    string
	rooms   []string
	access  auth.Access
	expires time.Duration // from now; 0 is never
}

func (o *tokenOptions) table(func(string) string) []settings.Setting {
	return []settings.Setting{
		settings.Path(settings.Setting{Name: "tokens", Takes: "FILE", Usage: "the token file; create makes it"}, &o.file),
	}
}

func (o *tokenOptions) createTable(getenv func(string) string) []settings.Setting {
	return append(o.table(getenv),
		settings.List(settings.Setting{Name: "rooms", Takes: "ROOMS", DefaultText: "all", NoEnv: true,
			Usage: "rooms that the token opens; a trailing * stands for anything; repeatable, or separated by commas"}, &o.rooms,
			func(string) error { return nil }), // auth checks, for it keeps the rules
		access(settings.Setting{Name: "access", Default: "write", NoEnv: true,
			Usage: "what the token allows there"}, &o.access, "read", "write", "moderate", "admin", "metrics", "none"),
		expires(settings.Setting{Name: "expires", Default: "ever", NoEnv: true,
			Usage: "how long the token is valid"}, &o.expires))
}

// expires takes how long something lasts from now.
func expires(s settings.Setting, dst *time.Duration) settings.Setting {
	s.Takes, s.Allowed = "TIME", "1s to 3650d, such as 12h or 30d, or ever"
	s.Set = func(v []string) (err error) {
		*dst, err = moderation.ParseSpan(v[0])
		return err
	}
	return s
}

func tokenCommand() command {
	return command{
		name: "token", summary: "make and take back the tokens of a token file",
		about: "The file may also be named by EDGECHAT_TOKENS. create prints the token, which is kept nowhere,\non its standard output.\n",
		sub: []command{
			{name: "token create", args: "NAME", summary: "make a token and print it", settings: new(tokenOptions).createTable, run: createToken},
			{name: "token invite", args: "NAME", summary: "make a token, and print an address that holds it", settings: new(inviteOptions).table, run: invite},
			{name: "token list", summary: "list the tokens of a file", settings: new(tokenOptions).table, run: listTokens},
			{name: "token revoke", args: "NAME", summary: "take a token back", settings: new(tokenOptions).table, run: revokeToken},
		},
	}
}

// needFile complains if no token file was named.
func (o *tokenOptions) needFile(a *app) error {
	if o.file == "" {
		call := strings.Join(append([]string{a.command.name}, a.args...), " ")
		return misuse(fmt.Sprintf("edgechat %s --tokens FILE", call), "%s needs --tokens FILE", a.command.name)
	}
	return nil
}

// createToken prints the token alone on stdout, so that $(...) is enough to
// take it, and everything else on stderr.
func createToken(_ context.Context, a *app) error {
	a.warnOfStrays()
	var o tokenOptions
	name, err := a.oneArg(o.createTable(a.getenv), "the NAME of the token")
	if err == nil {
		err = o.needFile(a)
	}
	if err != nil {
		return err
	}
	secret, what, err := o.create(name)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(a.stdout, secret); err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.stderr, "edgechat: %s\n"+
		"edgechat: hint: send it as \"Authorization: Bearer TOKEN\", or as a subprotocol bearer.TOKEN from a browser; "+
		"a server that runs already takes it after: %s\n", what, rereads(o.file))
	return err
}

// create makes the token, and says in words what it is.
func (o *tokenOptions) create(name string) (secret, what string, err error) {
	g := auth.Grant{Name: name, Access: o.access, Rooms: o.rooms}
	if o.expires > 0 {
		g.Expires = time.Now().Add(o.expires)
	}
	secret, err = auth.Create(o.file, g)
	if err != nil {
		return "", "", tokenFailure(err, o.file, name)
	}
	rooms := "all rooms"
	until := ""
	if !g.Expires.IsZero() {
		until = ", until " + g.Expires.UTC().Format(time.RFC3339)
	}
	if len(o.rooms) > 0 {
		rooms = strings.Join(o.rooms, ", ")
	}
	return secret, fmt.Sprintf("token of %q for %s (%v%s) is in %s as a hash; it is not shown again", name, rooms, o.access, until, o.file), nil
}

func listTokens(_ context.Context, a *app) error {
	a.warnOfStrays()
	var o tokenOptions
	_, err := a.flagsAlone(o.table(a.getenv))
	if err == nil {
		err = o.needFile(a)
	}
	if err != nil {
		return err
	}
	tokens, err := auth.List(o.file)
	if err != nil {
		return tokenFailure(err, o.file, "NAME")
	}
	w := tabwriter.NewWriter(a.stdout, 0, 8, 2, ' ', 0)
	fmt.Fprint(w, "NAME\tACCESS\tROOMS\tCREATED\tEXPIRES\n")
	now := time.Now()
	for _, t := range tokens {
		rooms, created := "*", "-"
		if len(t.Rooms) > 0 {
			rooms = strings.Join(t.Rooms, ",")
		}
		if !t.Created.IsZero() {
			created = t.Created.UTC().Format(time.RFC3339)
		}
		end := "-"
		if t.Expires != 0 {
			at := time.Unix(t.Expires, 0)
			if end = at.UTC().Format(time.RFC3339); !at.After(now) {
				end += " (has expired)"
			}
		}
		fmt.Fprintf(w, "%s\t%v\t%s\t%s\t%s\n", t.Name, t.Access, rooms, created, end)
	}
	return w.Flush()
}

func revokeToken(_ context.Context, a *app) error {
	a.warnOfStrays()
	var o tokenOptions
	name, err := a.oneArg(o.table(a.getenv), "the NAME of the token")
	if err == nil {
		err = o.needFile(a)
	}
	if err != nil {
		return err
	}
	if err := auth.Revoke(o.file, name); err != nil {
		return tokenFailure(err, o.file, name)
	}
	_, err = fmt.Fprintf(a.stderr, "edgechat: token of %q is no longer in %s\n"+
		"edgechat: hint: a server that runs already forgets it, and closes its connections, after: %s\n", name, o.file, rereads(o.file))
	return err
}

// credentials is where systemd looks for what a unit's LoadCredential names (systemd.exec(5)).
const credentials = "/etc/credstore"

// rereads returns what has a server read a token file again. The service gets
// a copy of a credential, made when it starts.
func rereads(file string) string {
	if filepath.Dir(filepath.Clean(file)) == credentials {
		return "sudo systemctl restart edgechat"
	}
	return "kill -HUP PID"
}

// tokenFailure adds what to do about an error of package auth.
func tokenFailure(err error, file, name string) error {
	f := &failure{errs: []error{err}, code: 1}
	switch {
	case errors.Is(err, auth.ErrInvalid):
		f.code = 2
	case errors.Is(err, auth.ErrExists):
		f.hint = fmt.Sprintf("to replace it: edgechat token revoke %q --tokens %s, then create it again", name, file)
	case errors.Is(err, auth.ErrNotFound):
		f.hint = "edgechat token list --tokens " + file
	default:
		f.hint = tokenHint(err, file)
	}
	return f
}

// tokenHint says what to do about a token file that cannot be read or written.
func tokenHint(err error, file string) string {
	switch {
	case errors.Is(err, auth.ErrFile):
		if _, why, _ := strings.Cut(err.Error(), auth.ErrFile.Error()+": "); strings.HasPrefix(why, file+":") {
			return "mend that line, or put a # before it"
		}
	case errors.Is(err, fs.ErrNotExist):
		if _, e := os.Stat(file); errors.Is(e, fs.ErrNotExist) {
			return fmt.Sprintf("make it with its first token: edgechat token create NAME --tokens %s", file)
		}
	case errors.Is(err, fs.ErrPermission):
		return fmt.Sprintf("user %s may not: sudo chown %[1]s %s, or use sudo", userName(), file)
	}
	return ""
}
