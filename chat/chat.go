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
	"time"

	"edgechat/auth"
	"edgechat/codec"
	"edgechat/hub"
	"edgechat/ws"
)

// DefaultReplayLimit is the ReplayLimit of a Config that names none.
const DefaultReplayLimit = 300

// A Config says what the chat routes work with.
type Config struct {
	Hub  *hub.Hub      // required; its formats are those of Formats
	Log  hub.Log       // required; history is read from it
	Auth *auth.Checker // required
	// MaxContent bounds the content of a message, in bytes. Default codec.DefaultMaxContent.
	MaxContent int
	// ReplayLimit is how many messages a replay or a page of history has, and the
	// most that a client may ask for. Default DefaultReplayLimit.
	ReplayLimit int
	// AllowedOrigins are web origins ("https://example.org") that may use the
	// server beside its own pages; "*" allows all.
	AllowedOrigins []string
	// Logger gets rare events. nil discards.
	Logger *slog.Logger
}

// A controller serves the chat routes. It has no state of its own: any number
// of requests may run at once.
type controller struct {
	cfg     Config
	ping    time.Duration // after which the router pings a silent client, which is told so
	limits  codec.Limits
	origins map[string]bool
}

// Subprotocols of the WebSocket route, in the server's order of preference.
const (
	protocolJSON    = "edgechat.v1.json"
	protocolMsgPack = "edgechat.v1.msgpack"
)

// Register adds the chat routes to rt.
func Register(rt *ws.Router, cfg Config) error {
	if cfg.Hub == nil || cfg.Log == nil || cfg.Auth == nil {
		return errors.New("chat: Config needs a Hub, a Log and a Checker")
	}
	if cfg.MaxContent == 0 {
		cfg.MaxContent = codec.DefaultMaxContent
	}
	if cfg.ReplayLimit == 0 {
		cfg.ReplayLimit = DefaultReplayLimit
	}
	if cfg.MaxContent < 1 || cfg.MaxContent > math.MaxInt32/16 || cfg.ReplayLimit < 1 {
		return fmt.Errorf("chat: MaxContent is %d, ReplayLimit is %d; both must be at least 1", cfg.MaxContent, cfg.ReplayLimit)
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	origins, err := parseOrigins(cfg.AllowedOrigins)
	if err != nil {
		return err
	}
	ctl := &controller{cfg: cfg, ping: rt.PingInterval(), limits: codec.Limits{MaxContent: cfg.MaxContent}, origins: origins}
	reader := []ws.Guard{checkRoom, ctl.checkOrigin, ctl.require(auth.Read), checkUsername}
	writer := []ws.Guard{checkRoom, ctl.checkOrigin, ctl.require(auth.Write), checkUsername}
	ws.React(rt, ws.Route[codec.Client]{
		Path:         "/chat/room/:roomId",
		Guards:       append(reader, ctl.checkJoin),
		Subprotocols: []string{protocolJSON, protocolMsgPack},
		MaxMessage:   ctl.limits.MaxFrame(),
		Decode:       ctl.limits.DecodeClient,
		Open:         ctl.open,
	})
	rt.HTTP("POST", "/chat/room/:roomId/messages", ctl.postMessage, writer...)
	rt.HTTP("GET", "/chat/room/:roomId/messages", ctl.getMessages, reader...)
	rt.HTTP("GET", "/chat/room/:roomId/members", ctl.getMembers, reader...)
	rt.HTTP("GET", "/chat/rooms", ctl.getRooms, ctl.checkOrigin, ctl.identify)
	return nil
}

// Formats are the hub's formats for WebSocket members, by codec.Format: a message in a frame.
func Formats() []hub.Format {
	format := func(f codec.Format) hub.Format {
		binary := f == codec.MsgPack
		return hub.Format{
			Message: func(dst []byte, _ string, m *codec.Message) []byte {
				start := len(dst)
				return ws.EndFrame(codec.AppendMessage(ws.BeginFrame(dst), f, m), start, binary)
			},
			Event: func(dst []byte, _ string, e *codec.Event) []byte {
				start := len(dst)
				return ws.EndFrame(codec.AppendEvent(ws.BeginFrame(dst), f, e), start, binary)
			},
		}
	}
	return []hub.Format{codec.JSON: format(codec.JSON), codec.MsgPack: format(codec.MsgPack)}
}
