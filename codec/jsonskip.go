package codec

import "edgechat/refusal"

// skip reads a value of any kind and any depth up to maxDepth, without recursion.
func (r *jsonReader) skip() *refusal.Error {
	var objects uint64 // a bit for each open level, the innermost lowest: 1 for an object, 0 for an array
	for depth := 0; ; {
		open := r.peek()
		switch open {
		case '{', '[':
			if depth == maxDepth {
				return invalid("the JSON is nested deeper than %d levels at byte %d", maxDepth, r.pos)
			}
			depth++
			objects <<= 1
			r.pos++
			r.space()
			if open == '{' {
				objects |= 1
			}
			if c := r.peek(); open == '{' && c == '}' || open == '[' && c == ']' {
				break // empty: closed below
			}
			if open == '{' {
				if _, problem := r.name(); problem != nil {
					return problem
				}
			}
			continue
		default:
			if problem := r.scalar(); problem != nil {
				return problem
			}
		}
		for again := false; !again; {
			if depth == 0 {
				return nil
			}
			r.space()
			object := objects&1 == 1
			c := r.peek()
			switch {
			case object && c == '}' || !object && c == ']':
				r.pos++
				depth--
				objects >>= 1
			case c == ',':
				r.pos++
				r.space()
				if object {
					if _, problem := r.name(); problem != nil {
						return problem
					}
				}
				again = true
			case object:
				return r.unexpected(`"," or "}"`)
			default:
				return r.unexpected(`"," or "]"`)
			}
		}
	}
}

// scalar reads a value that holds no others.
func (r *jsonReader) scalar() *refusal.Error {
	switch c := r.peek(); {
	case c == '"':
		_, problem := r.text()
		return problem
	case c == 't':
		return r.literal("true")
	case c == 'f':
		return r.literal("false")
	case c == 'n':
		return r.literal("null")
	case jsonKind(c) == kindNumber:
		return r.number()
	}
	return r.unexpected("a value")
}

func (r *jsonReader) literal(word string) *refusal.Error {
	for i := range len(word) {
		if r.peek() != word[i] {
			return r.unexpected(word)
		}
		r.pos++
	}
	return nil
}

// number reads [ minus ] int [ frac ] [ exp ] of RFC 8259 section 6.
func (r *jsonReader) number() *refusal.Error {
	if r.peek() == '-' {
		r.pos++
	}
	if r.peek() == '0' {
		r.pos++ // no digit may follow
	} else if !r.digits() {
		return r.unexpected("a digit")
	}
	if r.peek() == '.' {
		r.pos++
		if !r.digits() {
			return r.unexpected("a digit")
		}
	}
	if c := r.peek(); c == 'e' || c == 'E' {
		r.pos++
		if c := r.peek(); c == '+' || c == '-' {
			r.pos++
		}
		if !r.digits() {
			return r.unexpected("a digit")
		}
	}
	return nil
}

func (r *jsonReader) digits() bool {
	start := r.pos
	for c := r.peek(); '0' <= c && c <= '9'; c = r.peek() {
		r.pos++
	}
	return r.pos > start
}
