package doctor

import (
	"strconv"
	"strings"
)

// unquoted returns line with an x in the place of what stands in quotes: a comment of several words, in which a backslash takes the
// next byte as it is. A quote that does not end stays.
func unquoted(line string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(line, `"`)
		b.WriteString(before)
		if !found {
			return b.String()
		}
		end := 0
		for end < len(rest) && rest[end] != '"' {
			if rest[end] == '\\' {
				end++
			}
			end++
		}
		if end >= len(rest) {
			return b.String() + `"` + rest
		}
		b.WriteByte('x')
		line = rest[end+1:]
	}
}

// parseIptables reads the answer of iptables-save -t filter.
func parseIptables(text string) *rules {
	r := &rules{chains: map[string]*chain{}}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if declared, found := strings.CutPrefix(line, ":"); found { // :INPUT DROP [0:0]
			if f := strings.Fields(declared); len(f) >= 2 {
				c := &chain{name: f[0]}
				r.chains[f[0]] = c
				if f[0] == "INPUT" {
					c.policy = accepted
					if f[1] == "DROP" {
						c.policy = dropped
					}
				}
			}
			continue
		}
		f := strings.Fields(unquoted(line))
		if len(f) < 2 || f[0] != "-A" || r.chains[f[1]] == nil {
			continue
		}
		c := r.chains[f[1]]
		c.rules = append(c.rules, iptablesRule(line, f[2:]))
	}
	if c := r.chains["INPUT"]; c != nil && (len(c.rules) > 0 || c.policy == dropped) {
		r.hooks = []*chain{c}
	}
	return r
}

func iptablesRule(line string, args []string) rule {
	r := rule{text: "rule " + line}
	var matches []func(int) tri
	negate := false
	add := func(m func(int) tri) {
		if negate {
			positive := m
			m = func(port int) tri { return yes - positive(port) }
		}
		negate = false
		matches = append(matches, m)
	}
	for len(args) > 0 {
		option, value := args[0], ""
		args = args[1:]
		if option == "!" {
			negate = true
			continue
		}
		if len(args) > 0 && !strings.HasPrefix(args[0], "-") && args[0] != "!" {
			value, args = args[0], args[1:]
		}
		switch option {
		case "-j", "-g":
			switch value {
			case "ACCEPT":
				r.verdict = accepted
			case "DROP", "REJECT":
				r.verdict = dropped
			case "RETURN":
				r.leave = true
			default:
				r.jump, r.leave = value, option == "-g"
			}
		case "-m", "--reject-with", "--comment", "--log-prefix", "--log-level":
		case "-p":
			add(always(of(value == "tcp" || value == "all")))
		case "-i":
			add(func(int) tri {
				if value == "lo" {
					return no
				}
				return perhaps
			})
		case "--dport", "--dports", "--destination-port":
			add(func(port int) tri { return of(portIn(value, port)) })
		case "--state", "--ctstate":
			add(always(of(strings.Contains(","+value+",", ",NEW,"))))
		case "--dst-type": // what comes in is addressed to this board
			add(always(of(value == "LOCAL")))
		case "--syn":
			add(always(yes))
		default:
			add(always(perhaps))
		}
	}
	r.match = all(matches)
	return r
}

func of(b bool) tri {
	if b {
		return yes
	}
	return no
}

// portIn reads 22,80,3000:3010.
func portIn(list string, port int) bool {
	for part := range strings.SplitSeq(list, ",") {
		low, high, isRange := strings.Cut(part, ":")
		a, err := strconv.Atoi(low)
		if low == "" && isRange {
			a, err = 0, nil
		}
		b := a
		if isRange {
			b = 65535
			if high != "" {
				b, _ = strconv.Atoi(high)
			}
		}
		if err == nil && a <= port && port <= b {
			return true
		}
	}
	return false
}
