package main

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"edgechat/chat"
	"edgechat/codec"
	"edgechat/server"
	"edgechat/store"
	"edgechat/ws"
)

// options are the settings of serve. docs/settings.md is made from this table.
type options struct {
	server.Config
	level  slog.Level
	format string
}

func (o *options) settings(getenv func(string) string) []setting {
	c := &o.Config
	return []setting{
		listen(setting{name: "listen", def: server.DefaultListen,
			usage: "address to serve on; repeatable, or separated by commas; port 0 is any free one; not used if systemd hands sockets over"}, &c.Listen),
		data(setting{name: "data", takes: "FOLDER", defText: "$STATE_DIRECTORY, else $XDG_STATE_HOME/edgechat, else ~/.local/state/edgechat",
			usage: "folder that holds edgechat.db"}, &c.Data, getenv),
		number(setting{name: "history", def: strconv.Itoa(store.DefaultHistory),
			usage: "messages kept of each room"}, &c.History, 1, 100_000),
		size(setting{name: "history-bytes", def: showBytes(store.DefaultHistoryBytes),
			usage: "bytes kept of all rooms; 128MiB at most on a 32-bit system"}, &c.HistoryBytes, 1<<20, maxHistoryBytes),
		number(setting{name: "rooms", def: strconv.Itoa(store.DefaultRooms),
			usage: "rooms kept; beyond them the one that has been silent longest is forgotten"}, &c.Rooms, 1, 1_000_000),
		duration(setting{name: "sync-interval", def: short(store.DefaultSyncInterval),
			usage: "longest time that a message whose sender asked for no ack is in memory alone"}, &c.SyncInterval, 10*time.Millisecond, time.Minute),
		number(setting{name: "replay-limit", def: strconv.Itoa(chat.DefaultReplayLimit),
			usage: "messages that a client gets at most when it asks for history"}, &c.ReplayLimit, 1, 10_000),
		number(setting{name: "max-content", def: strconv.Itoa(codec.DefaultMaxContent),
			usage: "bytes of the content of one message"}, &c.MaxContent, 1, 64<<10),
		orNone(number(setting{name: "rooms-per-connection", def: strconv.Itoa(chat.DefaultRoomsPerConnection),
			usage: "rooms that one connection may be in at once; 0 is no limit"}, &c.RoomsPerConnection, 0, 10_000), &c.RoomsPerConnection),
		duration(setting{name: "ping-interval", def: short(ws.DefaultPingInterval),
			usage: "silence after which a connection is pinged; after two it is dropped"}, &c.PingInterval, time.Second, 10*time.Minute),
		duration(setting{name: "write-timeout", def: short(ws.DefaultWriteTimeout),
			usage: "time in which a client takes nothing of what waits for it, before it is closed as too slow"}, &c.WriteTimeout, time.Second, 5*time.Minute),
		duration(setting{name: "message-timeout", def: short(ws.DefaultMessageTimeout),
			usage: "time that a message may take from its first byte to its last, or a request with its body"}, &c.MessageTimeout, time.Second, 5*time.Minute),
		duration(setting{name: "drain-timeout", def: short(server.DefaultDrainTimeout),
			usage: "time that a stop gives to frames under way, and then again to requests, 5s at most"}, &c.DrainTimeout, 100*time.Millisecond, 5*time.Minute),
		list(setting{name: "allowed-origins", takes: "ORIGIN", defText: "the server's own pages alone",
			usage: "web pages from elsewhere that may connect, or * for all; repeatable, or separated by commas"}, &c.AllowedOrigins, checkOrigin),
		tokens(setting{name: "tokens", takes: "FILE", defText: "$CREDENTIALS_DIRECTORY/tokens if there is one, else none",
			usage: "token file, made by \"edgechat token create\""}, &c.Tokens, getenv),
		o.anonymous(setting{name: "anonymous", defText: "write without --tokens, else none",
			usage: "what a client without a token may do"}),
		choice(setting{name: "log-level", def: "info",
			usage: "least level that is logged"}, []string{"debug", "info", "warn", "error"},
			func(w string) error { return o.level.UnmarshalText([]byte(w)) }),
		choice(setting{name: "log-format", def: "text",
			usage: "form of the log; under journald lines begin with their priority, and text has no times, which journald adds"}, []string{"text", "json"},
			func(w string) error { o.format = w; return nil }),
	}
}

// orNone makes 0 what a Config takes for no limit: 0 is its default.
func orNone(s setting, dst *int) setting {
	set := s.set
	s.set = func(v []string) error {
		err := set(v)
		if err == nil && *dst == 0 {
			*dst = -1
		}
		return err
	}
	return s
}

func listen(s setting, dst *[]string) setting {
	s.takes = "ADDRESS"
	s.allowed = "host:port, :port or unix:PATH"
	s = list(s, dst, checkListen)
	set := s.set
	s.set = func(v []string) error {
		if len(v) == 0 {
			return errors.New("empty: name at least one address, such as :3000")
		}
		return set(v)
	}
	return s
}

func (o *options) anonymous(s setting) setting {
	s = access(s, &o.Anonymous, "none", "read", "write")
	s.preset = func() (string, string) {
		if o.Tokens == "" {
			return "write", "default, without --tokens"
		}
		return "none", "default, with --tokens"
	}
	return s
}

// credential is what the token file is called among systemd's credentials:
// LoadCredential=tokens:edgechat.tokens.
const credential = "tokens"

// tokens takes a credential that is called so (systemd.exec(5)).
func tokens(s setting, dst *string, getenv func(string) string) setting {
	s.preset = func() (string, string) {
		if folder := getenv("CREDENTIALS_DIRECTORY"); folder != "" {
			file := filepath.Join(folder, credential)
			// One that is there and cannot be read is an error of the start, not a
			// server without tokens.
			if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
				return file, "credential " + credential
			}
		}
		return "", "default"
	}
	return path(s, dst)
}

// data finds the state folder: that of systemd's StateDirectory=
// (systemd.exec(5); several are separated by colons), else the user's (XDG Base
// Directory Specification).
func data(s setting, dst *string, getenv func(string) string) setting {
	s = path(s, dst)
	s.preset = func() (string, string) {
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
	set := s.set
	s.set = func(v []string) error {
		if v[0] == "" {
			return errors.New("no folder: neither STATE_DIRECTORY nor XDG_STATE_HOME nor HOME is set: write --data FOLDER")
		}
		return set(v)
	}
	return s
}
