package codec

import (
	"strings"
	"testing"

	"edgechat/refusal"
)

func TestDecodeJoin(t *testing.T) {
	long := strings.Repeat("é", 64)
	wide := strings.Repeat("𐐀", 64) // letters of four bytes
	for in, want := range map[string]Client{
		`{"type":"join","room":"den"}`:                                              {Type: TypeJoin, Room: "den"},
		`{"room":"\u0064en","since":"\u0061ll","type":"join"}`:                      {Type: TypeJoin, Room: "den", Join: Join{Replay: true}},
		`{"type":"join","room":"den","since":"a-0","limit":2147483647}`:             {Type: TypeJoin, Room: "den", Join: Join{true, ID{Epoch: "a"}, 1<<31 - 1, false}},
		`{"type":"join","room":"den","limit":1}`:                                    {Type: TypeJoin, Room: "den", Join: Join{Limit: 1}},
		`{"type":"join","room":"` + wide + `","idempotency_key":"` + wide + `"}`:    {Type: TypeJoin, Room: wide, Key: wide},
		`{"type":"join","room":"den","since":null,"limit":null,"announce":null}`:    {Type: TypeJoin, Room: "den"},
		`{"type":"join","room":"den","announce":true}`:                              {Type: TypeJoin, Room: "den"},
		`{"type":"join","room":"den","announce":false,"idempotency_key":"k"}`:       {Type: TypeJoin, Room: "den", Key: "k", Join: Join{Quiet: true}},
		`{"type":"leave","room":"no & name","since":7,"limit":"x","announce":"no"}`: {Type: TypeLeave, Room: "no & name"},
		`{"type":"leave","room":"` + long + `"}`:                                    {Type: TypeLeave, Room: long},
		`{"type":"message","room":"den","content":"hi","since":7,"limit":-1}`:       {Type: TypeMessage, Room: "den", Content: "hi"},
		`{"type":"message","room":"a\u0020b","idempotency_key":"\u006b"}`:           {Type: TypeMessage, Room: "a b", Key: "k"},
		`{"type":"ping","room":"den","content":"x","idempotency_key":"k"}`:          {Type: TypePing},
	} {
		if got, err := (Limits{}).DecodeClient(false, []byte(in)); err != nil || got != want {
			t.Errorf("%s:\n got %+v, %v\nwant %+v", in, got, err, want)
		}
	}
	for _, test := range []struct {
		in   []byte
		want Client
	}{
		{mp([]byte{0x84}, "type", "join", "room", "den", "limit", uint64(300), "announce", false), Client{Type: TypeJoin, Room: "den", Join: Join{Limit: 300, Quiet: true}}},
		{mp([]byte{0x83}, "type", "join", "room", "den", "limit", []byte{0xd3, 0, 0, 0, 0, 0, 0, 0, 9}), Client{Type: TypeJoin, Room: "den", Join: Join{Limit: 9}}},
		{mp([]byte{0x83}, "type", "join", "room", "den", "limit", []byte{0xd0, 1}), Client{Type: TypeJoin, Room: "den", Join: Join{Limit: 1}}},
		{mp([]byte{0x83}, "type", "join", "room", "den", "limit", []byte{0xcc, 200}), Client{Type: TypeJoin, Room: "den", Join: Join{Limit: 200}}},
		{mp([]byte{0x83}, "type", "join", "room", "den", "limit", []byte{0x7f}), Client{Type: TypeJoin, Room: "den", Join: Join{Limit: 127}}},
		{mp([]byte{0x83}, "type", "join", "room", "den", "announce", []byte{0xc3}), Client{Type: TypeJoin, Room: "den"}},
	} {
		if got, err := (Limits{}).DecodeClient(true, test.in); err != nil || got != test.want {
			t.Errorf("%x:\n got %+v, %v\nwant %+v", test.in, got, err, test.want)
		}
	}
}

func TestRefuseJoin(t *testing.T) {
	const whole = "limit must be a whole number from 1"
	for in, want := range map[string]Error{
		`{"type":"join"}`:                                                       {Message: `room is missing; send {"type":"join","room":"den"}`},
		`{"type":"leave","room":null}`:                                          {Message: `room is missing; send {"type":"leave","room":"den"}`},
		`{"type":"leave","room":""}`:                                            {Message: `room is missing; send {"type":"leave","room":"den"}`},
		`{"type":"join","room":7}`:                                              {Message: "room must be a string, not a number"},
		`{"type":"typing","room":["den"]}`:                                      {Message: "room must be a string, not an array"},
		`{"type":"join","room":"den","room":"den"}`:                             {Message: "room is there more than once; send it once"},
		`{"type":"join","room":"den","since":7}`:                                {Room: "den", Message: "since must be a string, not a number"},
		`{"type":"join","room":"den","since":"ALL"}`:                            {Room: "den", Message: `since: "ALL" is no message id like k3f9q2-1042: there is no "-" in it; "all" asks for all that is there`},
		`{"type":"join","room":"den","limit":0}`:                                {Room: "den", Message: whole},
		`{"type":"join","room":"den","limit":2147483648}`:                       {Room: "den", Message: whole},
		`{"type":"join","room":"den","limit":-1}`:                               {Room: "den", Message: whole},
		`{"type":"join","room":"den","limit":1.5}`:                              {Room: "den", Message: whole},
		`{"type":"join","room":"den","limit":5e1}`:                              {Room: "den", Message: whole},
		`{"type":"join","room":"den","limit":9e999}`:                            {Room: "den", Message: whole},
		`{"type":"join","room":"den","limit":"50"}`:                             {Room: "den", Message: "limit must be a number, not a string"},
		`{"type":"join","room":"den","limit":4294967296,"idempotency_key":"k"}`: {Room: "den", Key: "k", Message: whole},
		`{"type":"join","room":"den","announce":0}`:                             {Room: "den", Message: "announce must be a boolean, not a number"},
		`{"type":"shout","room":"den"}`:                                         {Room: "den", Message: `type must be "message", "edit", "delete", "typing", "ping", "join" or "leave", not "shout"`},
		`{"type":"message","room":"den","content":7}`:                           {Room: "den", Message: "content must be a string, not a number"},
		`{"room":"den","idempotency_key":"k","type":`:                           {Room: "den", Key: "k", Message: "unexpected end of JSON at byte 43, where a value should be"},
		`{"type":"join","room":"a b"}`:                                          {Code: refusal.InvalidRoom, Room: "a b", Message: "the name of the room may not hold ' ' (U+0020); use letters, digits, marks, - _ and ."},
		`{"type":"join","room":".."}`:                                           {Code: refusal.InvalidRoom, Room: "..", Message: `a room cannot be named "..", which is a step in a path`},
		`{"type":"join","room":"` + strings.Repeat("x", 65) + `"}`:              {Code: refusal.InvalidRoom, Room: strings.Repeat("x", 65), Message: "the name of the room is longer than 64 characters"},
		// A name that is far too long does not come back.
		`{"type":"message","idempotency_key":"k","room":"` + strings.Repeat("x", 257) + `"}`: {Code: refusal.InvalidRoom, Key: "k", Message: "the name of the room is longer than 64 characters"},
	} {
		if want.Code == "" {
			want.Code = refusal.InvalidMessage
		}
		refuses(t, Limits{}, false, []byte(in), want)
	}
	join := mp("type", "join", "room", "den")
	for _, test := range []struct {
		more    []byte
		message string
	}{
		{mp("limit", -1), whole},
		{mp("limit", []byte{0xd0, 0x80}), whole},
		{mp("limit", []byte{0xe0}), whole},
		{mp("limit", 1.0), "limit must be a number, not a float"},
		{mp("limit", []byte{0xcf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}), whole},
		{mp("announce", 1), "announce must be a boolean, not an integer"},
		{mp("since", []byte{0xc4, 1, 'a'}), "since must be a string, not binary"},
	} {
		refuses(t, Limits{}, true, mp([]byte{0x83}, join, test.more), Error{Code: refusal.InvalidMessage, Room: "den", Message: test.message})
	}
}

// TestPieces: a page that is written in pieces has the bytes of one that is whole.
func TestPieces(t *testing.T) {
	page := history
	for i := range 5 {
		page.Messages = append(page.Messages, Message{ID: ID{"k3f9q2", uint64(1043 + i)}, Username: "Bob", Content: "more"})
	}
	for _, f := range []Format{JSON, MsgPack} {
		for _, size := range []int{1, 2, 3, 7} {
			got := AppendPageHead(nil, f, &Page{Room: page.Room, Head: page.Head, Oldest: page.Oldest, Recovered: page.Recovered}, len(page.Messages))
			for at := 0; at < len(page.Messages); at += size {
				got = AppendPageMessages(got, f, at == 0, page.Messages[at:min(at+size, len(page.Messages))])
			}
			if got, want := string(AppendPageTail(got, f)), string(appendPage(nil, f, &page)); got != want {
				t.Errorf("format %d in pieces of %d:\n got %q\nwant %q", f, size, got, want)
			}
		}
	}
}
