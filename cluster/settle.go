package cluster

import (
	"context"
	"fmt"
	"time"
)

// A log that is not verified is so once nodes have agreed on what it holds:
//
//	each claims how far it has the log                         for claimTime
//	who has most leads: it appends anew what the engine lost,  the others claim again, and lead
//	raises the heads of rooms, and opens an epoch              if it does not
//	each rolls back what is behind the start of that epoch     reconcile
//
// Nodes that come later and have more roll back as well: what they have under keys is appended again.
const claimTime = 1500 * time.Millisecond // by default

// settle takes part in that. Its error is never nil: run looks anew.
func (l *Log) settle(st State) error {
	l.troubled(fmt.Errorf("%w, which nodes do in some seconds", ErrUnverified))
	if err := l.mayLead(); err != nil {
		return err
	}
	me := Claim{Node: l.cfg.Node, Position: l.store.Position(), Newest: l.store.Newest()}
	claims, err := l.claim(st.Run, me)
	if err != nil {
		return err
	}
	for end := time.Now().Add(l.cfg.ClaimTime); time.Now().Before(end); {
		if !l.sleep(l.cfg.ClaimTime / 10) {
			return l.ctx.Err()
		}
		now, err := l.look()
		if err != nil {
			return err
		}
		if now.Verified || now.Run != st.Run {
			return errSettled
		}
		if claims, err = l.claim(st.Run, me); err != nil {
			return err
		}
	}
	newest := max(st.Epoch.N, me.Newest, l.opened) // one that was opened and lost at once is known to nobody else
	for _, c := range claims {
		newest = max(newest, c.Newest)
		if c.Position > me.Position || c.Position == me.Position && c.Node < me.Node {
			return errSettled // another leads; if it does not, its claim is over soon
		}
	}
	return l.lead(st, newest+1)
}

func (l *Log) claim(run string, me Claim) ([]Claim, error) {
	ctx, cancel := context.WithTimeout(l.ctx, ordinary)
	defer cancel()
	return l.engine.Claim(ctx, run, me)
}
