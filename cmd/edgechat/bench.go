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
	"strings"
	"syscall"
	"time"

	"edgechat/client"
	"edgechat/internal/load"
	"edgechat/internal/settings"
)

// benchOptions are the settings of bench.
type benchOptions struct {
	load.Config
	urls []string
	json bool
}

func (o *benchOptions) table(func(string) string) []settings.Setting {
	c := &o.Config
	return []settings.Setting{
		settings.List(settings.Setting{Name: "url", Default: "ws://127.0.0.1:3000", Takes: "URL", Allowed: "ws://host:port",
			Usage: "the server to put under load, which must be running; of a cluster all nodes, over which the clients of each room are spread"}, &o.urls, serverURL),
		settings.Secret(settings.Setting{Name: "token", Takes: "TOKEN",
			Usage: "bearer token; the environment variable EDGECHAT_TOKEN hides it from ps"}, &c.Token),
		settings.Number(settings.Setting{Name: "clients", Default: "100", NoEnv: true,
			Usage: "connections"}, &c.Clients, 1, 200_000),
		settings.Number(settings.Setting{Name: "rooms", Default: "10", NoEnv: true,
			Usage: "rooms that the clients are spread over; they are named bench-..."}, &c.Rooms, 1, 1<<16),
		settings.Number(settings.Setting{Name: "publishers", Default: "1", NoEnv: true,
			Usage: "clients of each room that publish"}, &c.Publishers, 1, 1<<16),
		settings.Decimal(settings.Setting{Name: "rate", Default: "10", NoEnv: true,
			Usage: "messages a second in each room; 0 only holds the connections"}, &c.Rate, 0, 100_000),
		settings.Duration(settings.Setting{Name: "duration", Default: "10s", NoEnv: true,
			Usage: "time of publishing; Ctrl-C ends it early"}, &c.Duration, 100*time.Millisecond, time.Hour),
		settings.Number(settings.Setting{Name: "size", Default: "100", NoEnv: true,
			Usage: "bytes of content of a message"}, &c.Size, load.MinSize, 64<<10),
		settings.Choice(settings.Setting{Name: "format", Default: "json", NoEnv: true,
			Usage: "encoding of the frames"}, []string{"json", "msgpack"},
			func(w string) error { c.MsgPack = w == "msgpack"; return nil }),
		settings.Toggle(settings.Setting{Name: "keys", NoEnv: true,
			Usage: "publish under idempotency keys, which has the server acknowledge each message once it is kept"}, &c.Keys),
		settings.Toggle(settings.Setting{Name: "saturate", NoEnv: true,
			Usage: "find the throughput: ignore --rate, and keep --window messages in flight"}, &c.Saturate),
		settings.Number(settings.Setting{Name: "window", Default: "16", NoEnv: true,
			Usage: "with --saturate, messages of each publisher that are not yet with all members"}, &c.Window, 1, 4096),
		settings.Number(settings.Setting{Name: "pid", DefaultText: "who listens there", Default: "0", NoEnv: true,
			Usage: "process of the server, whose memory and processor time are measured; 0 looks for it"}, &c.Pid, 0, 1<<30),
		settings.Toggle(settings.Setting{Name: "json", NoEnv: true,
			Usage: "print the report as one JSON object"}, &o.json),
	}
}

func benchCommand() command {
	return command{
		name: "bench", summary: "put a running server under load and check what it delivers",
		about: "Checks that every client gets every message once, in order and whole, and prints what the server\n" +
			"held. What it publishes stays in the history of its rooms (bench-...) until something newer takes\n" +
			"the place. Exit code 1: the server did not hold the load.\n" +
			"--url and --token may also be set as EDGECHAT_URL and EDGECHAT_TOKEN.\n",
		settings: new(benchOptions).table, run: bench,
	}
}

// bench puts a running server under load and reports what it held.
func bench(ctx context.Context, a *app) error {
	a.warnOfStrays()
	var o benchOptions
	if _, err := a.flagsAlone(o.table(a.getenv)); err != nil {
		return err
	}
	o.URL, o.Nodes = o.urls[0], o.urls[1:]
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
	switch refusal, refused := errors.AsType[*client.Refusal](err); {
	case ctx.Err() != nil:
		f.errs = []error{errors.New("bench: ended before a client was connected")}
	case refused && refusal.Status == 401 && o.Token == "", refused && refusal.Status == 403:
		f.hint = "make a token: edgechat token create bench --rooms 'bench-*' --tokens FILE, then EDGECHAT_TOKEN=TOKEN edgechat bench"
	case refused && refusal.Status == 404, errors.Is(err, client.ErrNotEdgechat):
		f.hint = "something else serves there; name the server with --url ws://host:port"
	case refused:
		f.hint = limitsHint(refusal.Message)
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

// serverURL says what is wrong with an address of a server.
func serverURL(v string) error {
	u, err := url.Parse(v)
	switch {
	case err != nil || u.Host == "" || u.Opaque != "":
		return fmt.Errorf("%q is not of the form ws://host:port", v)
	case u.Scheme == "wss" || u.Scheme == "https":
		return fmt.Errorf("%q: bench speaks no TLS: measure the server itself, behind its proxy, with ws://", v)
	case u.Scheme != "ws" && u.Scheme != "http":
		return fmt.Errorf("%q: scheme %q is not ws", v, u.Scheme)
	case u.RawQuery != "" || u.Fragment != "" || u.User != nil:
		return fmt.Errorf("%q has more than ws://host:port and a path", v)
	}
	return nil
}
