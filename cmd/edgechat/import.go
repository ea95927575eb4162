package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"edgechat/codec"
	"edgechat/store"
)

const (
	maxImportLine = 1 << 20 // bytes of a line of an import: the longest content, each byte escaped, is shorter
	shownLines    = 5       // of those that are wrong or cannot be placed, how many are shown
)

func importCommand() command {
	return command{name: "import", args: "FILE", summary: "put exported messages into the store of a stopped server", settings: new(storeOptions).table, run: importMessages,
		about: "FILE is what export writes; - is standard input. A store that is missing or empty takes all, with their ids.\n" +
			"In one in use, messages that are there stay as they are, a room that is not there is taken whole, and others\n" +
			"go where their room has their number of their epoch free; those that cannot be placed are counted, and the\n" +
			"first of them named by their lines. The settings of history of the next start say how many stay. What was in\n" +
			"the folder is kept beside the new file. Exit code 1: a line is wrong, or the store cannot be used; nothing was\n" +
			"imported then.\n"}
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
	lines, err := readExported(in)
	if err != nil {
		return err
	}
	to := filepath.Join(o.folder, storeFile)
	report, err := store.Import(to, lines.messages)
	if err != nil {
		return &failure{errs: []error{err}, hint: fileHint(err, to), code: 1}
	}
	if _, err := fmt.Fprintf(a.stdout, "%s: %s imported, %d there already, %d not placed\n",
		to, count(report.Placed, "message"), report.Present, len(lines.messages)-report.Placed-report.Present); err != nil {
		return err
	}
	for _, why := range store.AllUnplaced() {
		if err := lines.say(a.stderr, "not placed: "+string(why), report.Unplaced[why]); err != nil {
			return err
		}
	}
	if err := lines.say(a.stderr, "out of order, and taken by number", lines.late); err != nil {
		return err
	}
	if report.Aside != "" {
		_, err = fmt.Fprintf(a.stderr, "edgechat: what was there before is now %s\n", report.Aside)
	}
	return err
}

// say says what became of messages, by their indexes, and names the first of them.
func (f *exportFile) say(w io.Writer, what string, list []int) error {
	if len(list) == 0 {
		return nil
	}
	if _, err := fmt.Fprintf(w, "edgechat: %s %s\n", count(len(list), "message"), what); err != nil {
		return err
	}
	for _, i := range list[:min(len(list), shownLines)] {
		if _, err := fmt.Fprintf(w, "edgechat: line %d: %s of room %q\n", f.numbers[i], f.messages[i].Message.ID, f.messages[i].Room); err != nil {
			return err
		}
	}
	return nil
}

// An exportFile is what an import has read.
type exportFile struct {
	messages []codec.Record
	numbers  []int // the line of each, from 1
	late     []int // of messages, those that come after a newer one of their room
}

// readExported reads all lines of an export. The error is a *failure that names those that
// are wrong, the first of them.
func readExported(r io.Reader) (*exportFile, error) {
	f := &failure{hint: "nothing was imported; a line is as export writes it: " +
		`{"room":"den","id":"k3f9q2-1042","username":"ann","content":"hi","time":1700000000000}`, code: 1}
	file := &exportFile{}
	in := bufio.NewReaderSize(r, 64<<10)
	head := map[string]uint64{} // by room, the greatest number
	wrong, end := 0, error(nil)
	for n := 1; end == nil; n++ {
		var line []byte
		line, end = nextLine(in)
		if end != nil && end != io.EOF {
			return nil, &failure{errs: []error{fmt.Errorf("line %d: %w", n, end)}, code: 1}
		}
		var m codec.Record
		err := errTooLong
		if len(line) <= maxImportLine {
			if len(bytes.TrimSpace(line)) == 0 {
				continue
			}
			m, err = parseLine(line)
		}
		if err != nil {
			if wrong++; wrong <= shownLines {
				f.errs = append(f.errs, fmt.Errorf("line %d: %w", n, err))
			}
			continue
		}
		if at := m.Message.ID.Offset; at < head[m.Room] {
			file.late = append(file.late, len(file.messages))
		} else {
			head[m.Room] = at
		}
		file.messages, file.numbers = append(file.messages, m), append(file.numbers, n)
	}
	if wrong > shownLines {
		f.errs = append(f.errs, fmt.Errorf("%s of the file wrong besides", count(wrong-shownLines, "line")))
	}
	if wrong > 0 {
		return nil, f
	}
	return file, nil
}

var errTooLong = fmt.Errorf("it is longer than %d KiB", maxImportLine>>10)

// nextLine returns a line without its end; of one that is longer than maxImportLine, so much that it is seen. The error is
// io.EOF with the last line, or says that it cannot be read.
func nextLine(in *bufio.Reader) (line []byte, err error) {
	for {
		part, err := in.ReadSlice('\n')
		if len(line) <= maxImportLine {
			line = append(line, part...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return bytes.TrimRight(line, "\r\n"), err
		}
	}
}
