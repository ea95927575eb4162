package codec

import (
	"unicode/utf8"

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
// to acknowledge. Fields with other names are ignored, whatever they hold.
//
// The error is an *Error of refusal.InvalidMessage, with the key of the frame if it
// has a valid one, also where that comes after what is wrong. Bytes that are not
// JSON or MessagePack are looked at no further, so a key behind them is lost.
//
// A valid message costs an allocation for its content and one for its key.
func (l Limits) DecodeClient(binary bool, data []byte) (Client, error) {
	var f fields
	problem := f.read(binary, data)
	key, keyProblem := f.key.readKey()
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
		problem = keyProblem
	}
	if problem != nil {
		return Client{}, &Error{Code: problem.Code, Message: problem.Message, Key: key}
	}
	if typ == TypeTyping {
		return Client{Type: typ}, nil
	}
	return Client{Type: typ, Content: f.content.String(), Key: key}, nil
}

// A Post is a message that came over plain HTTP.
type Post struct {
	Content  string // valid UTF-8 within the limit
	Username string // as it was sent, valid UTF-8, not yet seen by CleanUsername; "" if absent
}

// DecodePost reads the JSON body of a POST, {"content":"...","username":"..."},
// of which content must be there. It copies what it keeps and ignores fields with
// other names. The error is a *refusal.Error of refusal.InvalidMessage.
func (l Limits) DecodePost(data []byte) (Post, error) {
	var f fields
	problem := f.read(false, data)
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

// fields are the fields that are known in a frame or a body, of either format.
// They are found first and judged afterwards: an error can then name the key of
// its frame wherever that is, and nothing is allocated for what is refused.
type fields struct {
	typ, content, key, username field
}

// longestName is the length of the longest of the names below.
const longestName = len("idempotency_key")

// named returns the field of that name, nil if it is not known.
func (f *fields) named(name string) *field {
	switch name {
	case "type":
		return &f.typ
	case "content":
		return &f.content
	case "idempotency_key":
		return &f.key
	case "username":
		return &f.username
	}
	return nil
}

func (f *fields) read(binary bool, data []byte) *refusal.Error {
	if binary {
		return f.readMsgPack(data)
	}
	return f.readJSON(data)
}

// A kind is what a value is, worded for error messages.
type kind string

const (
	kindAbsent kind = "" // or null
	kindString kind = "a string"
	kindObject kind = "an object"
	kindMap    kind = "a map"
	kindArray  kind = "an array"
	kindBool   kind = "a boolean"
	kindNumber kind = "a number"
	kindInt    kind = "an integer"
	kindFloat  kind = "a float"
	kindBinary kind = "binary"
	kindExt    kind = "an extension"
)

// A field is a value as it was found. Text aliases the input.
type field struct {
	kind     kind
	seen     bool // null included
	repeated bool // there was another one before it
	text          // if kind is kindString
}

// set notes a value. The first of several stays, as all of them are refused.
func (f *field) set(k kind, t text) {
	if f.seen {
		f.repeated = true
		return
	}
	f.seen, f.kind, f.text = true, k, t
}

// check reports why the field is neither absent nor a usable string.
func (f *field) check(name string) *refusal.Error {
	switch {
	case f.repeated:
		return invalid("%s is there more than once; send it once", name)
	case f.kind != kindAbsent && f.kind != kindString:
		return invalid("%s must be a string, not %s", name, f.kind)
	case f.lone:
		return invalid(`%s holds half of a surrogate pair, such as \ud83d without \ude00 after it; send whole characters`, name)
	case f.invalid:
		return invalid("%s is not valid UTF-8", name)
	}
	return nil
}

// readType reads a field that check has passed.
func (f *field) readType() (Type, *refusal.Error) {
	switch {
	case f.kind == kindAbsent:
		return "", invalid(`type is missing; it is "message" or "typing"`)
	case f.is("message"):
		return TypeMessage, nil
	case f.is("typing"):
		return TypeTyping, nil
	}
	return "", invalid(`type must be "message" or "typing", not %s`, quote(f.String()))
}

// readKey returns "" if the field is absent or wrong.
func (f *field) readKey() (string, *refusal.Error) {
	if problem := f.check("idempotency_key"); problem != nil || f.kind == kindAbsent {
		return "", problem
	}
	if f.size > maxKey*utf8.UTFMax {
		return "", invalid("idempotency_key is longer than %d characters", maxKey)
	}
	key := f.String()
	if problem := checkKey(key); problem != nil {
		return "", problem
	}
	return key, nil
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
