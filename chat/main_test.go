package chat

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"edgechat/auth"
	"edgechat/codec"
	"edgechat/hub"
	"edgechat/internal/edgetest"
	"edgechat/store"
	"edgechat/ws"
)

func TestMain(m *testing.M) { edgetest.Main(m) }

// A rig is a chat server with a real store on a real port.
type rig struct {
	t     testing.TB
	ws    string // "ws://127.0.0.1:port"
	http  string // "http://..."
	hub   *hub.Hub
	rt    *ws.Router
	store *store.Store
	log   *edgetest.Log
	stats func() Stats
	chat  *Controller
}

// A setup changes what newRig starts with.
type setup struct {
	store store.Config
	hub   hub.Config
	ws    ws.Config
	chat  Config
	log   func(hub.Log) hub.Log // what is there in place of the store
}

func newRig(t testing.TB, change ...func(*setup)) *rig {
	t.Helper()
	checker, err := auth.New(auth.Config{})
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, log: new(edgetest.Log)}
	log := slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s := setup{
		store: store.Config{Path: filepath.Join(t.TempDir(), "edgechat.db"), SyncInterval: 20 * time.Millisecond, AckDelay: 5 * time.Millisecond, Logger: log},
		ws:    ws.Config{CloseTimeout: 200 * time.Millisecond, Logger: log},
		chat:  Config{Auth: checker, Logger: log},
	}
	for _, f := range change {
		f(&s)
	}
	if r.store, err = store.Open(s.store); err != nil {
		t.Fatal(err)
	}
	var messages hub.Log = r.store
	if s.log != nil {
		messages = s.log(messages)
	}
	s.hub.Log, s.hub.Formats, s.hub.Logger = messages, Formats(), log
	if r.hub, err = hub.New(s.hub); err != nil {
		t.Fatal(err)
	}
	if r.rt, err = ws.NewRouter(s.ws); err != nil {
		t.Fatal(err)
	}
	s.chat.Hub, s.chat.Log = r.hub, messages
	if r.chat, err = Register(r.rt, s.chat); err != nil {
		t.Fatal(err)
	}
	r.stats = r.chat.Stats
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.ws, r.http = "ws://"+l.Addr().String(), "http://"+l.Addr().String()
	srv := &http.Server{Handler: r.rt}
	served := make(chan error, 1)
	doors := r.rt.Listen(l) // as in production: the event loops accept
	go func() { served <- srv.Serve(doors) }()
	t.Cleanup(func() {
		_ = srv.Close()
		<-served
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := r.rt.Shutdown(ctx, 1012, ""); err != nil {
			t.Error(err)
		}
		r.hub.Close()
		if s := r.hub.Stats(); s.Rooms != 0 || s.Members != 0 {
			t.Errorf("left over in the hub: %+v", s)
		}
		if err := r.store.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// room connects to a room; query is what comes behind the "?".
func (r *rig) room(name, query string, headers ...string) *edgetest.Client {
	r.t.Helper()
	return edgetest.Dial(r.t, r.ws+"/chat/room/"+name+"?"+query, headers...)
}

const (
	jsonHeader    = "Sec-WebSocket-Protocol: edgechat.v1.json"
	msgpackHeader = "Sec-WebSocket-Protocol: edgechat.v1.msgpack"
)

// do is one HTTP request: its status, headers and body.
func (r *rig) do(method, path, body string, headers ...string) (int, http.Header, string) {
	r.t.Helper()
	req, err := http.NewRequest(method, r.http+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	for _, h := range headers {
		k, v, _ := strings.Cut(h, ": ")
		req.Header.Set(k, v)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return res.StatusCode, res.Header, string(b)
}

// say publishes past all connections, and returns the id.
func (r *rig) say(room, content string) codec.ID {
	r.t.Helper()
	var id codec.ID
	tell := func(receipt codec.Receipt) { id = receipt.ID } // within the call, as the store does
	err := r.hub.Publish(room, codec.Message{Username: "x", Content: content, Time: time.Now().UnixMilli()}, "", codec.Done{Tell: tell, Early: true})
	if err != nil || id.Offset == 0 {
		r.t.Fatal(id, err)
	}
	return id
}

// eventually waits until what it says is true.
func eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !f(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not so after a minute", what)
		}
	}
}

// A grant is what a token allows.
type grant struct {
	access auth.Access
	rooms  []string
}

// tokens returns a setup with these tokens, and them as headers. Who has none may do what anonymous says.
func tokens(t *testing.T, anonymous auth.Access, grants map[string]grant) (config func(*setup), headers map[string]string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tokens")
	headers = map[string]string{}
	for name, g := range grants {
		token, err := auth.Create(path, auth.Grant{Name: name, Access: g.access, Rooms: g.rooms})
		if err != nil {
			t.Fatal(err)
		}
		headers[name] = bearer + token
	}
	loaded, err := auth.Load(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	checker, err := auth.New(auth.Config{Tokens: loaded, Anonymous: anonymous})
	if err != nil {
		t.Fatal(err)
	}
	return func(s *setup) { s.chat.Auth = checker }, headers
}

const bearer = "Authorization: Bearer "
