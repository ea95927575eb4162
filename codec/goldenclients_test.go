package codec

import (
	"strings"
	"testing"
)

// clients are frames from clients as the documentation shows them.
var clients = map[string]struct {
	json string
	want Client
}{
	"client_message":          {`{"type":"message","content":"Hello everyone!"}`, Client{Type: TypeMessage, Content: "Hello everyone!"}},
	"client_message_with_key": {`{"type":"message","content":"Hello","idempotency_key":"c-17"}`, Client{Type: TypeMessage, Content: "Hello", Key: "c-17"}},
	"client_typing":           {`{"type":"typing"}`, Client{Type: TypeTyping}},
	"client_ping":             {`{"type":"ping"}`, Client{Type: TypePing}},
	"client_join":             {`{"type":"join","room":"general"}`, Client{Type: TypeJoin, Room: "general"}},
	"client_join_all": {`{"type":"join","room":"den","since":"all","announce":false}`,
		Client{Type: TypeJoin, Room: "den", Join: Join{Replay: true, Quiet: true}}},
	"client_join_since": {`{"type":"join","room":"general","since":"k3f9q2-1042","limit":50}`,
		Client{Type: TypeJoin, Room: "general", Join: Join{Replay: true, Since: alice.ID, Limit: 50}}},
	"client_leave":      {`{"type":"leave","room":"general"}`, Client{Type: TypeLeave, Room: "general"}},
	"client_message_in": {`{"type":"message","room":"general","content":"Hello","idempotency_key":"c-17"}`, Client{Type: TypeMessage, Room: "general", Content: "Hello", Key: "c-17"}},
	"client_edit": {`{"type":"edit","id":"k3f9q2-1042","content":"ho","idempotency_key":"c-18"}`,
		Client{Type: TypeEdit, Target: alice.ID, Content: "ho", Key: "c-18"}},
	"client_delete": {`{"type":"delete","id":"k3f9q2-1042","idempotency_key":"c-19"}`,
		Client{Type: TypeDelete, Target: alice.ID, Key: "c-19"}},
	"client_message_with_author": {`{"type":"message","content":"hi","author_key":"3q2-7wA9"}`,
		Client{Type: TypeMessage, Content: "hi", AuthorKey: "3q2-7wA9"}},
	"client_delete_in": {`{"type":"delete","room":"general","id":"k3f9q2-1042","author_key":"3q2-7wA9"}`,
		Client{Type: TypeDelete, Room: "general", Target: alice.ID, AuthorKey: "3q2-7wA9"}},
	"client_typing_in": {`{"type":"typing","room":"general"}`, Client{Type: TypeTyping, Room: "general"}},
}

func TestGoldenClients(t *testing.T) {
	for name, c := range clients {
		golden(t, name+".json", []byte(c.json))
		golden(t, name+".msgpack.hex", transcode(t, c.json))
		for _, file := range []string{name + ".json", name + ".msgpack.hex"} {
			got, err := Limits{}.DecodeClient(strings.HasSuffix(file, ".hex"), readGolden(t, file))
			if err != nil || got != c.want {
				t.Errorf("%s: got %+v, %v; want %+v", file, got, err, c.want)
			}
		}
	}
	golden(t, "client_post.json", []byte(`{"content":"backup done","username":"nas"}`))
	if got, err := (Limits{}).DecodePost(false, readGolden(t, "client_post.json")); err != nil || got != (Post{"backup done", "nas"}) {
		t.Errorf("client_post.json: got %+v, %v", got, err)
	}
}
