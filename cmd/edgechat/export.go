package main

import (
	"bufio"
	"context"
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
		about: "A message is a line of JSON on standard output, the rooms by their names, the oldest message first: room, id,\n" +
			"username, content, time (milliseconds since 1970) and key, if it has one. One that was edited has what it\n" +
			"says now, and \"edited\"; of one that was deleted there is no content, but \"deleted\". Who edited or deleted,\n" +
			"and when, says a line of its own, with type (edited or deleted) and target, the id of the message. Of what\n" +
			"does not change, two exports are equal. Who may edit a message later is not told; a backup has that, too.\n" +
			"--html leaves out what was deleted.\n\n" +
			"A server that runs is asked over its admin socket while it is at work; with --data, or where no server answers,\n" +
			"the store of a stopped server is read. Exit code 1: it could not be read, or there is no such room; what was\n" +
			"written until then is not all.\n"}
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
		room = formOf(room)
	}
	out := bufio.NewWriterSize(a.stdout, 64<<10)
	n, found := 0, false
	write := lines
	if o.html {
		write = writePage
	}
	from, err := o.read(ctx, values, func(list []codec.Record) error {
		if room != "" && list[0].Room != room && formOf(list[0].Room) != room {
			return nil
		}
		of := messages(list)
		if o.html && of == 0 {
			return nil
		}
		n, found = n+of, true
		return write(out, list)
	})
	if err := errors.Join(err, out.Flush()); err != nil {
		if errors.Is(err, admin.ErrNoServer) || errors.Is(err, errRefused) {
			return adminFailure(err, o.socket)
		}
		return &failure{errs: []error{err}, hint: fileHint(err, from), code: 1}
	}
	if room != "" && !found {
		return &failure{errs: []error{fmt.Errorf("room %q has no message in %s", room, from)}, hint: "see what rooms there are: edgechat export | cut -d '\"' -f 4 | sort | uniq -c", code: 1}
	}
	_, err = fmt.Fprintf(a.stderr, "edgechat: %s of %s\n", count(n, "message"), from)
	return err
}

// formOf is the name of a room as it is written now.
func formOf(room string) string {
	if form, err := codec.CleanRoom(room); err == nil {
		return form
	}
	return room
}

// messages returns how many of the records are messages that were not deleted.
func messages(list []codec.Record) (n int) {
	for i := range list {
		if m := &list[i].Message; m.Kind == codec.Said && !m.Deleted {
			n++
		}
	}
	return n
}

// errRefused is an error of the running server.
var errRefused = errors.New("the running server did not give what it has")

// read hands over what the running server or the stopped one's store has, and says which it was.
func (o *exportOptions) read(ctx context.Context, values []settings.Resolved, visit func([]codec.Record) error) (from string, err error) {
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
