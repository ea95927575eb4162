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

func noEnv(string) string { return "" }

// words are the values that a setting is one of, if it is one of a few.
func (s *setting) words() []string {
	if strings.Contains(s.takes, "|") {
		return strings.Split(s.takes, "|")
	}
	return nil
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
	settings := commandSettings("serve", noEnv)
	for _, s := range settings {
		def := s.def
		if s.defText != "" {
			def = ""
		}
		fmt.Fprintf(&b, "\n# %s\n# (%s)\n", sentence(s.usage), s.limits())
		if note := inService[s.name]; note != "" {
			fmt.Fprintf(&b, "# %s\n", note)
		}
		fmt.Fprintf(&b, "#%s=%s\n", s.env(), def)
	}
	b.WriteString("\n# Soft limit of what Go holds, heap and stacks, for example 100MiB.\n# (default four fifths of the memory cgroup, at most half of the memory, at least 32MiB)\n#GOMEMLIMIT=\n")
	for name := range inService {
		if !slices.ContainsFunc(settings, func(s setting) bool { return s.name == name }) {
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
	for _, c := range commands() {
		fmt.Fprintf(&b, ".B edgechat %s\n", roff(c.name))
		if c.args != "" {
			fmt.Fprintf(&b, ".RI %s\n", `"`+roff(c.args)+`"`)
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
	for _, c := range commands() {
		fmt.Fprintf(&b, ".SS edgechat %s\n%s\n", roff(strings.TrimSpace(c.name+" "+c.args)), roff(sentence(c.summary)))
		if c.name == "config" {
			b.WriteString("It takes the flags of\n.BR serve .\n")
			continue
		}
		for _, s := range commandSettings(c.name, noEnv) {
			fmt.Fprintf(&b, ".TP\n.B \\-\\-%s\n%s\n.br\n(%s)\n", roff(strings.TrimSpace(s.name+" "+s.takes)), roff(sentence(s.usage)), roff(s.limits()))
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
.B edgechat bench
.B EDGECHAT_URL
and
.BR EDGECHAT_TOKEN .
.SH SIGNALS
.TP
.BR SIGTERM , " SIGINT"
An orderly stop: clients are told that the server restarts, everything is written, exit 0. A second one kills.
.TP
.B SIGHUP
Reads the token file again.
.SH EXIT STATUS
0 after a stop that was asked for, 2 for a mistake in flags or environment, 1 for anything else.
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

func bashCompletion() string {
	var b strings.Builder
	names := func() (names []string) {
		for _, c := range commands() {
			names = append(names, c.name)
		}
		return names
	}()
	fmt.Fprintf(&b, `# bash completion of edgechat; made from the tables of cmd/edgechat by its TestPackagedFiles
_edgechat() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} words=
	COMPREPLY=()
	if [ "$COMP_CWORD" -eq 1 ]; then
		mapfile -t COMPREPLY < <(compgen -W %q -- "$cur")
		return
	fi
	case ${COMP_WORDS[1]}:$prev in
`, strings.Join(names, " "))
	for _, c := range commands() {
		for _, s := range commandSettings(c.name, noEnv) {
			label := c.name + ":--" + s.name
			switch {
			case s.takes == "":
			case s.takes == "FILE":
				fmt.Fprintf(&b, "	%s) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- \"$cur\"); return ;;\n", label)
			case s.takes == "FOLDER":
				fmt.Fprintf(&b, "	%s) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- \"$cur\"); return ;;\n", label)
			case s.words() != nil:
				fmt.Fprintf(&b, "	%s) mapfile -t COMPREPLY < <(compgen -W %q -- \"$cur\"); return ;;\n", label, strings.Join(s.words(), " "))
			default:
				fmt.Fprintf(&b, "	%s) return ;;\n", label)
			}
		}
	}
	b.WriteString("	esac\n	case ${COMP_WORDS[1]} in\n")
	for _, c := range commands() {
		var flags []string
		for _, s := range commandSettings(c.name, noEnv) {
			flags = append(flags, "--"+s.name)
		}
		switch c.name {
		case "token":
			flags = append([]string{"create", "list", "revoke"}, flags...)
		case "help":
			flags = names
		}
		if len(flags) > 0 {
			fmt.Fprintf(&b, "	%s) words=%q ;;\n", c.name, strings.Join(flags, " "))
		}
	}
	b.WriteString(`	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}
complete -F _edgechat edgechat
`)
	return b.String()
}

// quote puts s in single quotes for zsh and fish.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", "’") + "'" }

func zshCompletion() string {
	var b strings.Builder
	b.WriteString(`#compdef edgechat
# Made from the tables of cmd/edgechat by its TestPackagedFiles.
_edgechat() {
	local -a commands=(
`)
	for _, c := range commands() {
		fmt.Fprintf(&b, "		%s\n", quote(c.name+":"+c.summary))
	}
	b.WriteString(`	)
	if (( CURRENT == 2 )); then
		_describe command commands
		return
	fi
	local command=$words[2]
	shift words
	(( CURRENT-- ))
	case $command in
`)
	for _, c := range commands() {
		settings := commandSettings(c.name, noEnv)
		if c.name == "help" {
			fmt.Fprintf(&b, "	%s) _describe command commands ;;\n", c.name)
			continue
		}
		if settings == nil {
			continue
		}
		fmt.Fprintf(&b, "	%s) _arguments", c.name)
		if c.name == "token" {
			b.WriteString(" \\\n		'1:what to do:(create list revoke)' '2:name: '")
		}
		for _, s := range settings {
			usage := strings.NewReplacer("[", "(", "]", ")", ":", ",").Replace(s.usage)
			repeat := ""
			if s.list {
				repeat = "*"
			}
			action := ""
			switch {
			case s.takes == "":
			case s.takes == "FILE":
				action = ":file:_files"
			case s.takes == "FOLDER":
				action = ":folder:_files -/"
			case s.words() != nil:
				action = ":value:(" + strings.Join(s.words(), " ") + ")"
			default:
				action = ":" + strings.ToLower(s.takes) + ": "
			}
			fmt.Fprintf(&b, " \\\n		%s", quote(repeat+"--"+s.name+"["+usage+"]"+action))
		}
		b.WriteString(" ;;\n")
	}
	b.WriteString("	esac\n}\n_edgechat \"$@\"\n")
	return b.String()
}

func fishCompletion() string {
	var b strings.Builder
	b.WriteString("# fish completion of edgechat; made from the tables of cmd/edgechat by its TestPackagedFiles\ncomplete -c edgechat -f\n")
	for _, c := range commands() {
		fmt.Fprintf(&b, "complete -c edgechat -n __fish_use_subcommand -a %s -d %s\n", c.name, quote(c.summary))
	}
	for _, c := range commands() {
		seen := quote("__fish_seen_subcommand_from " + c.name)
		switch c.name {
		case "token":
			fmt.Fprintf(&b, "complete -c edgechat -n %s -a %s\n", seen, quote("create list revoke"))
		case "help":
			for _, of := range commands() {
				fmt.Fprintf(&b, "complete -c edgechat -n %s -a %s\n", seen, of.name)
			}
		}
		for _, s := range commandSettings(c.name, noEnv) {
			takes := " -x"
			switch {
			case s.takes == "":
				takes = ""
			case s.takes == "FILE":
				takes = " -r -F"
			case s.takes == "FOLDER":
				takes = " -x -a '(__fish_complete_directories)'"
			case s.words() != nil:
				takes += " -a " + quote(strings.Join(s.words(), " "))
			}
			fmt.Fprintf(&b, "complete -c edgechat -n %s -l %s%s -d %s\n", seen, s.name, takes, quote(s.usage))
		}
	}
	return b.String()
}
