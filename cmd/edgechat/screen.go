package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"edgechat/client"
)

// A screen shows what happens in a room, a line each. It may be used from any goroutine.
type screen struct {
	json     bool
	terminal bool // somebody looks at it: times, who comes and goes
	colours  bool
	columns  int     // 0 if they are not known
	editor   *editor // nil where nobody types a line

	mu   sync.Mutex
	out  *bufio.Writer
	head uint64 // offset of the newest message that was shown
	seen chan struct{}
}

func newScreen(a *app, json bool) *screen {
	s := &screen{json: json, out: bufio.NewWriter(a.stdout), seen: make(chan struct{}, 1)}
	if columns := width(a.stdout); columns >= 0 && !json {
		s.terminal, s.columns = true, columns
		s.colours = a.getenv("NO_COLOR") == "" && a.getenv("TERM") != "dumb"
	}
	return s
}

// edit has a line edited below what is shown.
func (s *screen) edit(e *editor) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.editor, s.out = e, bufio.NewWriterSize(e, 64<<10) // more than a line has: what is shown at once stays together
}

// beside returns a with warnings that do not fall into the line that is edited.
func (s *screen) beside(a *app) *app {
	b := *a
	if isTerminal(a.stderr) {
		b.stderr = warnings{s, a.stderr}
	}
	return &b
}

type warnings struct {
	*screen
	direct io.Writer
}

func (w warnings) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.editor != nil {
		return w.editor.Write(p)
	}
	return w.direct.Write(p)
}

// show shows an event.
func (s *screen) show(e client.Event) error {
	var text string
	if s.json {
		text = printableJSON(e.Raw)
	} else {
		text = s.text(&e)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.ID != "" {
		s.head = e.Offset
		select {
		case s.seen <- struct{}{}:
		default:
		}
	}
	if text == "" {
		return nil
	}
	return s.line(text)
}

// line writes one line. The caller holds mu.
func (s *screen) line(text string) error {
	if s.terminal && s.editor == nil {
		_, _ = s.out.WriteString(clearLine) // of what is being typed
	}
	_, _ = s.out.WriteString(text)
	_ = s.out.WriteByte('\n')
	return s.out.Flush() // which has the error of all
}

// text is an event for people; "" for what they need not see.
func (s *screen) text(e *client.Event) string {
	name, content := printable(e.Username), printable(e.Content)
	mark := ""
	if e.Verified && s.terminal { // where nobody else can write
		mark = s.faint("✓") + " "
	}
	if s.terminal {
		content = strings.ReplaceAll(s.lines(e.Content), "\n", "\n"+strings.Repeat(" ", 6))
	}
	edited := ""
	if e.Edited {
		edited = s.faint(" (edited)")
	}
	switch {
	case e.Type == client.Message && e.Deleted:
		return s.at(e.Time) + s.faint("* a message of "+name+" was deleted")
	case e.Type == client.Message:
		return s.at(e.Time) + mark + "<" + s.coloured(name) + "> " + content + edited
	case e.Type == client.Edited && !e.Deleted:
		return s.at(e.Time) + s.faint("* "+name+" has changed a message, which now says: ") + content
	case e.Type == client.Deleted:
		return s.at(e.Time) + s.faint("* "+name+" has deleted a message")
	case e.Type == client.Gap:
		return s.faint("* messages are missing here: the server has them no more")
	case !s.terminal:
		return ""
	case e.Type == client.Entered:
		return s.faint("* you are here as " + name)
	case e.Type == client.Joined:
		return s.at(e.Time) + s.faint("* "+name+" joined")
	case e.Type == client.Left:
		return s.at(e.Time) + s.faint("* "+name+" left")
	}
	return ""
}

// lines is text of several lines, each of them printable.
func (s *screen) lines(text string) string {
	parts := strings.Split(text, "\n")
	for i, part := range parts {
		parts[i] = printable(strings.TrimSuffix(part, "\r"))
	}
	return strings.Join(parts, "\n")
}

// at is the time of day on a terminal.
func (s *screen) at(t time.Time) string {
	if !s.terminal || t.IsZero() {
		return ""
	}
	return s.faint(t.Local().Format("15:04")) + " "
}

func (s *screen) faint(text string) string { return s.styled(faintStyle, text) }

func (s *screen) coloured(name string) string { return s.styled(colourOf(name), name) }

func (s *screen) styled(style, text string) string {
	if !s.colours {
		return text
	}
	return style + text + plainStyle
}

// note says something that nobody in the room did.
func (s *screen) note(text string) {
	if s.json {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.line(s.faint("* " + text)) // the next event has the error
}

// members says who is here.
func (s *screen) members(list []client.Member) error {
	text := ""
	if s.json {
		raw, err := json.Marshal(struct {
			Type    string          `json:"type"`
			Members []client.Member `json:"members"`
		}{"members", list})
		if err != nil {
			return err
		}
		text = printableJSON(raw)
	} else {
		var names []string
		for _, m := range list {
			name := printable(m.Username)
			if m.Verified && s.terminal {
				name = "✓ " + name
			}
			if m.Connections > 1 {
				name += fmt.Sprintf(" (%d)", m.Connections)
			}
			names = append(names, name)
		}
		slices.Sort(names)
		text = s.faint("* here: " + strings.Join(names, ", "))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.line(text)
}

// erase takes a line away that was typed: it comes back as a message.
func (s *screen) erase(line string) {
	if !s.terminal || s.columns == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for range rowsOf(line, s.columns) {
		_, _ = io.WriteString(s.out, "\x1b[A"+clearLine) // ECMA-48: CUU
	}
	_ = s.out.Flush() // the next event has the error
}

// await waits until a message was shown, which comes beside its acknowledgement, but not for ever.
func (s *screen) await(offset uint64) {
	patience := time.After(5 * time.Second)
	for {
		s.mu.Lock()
		shown := s.head >= offset
		s.mu.Unlock()
		if shown {
			return
		}
		select {
		case <-s.seen:
		case <-patience:
			return
		}
	}
}
