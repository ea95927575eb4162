package client

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

var (
	// ErrClosed is the error of a Publish that was not acknowledged when its Room was left.
	ErrClosed = errors.New("client: the room was left before the message was acknowledged")
	// ErrNotEdgechat says that something else than edgechat answers.
	ErrNotEdgechat = errors.New("client: the server does not speak edgechat's protocol")
)

// A Refusal is how the server says no: to a connection, to a message, or to going on.
type Refusal struct {
	Status  int    // of HTTP; 0 if it came in a frame
	Close   int    // code of the close frame; 0 if it was none
	Code    string // for programs, such as "unauthorized"; docs/protocol.md lists them; "" if there was none
	Message string // for people
	// RetryAfter says that the same is taken once this time has passed; 0 says nothing.
	RetryAfter time.Duration
}

func (e *Refusal) Error() string {
	var b strings.Builder
	b.WriteString("refused")
	if e.Status != 0 {
		fmt.Fprintf(&b, " with %d", e.Status)
	} else if e.Close != 0 {
		fmt.Fprintf(&b, " with close code %d", e.Close)
	}
	if e.Code != "" {
		b.WriteString(" " + e.Code)
	}
	if e.Message != "" {
		b.WriteString(": " + e.Message)
	}
	return b.String()
}

// final reports whether another try would mend nothing.
func (e *Refusal) final() bool {
	switch {
	case e.Close == closePolicy:
		// A slow line, or too much at once: neither is there the next time.
		return e.Code != "message_timeout" && e.Code != "rate_limited"
	case e.Close != 0:
		return false
	}
	return e.Status < 500 && e.Status != http.StatusRequestTimeout && e.Status != http.StatusTooEarly && e.Status != http.StatusTooManyRequests
}

// maxAnswer bounds what is read of an answer over HTTP, in bytes.
const maxAnswer = 1 << 20

// RefusalOf reads what an answer over HTTP that is no success says. The body is read, and not closed.
func RefusalOf(resp *http.Response) *Refusal {
	e := &Refusal{Status: resp.StatusCode}
	if n, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && n > 0 {
		e.RetryAfter = time.Duration(n) * time.Second
	}
	if to := resp.Header.Get("Location"); to != "" {
		e.Message = fmt.Sprintf("it moved to %.200q", to)
		return e
	}
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10)) // what has come is enough
	var x struct {
		Error struct{ Code, Message string }
	}
	if json.Unmarshal(body, &x) == nil {
		e.Code, e.Message = x.Error.Code, x.Error.Message
	} else if line, _, _ := bytes.Cut(bytes.TrimSpace(body), []byte("\n")); len(line) > 0 {
		e.Message = fmt.Sprintf("%.80q", line)
	}
	return e
}

// Close codes of RFC 6455 section 7.4.1 and IANA's registry.
const (
	closeInvalid = 1007
	closePolicy  = 1008
	closeTooBig  = 1009
	closeRestart = 1012
)

// closedWith is the error of a close frame. The server's reasons begin with a code, and a colon.
func closedWith(code int, reason string) *Refusal {
	e := &Refusal{Close: code, Message: reason}
	if word, text, ok := strings.Cut(reason, ": "); ok && strings.Trim(word, "abcdefghijklmnopqrstuvwxyz_") == "" {
		e.Code, e.Message = word, text
	}
	return e
}
