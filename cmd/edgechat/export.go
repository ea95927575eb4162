package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"edgechat/admin"
	"edgechat/codec"
	"edgechat/internal/settings"
	"edgechat/store"
)

// exportOptions are the settings of export, which reads what backup does.
type exportOptions struct {
	backupOptions
	html bool
}

func (o *exportOptions) table(getenv func(string) string) []settings.Setting {
	return append(o.storeOptions.table(getenv), o.adminOptions.socketSetting(getenv),
		settings.Toggle(settings.Setting{Name: "html", NoEnv: true,
			Usage: "write one page of the ROOM to be read, which needs nothing else"}, &o.html))
}

func exportCommand() command {
	return command{name: "export", args: "[ROOM]", summary: "write the messages of a room, or of all, as text", settings: new(exportOptions).table, run: export,
		about: "A message is a line of JSON on standard output, room after room, the oldest first: room, id, username,\n" +
			"content, time (milliseconds since 1970) and key, if it has one. A server that runs is asked over its admin socket\n" +
			"while it is at work; with --data, or where no server answers, the store of a stopped server is read. Exit\n" +
			"code 1: it could not be read, or there is no such room; what was written until then is not all.\n"}
}

// An exported message is a line of an export. Its order of fields is that of a frame.
type exported struct {
	Room     string `json:"room"`
	ID       string `json:"id"`
	Username string `json:"username"`
	Content  string `json:"content"`
	Time     int64  `json:"time"`
	Key      string `json:"key,omitempty"`
}

func export(ctx context.Context, a *app) error {
	a.warnOfStrays()
	var o exportOptions
	rest, values, err := a.resolve(o.table(a.getenv))
	if err != nil {
		return err
	}
	room := ""
	if len(rest) > 0 || o.html {
		if room, err = a.only(rest, "the ROOM that --html is to show"); err != nil {
			return err
		}
	}
	out := bufio.NewWriterSize(a.stdout, 64<<10)
	n := 0
	write, end := lines(out), func() error { return nil }
	if o.html {
		write, end = htmlPage(out, room)
	}
	from, err := o.read(ctx, values, func(r *codec.Record) error {
		if room != "" && r.Room != room {
			return nil
		}
		n++
		return write(r)
	})
	if err == nil && n > 0 {
		err = end()
	}
	if err := errors.Join(err, out.Flush()); err != nil {
		if errors.Is(err, admin.ErrNoServer) || errors.Is(err, errRefused) {
			return adminFailure(err, o.socket)
		}
		return &failure{errs: []error{err}, hint: fileHint(err, from), code: 1}
	}
	if room != "" && n == 0 {
		return &failure{errs: []error{fmt.Errorf("room %q has no message in %s", room, from)}, hint: "see what rooms there are: edgechat export | cut -d '\"' -f 4 | sort | uniq -c", code: 1}
	}
	_, err = fmt.Fprintf(a.stderr, "edgechat: %s of %s\n", count(n, "message"), from)
	return err
}

// lines writes records as lines of JSON.
func lines(w io.Writer) func(*codec.Record) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return func(r *codec.Record) error {
		return e.Encode(exported{Room: r.Room, ID: r.Message.ID.String(), Username: r.Message.Username, Content: r.Message.Content, Time: r.Message.Time, Key: r.Key})
	}
}

// errRefused is an error of the running server.
var errRefused = errors.New("the running server did not give what it has")

// read hands over what the running server or the stopped one's store has, and says which it was.
func (o *exportOptions) read(ctx context.Context, values []settings.Resolved, visit func(*codec.Record) error) (from string, err error) {
	write := func(w io.Writer) error {
		_, err := store.BackupTo(from, os.TempDir(), w)
		return err
	}
	from = filepath.Join(o.folder, storeFile)
	if isGiven(values, "admin") || !isGiven(values, "data") {
		c := admin.NewClient(o.socket)
		_, err := c.Status(ctx)
		switch {
		case err == nil:
			from = "the running server"
			write = func(w io.Writer) error {
				err := c.Backup(ctx, w)
				if err != nil {
					err = fmt.Errorf("%w: %w", errRefused, err)
				}
				return err
			}
		case !errors.Is(err, admin.ErrNoServer):
			return o.socket, fmt.Errorf("%w: %w", errRefused, err)
		case isGiven(values, "admin") || errors.Is(err, os.ErrPermission):
			return o.socket, err
		}
	}
	r, w := io.Pipe()
	var failed error
	var wg sync.WaitGroup
	wg.Go(func() { // ends once r is closed
		failed = write(w)
		w.CloseWithError(failed)
	})
	_, err = store.ReadBackup(r, visit)
	r.CloseWithError(err)
	wg.Wait()
	if failed != nil && errors.Is(err, failed) { // and not that what it wrote is cut off
		err = failed
	}
	return from, err
}
