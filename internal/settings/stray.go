package settings

import "strings"

// A Stray is a variable EDGECHAT_... that no command reads: most likely a
// setting that was misspelled and would otherwise be left out without a word.
type Stray struct {
	Name    string
	Nearest string // the variable that was meant, or "" if none is near
}

// Strays finds those in environ, which is as os.Environ returns it, that no setting of all
// reads. A variable that is empty is not set.
func Strays(environ []string, all []Setting) (found []Stray) {
	known := map[string]bool{}
	for _, s := range all {
		known[s.Env()] = true
	}
	delete(known, "")
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		upper := strings.ToUpper(name)
		if value == "" || known[name] || !strings.HasPrefix(upper, EnvPrefix) {
			continue
		}
		s := Stray{Name: name}
		written := upper[len(EnvPrefix):]
		least := 0
		for k := range known {
			meant := k[len(EnvPrefix):]
			// What differs in more than half of its letters is a word of its own.
			d := distance(written, meant)
			if 2*d <= max(len(written), len(meant)) && (s.Nearest == "" || d < least || d == least && k < s.Nearest) {
				s.Nearest, least = k, d
			}
		}
		found = append(found, s)
	}
	return found
}

// distance counts the letters that have to be put in, taken out or replaced to
// make b of a (Levenshtein's distance).
func distance(a, b string) int {
	row := make([]int, len(b)+1) // from the first i letters of a to the first j of b
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
