package frame

import (
	"bytes"
	"slices"
	"strings"
)

// MaxHead is how long the head of a handshake may be, in bytes, for the event
// loop to take it. net/http has the rest, and a limit of its own.
const MaxHead = 4 << 10

// HeadLen returns the length of the head that p begins with, or 0 if p is anything
// else than the head of a plain WebSocket handshake (RFC 6455 section 4.1) to
// its last byte. It is narrower than HTTP: what is rare, doubtful or
// broken is left to net/http, so that there is one opinion about it.
func HeadLen(p []byte) int {
	end := bytes.Index(p[:min(len(p), MaxHead)], []byte("\r\n\r\n"))
	if end < 0 {
		return 0
	}
	request, fields, _ := bytes.Cut(p[:end+2], []byte("\r\n"))
	target, isGet := bytes.CutPrefix(request, []byte("GET /"))
	target, is11 := bytes.CutSuffix(target, []byte(" HTTP/1.1"))
	if !isGet || !is11 || bytes.ContainsFunc(target, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return 0
	}
	hosts, upgrade := 0, false
	for line := range bytes.SplitSeq(fields, []byte("\r\n")) {
		if len(line) == 0 {
			continue // behind the last
		}
		name, value, ok := bytes.Cut(line, []byte(":"))
		if !ok || !isToken(name) || !isPlain(value) {
			return 0
		}
		value = bytes.Trim(value, " \t")
		switch key := strings.ToLower(string(name)); {
		case key == "host":
			if hosts++; !isHost(value) {
				return 0
			}
		case key == "upgrade":
			upgrade = bytes.EqualFold(value, []byte("websocket"))
		case slices.Contains([]string{"content-length", "transfer-encoding", "trailer", "expect"}, key):
			return 0
		}
	}
	if hosts != 1 || !upgrade {
		return 0
	}
	return end + 4
}

// isToken reports whether a field name is one (RFC 9110 section 5.6.2) of the
// characters that are in use.
func isToken(name []byte) bool {
	for _, b := range name {
		if !isAlnum(b) && b != '-' && b != '_' {
			return false
		}
	}
	return len(name) > 0
}

// isPlain reports whether a field value has no control character.
func isPlain(value []byte) bool {
	for _, b := range value {
		if b < ' ' && b != '\t' || b == 0x7f {
			return false
		}
	}
	return true
}

// isHost reports whether a Host is of the characters of names and addresses.
func isHost(value []byte) bool {
	for _, b := range value {
		if !isAlnum(b) && !bytes.ContainsRune([]byte(".-_:[]"), rune(b)) {
			return false
		}
	}
	return len(value) > 0
}

func isAlnum(b byte) bool {
	return b >= '0' && b <= '9' || b >= 'A' && b <= 'Z' || b >= 'a' && b <= 'z'
}
