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

	"edgechat/auth"
)

// tokenOptions are the settings of the token commands. The file alone has an
// environment variable: it is the one that serve reads too.
type tokenOptions struct {
	file   string
	rooms  []string
	access auth.Access
}

func (o *tokenOptions) settings() []setting {
	return []setting{
		path(setting{name: "tokens", takes: "FILE", usage: "the token file; create makes it"}, &o.file),
		list(setting{name: "rooms", takes: "ROOMS", defText: "all", noenv: true,
			usage: "rooms that the token opens; a trailing * stands for anything; repeatable, or separated by commas"}, &o.rooms,
			func(string) error { return nil }), // auth checks, for it keeps the rules
		access(setting{name: "access", def: "write", noenv: true,
			usage: "what the token allows there"}, &o.access, "read", "write"),
	}
}

func token(_ context.Context, a *app) error {
	a.warnOfStrays()
	var o tokenOptions
	rest, values, err := resolve("token", o.settings(), a.args, a.getenv)
	if err != nil {
		return err
	}
	if len(rest) == 0 {
		return misuse("edgechat help token", "token needs to know what to do: create, list or revoke")
	}
	verb, names := rest[0], rest[1:]
	want := map[string]int{"create": 1, "list": 0, "revoke": 1}
	n, ok := want[verb]
	switch {
	case !ok:
		return misuse("edgechat help token", "token cannot %q: create, list and revoke are what there is", verb)
	case len(names) != n && n == 0:
		return misuse("edgechat help token", "token %s takes no name, not %q", verb, names[0])
	case len(names) < n:
		return misuse("edgechat help token", "token %s needs the NAME of the token", verb)
	case len(names) > n:
		return misuse(fmt.Sprintf("put a name with spaces in quotes: edgechat token %s %q", verb, strings.Join(names, " ")),
			"token %s takes one name, not %d", verb, len(names))
	case o.file == "":
		return misuse(fmt.Sprintf("edgechat token %s --tokens FILE", strings.Join(rest, " ")), "token %s needs --tokens FILE", verb)
	case verb != "create" && (values[1].from == "flag" || values[2].from == "flag"):
		return misuse("edgechat help token", "--rooms and --access belong to token create, not to %s", verb)
	}
	switch verb {
	case "create":
		return createToken(a, &o, names[0])
	case "list":
		return listTokens(a, &o)
	}
	return revokeToken(a, &o, names[0])
}

// createToken prints the token alone on stdout, so that $(...) is enough to
// take it, and everything else on stderr.
func createToken(a *app, o *tokenOptions, name string) error {
	secret, err := auth.Create(o.file, name, o.access, o.rooms)
	if err != nil {
		return tokenFailure(err, o.file, name)
	}
	rooms := "all rooms"
	if len(o.rooms) > 0 {
		rooms = strings.Join(o.rooms, ", ")
	}
	if _, err := fmt.Fprintln(a.stdout, secret); err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.stderr, "edgechat: token of %q for %s (%v) is in %s as a hash; it is not shown again\n"+
		"edgechat: hint: send it as \"Authorization: Bearer TOKEN\", or ?token=TOKEN from a browser; "+
		"a server that runs already takes it after: %s\n", name, rooms, o.access, o.file, rereads(o.file))
	return err
}

func listTokens(a *app, o *tokenOptions) error {
	tokens, err := auth.List(o.file)
	if err != nil {
		return tokenFailure(err, o.file, "NAME")
	}
	w := tabwriter.NewWriter(a.stdout, 0, 8, 2, ' ', 0)
	fmt.Fprint(w, "NAME\tACCESS\tROOMS\tCREATED\n")
	for _, t := range tokens {
		rooms, created := "*", "-"
		if len(t.Rooms) > 0 {
			rooms = strings.Join(t.Rooms, ",")
		}
		if !t.Created.IsZero() {
			created = t.Created.UTC().Format("2006-01-02T15:04:05Z")
		}
		fmt.Fprintf(w, "%s\t%v\t%s\t%s\n", t.Name, t.Access, rooms, created)
	}
	return w.Flush()
}

func revokeToken(a *app, o *tokenOptions, name string) error {
	if err := auth.Revoke(o.file, name); err != nil {
		return tokenFailure(err, o.file, name)
	}
	_, err := fmt.Fprintf(a.stderr, "edgechat: token of %q is no longer in %s\n"+
		"edgechat: hint: a server that runs already forgets it after: %s\n", name, o.file, rereads(o.file))
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
		return "mend that line, or put a # before it"
	case errors.Is(err, fs.ErrNotExist):
		if _, e := os.Stat(file); errors.Is(e, fs.ErrNotExist) {
			return fmt.Sprintf("make it with its first token: edgechat token create NAME --tokens %s", file)
		}
	case errors.Is(err, fs.ErrPermission):
		return fmt.Sprintf("user %s may not: sudo chown %[1]s %s, or use sudo", userName(), file)
	}
	return ""
}
