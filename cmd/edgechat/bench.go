package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"edgechat/internal/load"
)

// benchOptions are the settings of bench.
type benchOptions struct {
	load.Config
	json bool
}

func (o *benchOptions) settings() []setting {
	c := &o.Config
	return []setting{
		serverURL(setting{name: "url", def: "ws://127.0.0.1:3000", takes: "URL", allowed: "ws://host:port",
			usage: "the server to put under load, which must be running"}, &c.URL),
		secret(setting{name: "token", takes: "TOKEN",
			usage: "bearer token; the environment variable EDGECHAT_TOKEN hides it from ps"}, &c.Token),
		number(setting{name: "clients", def: "100", noenv: true,
			usage: "connections"}, &c.Clients, 1, 200_000),
		number(setting{name: "rooms", def: "10", noenv: true,
			usage: "rooms that the clients are spread over; they are named bench-..."}, &c.Rooms, 1, 1<<16),
		number(setting{name: "publishers", def: "1", noenv: true,
			usage: "clients of each room that publish"}, &c.Publishers, 1, 1<<16),
		decimal(setting{name: "rate", def: "10", noenv: true,
			usage: "messages a second in each room; 0 only holds the connections"}, &c.Rate, 0, 100_000),
		duration(setting{name: "duration", def: "10s", noenv: true,
			usage: "time of publishing; Ctrl-C ends it early"}, &c.Duration, 100*time.Millisecond, time.Hour),
		number(setting{name: "size", def: "100", noenv: true,
			usage: "bytes of content of a message"}, &c.Size, load.MinSize, 64<<10),
		choice(setting{name: "format", def: "json", noenv: true,
			usage: "encoding of the frames"}, []string{"json", "msgpack"},
			func(w string) error { c.MsgPack = w == "msgpack"; return nil }),
		toggle(setting{name: "saturate", noenv: true,
			usage: "find the throughput: ignore --rate, and keep --window messages in flight"}, &c.Saturate),
		number(setting{name: "window", def: "16", noenv: true,
			usage: "with --saturate, messages of each publisher that are not yet with all members"}, &c.Window, 1, 4096),
		number(setting{name: "pid", defText: "who listens there", def: "0", noenv: true,
			usage: "process of the server, whose memory and processor time are measured; 0 looks for it"}, &c.Pid, 0, 1<<30),
		toggle(setting{name: "json", noenv: true,
			usage: "print the report as one JSON object"}, &o.json),
	}
}

// bench puts a running server under load and reports what it held.
func bench(ctx context.Context, a *app) error {
	a.warnOfStrays()
	var o benchOptions
	rest, _, err := resolve("bench", o.settings(), bare(a.args, "json", "saturate"), a.getenv)
	if err != nil {
		return err
	}
	if err := noArgs("bench", rest); err != nil {
		return err
	}
	if need := o.Rooms * o.Publishers; need > o.Clients {
		return misuse(fmt.Sprintf("edgechat bench --clients %d, or fewer --rooms or --publishers", need),
			"%d rooms with %d publishers each need %d clients, not %d", o.Rooms, o.Publishers, need, o.Clients)
	}
	if err := checkFiles(o.Clients, fileLimit()); err != nil {
		return err
	}
	screen := newProgress(a.stderr)
	o.Progress = screen.show

	// The first signal ends the load, which still reports; a second one kills.
	ctx, restore := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer restore()
	defer context.AfterFunc(ctx, restore)()

	rep, err := load.Run(ctx, o.Config)
	screen.clear()
	if err != nil {
		return benchFailure(ctx, err, &o)
	}
	if o.json {
		enc := json.NewEncoder(a.stdout)
		enc.SetEscapeHTML(false)
		err = enc.Encode(rep)
	} else {
		err = writeReport(a.stdout, rep)
	}
	if err == nil && !rep.OK() {
		err = &failure{errs: []error{errors.New("the server did not hold this load: " + strings.Join(complaints(rep), ", "))},
			hint: loadHint(rep), code: 1}
	}
	return err
}

// spareFiles are the descriptors that a process has besides its connections.
const spareFiles = 32

// checkFiles complains if so many clients cannot be: each takes a descriptor.
func checkFiles(clients int, limit uint64) error {
	need := uint64(clients + spareFiles)
	if need <= limit {
		return nil
	}
	most := max(int(limit)-spareFiles, 0)
	return misuse(fmt.Sprintf("edgechat bench --clients %d, or as root: prlimit --nofile=%d edgechat bench --clients %d", most, need, clients),
		"%d clients need %d open files, and this process may have %d", clients, need, limit)
}

// benchFailure adds what to do if not even one client got in.
func benchFailure(ctx context.Context, err error, o *benchOptions) error {
	u, _ := url.Parse(o.URL)
	f := &failure{errs: []error{fmt.Errorf("bench: connect to %s: %w", o.URL, err)}, code: 1}
	var dns *net.DNSError
	switch refusal, refused := errors.AsType[*load.Refusal](err); {
	case ctx.Err() != nil:
		f.errs = []error{errors.New("bench: ended before a client was connected")}
	case refused && refusal.Status == 401 && o.Token == "", refused && refusal.Status == 403:
		f.hint = "make a token: edgechat token create bench --rooms 'bench-*' --tokens FILE, then EDGECHAT_TOKEN=TOKEN edgechat bench"
	case refused && refusal.Status == 404, errors.Is(err, load.ErrNotEdgechat):
		f.hint = "something else serves there; name the server with --url ws://host:port"
	case refused:
	case errors.Is(err, syscall.ECONNREFUSED):
		f.hint = "no server listens there; start it: edgechat serve --listen " + net.JoinHostPort("", portOf(u))
	case errors.As(err, &dns):
		f.hint = "name a server that this machine knows: edgechat bench --url ws://127.0.0.1:3000"
	default:
		if long, ok := errors.AsType[*load.TooLong](err); ok {
			return misuse(fmt.Sprintf("edgechat bench --size %d, or edgechat serve --max-content %d", long.Max, long.Size), "--size: %v", err)
		}
	}
	return f
}

func portOf(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	return "80"
}

// bare lets flags of this name stand without a value, as package flag has it for
// booleans: "--json" is "--json=true".
func bare(args []string, names ...string) []string {
	args = append([]string(nil), args...)
	for i, arg := range args {
		if arg == "--" {
			break
		}
		for _, name := range names {
			if arg == "--"+name || arg == "-"+name {
				args[i] = arg + "=true"
			}
		}
	}
	return args
}

func toggle(s setting, dst *bool) setting {
	s.def, s.defText = "false", "off"
	s.set = func(v []string) error {
		on, err := strconv.ParseBool(v[0])
		if err != nil {
			return fmt.Errorf("%q is not allowed: it stands alone, or is true or false", v[0])
		}
		*dst = on
		return nil
	}
	return s
}

func decimal(s setting, dst *float64, low, high float64) setting {
	s.takes = "NUMBER"
	s.allowed = fmt.Sprintf("%g to %.0f", low, high)
	s.set = func(v []string) error {
		n, err := strconv.ParseFloat(v[0], 64)
		if errors.Is(err, strconv.ErrSyntax) {
			return fmt.Errorf("%q is not a number: %s is allowed", v[0], s.allowed)
		}
		if err != nil || !(n >= low && n <= high) {
			return fmt.Errorf("%s is out of range: %s is allowed", v[0], s.allowed)
		}
		*dst = n
		return nil
	}
	return s
}

func serverURL(s setting, dst *string) setting {
	s.set = func(v []string) error {
		u, err := url.Parse(v[0])
		switch {
		case err != nil || u.Host == "" || u.Opaque != "":
			return fmt.Errorf("%q is not of the form %s", v[0], s.allowed)
		case u.Scheme == "wss" || u.Scheme == "https":
			return fmt.Errorf("%q: bench speaks no TLS: measure the server itself, behind its proxy, with ws://", v[0])
		case u.Scheme != "ws" && u.Scheme != "http":
			return fmt.Errorf("%q: scheme %q is not ws", v[0], u.Scheme)
		case u.RawQuery != "" || u.Fragment != "" || u.User != nil:
			return fmt.Errorf("%q has more than %s and a path", v[0], s.allowed)
		}
		*dst = v[0]
		return nil
	}
	return s
}

// secret takes a bearer token (RFC 6750 section 2.1). It is not quoted in errors.
func secret(s setting, dst *string) setting {
	s.set = func(v []string) error {
		for _, c := range []byte(v[0]) {
			if c <= ' ' || c >= 0x7f {
				return errors.New("it has characters that no token has")
			}
		}
		*dst = v[0]
		return nil
	}
	return s
}
