package load

import (
	"errors"
	"math"
	"net"
	"net/http"
	"os"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	edgechat "edgechat/client"
	"edgechat/internal/edgetest"
	"edgechat/server"
)

// What is wrong with the very first connection is an error.
func TestNoServer(t *testing.T) {
	t.Parallel()
	closed := "ws://" + edgetest.FreeAddr(t)
	if _, err := Run(t.Context(), Config{URL: closed}); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("no server: %v", err)
	}

	web := &faulty{refuse: func(_ int, w http.ResponseWriter) bool { http.Error(w, "what?\nno", 404); return true }}
	_, err := Run(t.Context(), Config{URL: web.start(t)})
	if e, ok := errors.AsType[*edgechat.Refusal](err); !ok || e.Error() != `refused with 404: "what?"` {
		t.Errorf("a web server: %v", err)
	}
	if _, err := Run(t.Context(), Config{URL: new(faulty).start(t), MsgPack: true}); !errors.Is(err, edgechat.ErrNotEdgechat) {
		t.Errorf("another protocol: %v", err)
	}
	_, err = Run(t.Context(), Config{URL: serve(t, server.Config{MaxContent: 99})})
	if e, ok := errors.AsType[*TooLong](err); !ok || *e != (TooLong{100, 99}) {
		t.Errorf("too long: %v", err)
	}

	// What never ends is read for as long as it may be an answer, and then left.
	const much = 64 << 20 // bytes, more than any socket holds
	sent := make(chan int, 1)
	endless := &faulty{refuse: func(_ int, w http.ResponseWriter) bool {
		w.WriteHeader(http.StatusTeapot)
		n, chunk := 0, make([]byte, 64<<10)
		for err := error(nil); err == nil && n < much; n += len(chunk) {
			_, err = w.Write(chunk)
		}
		sent <- n
		return true
	}}
	_, err = Run(t.Context(), Config{URL: endless.start(t), ConnectTimeout: time.Minute})
	if e, ok := errors.AsType[*edgechat.Refusal](err); !ok || e.Status != http.StatusTeapot {
		t.Errorf("an endless refusal: %v", err)
	}
	if n := <-sent; n >= much {
		t.Errorf("%d bytes of a refusal were read", n)
	}

	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	begin := time.Now()
	if _, err := Run(t.Context(), Config{URL: "ws://" + silent.Addr().String(), ConnectTimeout: 100 * time.Millisecond}); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(begin) > 30*time.Second {
		t.Errorf("a silent server: %v after %v", err, time.Since(begin))
	}
}

func TestConfigErrors(t *testing.T) {
	ok := Config{URL: "ws://127.0.0.1:1"}
	for want, change := range map[string]func(*Config){
		`URL "" is not`:                  func(c *Config) { c.URL = "" },
		`URL "wss://x" is not`:           func(c *Config) { c.URL = "wss://x" },
		"Rate is negative":               func(c *Config) { c.Rate = -1 },
		"Rate is negative, or no number": func(c *Config) { c.Rate = math.NaN() },
		"content of 35 bytes":            func(c *Config) { c.Size = MinSize - 1 },
		"need 20 clients, not 19":        func(c *Config) { c.Publishers, c.Clients = 2, 19 },
		"at most 65536 with 65536":       func(c *Config) { c.Rooms = 65537 },
		"need 11 clients, not 10":        func(c *Config) { c.Rooms, c.Clients = 11, 10 },
		"1 rooms with 65537 publishers":  func(c *Config) { c.Rooms, c.Publishers = 1, 65537 },
	} {
		cfg := ok
		change(&cfg)
		if _, err := Run(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	// Every number, also one that is added later.
	for i := range reflect.TypeFor[Config]().NumField() {
		cfg := ok
		field, name := reflect.ValueOf(&cfg).Elem().Field(i), reflect.TypeFor[Config]().Field(i).Name
		if !field.CanInt() || name == "Pid" {
			continue
		}
		field.SetInt(-1)
		if _, err := Run(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), name+" is negative") {
			t.Errorf("%s of -1: %v", name, err)
		}
	}
}
