package web

import (
	"path"
	"regexp"
	"strings"
	"testing"
)

// What somebody wrote never becomes markup, and the whole stays light enough for a
// slow link.
func TestScripts(t *testing.T) {
	all := load()
	plain, wire := len(all.page.plain.body), len(all.page.zipped.body)
	later := map[string]bool{} // what few need, and no page loads at first
	for _, f := range all.others {
		for _, name := range importedLater(f.plain.body) {
			later[name] = true
		}
	}
	for name, f := range all.others {
		if f.forever == "" || !strings.HasPrefix(name, f.forever) {
			continue // the same once more
		}
		if !later[path.Base(name)] {
			plain += len(f.plain.body)
			wire += len(f.zipped.body)
			if f.zipped.body == nil {
				wire += len(f.plain.body)
			}
		} else if strings.Contains(string(all.page.plain.body), path.Base(name)) {
			t.Errorf("the page loads %s, and few need it", name)
		}
		if f.contentType == "" {
			t.Errorf("%s has no content type", name)
		}
		for _, never := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "setHTML", "HTMLUnsafe", "DOMParser",
			"createContextualFragment", "srcdoc", "document.write", "eval(", "new Function", "randomUUID("} {
			if path.Ext(name) == ".js" && strings.Contains(string(f.plain.body), never) {
				t.Errorf("%s has %s", name, never)
			}
		}
		if path.Ext(name) == ".js" && regexp.MustCompile(`(?m)^import|from '\./`).Match(f.plain.body) {
			t.Errorf("%s imports another script, which costs a turn", name)
		}
	}
	if plain > 100<<10 || wire > 60<<10 {
		t.Errorf("the page and its parts are %d bytes, %d compressed, and 102400 and 61440 are the limits", plain, wire)
	}
	t.Logf("the page and its parts are %d bytes, %d compressed", plain, wire)
}

// Parts in the folder of their hash are kept for ever, the others asked for each time.
func TestForever(t *testing.T) {
	html := body(t, get(t, "GET", "/room/den"))
	at := regexp.MustCompile(`src="\.\.(/assets/[0-9a-f]{12}/page\.js)"`).FindStringSubmatch(html)
	if at == nil {
		t.Fatalf("no script of the hash in %s", html)
	}
	if res := get(t, "GET", at[1]); res.StatusCode != 200 || res.Header.Get("Cache-Control") != "public, max-age=31536000, immutable" {
		t.Errorf("%s: %d, Cache-Control %q", at[1], res.StatusCode, res.Header.Get("Cache-Control"))
	}
	if res := get(t, "GET", "/assets/000000000000/page.js"); res.StatusCode != 404 {
		t.Errorf("a folder of another hash: %d", res.StatusCode)
	}
}

// What is left out of a part is for people alone, and lines stay where they are.
func TestLean(t *testing.T) {
	for _, c := range []struct{ name, in, out string }{
		{"a.js", "// why\n  let a = 'x'; // stays\n\t// gone\nb(); // gone\n", "\nlet a = 'x'; // stays\n\nb();\n"},
		{"b.js", "export const f = (a, b) => { if (a === b && !b) return [a, b]; };\nconst { c } = d ?? { e: 1, g };\nlet h = (i, j) => `${i}, ${j}`;\nk = l / m, n = - o;\n",
			"export const f = (a, b) => { if (a === b && !b) return [a, b]; };\nconst{c}=d??{e: 1,g};\nlet h = (i, j) => `${i}, ${j}`;\nk = l / m, n = - o;\n"},
		{"c.js", "p = (a, b) => { if (a === b && !b) return [a, b]; };\n", "p=(a,b)=>{if(a===b&&!b) return [a,b];};\n"},
		{"d.js", "for (const x of y) z += x < 1 ? 2 : 3;\n", "for(const x of y) z+=x<1?2:3;\n"},
		{"a.css", "/* why */\n  a { b: c }\n/* two\nlines */\n", "\na{b:c}\n/* two\nlines */\n"},
		{"b.css", "a > b, :is(c, d) e { f: g(h, i) j; k: \"\"; }\n", "a > b,:is(c,d) e{f:g(h,i) j;k:\"\"}\n"},
		{"a.svg", "  <svg/>\n", "  <svg/>\n"},
	} {
		if got := string(lean(c.name, []byte(c.in))); got != c.out {
			t.Errorf("%s: %q becomes %q, want %q", c.name, c.in, got, c.out)
		}
	}
}

// Modules become functions that hand on what they export, each once, behind those that they import.
func TestJoin(t *testing.T) {
	got := string(join(map[string][]byte{
		"a.js":   []byte("import { b as c, d } from './b-x.js';\nimport * as e from './e.js';\n\nc(d, e.f);\n"),
		"b-x.js": []byte("import { f } from './e.js';\nexport function b(x) {\nreturn f(x);\n}\nexport const d = 1;\nclass G {}\nexport { G };\n"),
		"e.js":   []byte("export async function f() {}\nexport class H extends I {}\n"),
	}, "a.js"))
	want := "const $0=(()=>{\nasync function f() {}\nclass H extends I {}\nreturn{f,H};\n})();\n" +
		"const $1=(()=>{\nconst {f}=$0;\nfunction b(x) {return f(x);}\nconst d = 1;class G {}\nreturn{b,d,G};\n})();\n" +
		"const $2=(()=>{\nconst {b:c,d}=$1;\nconst e=$0;\nc(d, e.f);return{};\n})();\n"
	if got != want {
		t.Errorf("joined:\n%s\nwant\n%s", got, want)
	}
	for what, modules := range map[string]map[string][]byte{
		"circle":  {"a.js": []byte("import { b } from './b.js';"), "b.js": []byte("import { a } from './a.js';")},
		"missing": {"a.js": []byte("import { b } from './b.js';")},
		"let":     {"a.js": []byte("export let a = 1;")},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: joined", what)
				}
			}()
			join(modules, "a.js")
		}()
	}
}
