package chat

import (
	"errors"
	"sync"
	"time"

	"edgechat/auth"
	"edgechat/codec"
	"edgechat/hub"
	"edgechat/limit"
	"edgechat/moderation"
	"edgechat/refusal"
	"edgechat/ws"
)

// A client is one connection over WebSocket, be it in one room or in several.
type client struct {
	ctl      *Controller
	conn     *ws.Conn[codec.Client]
	identity *auth.Identity
	format   codec.Format
	control  bool  // it offered a subprotocol, and gets acks
	invalid  int16 // frames in a row, of the goroutine of the connection
	authors  authors
	owed     owed
	source   limit.Addr
	low      uint64 // the last 64 bits of its address, for rules about it
	pace     pace
}

// newClient returns the client of c, before the end of Open.
func (ctl *Controller) newClient(c *ws.Conn[codec.Client], format codec.Format) client {
	switch c.Subprotocol() {
	case protocolJSON:
		format = codec.JSON
	case protocolMsgPack:
		format = codec.MsgPack
	}
	return client{ctl: ctl, conn: c, identity: identityOf(c.Request()), source: c.Request().Source(), low: limit.Low(c.Request().Client()), format: format, control: c.Subprotocol() != ""}
}

// send sends one frame to this client alone.
func (c *client) send(encode func(dst []byte) []byte) {
	f := frames.Get().(*frame)
	f.buf = encode(f.buf[:0])
	// A connection that is closing takes no more, and needs none.
	_ = c.conn.SendPayload(c.format == codec.MsgPack, f.buf)
	if cap(f.buf) <= keptFrame {
		frames.Put(f)
	}
}

// A frame is where one is put together that is for one client alone.
type frame struct{ buf []byte }

var frames = sync.Pool{New: func() any { return new(frame) }}

// keptFrame is the largest buffer that is kept for the next frame, in bytes.
const keptFrame = 4 << 10

func (c *client) refuse(e *codec.Error) {
	c.ctl.rejected.Add(e.Code)
	c.send(func(dst []byte) []byte { return codec.AppendError(dst, c.format, e) })
}

// pong answers a ping, whatever the client may do.
func (c *client) pong() {
	c.send(func(dst []byte) []byte { return codec.AppendPong(dst, c.format) })
}

// subscribed is the first frame of a room. nodes are addresses to tell of.
func (c *client) subscribed(room, username string, since *codec.ID, joined hub.Joined, nodes []string) {
	recovering := since != nil
	access, refused := c.ctl.standing(c.identity, whoIs(c.identity, username, room, c.source, c.low), room)
	c.send(func(dst []byte) []byte {
		return codec.AppendSubscribed(dst, c.format, &codec.Subscribed{
			Room: room, Head: joined.Head, Oldest: joined.Oldest,
			WasRecovering: recovering, Recovered: recovering && joined.Recovered,
			Username: username, Verified: !c.identity.Anonymous, Access: access, Refused: refused, Members: joined.Members,
			MaxContent: c.ctl.cfg.MaxContent, PingInterval: int(c.ctl.ping.Milliseconds()), Nodes: nodes,
		})
	})
}

// joinFailed closes the connection: the history of a room could not be read. There is nobody
// to tell if it has ended by itself.
func (c *client) joinFailed(room, username string, err error) {
	if errors.Is(err, hub.ErrFull) { // since it was let in
		c.conn.Close(refusal.CloseTryAgainLater, string(refusal.RoomFull)+": the room has as many members as it may have")
		return
	}
	c.ctl.cfg.Logger.Error("join failed", "room", room, "user", username, "err", err)
	c.conn.Close(refusal.CloseTryAgainLater, "the history could not be read: come back")
}

// publish says msg in the room of m. done, if not nil, acks it and is called once the message is
// settled; room is the name that the ack has. It returns what is to be answered if that was not taken; where it turns out later that
// it was not, that is sent to the client.
func (c *client) publish(m *hub.Member, room string, msg codec.Client, done func(codec.Receipt)) *codec.Error {
	key := ""
	if msg.Key != "" {
		key = keyScope(c.identity, m.Username(), msg.Key, msg.Content)
	}
	settled := codec.Done{Tell: done}
	if done != nil {
		settled.Early = c.owe(room, msg.Key)
	} else if c.ctl.cfg.Late {
		key, name := msg.Key, m.Username() // all of msg would be kept
		settled = codec.Done{Early: true, Tell: func(r codec.Receipt) {
			if r.Err != nil {
				c.refuse(c.untaken(room, name, key, r.Err))
			}
		}}
	}
	if err := c.say(m, msg, key, settled); err != nil {
		if done != nil {
			c.paid(room, msg.Key)
		}
		return c.untaken("", m.Username(), msg.Key, err)
	}
	return nil
}

// untaken answers a message that the Log did not take.
func (c *client) untaken(room, username, key string, err error) *codec.Error {
	e := notRevised(c.identity, err)
	if e == nil {
		e = c.ctl.notTaken(username, err)
	}
	no := &codec.Error{Code: e.Code, Message: e.Message, Room: room, Key: key}
	if errors.Is(err, codec.ErrUnavailable) {
		no.RetryAfter = sayAgain
	}
	return no
}

// sayAgain is after what time a client is to say again what the Log could not take, as it may a while later.
const sayAgain = time.Second

func (c *client) bearer() *auth.Identity { return c.identity }

// enter registers x, which is a connection with this client, and ends it at once if it is unwanted: that may have come since
// guards have asked.
func (c *client) enter(x occupant) {
	c.ctl.here.add(x)
	c.recheck(x)
}

func (c *client) recheck(x occupant) {
	if no := c.ctl.unwanted(x); no != nil {
		x.expel(no)
	}
}

// cut closes the connection, which is x, for a moderator or since its token is lost. What the frame says fits the close frame in part.
func (c *client) cut(x occupant, no *moderation.Refusal) {
	c.ctl.here.remove(x)
	c.refuse(&codec.Error{Code: no.Code, Message: no.Text, RetryAfter: no.Wait})
	c.conn.Close(refusal.ClosePolicyViolation, no.Close())
}

// mayNotWrite answers who may only read.
func mayNotWrite(msg codec.Client) *codec.Error {
	return &codec.Error{Code: refusal.Forbidden, Message: "this connection may read here, not write", Key: msg.Key}
}

// asError returns how Decode refused a frame.
func asError(err error) *codec.Error {
	if e, ok := err.(*codec.Error); ok {
		return e
	}
	return &codec.Error{Code: refusal.InvalidMessage, Message: err.Error()}
}
