package main

import (
	"bytes"
	"fmt"
	"math/bits"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"edgechat/internal/settings"
)

// What the packages carry besides the binary and knows of its flags is made from the same
// tables as help: the commented settings of /etc/default/edgechat, the man page, the
// completions of three shells. Write them anew with:
//
//	go test ./cmd/edgechat -run TestPackagedFiles -update
func TestPackagedFiles(t *testing.T) {
	if bits.UintSize < 64 {
		t.Skip("the bounds in the files are those of 64 bits")
	}
	for name, want := range map[string]string{
		"edgechat.default":          defaultFile(t),
		"edgechat.1":                manPage(),
		"completions/edgechat":      bashCompletion(),
		"completions/_edgechat":     zshCompletion(),
		"completions/edgechat.fish": fishCompletion(),
	} {
		path := filepath.Join("..", "..", "packaging", filepath.FromSlash(name))
		if *update {
			if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		have, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(have, []byte(want)) {
			t.Errorf("%s does not say what the flags are; write it anew: go test ./cmd/edgechat -run TestPackagedFiles -update", path)
		}
	}
}

// What a setting means in the service, where systemd has a part in it.
var inService = map[string]string{
	"listen": "The port is that of edgechat.socket, which wins: sudo systemctl edit edgechat.socket",
	"data":   "The service may write to /var/lib/edgechat alone, which is its default.",
	"tokens": "The service reads /etc/credstore/edgechat.tokens if it is there, without this line.",
}

func defaultFile(t *testing.T) string {
	var b strings.Builder
	b.WriteString(`# Settings of the edgechat service. What stands here as a comment is the default.
# They take effect at the next start: sudo systemctl restart edgechat
# What is wrong here is named by: journalctl -u edgechat -n 20
`)
	table := new(options).table(noEnv)
	for _, s := range table {
		def := s.Default
		if s.DefaultText != "" {
			def = ""
		}
		fmt.Fprintf(&b, "\n# %s\n# (%s)\n", sentence(s.Usage), s.Limits())
		if note := inService[s.Name]; note != "" {
			fmt.Fprintf(&b, "# %s\n", note)
		}
		fmt.Fprintf(&b, "#%s=%s\n", s.Env(), def)
	}
	b.WriteString("\n# Soft limit of what Go holds, heap and stacks, for example 100MiB.\n# (default four fifths of the memory cgroup, at most half of the memory, at least 32MiB)\n#GOMEMLIMIT=\n")
	for name := range inService {
		if !slices.ContainsFunc(table, func(s settings.Setting) bool { return s.Name == name }) {
			t.Errorf("there is a note about --%s, and no such setting", name)
		}
	}
	return b.String()
}

func sentence(s string) string {
	return strings.ToUpper(s[:1]) + s[1:] + "."
}

// roff makes text safe in a line of a man page.
func roff(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`, "~", `\(ti`, "^", `\(ha`).Replace(s)
	if strings.HasPrefix(s, ".") || strings.HasPrefix(s, "'") {
		s = `\&` + s
	}
	return s
}

func manPage() string {
	var b strings.Builder
	b.WriteString(`.\" Made from the tables of cmd/edgechat by its TestPackagedFiles.
.TH EDGECHAT 1
.SH NAME
edgechat \- WebSocket chat server for small boards
.SH SYNOPSIS
`)
	for _, c := range everyCommand() {
		fmt.Fprintf(&b, ".B edgechat %s\n", roff(c.name))
		if args := strings.TrimPrefix(strings.TrimPrefix(c.usage(), c.name), " "); args != "" {
			fmt.Fprintf(&b, ".RI %s\n", `"`+roff(args)+`"`)
		}
		b.WriteString(".br\n")
	}
	b.WriteString(`.SH DESCRIPTION
.B edgechat
serves chat rooms over WebSocket and HTTP, with a web page, and keeps the recent
history of each room in one file. What it acknowledged it does not lose.
.PP
As a service it listens on port 3000 and keeps its data in /var/lib/edgechat.
.SH COMMANDS
`)
	for _, c := range everyCommand() {
		fmt.Fprintf(&b, ".SS edgechat %s\n%s\n", roff(c.usage()), roff(sentence(c.summary)))
		if c.name == "config" {
			b.WriteString("It takes the flags of\n.BR serve .\n")
			continue
		}
		for _, s := range c.table(noEnv) {
			fmt.Fprintf(&b, ".TP\n.B \\-\\-%s\n%s\n.br\n(%s)\n", roff(strings.TrimSpace(s.Name+" "+s.Takes)), roff(sentence(s.Usage)), roff(s.Limits()))
		}
	}
	b.WriteString(`.SH ENVIRONMENT
Each flag of
.B serve
is also a variable:
.B \-\-sync\-interval
is
.BR EDGECHAT_SYNC_INTERVAL .
A flag wins over its variable. A variable that is empty counts as not set.
.B edgechat token
reads
.BR EDGECHAT_TOKENS ,
.BR "edgechat join" ", " "edgechat send" " and " "edgechat bench"
.B EDGECHAT_URL
and
.BR EDGECHAT_TOKEN ,
the first two also
.BR EDGECHAT_TOKEN_FILE .
.SH SIGNALS
.TP
.BR SIGTERM , " SIGINT"
An orderly stop: clients are told that the server restarts, everything is written, exit 0. A second one kills.
.TP
.B SIGHUP
Reads the token file again.
.SH EXIT STATUS
0 after a stop that was asked for, 2 for a mistake in flags or environment, 1 for anything else.
.B edgechat check
ends with 1 if what it reads is damaged, and with 2 if it cannot read it;
.B edgechat send
with 0 if the message was acknowledged, and with 1 if not.
.SH FILES
.TP
.I /etc/default/edgechat
Settings of the service, as variables.
.TP
.I /etc/credstore/edgechat.tokens
Token file of the service; without it everyone may read and write.
.TP
.I /var/lib/edgechat/edgechat.db
The history.
.SH EXAMPLES
.nf
edgechat serve \-\-listen 127.0.0.1:4000 \-\-data /srv/chat
edgechat config
journalctl \-u edgechat \-f
.fi
.SH SEE ALSO
.BR systemctl (1),
.BR journalctl (1)
.PP
/usr/share/doc/edgechat/pi.md is about life on a Raspberry Pi, protocol.md about clients.
`)
	return b.String()
}
