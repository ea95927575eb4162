package admin

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// ErrNoServer says that nobody serves the socket.
var ErrNoServer = errors.New("no server answers at the admin socket")

// A Client talks to the server at a socket. Its methods may be called from any goroutine. Their errors say what the
// server said, or wrap ErrNoServer and what the kernel did.
type Client struct{ path string }

// NewClient returns a client of the socket at path. It connects when it is used, once for each question.
func NewClient(path string) *Client { return &Client{path} }

// Status returns how the server is.
func (c *Client) Status(ctx context.Context) (s Status, err error) {
	return s, c.call(ctx, http.MethodGet, "/status", "", &s)
}

// Rooms returns the live rooms, busiest first, after they were watched for so long.
func (c *Client) Rooms(ctx context.Context, watch time.Duration) (rooms []Room, err error) {
	return rooms, c.call(ctx, http.MethodGet, "/rooms?for="+watch.String(), "", &rooms)
}

// Room returns one room.
func (c *Client) Room(ctx context.Context, name string) (room RoomDetail, err error) {
	return room, c.call(ctx, http.MethodGet, "/rooms/"+url.PathEscape(name), "", &room)
}

// SetLevel changes the level of the log: debug, info, warn or error.
func (c *Client) SetLevel(ctx context.Context, level string) (l Level, err error) {
	return l, c.call(ctx, http.MethodPut, "/log-level", level, &l)
}

// Reload has the server read its token file again.
func (c *Client) Reload(ctx context.Context) (r Reloaded, err error) {
	return r, c.call(ctx, http.MethodPost, "/reload", "", &r)
}

// Backup copies a backup of the running server to w.
func (c *Client) Backup(ctx context.Context, w io.Writer) error {
	body, err := c.do(ctx, http.MethodGet, "/backup", "")
	if err != nil {
		return err
	}
	defer body.Close()
	if _, err := io.Copy(w, body); err != nil {
		return fmt.Errorf("admin: backup from %s: %w", c.path, err)
	}
	return nil
}

func (c *Client) call(ctx context.Context, method, path, body string, v any) error {
	answer, err := c.do(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer answer.Close()
	if err := json.NewDecoder(answer).Decode(v); err != nil {
		return fmt.Errorf("admin: answer of %s: %w", c.path, err)
	}
	return nil
}

// do returns the body of an answer that is no refusal. It needs nothing of http.Client, which would be a quarter of a megabyte of
// each server's program.
func (c *Client) do(ctx context.Context, method, path, body string) (io.ReadCloser, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "unix", c.path)
	if err != nil {
		return nil, fmt.Errorf("admin: %s: %w: %w", c.path, ErrNoServer, err)
	}
	a := &answerBody{ctx: ctx, conn: conn, uncut: context.AfterFunc(ctx, func() { _ = conn.Close() })}
	_, err = fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: admin\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", method, path, len(body), body)
	var resp *http.Response
	if err == nil {
		resp, err = http.ReadResponse(bufio.NewReader(conn), nil)
	}
	if err != nil {
		_ = a.Close()
		return nil, fmt.Errorf("admin: %s: %w", c.path, a.cause(err))
	}
	a.body = resp.Body
	if resp.StatusCode < 300 {
		return a, nil
	}
	defer a.Close()
	text, err := io.ReadAll(io.LimitReader(a, 64<<10))
	var refused struct{ Error struct{ Message string } }
	if err != nil || json.Unmarshal(text, &refused) != nil || refused.Error.Message == "" {
		return nil, fmt.Errorf("admin: %s: %s: %s", c.path, resp.Status, bytes.TrimSpace(text))
	}
	return nil, fmt.Errorf("admin: %s: %s", c.path, refused.Error.Message)
}

// An answerBody is read until its end, Close, or the end of its context.
type answerBody struct {
	ctx   context.Context
	conn  net.Conn
	uncut func() bool
	body  io.Reader
}

func (a *answerBody) Read(p []byte) (int, error) {
	n, err := a.body.Read(p)
	if err != nil && err != io.EOF {
		err = a.cause(err)
	}
	return n, err
}

// cause returns why the connection failed: the context's error if that has cut it.
func (a *answerBody) cause(err error) error {
	if cut := a.ctx.Err(); cut != nil {
		return cut
	}
	return err
}

func (a *answerBody) Close() error {
	a.uncut()
	return a.conn.Close()
}
