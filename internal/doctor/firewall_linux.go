package doctor

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
)

// firewall says whether the rules of the kernel let a new connection to the ports in.
func firewall(ctx context.Context, b *Board) []Finding {
	if len(b.Ports) == 0 {
		return []Finding{unseen("edgechat doctor --listen :3000", "no TCP port is named")}
	}
	rules, from, err := ruleset(ctx, b)
	if errors.Is(err, exec.ErrNotFound) {
		return []Finding{unseen("sudo apt install nftables", "neither nft nor iptables-save is installed to show the rules")}
	}
	if err != nil {
		return []Finding{unseen("sudo edgechat doctor", "%v", err)}
	}
	if len(rules.hooks) == 0 {
		return []Finding{ok("no rules for what comes in (%s)", from)}
	}
	var all []Finding
	for _, p := range b.Ports {
		verdict, why := rules.incoming(p)
		switch verdict {
		case accepted:
			all = append(all, ok("port %d is let in (%s)", p, from))
		case dropped:
			all = append(all, Finding{Severity: Problem, Seen: fmt.Sprintf("port %d is not let in: %s (%s)", p, why, from),
				Means: "nobody but this board itself reaches the server", Mend: openPort(ctx, b, p, from)})
		default:
			all = append(all, Finding{Severity: Note, Seen: fmt.Sprintf("it depends on who comes whether port %d is let in: %s (%s)", p, why, from),
				Means: "some may not reach the server", Mend: "sudo " + from})
		}
	}
	return all
}

// openPort is the line that lets the port in, in the words of what manages the rules.
func openPort(ctx context.Context, b *Board, p int, from string) string {
	for _, m := range []struct{ program, line string }{
		{"ufw", fmt.Sprintf("sudo ufw allow %d/tcp", p)},
		{"firewall-cmd", fmt.Sprintf("sudo firewall-cmd --permanent --add-port=%d/tcp && sudo firewall-cmd --reload", p)},
	} {
		if _, err := b.program(ctx, m.program, "--version"); err == nil {
			return m.line
		}
	}
	if strings.HasPrefix(from, "nft") {
		return fmt.Sprintf("a line \"tcp dport %d accept\" in the chain of hook input in /etc/nftables.conf, and sudo systemctl reload nftables", p)
	}
	return fmt.Sprintf("sudo iptables -I INPUT -p tcp --dport %d -j ACCEPT", p)
}

// ruleset reads the rules with nft, which shows those of iptables too unless they are of the legacy kind.
func ruleset(ctx context.Context, b *Board) (*rules, string, error) {
	const nft, iptables = "nft -j list ruleset", "iptables-save -t filter"
	out, err := b.program(ctx, "nft", "-j", "list", "ruleset")
	if err == nil {
		r, err := parseNft(out)
		if err == nil && len(r.hooks) > 0 {
			return r, nft, nil
		}
		if err != nil {
			return nil, nft, fmt.Errorf("%s: %w", nft, err)
		}
	} else if !errors.Is(err, exec.ErrNotFound) {
		return nil, nft, err
	}
	old, oldErr := b.program(ctx, "iptables-save", "-t", "filter")
	if errors.Is(oldErr, exec.ErrNotFound) && err == nil {
		return &rules{}, nft, nil
	}
	if oldErr != nil {
		return nil, iptables, oldErr
	}
	return parseIptables(old), iptables, nil
}
