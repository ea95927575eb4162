package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// ErrNoServer says that nobody serves the socket.
var ErrNoServer = errors.New("no server answers at the admin socket")

// A Client talks to the server at a socket. Its methods may be called from any goroutine. Their errors say what the
// server said, or wrap ErrNoServer and what the kernel did.
type Client struct {
	path string
	http http.Client
}

// NewClient returns a client of the socket at path. It connects when it is used.
func NewClient(path string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, "unix", path)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrNoServer, err)
		}
		return c, nil
	}
	return &Client{path: path, http: http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}}
}

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

// do returns the body of an answer that is no refusal.
func (c *Client) do(ctx context.Context, method, path, body string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://admin"+path, strings.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("admin: %w", err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		if e, ok := errors.AsType[*url.Error](err); ok { // its address is of no use
			err = e.Err
		}
		return nil, fmt.Errorf("admin: %s: %w", c.path, err)
	}
	if resp.StatusCode < 300 {
		return resp.Body, nil
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	var refused struct{ Error struct{ Message string } }
	if err != nil || json.Unmarshal(text, &refused) != nil || refused.Error.Message == "" {
		return nil, fmt.Errorf("admin: %s: %s: %s", c.path, resp.Status, bytes.TrimSpace(text))
	}
	return nil, fmt.Errorf("admin: %s: %s", c.path, refused.Error.Message)
}
