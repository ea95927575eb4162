package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"edgechat/codec"
	"edgechat/store"
)

const (
	maxImportLine = 16 << 20 // bytes of a line of an import
	shownLines    = 5        // of those that are wrong or cannot be placed, how many are shown
)

func importCommand() command {
	return command{name: "import", args: "FILE", summary: "put exported messages into the store of a stopped server", settings: new(storeOptions).table, run: importMessages,
		about: "FILE is what export writes; - is standard input. A store that is missing or empty takes all, with their ids.\n" +
			"In one in use, messages that are there stay as they are, a room that is not there is taken whole, and others\n" +
			"go where their room has their number of their epoch free; those that cannot be placed are counted, and the\n" +
			"first of them named. The settings of history of the next start say how many stay. What was in the folder is\n" +
			"kept beside the new file. Exit code 1: a line is wrong, or the store cannot be used; nothing was imported\n" +
			"then.\n"}
}

func importMessages(_ context.Context, a *app) error {
	a.warnOfStrays()
	var o storeOptions
	file, err := a.oneArg(o.table(a.getenv), "a FILE of exported messages, or - for standard input")
	if err != nil {
		return err
	}
	in := os.Stdin
	if file != "-" {
		if in, err = os.Open(file); err != nil {
			return &failure{errs: []error{err}, hint: fmt.Sprintf("is it the right name? ls -l %q", file), code: 1}
		}
		defer in.Close()
	}
	messages, numbers, err := readExported(in)
	if err != nil {
		return err
	}
	to := filepath.Join(o.folder, storeFile)
	report, err := store.Import(to, messages)
	if err != nil {
		return &failure{errs: []error{err}, hint: fileHint(err, to), code: 1}
	}
	if _, err := fmt.Fprintf(a.stdout, "%s: %s imported, %d there already, %d not placed\n",
		to, count(report.Placed, "message"), report.Present, len(messages)-report.Placed-report.Present); err != nil {
		return err
	}
	if err := sayUnplaced(a.stderr, report, messages, numbers); err != nil {
		return err
	}
	if report.Aside != "" {
		_, err = fmt.Fprintf(a.stderr, "edgechat: what was there before is now %s\n", report.Aside)
	}
	return err
}

// sayUnplaced says how many messages were not placed, and the first lines of them, by why.
func sayUnplaced(w io.Writer, report store.ImportReport, messages []codec.Record, numbers []int) error {
	for _, why := range []store.Unplaced{store.UnplacedTaken, store.UnplacedEpoch, store.UnplacedOld, store.UnplacedRevised} {
		list := report.Unplaced[why]
		if len(list) == 0 {
			continue
		}
		if _, err := fmt.Fprintf(w, "edgechat: %s not placed: %s\n", count(len(list), "message"), why); err != nil {
			return err
		}
		for _, i := range list[:min(len(list), shownLines)] {
			if _, err := fmt.Fprintf(w, "edgechat: line %d: %s of room %q\n", numbers[i], messages[i].Message.ID, messages[i].Room); err != nil {
				return err
			}
		}
	}
	return nil
}

// readExported reads all lines of an export, with the number of each. The error is a *failure that names those that
// are wrong, the first of them.
func readExported(r io.Reader) (messages []codec.Record, numbers []int, err error) {
	f := &failure{hint: "nothing was imported; a line is as export writes it: " +
		`{"room":"den","id":"k3f9q2-1042","username":"ann","content":"hi","time":1700000000000}`, code: 1}
	in := bufio.NewScanner(r)
	in.Buffer(make([]byte, 0, 64<<10), maxImportLine)
	wrong, n := 0, 0
	for in.Scan() {
		n++
		if len(bytes.TrimSpace(in.Bytes())) == 0 {
			continue
		}
		m, err := readLine(in.Bytes())
		if err == nil {
			messages, numbers = append(messages, m), append(numbers, n)
			continue
		}
		if wrong++; wrong <= shownLines {
			f.errs = append(f.errs, fmt.Errorf("line %d: %w", n, err))
		}
	}
	if err := in.Err(); err != nil {
		if errors.Is(err, bufio.ErrTooLong) {
			err = fmt.Errorf("it is longer than %d MiB", maxImportLine>>20)
		}
		f.errs = append(f.errs, fmt.Errorf("line %d: %w", n+1, err))
	}
	if wrong > shownLines {
		f.errs = append(f.errs, fmt.Errorf("%s of the file wrong besides", count(wrong-shownLines, "line")))
	}
	if len(f.errs) > 0 {
		return nil, nil, f
	}
	return messages, numbers, nil
}

// readLine reads a line of an export.
func readLine(b []byte) (codec.Record, error) {
	if !utf8.Valid(b) {
		return codec.Record{}, errors.New("it is not valid UTF-8")
	}
	var l struct {
		Room, ID, Username, Content *string
		Time                        *int64
		Key                         string
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&l); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = errors.New("it is cut off")
		}
		return codec.Record{}, err
	}
	if _, err := d.Token(); err != io.EOF {
		return codec.Record{}, errors.New("something follows the object")
	}
	switch {
	case l.Room == nil:
		return codec.Record{}, errors.New("it has no room")
	case l.ID == nil:
		return codec.Record{}, errors.New("it has no id")
	case l.Username == nil:
		return codec.Record{}, errors.New("it has no username")
	case l.Content == nil:
		return codec.Record{}, errors.New("it has no content")
	case l.Time == nil || *l.Time < 0:
		return codec.Record{}, errors.New("it has no time in milliseconds since 1970")
	}
	if err := codec.CheckRoom(*l.Room); err != nil {
		return codec.Record{}, withoutCode(err)
	}
	if _, err := codec.CleanUsername(*l.Username); err != nil {
		return codec.Record{}, withoutCode(err)
	}
	id, err := codec.ParseID(*l.ID)
	if err != nil {
		return codec.Record{}, withoutCode(err)
	}
	if id.Offset == 0 {
		return codec.Record{}, fmt.Errorf("%q names no message: numbers begin with 1", *l.ID)
	}
	return codec.Record{Room: *l.Room, Key: l.Key, Message: codec.Message{ID: id, Username: *l.Username, Content: *l.Content, Time: *l.Time}}, nil
}

// withoutCode returns what a refusal says, without its code, which is for clients.
func withoutCode(err error) error {
	_, text, _ := strings.Cut(err.Error(), ": ")
	return errors.New(text)
}
