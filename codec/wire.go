package codec

//go:generate go tool msgp -io=false -tests=true -unexported -file=wire.go -o=wire_gen.go

// The frames and records as MessagePack sees them, from which wire_gen.go is
// generated. The order of the fields is the order of the keys, the same as in
// JSON. Frames are only ever written from these types (client.go reads those of
// clients itself), so that the record of the store alone has a decoder. It holds
// no slice or map, whose declared size a decoder would allocate before it has seen
// the bytes; the limits below keep it so if one is ever added.

//msgp:limit arrays:64 maps:16
//msgp:tuple wireRecord wireRecord1
//msgp:unmarshal ignore wireMessage wireEdited wireRemoved wireEvent wireSubscribed wireUnsubscribed wireWelcome wirePong wireAck wireError
//msgp:test ignore wireMessage wireEdited wireRemoved wireEvent wireSubscribed wireUnsubscribed wireWelcome wirePong wireAck wireError

// wireMessage is a stored message. Time is an integer here, milliseconds since
// 1970 in UTC, as small devices parse no dates.
type wireMessage struct {
	Type     string `msg:"type"`
	Room     string `msg:"room,omitempty"`
	Username string `msg:"username"`
	Verified bool   `msg:"verified,omitempty"`
	Content  string `msg:"content"`
	Time     int64  `msg:"timestamp"`
	ID       wireID `msg:"id"`
	Offset   uint64 `msg:"offset"`
	Edited   bool   `msg:"edited,omitempty"`
}

// wireEdited is an edit.
type wireEdited struct {
	Type     string `msg:"type"`
	Room     string `msg:"room,omitempty"`
	Username string `msg:"username"`
	Verified bool   `msg:"verified,omitempty"`
	Target   wireID `msg:"target"`
	Content  string `msg:"content"`
	Time     int64  `msg:"timestamp"`
	ID       wireID `msg:"id"`
	Offset   uint64 `msg:"offset"`
}

// wireRemoved is a deletion, a message that was deleted, or an edit of one.
type wireRemoved struct {
	Type     string `msg:"type"`
	Room     string `msg:"room,omitempty"`
	Username string `msg:"username"`
	Verified bool   `msg:"verified,omitempty"`
	Target   wireID `msg:"target,omitzero"`
	Time     int64  `msg:"timestamp"`
	ID       wireID `msg:"id"`
	Offset   uint64 `msg:"offset"`
	Deleted  bool   `msg:"deleted,omitempty"`
}

// wireEvent is a typing, joined or left.
type wireEvent struct {
	Type     string `msg:"type"`
	Room     string `msg:"room,omitempty"`
	Username string `msg:"username"`
	Verified bool   `msg:"verified,omitempty"`
	Time     int64  `msg:"timestamp"`
}

// wireSubscribed is the first frame of a room.
type wireSubscribed struct {
	Type          string   `msg:"type"`
	Room          string   `msg:"room"`
	ID            wireID   `msg:"id"`
	Offset        uint64   `msg:"offset"`
	Oldest        wireID   `msg:"oldest,omitzero"`
	WasRecovering bool     `msg:"was_recovering"`
	Recovered     bool     `msg:"recovered"`
	Username      string   `msg:"username"`
	Verified      bool     `msg:"verified,omitempty"`
	Access        string   `msg:"access"`
	Refused       string   `msg:"refused,omitempty"`
	Members       int      `msg:"members"`
	MaxContent    int      `msg:"max_content_bytes"`
	PingInterval  int      `msg:"ping_interval_ms"`
	Nodes         []string `msg:"nodes,omitempty"`
}

// wireUnsubscribed is the last frame of a room.
type wireUnsubscribed struct {
	Type string `msg:"type"`
	Room string `msg:"room"`
}

// wireWelcome is the first frame of a connection that may be in several rooms.
type wireWelcome struct {
	Type         string   `msg:"type"`
	Username     string   `msg:"username"`
	Verified     bool     `msg:"verified"`
	MaxContent   int      `msg:"max_content_bytes"`
	MaxRooms     int      `msg:"max_rooms,omitempty"`
	PingInterval int      `msg:"ping_interval_ms"`
	Nodes        []string `msg:"nodes,omitempty"`
}

// wirePong answers a ping.
type wirePong struct {
	Type string `msg:"type"`
}

// wireAck answers a message that had a key.
type wireAck struct {
	Type    string `msg:"type"`
	Room    string `msg:"room,omitempty"`
	Key     string `msg:"idempotency_key"`
	ID      wireID `msg:"id"`
	Offset  uint64 `msg:"offset"`
	Durable bool   `msg:"durable"`
}

// wireError refuses a frame.
type wireError struct {
	Type    string `msg:"type"`
	Room    string `msg:"room,omitempty"`
	Code    string `msg:"code"`
	Message string `msg:"message"`
	Wait    int64  `msg:"retry_after_ms,omitempty"`
	Key     string `msg:"idempotency_key,omitempty"`
}

// wireRecord is the body of a stored record, an array of eleven; see record.go.
type wireRecord struct {
	Room         string
	Epoch        string
	Offset       uint64
	Time         int64
	Username     string
	Content      string
	Key          string
	Author       uint64
	State        uint8
	TargetEpoch  string
	TargetOffset uint64
}

// wireRecord1 is that of version 1, an array of seven.
type wireRecord1 struct {
	Room     string
	Epoch    string
	Offset   uint64
	Time     int64
	Username string
	Content  string
	Key      string
}
