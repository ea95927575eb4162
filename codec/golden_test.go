package codec

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"reflect"
	"testing"
	"time"

	"edgechat/refusal"

	"github.com/tinylib/msgp/msgp"
)

var update = flag.Bool("update", false, "write the golden files instead of comparing with them")

// noon is 2026-11-22T12:00:00.123Z.
const noon = 1795348800123

var (
	alice = Message{
		ID: ID{Epoch: "k3f9q2", Offset: 1042}, Username: "Alice", Content: "hi", Time: noon,
	}
	// unusual has what the encoders treat in a special way.
	unusual = Message{
		ID:       ID{Epoch: "0123456789ABCDEF", Offset: 1<<53 - 1},
		Username: "Zoë \"Z\" 李",
		Content:  "tab\t, line\r\n, \\, /, <&>, \x00\b\f\x1f\x7f, \u2028\u2029, 👩‍💻, bad \xff\xc3(",
		Time:     -1,
	}
	fresh = Subscribed{
		Room: "empty", Head: ID{Epoch: "k3f9q2"}, Username: "Anonymous", Access: "read", Members: 1,
		MaxContent: 4096, PingInterval: 25000, Recovered: false,
	}
	resumed = Subscribed{
		Room: "general", Head: ID{"k3f9q2", 1042}, Oldest: ID{"k3f9q2", 43}, WasRecovering: true, Recovered: true,
		Username: "Alice", Access: "write", Members: 2, MaxContent: 4096, PingInterval: 25000,
	}
	trusted = Subscribed{
		Room: "general", Head: ID{"k3f9q2", 1042}, Oldest: ID{"k3f9q2", 43}, Username: "Alice", Verified: true, Access: "moderate", Members: 2,
		MaxContent: 4096, PingInterval: 25000,
	}
	silenced = Subscribed{
		Room: "general", Head: ID{"k3f9q2", 1042}, Oldest: ID{"k3f9q2", 43}, Username: "Bob", Access: "write", Refused: "read_only", Members: 3,
		MaxContent: 4096, PingInterval: 25000,
	}
	// Of a cluster whose nodes have addresses for clients.
	clustered = Subscribed{
		Room: "general", Head: ID{"k3f9q2", 1042}, Oldest: ID{"k3f9q2", 43}, WasRecovering: true, Recovered: true,
		Username: "Alice", Access: "write", Members: 2, MaxContent: 4096, PingInterval: 25000, Nodes: nodes,
	}
	nodes    = []string{"http://cellar.local:3000", "https://chat.example/edge"}
	acked    = Ack{Key: "c-17", ID: ID{"k3f9q2", 1043}, Durable: true}
	unsafely = Ack{Key: "c-17", ID: ID{"k3f9q2", 1043}}
	refused  = Error{Code: refusal.InvalidMessage, Message: "content is longer than 4096 bytes", Key: "c-18"}
	tooFast  = Error{Code: refusal.RateLimited, Message: "more messages than 10/s with a burst of 30: try again in 100 ms",
		RetryAfter: 99_900 * time.Microsecond, Key: "c-19"}
	nameless = Error{Code: refusal.InvalidMessage, Message: "unexpected end of JSON at byte 17, where a value should be"}
	ackedIn  = Ack{Room: "general", Key: "c-17", ID: ID{"k3f9q2", 1043}, Durable: true}
	// What a client gets that sends to a room before it has joined.
	refusedIn    = Error{Room: "den", Code: refusal.NotJoined, Message: "you are not in this room: join it, and wait for subscribed", Key: "c-18"}
	welcome      = Welcome{Username: "Alice", MaxContent: 4096, MaxRooms: 32, PingInterval: 25000}
	unlimited    = Welcome{Username: "Alice", Verified: true, MaxContent: 4096, PingInterval: 25000}
	welcomeNodes = Welcome{Username: "Alice", MaxContent: 4096, MaxRooms: 32, PingInterval: 25000, Nodes: nodes}
	history      = Page{
		Room: "general", Head: alice.ID, Oldest: ID{"k3f9q2", 43}, Recovered: true,
		Messages: []Message{{ID: ID{"k3f9q2", 1041}, Username: "Bob", Content: "hello", Time: noon - 1000}, alice},
	}
	nothing = Page{Room: "empty", Head: ID{Epoch: "k3f9q2"}, Recovered: true}
	gap     = Page{Room: "general", Head: alice.ID, Oldest: alice.ID, Messages: []Message{alice}} // what was asked for is lost
	record  = Record{Room: "general", Message: alice, Key: "c-17"}
	// What becomes of a message: said, edited, deleted by somebody else.
	edited = Message{ID: alice.ID, Username: "Alice", Content: "ho", Time: noon, Edited: true}
	gone   = Message{ID: alice.ID, Username: "Alice", Time: noon, Edited: true, Deleted: true}
	edit   = Message{ID: ID{"k3f9q2", 1050}, Username: "Alice", Content: "ho", Time: noon + 60_000,
		Kind: Edit, Target: alice.ID, Author: 0x0123456789abcdef}
	editOfGone = Message{ID: ID{"k3f9q2", 1050}, Username: "Alice", Time: noon + 60_000, Kind: Edit, Target: alice.ID, Deleted: true}
	// The same by somebody who has a token.
	verified         = Message{ID: alice.ID, Username: "Alice", Content: "hi", Time: noon, Verified: true}
	verifiedGone     = Message{ID: alice.ID, Username: "Alice", Time: noon, Verified: true, Deleted: true}
	verifiedEdit     = Message{ID: edit.ID, Username: "Alice", Content: "ho", Time: edit.Time, Kind: Edit, Target: alice.ID, Verified: true}
	verifiedDeletion = Message{ID: deletion.ID, Username: "Mod", Time: deletion.Time, Kind: Deletion, Target: alice.ID, Verified: true}
	deletion         = Message{ID: ID{"k3f9q2", 1051}, Username: "Mod", Time: noon + 120_000, Kind: Deletion, Target: alice.ID}
)

// frames are the frames from the server, each in both formats.
func frames() map[string]func(dst []byte, f Format) []byte {
	event := func(t Type) func([]byte, Format) []byte {
		return func(dst []byte, f Format) []byte {
			return AppendEvent(dst, f, "", &Event{Type: t, Username: "Alice", Time: noon})
		}
	}
	verifiedEvent := func(t Type) func([]byte, Format) []byte {
		return func(dst []byte, f Format) []byte {
			return AppendEvent(dst, f, "", &Event{Type: t, Username: "Alice", Time: noon, Verified: true})
		}
	}
	eventIn := func(t Type) func([]byte, Format) []byte {
		return func(dst []byte, f Format) []byte {
			return AppendEvent(dst, f, "general", &Event{Type: t, Username: "Alice", Time: noon})
		}
	}
	return map[string]func(dst []byte, f Format) []byte{
		"message":                  func(dst []byte, f Format) []byte { return AppendMessage(dst, f, &alice) },
		"message_unusual":          func(dst []byte, f Format) []byte { return AppendMessage(dst, f, &unusual) },
		"message_zero":             func(dst []byte, f Format) []byte { return AppendMessage(dst, f, &Message{}) },
		"typing":                   event(TypeTyping),
		"joined":                   event(TypeJoined),
		"left":                     event(TypeLeft),
		"subscribed":               func(dst []byte, f Format) []byte { return AppendSubscribed(dst, f, &resumed) },
		"subscribed_empty":         func(dst []byte, f Format) []byte { return AppendSubscribed(dst, f, &fresh) },
		"subscribed_verified":      func(dst []byte, f Format) []byte { return AppendSubscribed(dst, f, &trusted) },
		"subscribed_refused":       func(dst []byte, f Format) []byte { return AppendSubscribed(dst, f, &silenced) },
		"subscribed_nodes":         func(dst []byte, f Format) []byte { return AppendSubscribed(dst, f, &clustered) },
		"welcome_nodes":            func(dst []byte, f Format) []byte { return AppendWelcome(dst, f, &welcomeNodes) },
		"message_verified":         func(dst []byte, f Format) []byte { return AppendMessage(dst, f, &verified) },
		"message_verified_deleted": func(dst []byte, f Format) []byte { return AppendMessage(dst, f, &verifiedGone) },
		"edited_verified":          func(dst []byte, f Format) []byte { return AppendMessage(dst, f, &verifiedEdit) },
		"deleted_verified":         func(dst []byte, f Format) []byte { return AppendMessage(dst, f, &verifiedDeletion) },
		"typing_verified":          verifiedEvent(TypeTyping),
		"joined_verified":          verifiedEvent(TypeJoined),
		"left_verified":            verifiedEvent(TypeLeft),
		"ack":                      func(dst []byte, f Format) []byte { return AppendAck(dst, f, &acked) },
		"ack_not_durable":          func(dst []byte, f Format) []byte { return AppendAck(dst, f, &unsafely) },
		"error":                    func(dst []byte, f Format) []byte { return AppendError(dst, f, &refused) },
		"error_later":              func(dst []byte, f Format) []byte { return AppendError(dst, f, &tooFast) },
		"error_without_key":        func(dst []byte, f Format) []byte { return AppendError(dst, f, &nameless) },
		"message_in":               func(dst []byte, f Format) []byte { return AppendMessageIn(dst, f, "general", &alice) },
		"message_edited":           func(dst []byte, f Format) []byte { return AppendMessage(dst, f, &edited) },
		"message_deleted":          func(dst []byte, f Format) []byte { return AppendMessage(dst, f, &gone) },
		"edited":                   func(dst []byte, f Format) []byte { return AppendMessage(dst, f, &edit) },
		"edited_in":                func(dst []byte, f Format) []byte { return AppendMessageIn(dst, f, "general", &edit) },
		"edited_deleted":           func(dst []byte, f Format) []byte { return AppendMessage(dst, f, &editOfGone) },
		"deleted":                  func(dst []byte, f Format) []byte { return AppendMessage(dst, f, &deletion) },
		"deleted_in":               func(dst []byte, f Format) []byte { return AppendMessageIn(dst, f, "general", &deletion) },
		"typing_in":                eventIn(TypeTyping),
		"joined_in":                eventIn(TypeJoined),
		"left_in":                  eventIn(TypeLeft),
		"ack_in":                   func(dst []byte, f Format) []byte { return AppendAck(dst, f, &ackedIn) },
		"error_in":                 func(dst []byte, f Format) []byte { return AppendError(dst, f, &refusedIn) },
		"welcome":                  func(dst []byte, f Format) []byte { return AppendWelcome(dst, f, &welcome) },
		"welcome_unlimited":        func(dst []byte, f Format) []byte { return AppendWelcome(dst, f, &unlimited) },
		"unsubscribed":             func(dst []byte, f Format) []byte { return AppendUnsubscribed(dst, f, "general") },
		"pong":                     AppendPong,
		"page":                     func(dst []byte, f Format) []byte { return appendPage(dst, f, &history) },
		"page_empty":               func(dst []byte, f Format) []byte { return appendPage(dst, f, &nothing) },
		"page_gap":                 func(dst []byte, f Format) []byte { return appendPage(dst, f, &gap) },
	}
}

// bodies are the JSON bodies of HTTP answers that have no other format.
func bodies() map[string]func(dst []byte) []byte {
	return map[string]func(dst []byte) []byte{
		"members": func(dst []byte) []byte {
			return appendMembers(dst, "general", []Member{{"Alice", true, 1, noon}, {"Zoë", false, 12, noon + 1877}})
		},
		"members_empty": func(dst []byte) []byte { return appendMembers(dst, "general", nil) },
		"rooms": func(dst []byte) []byte {
			return AppendRooms(dst, []Room{{"general", 12, alice.ID}, {"empty", 1, ID{Epoch: "k3f9q2"}}})
		},
		"rooms_empty": func(dst []byte) []byte { return AppendRooms(dst, nil) },
		"gap": func(dst []byte) []byte {
			return AppendGap(dst, &Gap{Since: &ID{"k3f9q2", 17}, Oldest: ID{"k3f9q2", 43}})
		},
		"close": func(dst []byte) []byte {
			return AppendClose(dst, &Close{1012, "server is restarting: reconnect after a random time of up to 30 s", 4211})
		},
		"gap_empty": func(dst []byte) []byte { return AppendGap(dst, &Gap{}) },
	}
}

func TestGoldenFrames(t *testing.T) {
	for name, appendTo := range frames() {
		golden(t, name+".json", appendTo(nil, JSON))
		golden(t, name+".msgpack.hex", appendTo(nil, MsgPack))
	}
}

func TestGoldenBodies(t *testing.T) {
	for name, appendTo := range bodies() {
		golden(t, name+".json", appendTo(nil))
	}
}

func TestGoldenRecord(t *testing.T) {
	golden(t, "record.hex", AppendRecord(nil, &record))
	golden(t, "record_zero.hex", AppendRecord(nil, &Record{}))
	golden(t, "record_edit.hex", AppendRecord(nil, &Record{Room: "general", Message: edit, Key: "c-18"}))
	sure := Record{Room: "general", Message: verifiedEdit, Key: "c-18", Superseded: true}
	golden(t, "record_verified.hex", AppendRecord(nil, &sure))
	if got, err := DecodeRecord(readGolden(t, "record_verified.hex")); err != nil || got != sure {
		t.Errorf("a record of a verified name: %+v, %v", got, err)
	}
	bare := Record{Room: "general", Message: Message{ID: alice.ID, Username: "Alice", Time: noon, Author: edit.Author}, Key: "c-17", Superseded: true}
	golden(t, "record_superseded.hex", AppendRecord(nil, &bare))
	if got, err := DecodeRecord(readGolden(t, "record_superseded.hex")); err != nil || got != bare {
		t.Errorf("a record without content: %+v, %v", got, err)
	}
	for _, file := range []string{"record_1.hex", "record_2.hex"} { // of before: nobody is verified
		if got, err := DecodeRecord(readGolden(t, file)); err != nil || got != record {
			t.Errorf("%s: %+v, %v", file, got, err)
		}
	}
}

// TestGoldenFilesAreUsed finds files that no test compares any more.
func TestGoldenFilesAreUsed(t *testing.T) {
	used := map[string]bool{"record.hex": true, "record_zero.hex": true, "client_post.json": true,
		"record_edit.hex": true, "record_superseded.hex": true, "record_1.hex": true,
		"record_2.hex": true, "record_verified.hex": true}
	for name := range frames() {
		used[name+".json"], used[name+".msgpack.hex"] = true, true
	}
	for name := range clients {
		used[name+".json"], used[name+".msgpack.hex"] = true, true
	}
	for name := range bodies() {
		used[name+".json"] = true
	}
	files, err := os.ReadDir("testdata/golden")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if !used[file.Name()] {
			t.Errorf("testdata/golden/%s belongs to no test", file.Name())
		}
	}
}

// TestFormatsAgree compares what a decoder of each format makes of a frame: the
// same keys and values, save for the time.
func TestFormatsAgree(t *testing.T) {
	for name, appendTo := range frames() {
		var fromJSON any
		if err := json.Unmarshal(appendTo(nil, JSON), &fromJSON); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		fromMsgPack, rest, err := msgp.ReadIntfBytes(appendTo(nil, MsgPack))
		if err != nil || len(rest) > 0 {
			t.Errorf("%s: %v, %d bytes left", name, err, len(rest))
			continue
		}
		if got := normal(fromMsgPack); !reflect.DeepEqual(got, fromJSON) {
			t.Errorf("%s:\n  MessagePack %v\n  JSON        %v", name, got, fromJSON)
		}
	}
}

// TestAppend checks that what is in dst stays, and is not needed for more.
func TestAppend(t *testing.T) {
	for name, appendTo := range frames() {
		for _, f := range []Format{JSON, MsgPack} {
			dst := appendTo([]byte("before"), f)
			if !bytes.HasPrefix(dst, []byte("before")) || !bytes.Equal(dst[len("before"):], appendTo(nil, f)) {
				t.Errorf("%s, format %d: appended to something it is %q", name, f, dst)
			}
		}
	}
	if got := AppendRecord([]byte("before"), &record); !bytes.Equal(got[len("before"):], AppendRecord(nil, &record)) {
		t.Errorf("record: appended to something it is %q", got)
	}
}

// appendMembers is a whole list.
func appendMembers(dst []byte, room string, ms []Member) []byte {
	dst = BeginMembers(dst, room)
	for i := range ms {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = AppendMember(dst, &ms[i])
	}
	return append(dst, EndList...)
}

// appendPage is a page whose messages are all there.
func appendPage(dst []byte, f Format, p *Page) []byte {
	dst = AppendPageHead(dst, f, p, len(p.Messages))
	dst = AppendPageMessages(dst, f, true, p.Messages)
	return AppendPageTail(dst, f)
}
