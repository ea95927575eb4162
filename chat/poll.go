package chat

import (
	"context"
	"errors"
	"net/http"
	"time"

	"edgechat/auth"
	"edgechat/codec"
	"edgechat/limit"
	"edgechat/moderation"
	"edgechat/refusal"
	"edgechat/ws"
)

// A poll is a request that waits for the next message of its room.
type poll struct {
	identity *auth.Identity
	name     string
	room     string
	source   limit.Addr
	low      uint64
	at       int32 // among the occupants
	end      context.CancelCauseFunc
}

// errWaited: the time of a poll is over.
var errWaited = errors.New("chat: nothing was said in time")

// await waits for a message behind after, and reports whether there is one. It waits for that long at most, and no longer than the server
// runs. The error is the answer of who is kept out meanwhile.
func (ctl *Controller) await(r *ws.Request, after codec.ID, most time.Duration) (more bool, err error) {
	done, err := ctl.router.Wait()
	if err != nil {
		return false, err
	}
	defer done()
	ctx, end := context.WithCancelCause(r.Context())
	defer end(nil)
	over := func() { end(errWaited) }
	defer ctl.router.OnStop(over)()
	defer time.AfterFunc(most, over).Stop()

	name, err := username(identityOf(r), r.Query().Get("username"))
	if err != nil {
		return false, err
	}
	p := &poll{identityOf(r), name, roomOf(r), r.Source(), limit.Low(r.Client()), gone, end}
	ctl.here.add(p)
	defer ctl.here.remove(p)
	if why := ctl.cfg.Auth.Lost(p.identity); why != "" {
		return false, lostToken(why)
	}
	if err := ctl.checkEntry(r); err != nil { // a rule may have been made since the guards have asked
		return false, err
	}
	err = ctl.cfg.Hub.Await(ctx, roomOf(r), after)
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, errWaited):
		return false, nil
	case r.Context().Err() != nil: // the client has gone
		panic(http.ErrAbortHandler)
	}
	return false, err
}

func (p *poll) place() *int32 { return &p.at }

func (p *poll) who(room string) moderation.Who {
	return whoIs(p.identity, p.name, room, p.source, p.low)
}
func (p *poll) in() string             { return p.room }
func (p *poll) connection() bool       { return true }
func (p *poll) bearer() *auth.Identity { return p.identity }

func (p *poll) expel(no *moderation.Refusal) {
	if no.Code == refusal.TokenRevoked {
		p.end(lostToken(no.Text)) // over HTTP that is a 401
		return
	}
	p.end(refused(no))
}
