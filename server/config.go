package server

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"edgechat/auth"
	"edgechat/captive"
	"edgechat/chat"
	"edgechat/cluster"
	"edgechat/ws"
)

// What a Config that names none has.
const (
	DefaultListen       = ":3000"
	DefaultDrainTimeout = 10 * time.Second
	DefaultSocketMode   = 0o660
	// DefaultMembersPerRoom is a default of the command; that of a Config is no limit.
	DefaultMembersPerRoom = 5000
)

// Config is what one edgechat process is told. Zero values stand for the
// defaults; those of the packages below are theirs.
type Config struct {
	// Listen are the addresses to serve on: "host:port", ":port", "host:0" for
	// any free port, or "unix:PATH". Default DefaultListen.
	Listen []string

	// Listeners, if there are any, are served on in place of Listen: sockets that
	// somebody else opened, a service manager for one, and keeps open. They are the
	// server's from New on, also when that fails. It closes them as the first thing of a
	// stop, so that who connects from then on waits for the next process.
	Listeners []net.Listener

	// TLSListen are addresses as those of Listen where TLS is spoken: https:// and wss://. With one, TLSCert and TLSKey must be
	// set. Default none.
	TLSListen []string
	// TLSListeners are to TLSListen what Listeners are to Listen.
	TLSListeners []net.Listener
	// TLSCert and TLSKey are the paths of a certificate and its key, as cert.Config has them. They are read again
	// when they change.
	TLSCert, TLSKey string

	// Data is the folder that holds edgechat.db; it is made if it is missing.
	// It must be set.
	Data string

	History      int           // messages kept of each room; default store.DefaultHistory
	HistoryBytes int64         // bytes kept of all rooms; default store.DefaultHistoryBytes
	Rooms        int           // rooms kept, beyond which the one that has been silent longest is forgotten; default store.DefaultRooms
	SyncInterval time.Duration // longest time that a message nobody waits for is in memory alone; default store.DefaultSyncInterval

	ReplayLimit int // messages that one request for history gets at most; default chat.DefaultReplayLimit
	MaxContent  int // bytes of the content of one message; default codec.DefaultMaxContent

	// RoomsPerConnection is how many rooms one connection may be in at once; default
	// chat.DefaultRoomsPerConnection, negative is no limit.
	RoomsPerConnection int

	// Limits say how much one client may do; default no limits, see chat.DefaultLimits.
	Limits chat.Limits
	// Connections say how many connections there may be; default no limits.
	Connections ws.Limits
	// MembersPerRoom is how many members a room may have at once; default no limit.
	MembersPerRoom int
	// ModerationRules is how many bans, mutes and rules of rooms there may be at once; default moderation.DefaultMost.
	ModerationRules int
	// SlowPerAddress is as moderation.Config has it; default no limit.
	SlowPerAddress int
	// TrustedProxies are the addresses of proxies that are believed which client they speak for, beside
	// those on this machine.
	TrustedProxies []netip.Prefix

	PingInterval time.Duration // between pings of a silent connection; default ws.DefaultPingInterval
	WriteTimeout time.Duration // without progress, after which a peer is too slow; default ws.DefaultWriteTimeout
	// MessageTimeout is how long a message may take from its first byte to its last, and
	// a request over HTTP with its body. Default ws.DefaultMessageTimeout.
	MessageTimeout time.Duration

	// DrainTimeout is what a stop gives to frames that are still to be written,
	// and after that (5 s of it at most) to requests that still run. Default DefaultDrainTimeout.
	DrainTimeout time.Duration

	HeaderTimeout  time.Duration // for the head of a request to arrive; default 10 s
	IdleTimeout    time.Duration // of a connection that is kept for a next request; default 2 min
	MaxHeaderBytes int           // of the head of a request; default 16 KiB (net/http adds 4 KiB of grace)

	// AllowedHosts are names under which browsers may reach this server besides its addresses, the machine's own name, names
	// without a dot and those below .local: see browser.Config. "*" is all. Default none.
	AllowedHosts []string

	// AllowedOrigins are web pages, besides those served from here, that may
	// connect: "https://chat.example", "null", "file://", or "*" for all. Default none.
	AllowedOrigins []string

	// FrameAncestors are origins whose pages may show the page inside a frame. Default none.
	FrameAncestors []string

	// BasePath is where a proxy has this server: see ws.Config. Default "".
	BasePath string

	// Tokens is the path of a token file; "" is no tokens.
	Tokens string

	// JWTKey is the path of a key file, which checks tokens that somebody else has signed; "" takes no such tokens. See
	// auth.KeysConfig.
	JWTKey string
	// JWTAudience is what such a token's claim aud must be or have in its list; "" looks at no aud. It needs JWTKey.
	JWTAudience string

	// Cluster is the address of an engine that keeps the log of several nodes, which serve the same rooms: "redis://HOST:PORT",
	// "rediss://...", "unix:PATH" of Redis, or "postgres://USER@HOST/DATABASE". "" is none: this process is alone.
	Cluster string
	// ClusterName tells this cluster from others at the same engine. Default DefaultClusterName.
	ClusterName string
	// ClusterPassword is the path of a file with the engine's password; "" is one in Cluster, or none.
	ClusterPassword string
	// NodeName is what this node is called; no other of the cluster may be called so. Default the name of the machine.
	NodeName string
	// Advertise is the address under which clients reach this node, such as "http://attic.local:3000", with the path where a proxy has it. Clients of other nodes are told
	// it, and those of this node the others', so that they go there when theirs is gone; and pages of one may use the others. "" is none: then all
	// of that is left out. It needs Cluster.
	Advertise string
	engine    func(cluster.Engine) cluster.Engine // tests have one that loses what is broadcast

	// Anonymous is what a caller without a token may do. Unset: write
	// without a token file and a key file, else none.
	Anonymous auth.Access

	// Captive makes the chat the sign-in page of a Wi-Fi in which each name leads to this machine; Portal says how. It must be
	// reached at port 80. See package captive.
	Captive bool
	Portal  captive.Config // its BasePath and Client are the server's

	// Admin is the path of the admin socket; "" is none. See package admin.
	Admin string

	// SocketMode is the mode of unix sockets, the admin socket's included. Their group is the process's. Default
	// DefaultSocketMode.
	SocketMode fs.FileMode

	// MetricsListen is an address, as those of Listen, where GET /metrics answers everyone. "" is none: then it answers
	// this machine alone, at Listen, and the admin socket.
	MetricsListen string

	// Version is told to whoever looks after the server.
	Version string

	// Level is that of Logger, which the admin socket changes; nil is a level that nobody heeds.
	Level *slog.LevelVar

	// LogDropped returns how many lines of the log were dropped; nil is none.
	LogDropped func() uint64

	// Logger gets rare events; nil discards.
	Logger *slog.Logger
}

func (cfg *Config) defaults() error {
	if cfg.Data == "" {
		return errors.New("server: Data is empty: name the folder for edgechat.db")
	}
	switch speaks := len(cfg.TLSListen)+len(cfg.TLSListeners) > 0; {
	case speaks && (cfg.TLSCert == "" || cfg.TLSKey == ""):
		return errors.New("server: TLS needs a certificate and its key: name both; \"edgechat ca init\" makes a pair for a local network")
	case !speaks && cfg.TLSCert+cfg.TLSKey != "":
		return errors.New("server: there is a certificate or a key and no address where TLS is spoken: name one, such as :3443")
	}
	if cfg.JWTAudience != "" && cfg.JWTKey == "" {
		return errors.New("server: there is an audience of signed tokens, and no key that checks them: name the key file too")
	}
	if err := cfg.clusterDefaults(); err != nil {
		return err
	}
	if len(cfg.Listen) == 0 {
		cfg.Listen = []string{DefaultListen}
	}
	// Those with a default of 0 here are passed on as they are to the packages below,
	// which know their own.
	for _, d := range []struct {
		name string
		v    *time.Duration
		def  time.Duration
	}{
		{"SyncInterval", &cfg.SyncInterval, 0},
		{"PingInterval", &cfg.PingInterval, 0},
		{"WriteTimeout", &cfg.WriteTimeout, 0},
		{"MessageTimeout", &cfg.MessageTimeout, ws.DefaultMessageTimeout},
		{"DrainTimeout", &cfg.DrainTimeout, DefaultDrainTimeout},
		{"HeaderTimeout", &cfg.HeaderTimeout, 10 * time.Second},
		{"IdleTimeout", &cfg.IdleTimeout, 2 * time.Minute},
	} {
		if *d.v < 0 {
			return fmt.Errorf("server: %s is %v: it must not be negative", d.name, *d.v)
		}
		*d.v = cmp.Or(*d.v, d.def)
	}
	for _, n := range []struct {
		name string
		v    int64
	}{
		{"History", int64(cfg.History)}, {"HistoryBytes", cfg.HistoryBytes}, {"Rooms", int64(cfg.Rooms)}, {"ReplayLimit", int64(cfg.ReplayLimit)},
		{"MaxContent", int64(cfg.MaxContent)}, {"MaxHeaderBytes", int64(cfg.MaxHeaderBytes)},
		{"MembersPerRoom", int64(cfg.MembersPerRoom)}, {"ModerationRules", int64(cfg.ModerationRules)}, {"SlowPerAddress", int64(cfg.SlowPerAddress)},
	} {
		if n.v < 0 {
			return fmt.Errorf("server: %s is %d: it must not be negative", n.name, n.v)
		}
	}
	cfg.MaxHeaderBytes = cmp.Or(cfg.MaxHeaderBytes, 16<<10)
	cfg.SocketMode = cmp.Or(cfg.SocketMode, DefaultSocketMode)
	if cfg.SocketMode&^fs.ModePerm != 0 {
		return fmt.Errorf("server: SocketMode is %#o: it must be of permissions alone, at most 0777", cfg.SocketMode)
	}
	if cfg.Level == nil {
		cfg.Level = new(slog.LevelVar)
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return nil
}
