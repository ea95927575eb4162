package web

import (
	"bytes"
	"strconv"
	"strings"
)

// A joiner makes one script of modules, since each file costs a slow line a turn: the page asks for one in place of twenty. A
// module becomes a function that is called once and returns what it exports, behind those that it imports.
//
// It reads what the page's modules are written in: an import or an export begins its line, and is of one of the forms
//
//	import { a, b as c } from './x.js';
//	import * as x from './x.js';
//	export { A, B };
//	export const a = ... (or function, async function, class)
//
// Modules that import each other in a circle, and an export that is assigned anew (export let), it refuses.
type joiner struct {
	modules map[string][]byte // lean, by name
	state   map[string]int    // by name: 1 as long as those it imports are written, 2 once it is
	kept    map[string]string // by name: the variable that has what a module exports
	out     bytes.Buffer
}

func join(modules map[string][]byte, first string) []byte {
	j := &joiner{modules: modules, state: map[string]int{}, kept: map[string]string{}}
	j.write(first)
	return j.out.Bytes()
}

func (j *joiner) write(name string) {
	if j.state[name] == 2 {
		return
	}
	source, ok := j.modules[name]
	if !ok || j.state[name] == 1 {
		panic("web: " + name + " is imported by itself, or is not there") // a broken binary: TestJoin looks
	}
	j.state[name] = 1
	var body bytes.Buffer
	var exports []string
	for line := range bytes.Lines(source) {
		text := string(bytes.TrimSpace(line))
		switch {
		case text == "":
			continue
		case strings.HasPrefix(text, "import ") && strings.Contains(text, " from './"):
			what, from, _ := strings.Cut(strings.TrimPrefix(text, "import "), " from './")
			from = strings.TrimSuffix(from, "';")
			j.write(from)
			what = strings.TrimPrefix(strings.ReplaceAll(what, " as ", ":"), "*:")
			body.WriteString("const " + strings.ReplaceAll(what, " ", "") + "=" + j.kept[from] + ";\n")
		case strings.HasPrefix(text, "export {"):
			exports = append(exports, strings.Trim(strings.TrimPrefix(text, "export "), "{}; "))
		case strings.HasPrefix(text, "export "):
			text = strings.TrimPrefix(text, "export ")
			exports = append(exports, declared(text))
			body.WriteString(ended(text))
		default:
			body.WriteString(ended(text))
		}
	}
	j.state[name] = 2
	j.kept[name] = "$" + strconv.Itoa(len(j.kept))
	j.out.WriteString("const " + j.kept[name] + "=(()=>{\n")
	j.out.Write(body.Bytes())
	j.out.WriteString("return{" + strings.Join(exports, ",") + "};\n})();\n")
}

// ended returns a line with its end, which means nothing behind what cannot end a statement, or ends one anyway. What may be
// a comment needs it.
func ended(line string) string {
	if strings.Contains(line, "//") || !strings.ContainsAny(line[len(line)-1:], ";{,") {
		line += "\n"
	}
	return line
}

// declared returns the name that a declaration gives to something.
func declared(text string) string {
	for _, kind := range []string{"const ", "async function ", "function ", "class "} {
		if rest, ok := strings.CutPrefix(text, kind); ok {
			return rest[:strings.IndexAny(rest, " (=")]
		}
	}
	panic("web: an export of another form: " + text)
}
