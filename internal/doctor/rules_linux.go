package doctor

// A verdict is what becomes of a new TCP connection from somewhere else in the network.
type verdict int

const (
	undecided verdict = iota
	accepted
	dropped
	depends // on something of it that is not known here, such as its address
)

// A tri is whether a rule is about such a connection: it may depend.
type tri int

const (
	no tri = iota
	perhaps
	yes
)

// A rule of a chain.
type rule struct {
	text    string
	match   func(port int) tri
	verdict verdict // undecided: none, or the next two
	jump    string  // chain that is looked at; what follows is looked at if that decides nothing
	leave   bool    // return, or goto after its chain
}

// A chain of rules; one with a hook has a policy.
type chain struct {
	name   string
	rules  []rule
	policy verdict
}

// rules are all chains by name, and those at which the kernel begins with what comes in, in order. Each
// of the latter must let it pass.
type rules struct {
	chains map[string]*chain
	hooks  []*chain
}

// incoming follows a new connection to a port through the chains, and says which rule decided.
func (r *rules) incoming(port int) (verdict, string) {
	result, why := accepted, ""
	for _, c := range r.hooks {
		v, text := r.walk(c, port, 0)
		if v == undecided {
			v, text = c.policy, "policy of chain "+c.name
		}
		if v == dropped {
			return v, text
		}
		if v == depends && result != depends {
			result, why = depends, text
		}
	}
	return result, why
}

// walk returns what the rules of a chain decide. depth bounds jumps in circles, which the kernel refuses anyway.
func (r *rules) walk(c *chain, port, depth int) (verdict, string) {
	unsure, first := undecided, "" // what a rule that may be about it would have decided, first
	doubt := func(v verdict, text string) {
		if unsure == undecided {
			unsure, first = v, text
		} else if unsure != v {
			unsure = depends
		}
	}
	decide := func(v verdict, text string) (verdict, string) {
		if unsure == undecided || unsure == v {
			return v, text
		}
		return depends, first
	}
	for _, rule := range c.rules {
		m := rule.match(port)
		if m == no {
			continue
		}
		v, text := rule.verdict, rule.text
		if rule.jump != "" && depth < 16 {
			if target := r.chains[rule.jump]; target != nil {
				v, text = r.walk(target, port, depth+1)
			}
		}
		if v == undecided {
			if rule.leave && m == yes {
				break
			}
			if rule.leave {
				doubt(depends, text)
			}
			continue
		}
		if m == yes && v != depends {
			return decide(v, text)
		}
		doubt(v, text)
	}
	if unsure == undecided {
		return undecided, ""
	}
	// The chain may end without deciding: the policy, or the chain before, does.
	if c.policy != undecided {
		return decide(c.policy, "policy of chain "+c.name)
	}
	return depends, first
}
