package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"edgechat/client"
	"edgechat/internal/settings"
)

// sendOptions are the settings of send.
type sendOptions struct {
	talkOptions
	key     string
	timeout time.Duration
	json    bool
}

func (o *sendOptions) table(getenv func(string) string) []settings.Setting {
	return append(o.talkOptions.table(getenv),
		settings.Setting{Name: "key", Takes: "KEY", DefaultText: "a new one each time", NoEnv: true, Allowed: "1 to 64 characters",
			Usage: "idempotency key: the same one under the same name makes no second message", Set: o.setKey},
		settings.Duration(settings.Setting{Name: "timeout", Default: "30s", NoEnv: true,
			Usage: "time for the message to be acknowledged, other tries included"}, &o.timeout, time.Second, time.Hour),
		settings.Toggle(settings.Setting{Name: "json", NoEnv: true,
			Usage: "print the acknowledgement as a JSON object"}, &o.json))
}

// setKey takes none, too: then it is a new one.
func (o *sendOptions) setKey(v []string) error {
	o.key = v[0]
	if o.key == "" {
		return nil
	}
	return client.CheckKey(o.key)
}

func sendCommand() command {
	return command{name: "send", args: "ROOM [TEXT]", summary: "say something in a room, and wait until it is stored", settings: new(sendOptions).table, run: send,
		about: "Without TEXT it says what comes on standard input, all of it as one message. If there is no server, or it\n" +
			"restarts, the message is sent again, and is there once.\n" +
			"Exit code 0: it is acknowledged; 1: it is not; 2: the command line is wrong.\n" + aboutTalk}
}

// send publishes one message.
func send(ctx context.Context, a *app) error {
	a.warnOfStrays()
	var o sendOptions
	rest, _, err := a.resolve(o.table(a.getenv))
	if err != nil {
		return err
	}
	room, rest, err := a.roomArg(rest)
	if err != nil {
		return err
	}
	cfg, err := o.config(a, room)
	if err != nil {
		return err
	}
	text, err := a.textArg(room, rest)
	if err != nil {
		return err
	}
	ctx, restore := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer restore()
	ctx, cancel := context.WithTimeoutCause(ctx, o.timeout, fmt.Errorf("not acknowledged within %s", settings.ShortDuration(o.timeout)))
	defer cancel()
	cfg.WriteOnly, cfg.OnLost = true, a.lost(&o.talkOptions)
	r, err := client.Join(ctx, cfg)
	if err != nil {
		return talkFailure(err, &o.talkOptions)
	}
	defer r.Close()
	var ack client.Ack
	if o.key != "" {
		ack, err = r.PublishKey(ctx, o.key, text)
	} else {
		ack, err = r.Publish(ctx, text)
	}
	if err != nil {
		return talkFailure(cause(ctx, err), &o.talkOptions)
	}
	if !ack.Durable {
		fmt.Fprintln(a.stderr, "edgechat: warning: the server has the message in memory alone: its disk takes nothing")
	}
	if o.json {
		return json.NewEncoder(a.stdout).Encode(struct {
			ID      string `json:"id"`
			Offset  uint64 `json:"offset"`
			Durable bool   `json:"durable"`
		}{ack.ID, ack.Offset, ack.Durable})
	}
	return nil
}

// textArg is the TEXT of an argument or, without one, of standard input.
func (a *app) textArg(room string, rest []string) (string, error) {
	switch {
	case len(rest) > 1:
		return "", misuse("put what has spaces in quotes: edgechat send "+room+" '"+strings.Join(rest, " ")+"'", "send takes one TEXT, not %d", len(rest))
	case len(rest) == 1 && rest[0] == "":
		return "", misuse("edgechat help send", "the TEXT is empty")
	case len(rest) == 1:
		return rest[0], nil
	}
	if isTerminal(a.stdin) {
		fmt.Fprintln(a.stderr, "edgechat: reading the message; Ctrl-D on a line of its own ends it")
	}
	raw, err := io.ReadAll(io.LimitReader(a.stdin, mostContent+2))
	if err != nil {
		return "", fmt.Errorf("standard input: %w", err)
	}
	text := strings.TrimSuffix(strings.TrimSuffix(string(raw), "\n"), "\r")
	switch {
	case text == "":
		return "", errors.New("standard input is empty: there is nothing to say")
	case len(text) > mostContent:
		return "", fmt.Errorf("standard input has more than the %d bytes that a message may have", mostContent)
	}
	return text, nil
}
