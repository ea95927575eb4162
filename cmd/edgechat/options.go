package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/bits"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"edgechat/auth"
	"edgechat/captive"
	"edgechat/chat"
	"edgechat/codec"
	"edgechat/internal/settings"
	"edgechat/server"
	"edgechat/store"
	"edgechat/ws"
)

// maxHistoryBytes keeps what is read of the store's file within the address space of a
// 32-bit board.
const maxHistoryBytes = 128 << 20 << (bits.UintSize / 64 * 7) // 16 GiB on 64 bits

// mostContent is the most that the content of a message may be set to, in bytes.
const mostContent = 64 << 10

// options are the settings of serve. docs/settings.md is made from this table.
type options struct {
	server.Config
	level  slog.LevelVar // the admin socket changes it
	format string
}

func (o *options) table(getenv func(string) string) []settings.Setting {
	c := &o.Config
	return slices.Concat([]settings.Setting{
		listen(settings.Setting{Name: "listen", Default: server.DefaultListen,
			Usage: "address to serve on; repeatable, or separated by commas; port 0 is any free one; not used if systemd hands sockets over"}, &c.Listen),
		settings.List(settings.Setting{Name: "tls-listen", Takes: "ADDRESS", DefaultText: "none", Allowed: "host:port, :port or unix:PATH",
			Usage: "address where TLS is spoken, for https:// and wss://; repeatable, or separated by commas"}, &c.TLSListen, checkListen),
		settings.Path(settings.Setting{Name: "tls-cert", Takes: "FILE", DefaultText: "none",
			Usage: "certificate in PEM, with those above it behind it; read again when it changes"}, &c.TLSCert),
		settings.Path(settings.Setting{Name: "tls-key", Takes: "FILE", DefaultText: "none",
			Usage: "its private key in PEM, which others may not read"}, &c.TLSKey),
		dataFolder(&c.Data, getenv),
		settings.Number(settings.Setting{Name: "history", Default: strconv.Itoa(store.DefaultHistory),
			Usage: "messages kept of each room"}, &c.History, 1, 100_000),
		settings.Size(settings.Setting{Name: "history-bytes", Default: settings.Bytes(store.DefaultHistoryBytes),
			Usage: "bytes kept of all rooms; 128MiB at most on a 32-bit system"}, &c.HistoryBytes, 1<<20, maxHistoryBytes),
		settings.Number(settings.Setting{Name: "rooms", Default: strconv.Itoa(store.DefaultRooms),
			Usage: "rooms kept; beyond them the one that has been silent longest is forgotten"}, &c.Rooms, 1, 1_000_000),
		settings.Duration(settings.Setting{Name: "sync-interval", Default: settings.ShortDuration(store.DefaultSyncInterval),
			Usage: "longest time that a message whose sender asked for no ack is in memory alone"}, &c.SyncInterval, 10*time.Millisecond, time.Minute),
		settings.Number(settings.Setting{Name: "replay-limit", Default: strconv.Itoa(chat.DefaultReplayLimit),
			Usage: "messages that a client gets at most when it asks for history"}, &c.ReplayLimit, 1, 10_000),
		settings.Number(settings.Setting{Name: "max-content", Default: strconv.Itoa(codec.DefaultMaxContent),
			Usage: "bytes of the content of one message"}, &c.MaxContent, 1, mostContent),
		orNone(settings.Number(settings.Setting{Name: "rooms-per-connection", Default: strconv.Itoa(chat.DefaultRoomsPerConnection),
			Usage: "rooms that one connection may be in at once; 0 is no limit"}, &c.RoomsPerConnection, 0, 10_000), &c.RoomsPerConnection),
		settings.Duration(settings.Setting{Name: "ping-interval", Default: settings.ShortDuration(ws.DefaultPingInterval),
			Usage: "silence after which a connection is pinged; after two it is dropped"}, &c.PingInterval, time.Second, 10*time.Minute),
		settings.Duration(settings.Setting{Name: "write-timeout", Default: settings.ShortDuration(ws.DefaultWriteTimeout),
			Usage: "time in which a client takes nothing of what waits for it, before it is closed as too slow; or less than 64 KiB of an HTTP answer, before that is cut"}, &c.WriteTimeout, time.Second, 5*time.Minute),
		settings.Duration(settings.Setting{Name: "message-timeout", Default: settings.ShortDuration(ws.DefaultMessageTimeout),
			Usage: "time that a message may take from its first byte to its last, or a request with its body"}, &c.MessageTimeout, time.Second, 5*time.Minute),
		settings.Duration(settings.Setting{Name: "drain-timeout", Default: settings.ShortDuration(server.DefaultDrainTimeout),
			Usage: "time that a stop gives to frames under way, and then again to requests, 5s at most"}, &c.DrainTimeout, 100*time.Millisecond, 5*time.Minute),
		settings.List(settings.Setting{Name: "allowed-hosts", Takes: "NAME", DefaultText: "addresses, the machine's own name, names without a dot and those that end in .local",
			Usage: "further names under which browsers may reach the server, or * for all; repeatable, or separated by commas"}, &c.AllowedHosts, checkHost),
		settings.List(settings.Setting{Name: "allowed-origins", Takes: "ORIGIN", DefaultText: "the server's own pages alone",
			Usage: "web pages from elsewhere that may connect: https://HOST[:PORT], an app's own scheme, null, file://, or * for all; repeatable, or separated by commas"}, &c.AllowedOrigins, checkOrigin),
		settings.List(settings.Setting{Name: "frame-ancestors", Takes: "ORIGIN", DefaultText: "none",
			Usage: "web pages that may show the chat's page inside a frame, or * for all; repeatable, or separated by commas"}, &c.FrameAncestors, checkAncestor),
		basePath(settings.Setting{Name: "base-path", Takes: "PATH", DefaultText: "none",
			Usage: "path below which a proxy passes requests on without taking it away, such as /chat"}, &c.BasePath),
		tokens(settings.Setting{Name: "tokens", Takes: "FILE", DefaultText: "$CREDENTIALS_DIRECTORY/tokens if there is one, else none",
			Usage: "token file, made by \"edgechat token create\""}, &c.Tokens, getenv),
		jwtKey(settings.Setting{Name: "jwt-key", Takes: "FILE", DefaultText: "$CREDENTIALS_DIRECTORY/jwt-key if there is one, else none",
			Usage: "key that checks signed tokens (JWT): a public key in PEM, a JWK set, or a secret of 32 bytes or more"}, &c.JWTKey, getenv),
		jwtAudience(settings.Setting{Name: "jwt-audience", Takes: "NAME", DefaultText: "none: the claim aud is not looked at",
			Usage: "what the claim aud of a signed token must be, or have in its list"}, &c.JWTAudience),
		clusterAddress(settings.Setting{Name: "cluster", Takes: "ADDRESS", DefaultText: "none: this server is alone",
			Usage: "engine that several servers share, which then serve the same rooms: redis://[USER[:PASSWORD]@]HOST[:PORT][/DB], rediss:// with TLS, unix:PATH, or postgres://USER[:PASSWORD]@HOST[:PORT]/DATABASE"}, &c.Cluster),
		clusterName(settings.Setting{Name: "cluster-name", Takes: "NAME", Default: server.DefaultClusterName,
			Usage: "name that tells this cluster from others at the same engine"}, &c.ClusterName),
		clusterPassword(settings.Setting{Name: "cluster-password", Takes: "FILE", DefaultText: "$CREDENTIALS_DIRECTORY/cluster-password if there is one and --cluster is set, else none",
			Usage: "file with the password of the engine"}, &c.ClusterPassword, getenv),
		nodeName(settings.Setting{Name: "node-name", Takes: "NAME", DefaultText: "the machine's name",
			Usage: "name of this server in the cluster, which no other of it has"}, &c.NodeName),
		advertised(settings.Setting{Name: "advertise", Takes: "URL", DefaultText: "none: clients are told of no other servers", Allowed: "http://host:port, https://, ws:// or wss://",
			Usage: "address under which clients reach this server, which those of others of the cluster are told: they go there when theirs is gone"}, &c.Advertise),
		o.anonymous(settings.Setting{Name: "anonymous", DefaultText: "write without --tokens and --jwt-key, else none",
			Usage: "what a client without a token may do"}),
		adminSocket(settings.Setting{Name: "admin", DefaultText: "$RUNTIME_DIRECTORY/admin.sock, else none",
			Usage: "unix socket for \"edgechat admin\": how the server is, backups, log level, profiles"}, &c.Admin, getenv),
		socketMode(settings.Setting{Name: "socket-mode", Default: fmt.Sprintf("%04o", server.DefaultSocketMode),
			Usage: "permissions of unix sockets that the server makes: of --admin, and of --listen unix:PATH"}, &c.SocketMode),
		metricsListen(settings.Setting{Name: "metrics-listen", DefaultText: "none: /metrics answers this machine alone",
			Usage: "address where /metrics answers everyone"}, &c.MetricsListen),
		settings.Toggle(settings.Setting{Name: "captive",
			Usage: "be the sign-in page of a Wi-Fi: answer the questions of phones whether there is internet; needs port 80, see \"edgechat hotspot\""}, &c.Captive),
		settings.Duration(settings.Setting{Name: "captive-delay", Default: settings.ShortDuration(captive.DefaultDelay),
			Usage: "with --captive: time after which a phone that has loaded the page is told that all is well; one that enters the chat is told at once"}, &c.Portal.Delay, time.Millisecond, time.Hour),
		settings.Duration(settings.Setting{Name: "captive-time", Default: settings.ShortDuration(captive.DefaultTime),
			Usage: "with --captive: silence after which a phone gets the sign-in page again"}, &c.Portal.Time, time.Minute, 720*time.Hour),
		settings.Number(settings.Setting{Name: "captive-addresses", Default: strconv.Itoa(captive.DefaultAddresses),
			Usage: "with --captive: phones that are remembered; beyond them the one that has been silent longest gets the page again"}, &c.Portal.Addresses, 1, 100_000),
		settings.Choice(settings.Setting{Name: "log-level", Default: "info",
			Usage: "least level that is logged"}, []string{"debug", "info", "warn", "error"},
			func(w string) error { return o.level.UnmarshalText([]byte(w)) }),
		settings.Choice(settings.Setting{Name: "log-format", Default: "text",
			Usage: "form of the log; under journald lines begin with their priority, and text has no times, which journald adds"}, []string{"text", "json"},
			func(w string) error { o.format = w; return nil }),
	}, o.limits())
}

// orNone makes 0 what a Config takes for no limit: 0 is its default.
func orNone(s settings.Setting, dst *int) settings.Setting {
	set := s.Set
	s.Set = func(v []string) error {
		err := set(v)
		if err == nil && *dst == 0 {
			*dst = -1
		}
		return err
	}
	return s
}

func listen(s settings.Setting, dst *[]string) settings.Setting {
	s.Takes = "ADDRESS"
	s.Allowed = "host:port, :port or unix:PATH"
	s = settings.List(s, dst, checkListen)
	set := s.Set
	s.Set = func(v []string) error {
		if len(v) == 0 {
			return errors.New("empty: name at least one address, such as :3000")
		}
		return set(v)
	}
	return s
}

func access(s settings.Setting, dst *auth.Access, words ...string) settings.Setting {
	return settings.Choice(s, words, func(w string) error { return dst.UnmarshalText([]byte(w)) })
}

func (o *options) anonymous(s settings.Setting) settings.Setting {
	s = access(s, &o.Anonymous, "none", "read", "write")
	s.Preset = func() (string, string) {
		switch {
		case o.Tokens != "":
			return "none", "default, with --tokens"
		case o.JWTKey != "":
			return "none", "default, with --jwt-key"
		}
		return "write", "default, without --tokens"
	}
	return s
}

// adminSocket finds the socket that systemd's RuntimeDirectory= has a place for (systemd.exec(5); several
// are separated by colons).
func adminSocket(s settings.Setting, dst *string, getenv func(string) string) settings.Setting {
	s.Takes = "FILE"
	s.Preset = func() (string, string) {
		if v, _, _ := strings.Cut(getenv("RUNTIME_DIRECTORY"), ":"); v != "" {
			return filepath.Join(v, "admin.sock"), "environment RUNTIME_DIRECTORY"
		}
		return "", "default"
	}
	return settings.Path(s, dst)
}

// socketMode takes permissions as chmod does.
func socketMode(s settings.Setting, dst *fs.FileMode) settings.Setting {
	s.Takes, s.Allowed = "MODE", "0600 to 0777"
	s.Set = func(v []string) error {
		n, err := strconv.ParseUint(v[0], 8, 32)
		if err != nil || n > 0o777 || n < 0o600 {
			return fmt.Errorf("%q is not a mode in octal such as 0660: %s is allowed", v[0], s.Allowed)
		}
		*dst = fs.FileMode(n)
		return nil
	}
	return s
}

func metricsListen(s settings.Setting, dst *string) settings.Setting {
	s.Takes, s.Allowed = "ADDRESS", "host:port, :port or unix:PATH"
	s.Set = func(v []string) error {
		if v[0] != "" {
			if err := checkListen(v[0]); err != nil {
				return err
			}
		}
		*dst = v[0]
		return nil
	}
	return s
}

// credential is what the token file is called among systemd's credentials:
// LoadCredential=tokens:edgechat.tokens.
const credential = "tokens"

// credentialKey is what the key file of signed tokens is called there.
const credentialKey = "jwt-key"

// fromCredential takes a credential by default (systemd.exec(5)).
func fromCredential(name string, getenv func(string) string) func() (value, from string) {
	return func() (string, string) {
		if folder := getenv("CREDENTIALS_DIRECTORY"); folder != "" {
			file := filepath.Join(folder, name)
			// One that is there and cannot be read is an error of the start, not a
			// server without tokens.
			if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
				return file, "credential " + name
			}
		}
		return "", "default"
	}
}

func tokens(s settings.Setting, dst *string, getenv func(string) string) settings.Setting {
	s.Preset = fromCredential(credential, getenv)
	s.Empty = "empty: name the token file, or leave --tokens out and let everyone in"
	return settings.Path(s, dst)
}

// jwtKey is not to be empty: who writes --jwt-key "$KEY" means to keep others out.
func jwtKey(s settings.Setting, dst *string, getenv func(string) string) settings.Setting {
	s.Preset = fromCredential(credentialKey, getenv)
	s.Empty = "empty: name the key file, or leave --jwt-key out and take no signed tokens"
	return settings.Path(s, dst)
}

// jwtAudience takes any text.
func jwtAudience(s settings.Setting, dst *string) settings.Setting {
	s.Empty = "empty: name what the tokens are for, or leave --jwt-audience out and look at no aud"
	s.Set = func(v []string) error {
		if len(v[0]) > 1024 {
			return errors.New("longer than 1024 bytes")
		}
		*dst = v[0]
		return nil
	}
	return s
}

// dataFolder is a setting of all who use the store. It finds the state folder: that of systemd's StateDirectory=
// (systemd.exec(5); several are separated by colons), else the user's (XDG Base
// Directory Specification).
func dataFolder(dst *string, getenv func(string) string) settings.Setting {
	s := settings.Path(settings.Setting{Name: "data", Takes: "FOLDER", DefaultText: "$STATE_DIRECTORY, else $XDG_STATE_HOME/edgechat, else ~/.local/state/edgechat",
		Usage: "folder that holds edgechat.db"}, dst)
	s.Preset = func() (string, string) {
		if v, _, _ := strings.Cut(getenv("STATE_DIRECTORY"), ":"); v != "" {
			return v, "environment STATE_DIRECTORY"
		}
		// The specification has relative paths ignored.
		if v := getenv("XDG_STATE_HOME"); filepath.IsAbs(v) {
			return filepath.Join(v, "edgechat"), "environment XDG_STATE_HOME"
		}
		if v := getenv("HOME"); v != "" {
			return filepath.Join(v, ".local", "state", "edgechat"), "default"
		}
		return "", "default"
	}
	set := s.Set
	s.Set = func(v []string) error {
		if v[0] == "" {
			return errors.New("no folder: neither STATE_DIRECTORY nor XDG_STATE_HOME nor HOME is set: write --data FOLDER")
		}
		return set(v)
	}
	return s
}
