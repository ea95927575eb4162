package chat

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

const wantLines = "Accept: application/x-ndjson"

// A reader has a stream of the rig, by events or by lines.
type reader struct {
	t      testing.TB
	resp   *http.Response
	br     *bufio.Reader
	events bool
	cancel context.CancelFunc

	id    string // of the last event that had one
	retry string // of the last that had one
	pings int
}

// stream opens a stream; path is what comes behind the room.
func (r *rig) stream(room, path string, headers ...string) *reader {
	r.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	req, err := http.NewRequestWithContext(ctx, "GET", r.http+"/chat/room/"+room+path, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, h := range headers {
		k, v, _ := strings.Cut(h, ": ")
		req.Header.Set(k, v)
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		r.t.Fatal(err)
	}
	x := &reader{t: r.t, resp: resp, br: bufio.NewReader(resp.Body), cancel: cancel, events: resp.Header.Get("Content-Type") == "text/event-stream"}
	r.t.Cleanup(x.close)
	if resp.StatusCode != 200 {
		r.t.Fatalf("%s: %s", path, resp.Status)
	}
	return x
}

func (x *reader) close() {
	x.cancel()
	_ = x.resp.Body.Close()
}

// next returns the next frame, nil at the end; raw is as it stands. Pings are counted.
func (x *reader) next() (m map[string]any, raw string) {
	x.t.Helper()
	timer := time.AfterFunc(30*time.Second, x.cancel)
	defer timer.Stop()
	name := ""
	for {
		line, err := x.br.ReadString('\n')
		if err == io.EOF && line == "" {
			return nil, ""
		}
		if err != nil {
			x.t.Fatalf("%q: %v", line, err)
		}
		line = strings.TrimSuffix(line, "\n")
		if !x.events {
			raw = line
		} else {
			switch key, value, _ := strings.Cut(line, ": "); key {
			case "":
				if line == ": ping" {
					x.pings++
				}
				if raw == "" {
					continue
				}
			case "id":
				x.id = value
				continue
			case "retry":
				x.retry = value
				continue
			case "event":
				name = value
				continue
			case "data":
				raw = value
				continue
			default:
				x.t.Fatalf("a line of %q", line)
			}
		}
		m = nil
		if err := json.Unmarshal([]byte(raw), &m); err != nil {
			x.t.Fatalf("%q: %v", raw, err)
		}
		if m["type"] == "ping" {
			x.pings++
			continue
		}
		if x.events && m["type"] != name {
			x.t.Errorf("event %q has %s", name, raw)
		}
		return m, raw
	}
}

// of returns the next frame, which is to be of that type.
func (x *reader) of(typ string) map[string]any {
	x.t.Helper()
	m, raw := x.next()
	if m["type"] != typ {
		x.t.Fatalf("%s came in place of %s", raw, typ)
	}
	return m
}

// both runs a test with either form.
func both(t *testing.T, f func(t *testing.T, headers []string)) {
	t.Run("events", func(t *testing.T) { f(t, nil) })
	t.Run("lines", func(t *testing.T) { f(t, []string{wantLines}) })
}
