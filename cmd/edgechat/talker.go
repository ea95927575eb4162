package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"edgechat/client"
)

// A talker says the lines of standard input, one after the other: the next one when the one before is
// acknowledged, so that they are in the room in that order.
type talker struct {
	*app
	room        *client.Room
	screen      *screen
	verbatim    bool
	interactive bool   // somebody types
	last        uint64 // offset of what was said last, or of what was asked for of before
}

// talk returns when the input has ended, or /quit was read. The error says which lines were not said; who types
// has seen it.
func (t *talker) talk(ctx context.Context) error {
	read := t.screen.editor.readLine
	if t.screen.editor == nil {
		lines := bufio.NewReader(t.stdin)
		read = func() (string, bool, error) { return readLine(lines) }
	}
	var refused *failure
	for n := 1; ; n++ {
		line, tooLong, err := read()
		if err == nil && !t.verbatim && line == "/quit" {
			break
		}
		if err == nil || line != "" {
			if no := t.line(ctx, line, tooLong); no != nil {
				if ctx.Err() != nil {
					return nil // a stop that was asked for
				}
				no = &safeError{fmt.Errorf("line %d: %w", n, no)}
				fmt.Fprintf(t.stderr, "edgechat: error: %v\n", no)
				refused = &failure{code: 1}
			}
		}
		if errors.Is(err, io.EOF) && !isNull(t.stdin) {
			break
		}
		if err != nil { // nothing will ever be said: listen
			<-ctx.Done()
			return nil
		}
	}
	if refused != nil && !t.interactive {
		return refused
	}
	return nil
}

// line says one line, or does what it asks for.
func (t *talker) line(ctx context.Context, line string, tooLong bool) error {
	switch {
	case tooLong:
		return fmt.Errorf("it is longer than the %d bytes that a message may have", mostContent)
	case t.verbatim:
	case line == "/who":
		t.screen.await(t.last) // what was said comes first
		members, err := t.room.Members(ctx)
		if err != nil {
			return err
		}
		return t.screen.members(members)
	case t.interactive && strings.HasPrefix(line, "/") && strings.Trim(line[1:], "abcdefghijklmnopqrstuvwxyz") == "":
		return fmt.Errorf("there is no command %s: /who and /quit are what there is", line)
	}
	if line == "" {
		return nil
	}
	if t.interactive {
		t.screen.erase(line)
	}
	ack, err := t.room.Publish(ctx, line)
	if err != nil {
		if no, ok := errors.AsType[*client.Refusal](err); ok {
			err = errors.New(no.Message)
		}
		return err
	}
	t.last = ack.Offset
	if !ack.Durable {
		t.screen.note("the server has this in memory alone: its disk takes nothing")
	}
	return nil
}

// readLine is the other one, of somebody who types it.
func (e *editor) readLine() (line string, tooLong bool, err error) {
	line, err = e.ReadLine()
	return line, false, err
}

// readLine reads a line without its end. Of one that is far too long the rest is skipped.
func readLine(r *bufio.Reader) (line string, tooLong bool, err error) {
	var b []byte
	for {
		part, err := r.ReadSlice('\n')
		if len(b) <= mostContent {
			b = append(b, part...)
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		b = []byte(strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r"))
		if len(b) > mostContent {
			return "-", true, err
		}
		return string(b), false, err
	}
}

// isNull reports whether r is /dev/null, as the input of a service is.
func isNull(r io.Reader) bool {
	f, ok := r.(*os.File)
	if !ok {
		return false
	}
	st, err := f.Stat()
	null, errNull := os.Stat(os.DevNull)
	return err == nil && errNull == nil && os.SameFile(st, null)
}

// rowsOf is how many rows of a terminal a line took when it was typed, as far as each character takes one column.
func rowsOf(line string, columns int) int {
	return 1 + max(0, utf8.RuneCountInString(line)-1)/columns
}
