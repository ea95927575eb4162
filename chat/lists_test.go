package chat

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"

	"edgechat/auth"
	"edgechat/hub"
)

// TestReadRate: whoever asks too often over plain HTTP is told when to come back, by whatever he asks for; others are not held up.
func TestReadRate(t *testing.T) {
	config, header := tokens(t, auth.Write, map[string]grant{"Mod": {auth.Moderate, nil}})
	r := newRig(t, config, limited(Limits{Reads: few(6)}))
	paths := []string{"/chat/rooms", "/chat/room/den/members", "/chat/room/den/messages", "/chat/room/den/moderation", "/chat/moderation", "/chat/room/den/messages?since=all&wait=60"}
	r.say("den", "hi")
	get := func(method, path, address string) (int, http.Header, string) {
		return r.do(method, path, "", from(address), header["Mod"])
	}
	for _, path := range paths {
		if status, _, body := get("GET", path, "192.0.2.1"); status != 200 {
			t.Fatalf("%s: %d %s", path, status, body)
		}
	}
	for _, path := range paths {
		for _, method := range []string{"GET", "HEAD"} {
			status, h, body := get(method, path, "192.0.2.1")
			if code, message := errorOf(body); status != 429 || h.Get("Retry-After") == "" || method == "GET" && (code != "rate_limited" || !strings.Contains(message, "requests from this address")) {
				t.Errorf("%s %s: %d %v %s", method, path, status, h, body)
			}
		}
	}
	if n := r.stats().Limits.Reads; n != uint64(2*len(paths)) {
		t.Errorf("%d counted", n)
	}
	if status, _, _ := get("GET", "/chat/rooms", "192.0.2.2"); status != 200 {
		t.Errorf("somebody else: %d", status)
	}
	if status, _, _ := r.do("POST", "/chat/room/den/messages", "x", from("192.0.2.1")); status != 201 {
		t.Errorf("what is said is counted for itself, and %d", status)
	}
	if status, _, _ := r.do("GET", "/chat/rooms", ""); status != 200 {
		t.Errorf("this machine: %d", status)
	}
}

// silent is a connection that takes nothing.
type silent struct{}

func (silent) Flush() bool            { return false }
func (silent) Later(func() bool) bool { return false }
func (silent) Close(uint16, string)   {}
func (silent) Pause()                 {}
func (silent) Resume()                {}

// TestListCost: 20 clients that ask for a long list again and again cost what one answer has, not each of them its own: a list of 2,000 rooms takes 120 KB,
// and one of 2,000 members 150 KB, of which less than half is made anew for a request, the client's side included.
func TestListCost(t *testing.T) {
	const rooms, clients, each = 2000, 20, 20
	config, header := tokens(t, auth.Read, map[string]grant{"Some": {auth.Read, []string{"room-*", "hall"}}})
	r := newRig(t, config)
	for i := range rooms {
		defer r.hub.Join(fmt.Sprintf("room-%04d-with-a-name", i), silent{}, hub.Join{Username: "Ann"}, nil).Leave()
		defer r.hub.Join("hall", silent{}, hub.Join{Username: fmt.Sprintf("Somebody %d", i)}, nil).Leave()
	}
	for _, c := range []struct{ what, path, header string }{
		{"all rooms", "/chat/rooms", ""}, {"some rooms", "/chat/rooms", header["Some"]}, {"members", "/chat/room/hall/members", ""},
	} {
		if c.header == "" {
			c.header = "X: x"
		}
		_, _, body := r.do("GET", c.path, "", c.header)
		var list struct{ Rooms, Members []struct{} }
		if err := json.Unmarshal([]byte(body), &list); err != nil || len(list.Rooms)+len(list.Members) < rooms {
			t.Fatalf("%s: %v, %d rooms, %d members", c.what, err, len(list.Rooms), len(list.Members))
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		var wg sync.WaitGroup
		for range clients {
			wg.Go(func() {
				client := &http.Client{Transport: &http.Transport{}}
				defer client.CloseIdleConnections()
				for range each {
					req, _ := http.NewRequest("GET", r.http+c.path, nil)
					name, value, _ := strings.Cut(c.header, ": ")
					req.Header.Set(name, value)
					res, err := client.Do(req)
					if err != nil {
						t.Error(err)
						return
					}
					n, _ := io.Copy(io.Discard, res.Body)
					if _ = res.Body.Close(); res.StatusCode != 200 || int(n) < len(body)*9/10 {
						t.Errorf("%s: %s, %d bytes", c.what, res.Status, n)
					}
				}
			})
		}
		wg.Wait()
		runtime.ReadMemStats(&after)
		per := int(after.TotalAlloc-before.TotalAlloc) / (clients * each)
		t.Logf("%s: %d bytes allocated for an answer of %d", c.what, per, len(body))
		if per > len(body)/2 {
			t.Errorf("%s: %d bytes allocated for an answer of %d", c.what, per, len(body))
		}
	}
}

// TestListIsFresh: a list that is short is never old: who is told that he is in a room finds it in the list, and a member is there at once.
func TestListIsFresh(t *testing.T) {
	r := newRig(t)
	for i := range 50 {
		room := fmt.Sprintf("room-%d", i)
		c := r.room(room, fmt.Sprintf("username=Ann%d", i), jsonHeader)
		c.JSONOf("subscribed")
		_, _, body := r.do("GET", "/chat/room/"+room+"/members", "")
		if !strings.Contains(body, fmt.Sprintf(`"Ann%d"`, i)) {
			t.Fatalf("members: %s", body)
		}
		eventually(t, "the room is in the list", func() bool {
			_, _, body := r.do("GET", "/chat/rooms", "")
			return strings.Contains(body, `"`+room+`"`)
		})
		other := r.room(room, "username=Bob", jsonHeader)
		other.JSONOf("subscribed")
		if _, _, body := r.do("GET", "/chat/room/"+room+"/members", ""); !strings.Contains(body, "Bob") {
			t.Fatalf("members: %s", body)
		}
		other.Close()
		eventually(t, "he is gone from the list", func() bool {
			_, _, body := r.do("GET", "/chat/room/"+room+"/members", "")
			return !strings.Contains(body, "Bob")
		})
	}
}
