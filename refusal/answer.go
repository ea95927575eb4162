package refusal

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
)

// Answer answers r with e:
//
//	{"error":{"code":"invalid_room","message":"..."}}
//
// Headers that w has stay, where e does not set them. The answer to HEAD has no body.
func (e *Error) Answer(w http.ResponseWriter, r *http.Request) {
	e.addHeader(w.Header())
	w.WriteHeader(e.status())
	if r.Method != http.MethodHead {
		_, _ = w.Write(e.body()) // the peer is gone if it fails
	}
}

// Bytes returns what Answer writes as a whole HTTP/1.1 message, after which the
// connection closes, for one that net/http has given away.
func (e *Error) Bytes() []byte {
	body := e.body()
	resp := http.Response{
		StatusCode: e.status(), ProtoMajor: 1, ProtoMinor: 1, Header: make(http.Header),
		Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)), Close: true,
	}
	e.addHeader(resp.Header)
	var b bytes.Buffer
	_ = resp.Write(&b) // a Buffer takes everything
	return b.Bytes()
}

func (e *Error) addHeader(h http.Header) {
	maps.Copy(h, e.Header)
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
}

// body is one line of JSON. <, > and & stand as they are, as in frames: it is never
// taken for HTML, since its type is said and nosniff with it.
func (e *Error) body() []byte {
	var envelope struct {
		Error struct {
			Code    Code   `json:"code"`
			Message string `json:"message"`
		} `json:"error"`
	}
	envelope.Error.Code, envelope.Error.Message = e.Code, e.Message
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(envelope) // strings always encode; it ends the line
	return b.Bytes()
}
