package codec

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"edgechat/names"
	"edgechat/refusal"
)

// All is the value of "since" that asks for everything in the buffer.
const All = "all"

// maxLimit is the greatest "limit" that is taken, on boards of 32 bits too. Servers have smaller ones of their own.
const maxLimit = 1<<31 - 1

// fields are the fields that are known in a frame or a body, of either format.
// They are found first and judged afterwards: an error can then name the key of
// its frame wherever that is, and nothing is allocated for what is refused.
type fields struct {
	typ, content, key, username, author field
	room, since, limit, announce, id    field
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
	case "room":
		return &f.room
	case "since":
		return &f.since
	case "limit":
		return &f.limit
	case "announce":
		return &f.announce
	case "id":
		return &f.id
	case "author_key":
		return &f.author
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

// A value is what a field holds. Text aliases the input.
type value struct {
	kind   kind
	text          // if kind is kindString
	number uint64 // if whole
	whole  bool   // it is a number without sign, fraction and exponent
	yes    bool   // it is true
}

// A field is a value as it was found.
type field struct {
	value
	seen     bool // null included
	repeated bool // there was another one before it
}

// set notes a value. The first of several stays, as all of them are refused.
func (f *field) set(v value) {
	if f.seen {
		f.repeated = true
		return
	}
	f.seen, f.value = true, v
}

// check reports why the field is neither absent nor a usable string.
func (f *field) check(name string) *refusal.Error {
	if problem := f.checkKind(name, kindString, kindString); problem != nil {
		return problem
	}
	switch {
	case f.lone:
		return invalid(`%s holds half of a surrogate pair, such as \ud83d without \ude00 after it; send whole characters`, name)
	case f.invalid:
		return invalid("%s is not valid UTF-8", name)
	}
	return nil
}

// checkKind reports why the field is neither absent nor of one of two kinds.
func (f *field) checkKind(name string, one, other kind) *refusal.Error {
	switch {
	case f.repeated:
		return invalid("%s is there more than once; send it once", name)
	case f.kind != kindAbsent && f.kind != one && f.kind != other:
		return invalid("%s must be %s, not %s", name, one, f.kind)
	}
	return nil
}

// readType reads a field that check has passed.
func (f *field) readType() (Type, *refusal.Error) {
	const known = `"message", "edit", "delete", "typing", "ping", "join" or "leave"`
	if f.kind == kindAbsent {
		return "", invalid("type is missing; it is " + known)
	}
	for _, t := range [...]Type{TypeMessage, TypeTyping, TypePing, TypeJoin, TypeLeave, TypeEdit, TypeDelete} {
		if f.is(string(t)) {
			return t, nil
		}
	}
	return "", invalid("type must be "+known+", not %s", quote(f.String()))
}

// readNames reads room and key, each "" if it is absent or wrong, in one allocation.
func (f *fields) readNames() (room, key string, problem *refusal.Error) {
	roomProblem := f.room.check("room")
	if roomProblem == nil && f.room.size > names.MaxRoom*utf8.UTFMax {
		roomProblem = refusal.Errorf(refusal.InvalidRoom, "the name of the room is longer than %d characters", names.MaxRoom)
	}
	keyProblem := f.key.check("idempotency_key")
	if keyProblem == nil && f.key.size > maxKey*utf8.UTFMax {
		keyProblem = keyTooLong("idempotency_key")
	}
	var b strings.Builder
	if roomProblem == nil && keyProblem == nil {
		b.Grow(f.room.size + f.key.size)
	}
	if roomProblem == nil {
		f.room.appendTo(&b)
	}
	end := b.Len()
	if keyProblem == nil {
		f.key.appendTo(&b)
	}
	room, key = b.String()[:end], b.String()[end:]
	if keyProblem == nil && f.key.kind == kindString {
		if keyProblem = checkKey("idempotency_key", key); keyProblem != nil {
			key = ""
		}
	}
	if keyProblem != nil {
		return room, key, keyProblem
	}
	return room, key, roomProblem
}

// readAuthorKey returns "" if the field is absent.
func (f *field) readAuthorKey() (string, *refusal.Error) {
	if problem := f.check("author_key"); problem != nil || f.kind == kindAbsent {
		return "", problem
	}
	if f.size > maxKey*utf8.UTFMax {
		return "", keyTooLong("author_key")
	}
	key := f.String()
	if problem := checkKey("author_key", key); problem != nil {
		return "", problem
	}
	return key, nil
}

// readTarget reads the message that is to be changed.
func (f *field) readTarget() (ID, *refusal.Error) {
	if problem := f.check("id"); problem != nil {
		return ID{}, problem
	}
	if f.kind == kindAbsent {
		return ID{}, invalid("id is missing; send that of the message which is to be changed")
	}
	id, bad := parseID(f.String())
	if bad != "" {
		return ID{}, invalid("id: %s", bad)
	}
	return id, nil
}

// readSince reads the cursor of a join: replay is false if it is absent, and the ID zero for All.
func (f *field) readSince() (replay bool, id ID, problem *refusal.Error) {
	if problem := f.check("since"); problem != nil || f.kind == kindAbsent {
		return false, ID{}, problem
	}
	if f.is(All) {
		return true, ID{}, nil
	}
	id, bad := parseID(f.String())
	if bad != "" {
		return false, ID{}, invalid(`since: %s; %q asks for all that is there`, bad, All)
	}
	return true, id, nil
}

// readLimit returns 0 if the field is absent.
func (f *field) readLimit() (int, *refusal.Error) {
	if problem := f.checkKind("limit", kindNumber, kindInt); problem != nil || f.kind == kindAbsent {
		return 0, problem
	}
	if !f.whole || f.number < 1 || f.number > maxLimit {
		return 0, invalid("limit must be a whole number from 1")
	}
	return int(f.number), nil
}

// readQuiet returns whether "announce" is false.
func (f *field) readQuiet() (bool, *refusal.Error) {
	problem := f.checkKind("announce", kindBool, kindBool)
	return f.kind == kindBool && !f.yes, problem
}

// wholeNumber makes a value of a JSON number.
func wholeNumber(raw []byte) value {
	n, err := strconv.ParseUint(string(raw), 10, 64)
	return value{kind: kindNumber, number: n, whole: err == nil}
}
