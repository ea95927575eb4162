package codec

import (
	"unicode/utf8"

	"edgechat/names"
	"edgechat/refusal"
)

// DefaultMaxContent is the content that a message may have, in bytes, where
// Limits says nothing else.
const DefaultMaxContent = 4096

// Limits bounds what clients send. The zero value is ready to use. It is not
// changed by its methods, which any goroutine may call.
type Limits struct {
	MaxContent int // bytes of UTF-8 of a message's content; 0 or less: DefaultMaxContent
}

func (l Limits) maxContent() int {
	if l.MaxContent <= 0 {
		return DefaultMaxContent
	}
	return l.MaxContent
}

// MaxFrame returns a limit for frames and bodies, in bytes, that stands in the
// way of no valid message: content of which each byte is escaped as \u0000, and
// 1 KiB for all the rest, a key of 64 surrogate pairs included.
func (l Limits) MaxFrame() int { return 6*l.maxContent() + 1024 }

// CheckContent reports what is wrong with s as the content of a message. The
// empty content is valid. The error is a *refusal.Error of refusal.InvalidMessage.
func (l Limits) CheckContent(s string) error {
	if len(s) > l.maxContent() {
		return l.contentTooLong()
	}
	if !utf8.ValidString(s) {
		return invalid("content is not valid UTF-8")
	}
	return nil
}

func (l Limits) contentTooLong() *refusal.Error {
	return invalid("content is longer than %d bytes", l.maxContent())
}

// DecodeClient reads one frame from a client: MessagePack if binary is set,
// JSON if not. It copies what it keeps; data may be reused when it returns.
//
// Of a message, content that is absent or null is the empty string. Content and
// key of a typing are checked and then dropped, as there is nothing to store or
// to acknowledge, and so is everything but the type of a ping. since, limit and announce
// are looked at in a join alone, id in an edit and a delete, author_key in these and in a message. Fields with other names are ignored, whatever they hold.
//
// The error is an *Error of refusal.InvalidMessage, or of refusal.InvalidRoom for the room
// of a join, with the key and the room of the frame if
// it has valid ones, also where they come after what is wrong. Bytes that are not
// JSON or MessagePack are looked at no further, so a key behind them is lost.
//
// A valid message costs an allocation for its content, one for its room and key, and one for its author key.
func (l Limits) DecodeClient(binary bool, data []byte) (Client, error) {
	var f fields
	problem := f.read(binary, data)
	room, key, nameProblem := f.readNames()
	if problem == nil {
		problem = f.typ.check("type")
	}
	var typ Type
	if problem == nil {
		typ, problem = f.typ.readType()
	}
	if problem == nil {
		problem = l.checkField(&f.content)
	}
	if problem == nil {
		problem = nameProblem
	}
	room = roomForm(room)
	c := Client{Type: typ, Room: room}
	if problem == nil {
		switch typ {
		case TypeMessage:
			c.Content, c.Key = f.content.String(), key
			c.AuthorKey, problem = f.author.readAuthorKey()
		case TypeEdit, TypeDelete:
			c.Key = key
			problem = c.readRevision(&f)
		case TypeTyping:
		case TypePing:
			c.Room = ""
		default:
			c.Key = key
			problem = c.readJoin(&f)
		}
	}
	if problem != nil {
		return Client{}, &Error{Code: problem.Code, Message: problem.Message, Room: room, Key: key}
	}
	return c, nil
}

// readJoin reads what is in a join and in a leave alone.
func (c *Client) readJoin(f *fields) *refusal.Error {
	if c.Room == "" {
		return invalid(`room is missing; send {"type":%q,"room":"den"}`, string(c.Type))
	}
	if c.Type == TypeLeave {
		return nil
	}
	if _, err := names.Room(c.Room); err != nil {
		return refusal.New(refusal.InvalidRoom, err.Error())
	}
	var problem *refusal.Error
	if c.Join.Replay, c.Join.Since, problem = f.since.readSince(); problem != nil {
		return problem
	}
	if c.Join.Limit, problem = f.limit.readLimit(); problem != nil {
		return problem
	}
	c.Join.Quiet, problem = f.announce.readQuiet()
	return problem
}

// readRevision reads what is in an edit and in a delete.
func (c *Client) readRevision(f *fields) (problem *refusal.Error) {
	if c.Target, problem = f.id.readTarget(); problem != nil {
		return problem
	}
	if c.Type == TypeEdit {
		if f.content.kind == kindAbsent {
			return invalid("content is missing; send what the message is to say, or delete it")
		}
		c.Content = f.content.String()
	}
	c.AuthorKey, problem = f.author.readAuthorKey()
	return problem
}

// checkField is CheckContent before the content is copied.
func (l Limits) checkField(f *field) *refusal.Error {
	if problem := f.check("content"); problem != nil {
		return problem
	}
	if f.size > l.maxContent() {
		return l.contentTooLong()
	}
	return nil
}

// A Post is a message that came over plain HTTP.
type Post struct {
	Content  string // valid UTF-8 within the limit
	Username string // as it was sent, valid UTF-8, not yet seen by CleanUsername; "" if absent
}

// DecodePost reads the body of a POST, {"content":"...","username":"..."} in MessagePack if binary is set, JSON if not,
// of which content must be there. It copies what it keeps and ignores fields with
// other names. The error is a *refusal.Error of refusal.InvalidMessage.
func (l Limits) DecodePost(binary bool, data []byte) (Post, error) {
	var f fields
	problem := f.read(binary, data)
	if problem == nil && f.content.kind == kindAbsent && !f.content.repeated {
		problem = invalid(`content is missing; send {"content":"..."}`)
	}
	if problem == nil {
		problem = l.checkField(&f.content)
	}
	if problem == nil {
		problem = f.username.check("username")
	}
	if problem != nil {
		return Post{}, problem
	}
	return Post{Content: f.content.String(), Username: f.username.String()}, nil
}
