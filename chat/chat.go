// Package chat is what a client of edgechat talks to: rooms over WebSocket and
// the JSON API beside it, as docs/protocol.md promises. It turns what clients
// send into calls of the hub, and says no where that is the answer.
//
// The one rule for callers: Register once, before the router serves.
package chat

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync/atomic"
	"time"

	"edgechat/auth"
	"edgechat/codec"
	"edgechat/hub"
	"edgechat/moderation"
	"edgechat/refusal"
	"edgechat/ws"
)

// What a Config that names none has.
const (
	DefaultReplayLimit        = 300
	DefaultRoomsPerConnection = 32
)

// A Config says what the chat routes work with.
type Config struct {
	Hub  *hub.Hub      // required; its formats are those of Formats
	Log  hub.Log       // required; history is read from it
	Auth *auth.Checker // required
	// Late says that the Log may find only after Append that it cannot take a message. Who asked for no ack is told of that
	// as well then, which costs an allocation for each message.
	Late bool
	// Elsewhere returns the addresses of other servers that have the same rooms, which clients are told; none is nil. The
	// caller changes no list that it has returned. Default none.
	Elsewhere func() []string
	// MaxContent bounds the content of a message, in bytes. Default codec.DefaultMaxContent.
	MaxContent int
	// ReplayLimit is how many messages a replay or a page of history has, and the
	// most that a client may ask for. Default DefaultReplayLimit.
	ReplayLimit int
	// RoomsPerConnection is how many rooms one connection of GET /chat may be in at once.
	// Default DefaultRoomsPerConnection; negative is no limit.
	RoomsPerConnection int
	// OwedBytes is how much a client may be owed in acks, in bytes of their frames, until no more is read from it
	// for a while. It is to be less than ws.Config.MaxPending, and 1 GiB at most. Default DefaultOwedBytes: some 300 acks.
	OwedBytes int
	// OwedPatience is how long that is, at most: then acks say that a message is not durable. Default
	// DefaultOwedPatience.
	OwedPatience time.Duration
	// Limits say how much one client may do. Default no limits; see DefaultLimits.
	Limits Limits
	// Rules are what moderators have decided. Default none, and those that are made hold in memory alone. They are the caller's to close.
	Rules *moderation.Rules
	// Nodes returns the name of this node of a cluster, and of those that hear what is decided here at once. nil is a server that is alone.
	Nodes func() (here string, others []string)
	// Logger gets rare events. nil discards.
	Logger *slog.Logger
}

// A Controller serves the chat routes. It has no state but counters: any number
// of requests may run at once.
type Controller struct {
	cfg    Config
	router *ws.Router
	events *streamForm
	lines  *streamForm
	ping   time.Duration // after which the router pings a silent client, which is told so
	decode codec.Limits
	limits *limiters
	rules  *moderation.Rules
	here   occupants
	rooms  roomList

	tooManyRooms atomic.Uint64
	ackPauses    atomic.Uint64
	acksRefused  atomic.Uint64
	rejected     refusal.Counts
}

// Stats are counters since the start.
type Stats struct {
	TooManyRooms uint64 // joins refused by Config.RoomsPerConnection
	AckPauses    uint64 // clients that were not read from for a while, since they were owed Config.OwedBytes
	AcksRefused  uint64 // acks that said "not durable" at once, since that had lasted Config.OwedPatience
	Limits       LimitStats
	Moderation   moderation.Stats

	Rejected map[refusal.Code]uint64 // frames of clients that were answered with an error, by reason
}

// Stats returns the counters as they are now. It may be called from any goroutine, as Moderate and Rules may.
func (ctl *Controller) Stats() Stats {
	return Stats{
		TooManyRooms: ctl.tooManyRooms.Load(), AckPauses: ctl.ackPauses.Load(), AcksRefused: ctl.acksRefused.Load(),
		Limits: ctl.limits.counts.stats(), Moderation: ctl.rules.Stats(), Rejected: ctl.rejected.Read(),
	}
}

// Subprotocols of the WebSocket routes, in the server's order of preference.
const (
	protocolJSON    = "edgechat.v1.json"
	protocolMsgPack = "edgechat.v1.msgpack"
)

// Register adds the chat routes to rt.
func Register(rt *ws.Router, cfg Config) (*Controller, error) {
	if cfg.Hub == nil || cfg.Log == nil || cfg.Auth == nil {
		return nil, errors.New("chat: Config needs a Hub, a Log and a Checker")
	}
	if cfg.MaxContent == 0 {
		cfg.MaxContent = codec.DefaultMaxContent
	}
	if cfg.ReplayLimit == 0 {
		cfg.ReplayLimit = DefaultReplayLimit
	}
	if cfg.RoomsPerConnection == 0 {
		cfg.RoomsPerConnection = DefaultRoomsPerConnection
	}
	if cfg.OwedBytes == 0 {
		cfg.OwedBytes = DefaultOwedBytes
	}
	if cfg.OwedPatience == 0 {
		cfg.OwedPatience = DefaultOwedPatience
	}
	if cfg.OwedBytes < 0 || cfg.OwedBytes > maxOwedBytes || cfg.OwedPatience < 0 {
		return nil, fmt.Errorf("chat: OwedBytes is %d, OwedPatience is %v; neither may be negative, and 1 GiB is the most", cfg.OwedBytes, cfg.OwedPatience)
	}
	if cfg.MaxContent < 1 || cfg.MaxContent > math.MaxInt32/16 || cfg.ReplayLimit < 1 {
		return nil, fmt.Errorf("chat: MaxContent is %d, ReplayLimit is %d; both must be at least 1", cfg.MaxContent, cfg.ReplayLimit)
	}
	if cfg.Elsewhere == nil {
		cfg.Elsewhere = func() []string { return nil }
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Rules == nil {
		var err error
		if cfg.Rules, err = moderation.Open(moderation.Config{}); err != nil {
			return nil, err
		}
	}
	ctl := &Controller{cfg: cfg, router: rt, ping: rt.PingInterval(), decode: codec.Limits{MaxContent: cfg.MaxContent}, limits: newLimiters(cfg.Limits), rules: cfg.Rules}
	cfg.Rules.Obey(ctl.obey)
	ctl.events, ctl.lines = newStreamForms(rt)
	reader := []ws.Guard{checkRoom, ctl.require(auth.Read), checkUsername, ctl.checkEntry}
	writer := []ws.Guard{checkRoom, ctl.require(auth.Write), checkUsername, ctl.checkEntry}
	reads := func(guards ...ws.Guard) []ws.Guard { return append([]ws.Guard{ctl.checkReads}, guards...) }
	moderator := []ws.Guard{checkRoom, ctl.require(auth.Moderate), ctl.checkEntry}
	protocols := []string{protocolJSON, protocolMsgPack}
	ws.React(rt, ws.Route[codec.Client]{
		Path:         "/chat/room/:roomId",
		Guards:       append(reader, ctl.checkJoin, ctl.checkRates),
		Subprotocols: protocols,
		MaxMessage:   ctl.decode.MaxFrame(),
		Decode:       ctl.decode.DecodeClient,
		Open:         ctl.open,
	})
	ws.React(rt, ws.Route[codec.Client]{
		Path:         "/chat",
		Guards:       []ws.Guard{ctl.identify, checkUsername, ctl.checkMany, ctl.checkEntry},
		Subprotocols: protocols,
		MaxMessage:   ctl.decode.MaxFrame(),
		Decode:       ctl.decode.DecodeClient,
		Open:         ctl.openMany,
	})
	for _, path := range []string{"/chat/room/:roomId/messages", "/room/:roomId"} { // the second is what people see in a browser
		rt.HTTP("POST", path, ctl.postMessage, writer...)
		rt.HTTP("PUT", path, ctl.postMessage, writer...)
	}
	rt.HTTP("PATCH", "/chat/room/:roomId/messages/:id", ctl.patchMessage, writer...)
	rt.HTTP("DELETE", "/chat/room/:roomId/messages/:id", ctl.deleteMessage, writer...)
	rt.HTTP("GET", "/chat/room/:roomId/messages", ctl.getMessages, reads(reader...)...)
	rt.HTTP("GET", "/chat/room/:roomId/events", ctl.getEvents, reader...)
	rt.HTTP("GET", "/chat/room/:roomId/members", ctl.getMembers, reads(reader...)...)
	rt.HTTP("GET", "/chat/rooms", ctl.getRooms, reads(ctl.identify, checkUsername, ctl.checkEntry)...)
	rt.HTTP("POST", "/chat/room/:roomId/moderation", ctl.postAct, moderator...)
	rt.HTTP("GET", "/chat/room/:roomId/moderation", ctl.getRules, reads(moderator...)...)
	rt.HTTP("POST", "/chat/moderation", ctl.postAct, ctl.requireAll(auth.Moderate), ctl.checkEntry)
	rt.HTTP("GET", "/chat/moderation", ctl.getRules, reads(ctl.requireAll(auth.Moderate), ctl.checkEntry)...)
	return ctl, nil
}
