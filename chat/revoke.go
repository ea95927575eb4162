package chat

import (
	"time"

	"edgechat/auth"
	"edgechat/moderation"
	"edgechat/refusal"
	"edgechat/ws"
)

// Recheck ends the connections of tokens that were taken back, allow less than before or have expired, and returns how many. It
// is called after the tokens were read again. Anyone may call it at any time.
func (ctl *Controller) Recheck() (closed int) {
	for x, why := range ctl.here.lost(ctl.cfg.Auth.Lost) {
		x.expel(&moderation.Refusal{Code: refusal.TokenRevoked, Text: why})
		closed++
	}
	return closed
}

// unwanted returns why x, which is registered, is to end: its token is lost, or a rule keeps it out; nil if it may stay.
func (ctl *Controller) unwanted(x occupant) *moderation.Refusal {
	if x.connection() {
		if why := ctl.cfg.Auth.Lost(x.bearer()); why != "" {
			return &moderation.Refusal{Code: refusal.TokenRevoked, Text: why}
		}
	}
	if ctl.rules.None() {
		return nil
	}
	return ctl.rules.Enter(x.in(), x.who(x.in()))
}

// Expire is Recheck if a token may have expired by now, and next to nothing if none has: it is to be called every half second, as long as
// there are tokens.
func (ctl *Controller) Expire(now time.Time) (closed int) {
	if !ctl.cfg.Auth.Due(now) {
		return 0
	}
	return ctl.Recheck()
}

// lost returns the connections whose identity is lost, and why.
func (o *occupants) lost(lost func(*auth.Identity) string) map[occupant]string {
	found := map[occupant]string{}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, x := range o.list {
		if !x.connection() {
			continue // its connection is there too
		}
		if why := lost(x.bearer()); why != "" {
			found[x] = why
		}
	}
	return found
}

// MayScrape is a guard: the caller's token may read the metrics of the server from anywhere.
func (ctl *Controller) MayScrape(r *ws.Request) error {
	if err := ctl.identify(r); err != nil {
		return err
	}
	if id := identityOf(r); !id.MayScrape() {
		if id.Anonymous {
			return challenge(`Bearer realm="edgechat"`, "a token with the access metrics or admin is needed: "+sendIt)
		}
		return refusal.Errorf(refusal.Forbidden, "%s may not read the metrics: a token with the access metrics or admin may", id.Name)
	}
	return nil
}
