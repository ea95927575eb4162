package codec

import (
	"unicode/utf8"

	"edgechat/refusal"
)

// maxDepth is how deep values may nest in a field that is ignored: a bit of a
// word for each level, so that skipping takes no memory.
const maxDepth = 64

// readJSON finds the fields of one JSON object that is all of data. It takes
// what RFC 8259 does, and refuses what that leaves open and decoders disagree on:
// a known name twice, a byte order mark, bytes that are not UTF-8. Names are
// compared by their characters, however they are escaped, and by case.
func (f *fields) readJSON(data []byte) *refusal.Error {
	if !utf8.Valid(data) {
		return invalid("the JSON is not valid UTF-8 at byte %d", invalidAt(data))
	}
	r := jsonReader{data: data}
	r.space()
	if c := r.peek(); c != '{' {
		if k := jsonKind(c); k != kindAbsent {
			return invalid("a message is a JSON object, not %s", k)
		}
		return r.unexpected("an object")
	}
	r.pos++
	r.space()
	if r.peek() == '}' {
		r.pos++
		return r.end()
	}
	for {
		name, problem := r.name()
		if problem != nil {
			return problem
		}
		var known *field
		switch {
		case name.size > longestName:
		case name.escaped:
			known = f.named(name.String())
		default:
			known = f.named(string(name.raw))
		}
		if problem := r.value(known); problem != nil {
			return problem
		}
		r.space()
		switch r.peek() {
		case ',':
			r.pos++
			r.space()
		case '}':
			r.pos++
			return r.end()
		default:
			return r.unexpected(`"," or "}"`)
		}
	}
}

// invalidAt returns where data ceases to be UTF-8.
func invalidAt(data []byte) int {
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return len(data)
}

// A jsonReader is a place in valid UTF-8. Errors count bytes from 0.
type jsonReader struct {
	data []byte
	pos  int
}

// peek returns the byte that is next, 0 at the end. A byte 0 in the input is
// nowhere valid, so that nobody takes the one for the other.
func (r *jsonReader) peek() byte {
	if r.pos >= len(r.data) {
		return 0
	}
	return r.data[r.pos]
}

func (r *jsonReader) space() {
	for r.pos < len(r.data) {
		switch r.data[r.pos] {
		case ' ', '\t', '\n', '\r':
			r.pos++
		default:
			return
		}
	}
}

// unexpected says that something else than want is next.
func (r *jsonReader) unexpected(want string) *refusal.Error {
	if r.pos >= len(r.data) {
		return invalid("unexpected end of JSON at byte %d, where %s should be", r.pos, want)
	}
	return invalid("unexpected %s in JSON at byte %d, where %s should be", r.next(), r.pos, want)
}

// next names the character that is next, for an error message.
func (r *jsonReader) next() string {
	c, _ := utf8.DecodeRune(r.data[r.pos:])
	return quoteRune(c)
}

// end reports what is left behind the value.
func (r *jsonReader) end() *refusal.Error {
	r.space()
	if r.pos < len(r.data) {
		return invalid("unexpected %s in JSON at byte %d, after the end of the object; send one object",
			r.next(), r.pos)
	}
	return nil
}

// name reads the name of a field, and the colon and the space behind it.
func (r *jsonReader) name() (text, *refusal.Error) {
	if r.peek() != '"' {
		return text{}, r.unexpected("a name in quotes")
	}
	t, problem := r.text()
	if problem != nil {
		return text{}, problem
	}
	r.space()
	if r.peek() != ':' {
		return text{}, r.unexpected(`":"`)
	}
	r.pos++
	r.space()
	return t, nil
}

// value reads the value of a field and notes it in f, unless that is nil.
func (r *jsonReader) value(f *field) *refusal.Error {
	k := jsonKind(r.peek())
	if k == kindString {
		t, problem := r.text()
		if problem == nil && f != nil {
			f.set(value{kind: k, text: t})
		}
		return problem
	}
	start := r.pos
	if problem := r.skip(); problem != nil {
		return problem
	}
	switch raw := r.data[start:r.pos]; {
	case f == nil:
	case k == kindNumber:
		f.set(wholeNumber(raw))
	default:
		f.set(value{kind: k, yes: raw[0] == 't'})
	}
	return nil
}

// jsonKind returns what a value is by its first byte; kindAbsent for null and
// for what starts no value.
func jsonKind(c byte) kind {
	switch c {
	case '"':
		return kindString
	case '{':
		return kindObject
	case '[':
		return kindArray
	case 't', 'f':
		return kindBool
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		return kindNumber
	}
	return kindAbsent
}
