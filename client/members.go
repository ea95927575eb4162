package client

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// A Member is who is in the room.
type Member struct {
	Username    string    `json:"username"`
	Verified    bool      `json:"verified,omitempty"` // the name is that of a token
	Connections int       `json:"connections"`
	Since       time.Time `json:"since"`
}

// Members asks who is here, over plain HTTP, on a connection of its own. A refusal is a *Refusal. It ends with the Room, and after 30 s.
func (r *Room) Members(ctx context.Context) ([]Member, error) {
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	defer context.AfterFunc(r.ctx, cancel)()
	list, err := r.members(ctx)
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("client: who is here: %w", context.Cause(ctx))
	}
	return list, err
}

func (r *Room) members(ctx context.Context) ([]Member, error) {
	base := r.places.now()
	conn, err := r.dial(ctx, base)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	// http.Client would be a quarter of a megabyte of each program.
	u := r.address(base, "/members", nil)
	req := &http.Request{Method: http.MethodGet, URL: u, Host: u.Host, Header: r.header(), Close: true}
	if err := req.Write(conn); err != nil {
		return nil, err
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, RefusalOf(resp)
	}
	var x struct{ Members []Member }
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(&x); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotEdgechat, err)
	}
	return x.Members, nil
}
