package main

import (
	"fmt"
	"strings"

	"edgechat/internal/settings"
)

func names() (names []string) {
	for _, c := range commands() {
		names = append(names, c.name)
	}
	return names
}

// words are the values that a setting is one of, if it is one of a few.
func words(s settings.Setting) []string {
	if strings.Contains(s.Takes, "|") {
		return strings.Split(s.Takes, "|")
	}
	return nil
}

func flags(c command) (flags []string) {
	for _, s := range c.table(noEnv) {
		flags = append(flags, "--"+s.Name)
	}
	return flags
}

// takesFile says that what stands behind the command is the name of a file.
func (c *command) takesFile() bool { return strings.Contains(c.args, "FILE") }

func bashCompletion() string {
	var b strings.Builder
	fmt.Fprintf(&b, `# bash completion of edgechat; made from the tables of cmd/edgechat by its TestPackagedFiles
_edgechat() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command=${COMP_WORDS[1]} words=
	COMPREPLY=()
	if [ "$COMP_CWORD" -eq 1 ]; then
		mapfile -t COMPREPLY < <(compgen -W %q -- "$cur")
		return
	fi
	case $command in
`, strings.Join(names(), " "))
	for _, c := range commands() {
		if c.sub != nil {
			fmt.Fprintf(&b, "	%s) words=%q ;;\n", c.name, strings.Join(c.words(), " "))
		}
	}
	b.WriteString(`	esac
	if [ -n "$words" ]; then
		if [ "$COMP_CWORD" -eq 2 ]; then
			mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
			return
		fi
		command+=" ${COMP_WORDS[2]}"
		words=
	fi
	case $command:$prev in
`)
	for _, c := range everyCommand() {
		for _, s := range c.table(noEnv) {
			label := strings.ReplaceAll(c.name, " ", `\ `) + ":--" + s.Name
			switch {
			case s.Takes == "":
			case s.Takes == "FILE":
				fmt.Fprintf(&b, "	%s) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- \"$cur\"); return ;;\n", label)
			case s.Takes == "FOLDER":
				fmt.Fprintf(&b, "	%s) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- \"$cur\"); return ;;\n", label)
			case words(s) != nil:
				fmt.Fprintf(&b, "	%s) mapfile -t COMPREPLY < <(compgen -W %q -- \"$cur\"); return ;;\n", label, strings.Join(words(s), " "))
			default:
				fmt.Fprintf(&b, "	%s) return ;;\n", label)
			}
		}
	}
	b.WriteString("	esac\n	case $command in\n")
	for _, c := range everyCommand() {
		list := flags(c)
		if c.takesFile() {
			fmt.Fprintf(&b, "	%s) if [[ $cur != -* ]]; then compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- \"$cur\"); return; fi ;;&\n", c.name)
		}
		if c.name == "help" {
			list = names()
		}
		if len(list) > 0 {
			fmt.Fprintf(&b, "	%s) words=%q ;;\n", strings.ReplaceAll(c.name, " ", `\ `), strings.Join(list, " "))
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
	local -a below=()
	case $command in
`)
	for _, c := range commands() {
		if c.sub == nil {
			continue
		}
		fmt.Fprintf(&b, "	%s) below=(", c.name)
		for i, word := range c.words() {
			fmt.Fprintf(&b, " \\\n		%s", quote(word+":"+c.sub[i].summary))
		}
		b.WriteString(" ) ;;\n")
	}
	b.WriteString(`	esac
	if (( $#below )); then
		if (( CURRENT == 2 )); then
			_describe 'what to do' below
			return
		fi
		command+=" $words[2]"
		shift words
		(( CURRENT-- ))
	fi
	case $command in
`)
	for _, c := range everyCommand() {
		if c.name == "help" {
			fmt.Fprintf(&b, "	%s) _describe command commands ;;\n", c.name)
			continue
		}
		table := c.table(noEnv)
		if table == nil && !c.takesFile() {
			continue
		}
		fmt.Fprintf(&b, "	%s) _arguments", strings.ReplaceAll(c.name, " ", `\ `))
		if c.args != "" {
			fmt.Fprintf(&b, " \\\n		%s", quote("*:"+strings.ToLower(strings.Trim(c.args, "[]"))+":_files"))
		}
		for _, s := range table {
			fmt.Fprintf(&b, " \\\n		%s", quote(zshFlag(s)))
		}
		b.WriteString(" ;;\n")
	}
	b.WriteString("	esac\n}\n_edgechat \"$@\"\n")
	return b.String()
}

func zshFlag(s settings.Setting) string {
	usage := strings.NewReplacer("[", "(", "]", ")", ":", ",").Replace(s.Usage)
	repeat, action := "", ""
	if s.List {
		repeat = "*"
	}
	switch {
	case s.Takes == "":
	case s.Takes == "FILE":
		action = ":file:_files"
	case s.Takes == "FOLDER":
		action = ":folder:_files -/"
	case words(s) != nil:
		action = ":value:(" + strings.Join(words(s), " ") + ")"
	default:
		action = ":" + strings.ToLower(s.Takes) + ": "
	}
	return repeat + "--" + s.Name + "[" + usage + "]" + action
}

func fishCompletion() string {
	var b strings.Builder
	b.WriteString("# fish completion of edgechat; made from the tables of cmd/edgechat by its TestPackagedFiles\ncomplete -c edgechat -f\n")
	for _, c := range commands() {
		fmt.Fprintf(&b, "complete -c edgechat -n __fish_use_subcommand -a %s -d %s\n", c.name, quote(c.summary))
	}
	for _, c := range commands() {
		seen := "__fish_seen_subcommand_from " + c.name
		if c.name == "help" {
			for _, of := range names() {
				fmt.Fprintf(&b, "complete -c edgechat -n %s -a %s\n", quote(seen), of)
			}
		}
		if c.takesFile() {
			fmt.Fprintf(&b, "complete -c edgechat -n %s -F\n", quote(seen))
		}
		for _, s := range c.table(noEnv) {
			b.WriteString(fishFlag(seen, s))
		}
		words := strings.Join(c.words(), " ")
		for i, word := range c.words() {
			fmt.Fprintf(&b, "complete -c edgechat -n %s -a %s -d %s\n", quote(seen+"; and not __fish_seen_subcommand_from "+words), word, quote(c.sub[i].summary))
		}
		for i, word := range c.words() {
			for _, s := range c.sub[i].table(noEnv) {
				b.WriteString(fishFlag(seen+"; and __fish_seen_subcommand_from "+word, s))
			}
		}
	}
	return b.String()
}

func fishFlag(seen string, s settings.Setting) string {
	takes := " -x"
	switch {
	case s.Takes == "":
		takes = ""
	case s.Takes == "FILE":
		takes = " -r -F"
	case s.Takes == "FOLDER":
		takes = " -x -a '(__fish_complete_directories)'"
	case words(s) != nil:
		takes += " -a " + quote(strings.Join(words(s), " "))
	}
	return fmt.Sprintf("complete -c edgechat -n %s -l %s%s -d %s\n", quote(seen), s.Name, takes, quote(s.Usage))
}
