package admin

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// WriteTo writes how the cluster stands, for people.
func (c *Cluster) WriteTo(w io.Writer) (int64, error) {
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	var n int64
	c.rows(func(name, format string, args ...any) {
		k, _ := fmt.Fprintf(tw, "%s\t%s\n", name, fmt.Sprintf(format, args...))
		n += int64(k)
	})
	return n, tw.Flush()
}

// rows are the lines of a cluster on a page.
func (c *Cluster) rows(row func(name, format string, args ...any)) {
	state := "takes messages"
	if !c.Ready {
		state = "takes no messages"
	}
	row("cluster", "%s, node %s at %s, which %s", c.Name, c.Node, c.Engine, state)
	kept := "acknowledged is what a node's card has too"
	if c.Durable {
		kept = "acknowledged is what it has"
	}
	row("  setting", "%s: %s", c.Setting, kept)
	behind := uint64(0)
	if c.Last > c.Position {
		behind = c.Last - c.Position
	}
	row("  log", "epoch %s (number %d); this node has %d messages, %d behind the engine; %d wait for it", c.Epoch, c.Number, c.Position, behind, c.Queue)
	if c.Deaf > 0 {
		row("  nodes", "none is heard since %s, this one neither: who is on others stays as it was then", Span(c.Deaf))
		if c.DeafWhy != "" {
			row("  engine", "%s", c.DeafWhy)
		}
		return
	}
	if len(c.Peers) == 0 {
		row("  nodes", "no other was heard in the last seconds")
	}
	for _, p := range c.Peers {
		at := ""
		if p.Address != "" {
			at = " at " + p.Address
		}
		row("  node", "%s%s, heard %s ago, %d members", p.Name, at, Span(p.Heard), p.Members)
	}
}
