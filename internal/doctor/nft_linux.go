package doctor

import (
	"encoding/json"
	"slices"
	"sort"
)

// parseNft reads the answer of nft -j list ruleset (libnftables-json(5)).
func parseNft(text string) (*rules, error) {
	var doc struct {
		Nftables []struct {
			Chain *struct {
				Family, Table, Name, Type, Hook, Policy string
				Prio                                    int
			}
			Rule *struct {
				Family, Table, Chain string
				Expr                 []map[string]json.RawMessage
			}
			Set *struct {
				Family, Table, Name string
				Elem                []any
			}
		}
	}
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		return nil, err
	}
	r := &rules{chains: map[string]*chain{}}
	sets := map[string][]any{}
	type hooked struct {
		*chain
		prio int
	}
	var hooks []hooked
	for _, o := range doc.Nftables {
		if s := o.Set; s != nil {
			sets[s.Family+" "+s.Table+" @"+s.Name] = s.Elem
		}
		c := o.Chain
		if c == nil || c.Family != "ip" && c.Family != "inet" { // phones come by IPv4, which every network has
			continue
		}
		name := c.Family + " " + c.Table + " " + c.Name
		r.chains[name] = &chain{name: name}
		// What is addressed to this board: prerouting may drop it as well.
		if c.Type == "filter" && (c.Hook == "input" || c.Hook == "prerouting") {
			r.chains[name].policy = accepted
			if c.Policy == "drop" {
				r.chains[name].policy = dropped
			}
			hooks = append(hooks, hooked{r.chains[name], c.Prio})
		}
	}
	for _, o := range doc.Nftables {
		if o.Rule == nil {
			continue
		}
		if c := r.chains[o.Rule.Family+" "+o.Rule.Table+" "+o.Rule.Chain]; c != nil {
			scope := o.Rule.Family + " " + o.Rule.Table + " "
			c.rules = append(c.rules, nftRule(c.name, scope, o.Rule.Expr, sets))
		}
	}
	sort.SliceStable(hooks, func(i, j int) bool { return hooks[i].prio < hooks[j].prio })
	for _, h := range hooks {
		if len(h.rules) > 0 || h.policy == dropped {
			r.hooks = append(r.hooks, h.chain)
		}
	}
	return r, nil
}

func nftRule(chainName, scope string, exprs []map[string]json.RawMessage, sets map[string][]any) rule {
	raw, _ := json.Marshal(exprs)
	r := rule{text: "rule of chain " + chainName + ": " + string(raw)}
	var matches []func(int) tri
	for _, e := range exprs {
		for kind, body := range e {
			switch kind {
			case "accept":
				r.verdict = accepted
			case "drop", "reject":
				r.verdict = dropped
			case "return":
				r.leave = true
			case "jump", "goto":
				var to struct{ Target string }
				_ = json.Unmarshal(body, &to) // "" is no chain
				r.jump, r.leave = scope+to.Target, kind == "goto"
			case "match":
				matches = append(matches, nftMatch(body, scope, sets))
			case "vmap":
				m, v := nftMap(body)
				matches, r.verdict = append(matches, m), v
			case "counter", "log", "comment", "mangle", "notrack":
			default: // xt of iptables, limit, what comes later
				matches = append(matches, always(perhaps))
			}
		}
	}
	r.match = all(matches)
	return r
}

// nftMap understands what becomes of a new connection in a map of states. Any other map depends.
func nftMap(body json.RawMessage) (func(int) tri, verdict) {
	var m struct {
		Key  struct{ CT struct{ Key string } }
		Data struct{ Set [][]any }
	}
	if json.Unmarshal(body, &m) != nil || m.Key.CT.Key != "state" {
		return always(perhaps), depends
	}
	for _, pair := range m.Data.Set {
		to, _ := pair[len(pair)-1].(map[string]any)
		if pair[0] != "new" {
			continue
		}
		if _, found := to["accept"]; found {
			return always(yes), accepted
		}
		if _, found := to["drop"]; found {
			return always(yes), dropped
		}
		return always(yes), depends
	}
	return always(no), undecided
}

// all is the least of what the parts of a rule say.
func all(matches []func(int) tri) func(int) tri {
	return func(port int) tri {
		least := yes
		for _, m := range matches {
			least = min(least, m(port))
		}
		return least
	}
}

func always(t tri) func(int) tri { return func(int) tri { return t } }

// nftMatch understands what is about ports, states, protocols and the loopback device.
func nftMatch(body json.RawMessage, scope string, sets map[string][]any) func(int) tri {
	var m struct {
		Op    string
		Left  map[string]any
		Right any
	}
	if json.Unmarshal(body, &m) != nil {
		return always(perhaps)
	}
	if name, isName := m.Right.(string); isName && len(name) > 0 && name[0] == '@' {
		elems, known := sets[scope+name]
		if !known {
			return always(perhaps)
		}
		m.Right = map[string]any{"set": elems}
	}
	is := func(values ...string) func(int) tri {
		return flip(m.Op, hasAny(m.Right, func(v any) bool {
			s, isText := v.(string)
			return isText && slices.Contains(values, s)
		}))
	}
	if payload, found := m.Left["payload"].(map[string]any); found {
		switch protocol, field := payload["protocol"], payload["field"]; {
		case (protocol == "tcp" || protocol == "th") && field == "dport":
			return func(port int) tri {
				switch m.Op {
				case "==", "!=", "in":
					return flip(m.Op, hasAny(m.Right, func(v any) bool { return covers(v, port) }))(port)
				}
				return perhaps
			}
		case protocol == "udp" || protocol == "icmp" || protocol == "icmpv6" || protocol == "sctp":
			return always(no)
		case (protocol == "ip" && field == "protocol") || (protocol == "ip6" && field == "nexthdr"):
			return is("tcp")
		}
		return always(perhaps)
	}
	if meta, found := m.Left["meta"].(map[string]any); found {
		switch meta["key"] {
		case "l4proto":
			return is("tcp")
		case "nfproto":
			return is("ipv4")
		case "pkttype":
			return is("host")
		case "iifname", "iif":
			if m.Right == "lo" { // from elsewhere it is never lo
				return flip(m.Op, false)
			}
		}
		return always(perhaps)
	}
	if ct, found := m.Left["ct"].(map[string]any); found && ct["key"] == "state" {
		return is("new")
	}
	return always(perhaps)
}

// flip turns whether a value is in what is named into whether the rule matches.
func flip(op string, in bool) func(int) tri {
	if in != (op == "!=") {
		return always(yes)
	}
	return always(no)
}

// hasAny looks at one value, a list, or a set.
func hasAny(right any, is func(any) bool) bool {
	switch v := right.(type) {
	case []any:
		return slices.ContainsFunc(v, func(e any) bool { return hasAny(e, is) })
	case map[string]any:
		if set, found := v["set"]; found {
			return hasAny(set, is)
		}
		if elem, found := v["elem"].(map[string]any); found {
			return hasAny(elem["val"], is)
		}
	}
	return is(right)
}

// covers says whether a number or a range of nft's JSON has the port.
func covers(v any, port int) bool {
	switch v := v.(type) {
	case float64:
		return int(v) == port
	case string: // a service
		return false
	case map[string]any:
		if r, found := v["range"].([]any); found && len(r) == 2 {
			low, lowOK := r[0].(float64)
			high, highOK := r[1].(float64)
			return lowOK && highOK && int(low) <= port && port <= int(high)
		}
	}
	return false
}
