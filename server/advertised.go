package server

import (
	"slices"
	"sync/atomic"

	"edgechat/browser"
	"edgechat/cluster"
)

const (
	// mostNodes is how many other nodes clients are told of.
	mostNodes = 16
	// mostOrigins is how many origins of nodes are let in: a page outlives the node that it came from.
	mostOrigins = 64
)

// advertised are the others of a cluster, as far as they say where clients reach them. Who may write to the engine may say that, as he may say anything
// in any room; what is no address is passed over. The zero value knows of none. heard is called by one goroutine, all else by any.
type advertised struct {
	own     string                   // this node's address; "" is no part in this
	present atomic.Pointer[[]string] // addresses of those that were heard lately, in order
	met     atomic.Pointer[[]string] // origins of all that were heard since the start, those of now first
}

// heard is told which nodes there are now.
func (n *advertised) heard(peers []cluster.Peer) {
	if n.own == "" {
		return
	}
	var present, met []string
	for _, p := range peers {
		address, origin, err := browser.ParseAddress(p.Address)
		if err != nil || len(met) == mostOrigins {
			continue
		}
		if !slices.Contains(met, origin) {
			met = append(met, origin)
		}
		if address != n.own && len(present) < mostNodes && !slices.Contains(present, address) {
			present = append(present, address)
		}
	}
	before := n.origins()
	for _, origin := range before {
		if len(met) < mostOrigins && !slices.Contains(met, origin) {
			met = append(met, origin)
		}
	}
	slices.Sort(present)
	n.present.Store(&present)
	if !slices.Equal(met, before) {
		n.met.Store(&met)
	}
}

// addresses returns those that clients are told.
func (n *advertised) addresses() []string {
	if list := n.present.Load(); list != nil {
		return *list
	}
	return nil
}

// origins returns those of pages that may use this server: of each node that was heard since the start, since pages of one that is gone come here.
func (n *advertised) origins() []string {
	if list := n.met.Load(); list != nil {
		return *list
	}
	return nil
}

// peers is origins as browser.Config has it; nil without a part in this.
func (n *advertised) peers() func(string) bool {
	if n.own == "" {
		return nil
	}
	return func(origin string) bool { return slices.Contains(n.origins(), origin) }
}
