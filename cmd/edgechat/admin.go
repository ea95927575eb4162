package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"edgechat/admin"
	"edgechat/internal/settings"
	"edgechat/moderation"
)

// systemSocket is where the service has its admin socket: systemd/edgechat.service.
const systemSocket = "/run/edgechat/admin.sock"

// watchEvery is how often "admin rooms --watch" looks.
const watchEvery = 2 * time.Second

// adminOptions are the settings of the commands that talk to a running server.
type adminOptions struct {
	socket string
	json   bool
	watch  bool
}

func (o *adminOptions) table(getenv func(string) string) []settings.Setting {
	return []settings.Setting{o.socketSetting(getenv),
		settings.Toggle(settings.Setting{Name: "json", NoEnv: true, Usage: "print JSON"}, &o.json)}
}

func (o *adminOptions) socketSetting(getenv func(string) string) settings.Setting {
	socket := adminSocket(settings.Setting{Name: "admin", DefaultText: "$RUNTIME_DIRECTORY/admin.sock, else " + systemSocket,
		Usage: "admin socket of the server, as serve has it"}, &o.socket, getenv)
	preset := socket.Preset
	socket.Preset = func() (string, string) {
		if v, from := preset(); v != "" {
			return v, from
		}
		return systemSocket, "default"
	}
	return socket
}

func (o *adminOptions) roomsTable(getenv func(string) string) []settings.Setting {
	return append(o.table(getenv),
		settings.Toggle(settings.Setting{Name: "watch", NoEnv: true, Usage: "print them again every 2 seconds, until interrupted"}, &o.watch))
}

func adminCommand() command {
	return command{
		name: "admin", summary: "look after a running server over its admin socket",
		about: "The socket may also be named by EDGECHAT_ADMIN, which is a setting of serve, too.\n",
		sub: []command{
			{name: "admin status", summary: "say in a page how the server is and what to do", settings: new(adminOptions).table, run: adminStatus},
			{name: "admin rooms", summary: "list the live rooms, busiest first", settings: new(adminOptions).roomsTable, run: adminRooms},
			{name: "admin room", args: "NAME", summary: "show one room and who is in it", settings: new(adminOptions).table, run: adminRoom},
			{name: "admin log-level", args: "LEVEL", summary: "log debug, info, warn or error and above, until the next start", settings: new(adminOptions).table, run: adminLogLevel},
			{name: "admin reload", summary: "have the server read its token file again", settings: new(adminOptions).table, run: adminReload},
			moderationCommand(moderation.ActKick, "", "close the connections of somebody, who may come back"),
			moderationCommand(moderation.ActBan, "", "keep somebody out, of a room or of all"),
			moderationCommand(moderation.ActUnban, "", "end a ban"),
			{name: "admin bans", summary: "list bans, mutes and rules of rooms", settings: new(moderationOptions).listTable, run: adminBans},
			moderationCommand(moderation.ActMute, "", "have somebody read and not write, in a room or in all"),
			moderationCommand(moderation.ActUnmute, "", "end a mute"),
			moderationCommand(moderation.ActSlow, "ROOM", "take one message in so long from each in a room"),
			moderationCommand(moderation.ActReadOnly, "ROOM", "have moderators alone write in a room"),
			moderationCommand(moderation.ActClose, "ROOM", "put everyone out of a room, erase what was said there, and keep it closed for a time"),
			moderationCommand(moderation.ActOpen, "ROOM", "let people into a room that is closed"),
			moderationCommand(moderation.ActDelete, "ROOM ID", "delete a message"),
		},
	}
}

func adminStatus(ctx context.Context, a *app) error {
	var o adminOptions
	if _, err := a.adminFlags(o.table(a.getenv)); err != nil {
		return err
	}
	st, err := admin.NewClient(o.socket).Status(ctx)
	return o.show(a, err, st, func(w io.Writer) error { _, err := st.WriteTo(w); return err })
}

func adminRooms(ctx context.Context, a *app) error {
	var o adminOptions
	if _, err := a.adminFlags(o.roomsTable(a.getenv)); err != nil {
		return err
	}
	c := admin.NewClient(o.socket)
	for first := true; ; first = false {
		over := time.Second
		if !first {
			over = watchEvery
		}
		rooms, err := c.Rooms(ctx, over)
		if ctx.Err() != nil {
			return nil // interrupted
		}
		err = o.show(a, err, rooms, func(w io.Writer) error {
			if !first {
				fmt.Fprintln(w)
			}
			return admin.WriteRooms(w, rooms)
		})
		if err != nil || !o.watch {
			return err
		}
	}
}

func adminRoom(ctx context.Context, a *app) error {
	a.warnOfStrays()
	var o adminOptions
	name, err := a.oneArg(o.table(a.getenv), "the NAME of a room")
	if err != nil {
		return err
	}
	room, err := admin.NewClient(o.socket).Room(ctx, name)
	return o.show(a, err, room, func(w io.Writer) error { _, err := room.WriteTo(w); return err })
}

func adminLogLevel(ctx context.Context, a *app) error {
	a.warnOfStrays()
	var o adminOptions
	level, err := a.oneArg(o.table(a.getenv), "a LEVEL: debug, info, warn or error")
	if err != nil {
		return err
	}
	l, err := admin.NewClient(o.socket).SetLevel(ctx, level)
	return o.show(a, err, l, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "the log has %s and above now; it had %s\n", l.Level, l.Before)
		return err
	})
}

func adminReload(ctx context.Context, a *app) error {
	var o adminOptions
	if _, err := a.adminFlags(o.table(a.getenv)); err != nil {
		return err
	}
	r, err := admin.NewClient(o.socket).Reload(ctx)
	return o.show(a, err, r, func(w io.Writer) error {
		var read []string
		if r.Path != "" {
			read = append(read, fmt.Sprintf("%d tokens in %s", r.Tokens, r.Path))
		}
		if r.KeyPath != "" {
			read = append(read, fmt.Sprintf("%s in %s", count(r.Keys, "key"), r.KeyPath))
		}
		if read == nil {
			_, err := fmt.Fprintln(w, "there is nothing to read: the server has no token file")
			return err
		}
		_, err := fmt.Fprintf(w, "%s, %d connections closed\n", strings.Join(read, ", "), r.Closed)
		return err
	})
}

// adminFlags is flagsAlone for a command that has no log.
func (a *app) adminFlags(table []settings.Setting) ([]settings.Resolved, error) {
	a.warnOfStrays()
	return a.flagsAlone(table)
}

// show prints what a server has answered, as JSON or for people, unless it failed.
func (o *adminOptions) show(a *app, err error, v any, page func(io.Writer) error) error {
	if err != nil {
		return adminFailure(err, o.socket)
	}
	if !o.json {
		return page(a.stdout)
	}
	enc := json.NewEncoder(a.stdout)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// adminFailure adds what to do about an error of the admin socket.
func adminFailure(err error, socket string) error {
	f := &failure{errs: []error{err}, code: 1}
	if !errors.Is(err, admin.ErrNoServer) {
		return f
	}
	switch _, e := os.Stat(socket); {
	case errors.Is(err, fs.ErrPermission) || errors.Is(e, fs.ErrPermission):
		f.errs[0] = fmt.Errorf("user %s may not open the admin socket %s: %w", userName(), socket, fs.ErrPermission)
		f.hint = "join the group of the socket (sudo usermod -aG edgechat " + userName() + ", then log in again), or use sudo"
	case errors.Is(e, fs.ErrNotExist):
		f.hint = "does the server run, with --admin " + socket + "? systemctl status edgechat; or name its socket with --admin or EDGECHAT_ADMIN"
	default:
		f.hint = "the server that made it does not run any more: systemctl status edgechat"
	}
	return f
}
