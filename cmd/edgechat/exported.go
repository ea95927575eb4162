package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"edgechat/codec"
)

// An exportedLine is a line of an export. Its words are those of frames.
type exportedLine struct {
	Room     string  `json:"room"`
	ID       string  `json:"id"`
	Type     string  `json:"type,omitempty"`   // "" is a message
	Target   string  `json:"target,omitempty"` // of a revision
	Username string  `json:"username"`
	Verified bool    `json:"verified,omitempty"`
	Content  *string `json:"content,omitempty"` // nil of what was deleted, and of a deletion
	Time     int64   `json:"time"`
	Key      string  `json:"key,omitempty"`
	Edited   bool    `json:"edited,omitempty"`
	Deleted  bool    `json:"deleted,omitempty"`
}

// lines writes records as lines of JSON.
func lines(w io.Writer, list []codec.Record) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	for i := range list {
		r := &list[i]
		m := &r.Message
		l := exportedLine{Room: r.Room, ID: m.ID.String(), Username: m.Username, Verified: m.Verified, Time: m.Time, Key: r.Key, Edited: m.Edited, Deleted: m.Deleted}
		switch m.Kind {
		case codec.Edit:
			l.Type, l.Target = string(codec.TypeEdited), m.Target.String()
		case codec.Deletion:
			l.Type, l.Target = string(codec.TypeDeleted), m.Target.String()
		}
		if !m.Deleted && m.Kind != codec.Deletion {
			l.Content = &m.Content
		}
		if err := e.Encode(l); err != nil {
			return err
		}
	}
	return nil
}

// parseLine reads a line of an export.
func parseLine(b []byte) (codec.Record, error) {
	if !utf8.Valid(b) {
		return codec.Record{}, errors.New("it is not valid UTF-8")
	}
	var l exportedLine
	has, err := parseObject(b, map[string]any{"room": &l.Room, "id": &l.ID, "type": &l.Type, "target": &l.Target, "username": &l.Username,
		"verified": &l.Verified, "content": &l.Content, "time": &l.Time, "key": &l.Key, "edited": &l.Edited, "deleted": &l.Deleted})
	if err != nil {
		return codec.Record{}, err
	}
	for _, name := range []string{"room", "id", "username", "time"} {
		if !has[name] {
			return codec.Record{}, fmt.Errorf("it has no %s", name)
		}
	}
	if l.Time < 0 {
		return codec.Record{}, fmt.Errorf("its time is %d, and has to be milliseconds since 1970", l.Time)
	}
	r := codec.Record{Key: l.Key}
	m := &r.Message
	m.Verified, m.Time, m.Edited, m.Deleted = l.Verified, l.Time, l.Edited, l.Deleted
	if r.Room, err = codec.CleanRoom(l.Room); err != nil {
		return codec.Record{}, withoutCode(err)
	}
	if m.Username = l.Username; !codec.PastUsername(l.Username) { // as it was said then
		if m.Username, err = codec.CleanUsername(l.Username); err != nil {
			return codec.Record{}, withoutCode(err)
		}
	}
	if m.ID, err = parseNumber(l.ID); err != nil {
		return codec.Record{}, err
	}
	if err := l.revise(m, has); err != nil {
		return codec.Record{}, err
	}
	switch gone := m.Deleted || m.Kind == codec.Deletion; {
	case gone && l.Content != nil:
		return codec.Record{}, errors.New("it has content, which nothing has that was deleted")
	case !gone && l.Content == nil:
		return codec.Record{}, errors.New("it has no content")
	case !gone:
		m.Content = *l.Content
		if err := (codec.Limits{MaxContent: mostContent}).CheckContent(m.Content); err != nil {
			return codec.Record{}, withoutCode(err)
		}
	}
	return r, nil
}

// revise takes over what makes a revision of a message, if it is one.
func (l *exportedLine) revise(m *codec.Message, has map[string]bool) (err error) {
	switch l.Type {
	case "":
		if has["target"] {
			return errors.New(`it has a target, and no type "edited" or "deleted"`)
		}
		if l.Edited && l.Deleted {
			return errors.New("it is edited and deleted; what was deleted says nothing any more")
		}
		return nil
	case string(codec.TypeEdited):
		m.Kind = codec.Edit
	case string(codec.TypeDeleted):
		m.Kind = codec.Deletion
	default:
		return fmt.Errorf(`its type is %q, and can be "edited" or "deleted"; a message has none`, l.Type)
	}
	if l.Edited || l.Deleted && m.Kind == codec.Deletion {
		return errors.New("only messages are edited or deleted, and this is no message")
	}
	if !has["target"] {
		return errors.New("it has no target, which is the id of what it changes")
	}
	if m.Target, err = parseNumber(l.Target); err == nil && m.Target.Offset >= m.ID.Offset {
		err = fmt.Errorf("it changes %s, which is not older than itself", m.Target)
	}
	return err
}

// parseNumber reads the id of a message.
func parseNumber(text string) (codec.ID, error) {
	id, err := codec.ParseID(text)
	switch {
	case err != nil:
		return codec.ID{}, withoutCode(err)
	case id.Offset == 0:
		return codec.ID{}, fmt.Errorf("%q names no message: numbers begin with 1", text)
	}
	return id, nil
}

// parseObject reads an object whose names are these exactly, each once, and says which there are.
func parseObject(b []byte, values map[string]any) (has map[string]bool, err error) {
	d := json.NewDecoder(bytes.NewReader(b))
	if open, err := d.Token(); err != nil {
		return nil, notJSON(err)
	} else if open != json.Delim('{') {
		return nil, errors.New("it is no JSON object")
	}
	has = map[string]bool{}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return nil, notJSON(err)
		}
		name, _ := token.(string)
		value, known := values[name]
		switch {
		case !known:
			return nil, fmt.Errorf("unknown field %q", name)
		case has[name]:
			return nil, fmt.Errorf("field %q is there twice", name)
		}
		has[name] = true
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return nil, notJSON(err)
		}
		if err := json.Unmarshal(raw, value); err != nil || string(raw) == "null" {
			return nil, fmt.Errorf("field %q is %s, and has to be %s", name, shorten(raw), wanted(value))
		}
	}
	if _, err := d.Token(); err != nil {
		return nil, notJSON(err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("something follows the object")
	}
	return has, nil
}

// wanted says what a value is to be.
func wanted(value any) string {
	switch value.(type) {
	case *int64:
		return "a whole number"
	case *bool:
		return "true or false"
	}
	return "a text"
}

// shorten returns JSON as a message shows it.
func shorten(raw []byte) string {
	const most = 40
	if r := []rune(string(raw)); len(r) > most {
		return string(r[:most]) + "..."
	}
	return string(raw)
}

func notJSON(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return errors.New("it is cut off")
	}
	return fmt.Errorf("it is no JSON: %w", err)
}

// withoutCode returns what a refusal says, without its code, which is for clients.
func withoutCode(err error) error {
	_, text, _ := strings.Cut(err.Error(), ": ")
	return errors.New(text)
}
