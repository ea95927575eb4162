// Package codec holds every byte that edgechat promises: what clients send and
// receive, as JSON and as MessagePack, and the records of the store. It knows
// no sockets, rooms or files.
//
// One rule for callers: decoders copy what they keep, so that the input may be
// reused at once; encoders append to the caller's buffer and never fail.
package codec

// A Format is an encoding of frames.
type Format uint8

const (
	JSON    Format = iota // text frames
	MsgPack               // binary frames
)

// An ID names a stored message and is the cursor of whoever has read up to it.
// Its text is "<epoch>-<offset>", opaque to clients.
type ID struct {
	Epoch  string // [A-Za-z0-9]+, chosen by the store for each run of numbers that cannot be broken by a crash
	Offset uint64 // per room, +1 for each stored message; 0 is before the first
}

// A Message is what somebody said in a room, or a revision of what was said there before: stored and numbered.
type Message struct {
	ID       ID
	Username string
	Content  string // "" of a deletion, and of what was deleted
	Time     int64  // wall clock of the server, milliseconds since 1970 in UTC; orders nothing
	Author   uint64 // who may change it, as AuthorOf says; 0 is nobody. Never sent
	Target   ID     // of a revision: the message that it changes
	Kind     Kind
	Verified bool // Username is that of a token
	Edited   bool // of a message: Content is that of a later revision
	Deleted  bool // it was; or of an edit, its target was
}

// A Type names a kind of frame; its value is the "type" on the wire.
type Type string

const (
	TypeMessage      Type = "message"
	TypeTyping       Type = "typing"
	TypeJoined       Type = "joined"
	TypeLeft         Type = "left"
	TypeSubscribed   Type = "subscribed"
	TypeUnsubscribed Type = "unsubscribed"
	TypeWelcome      Type = "welcome"
	TypeAck          Type = "ack"
	TypeError        Type = "error"
	TypeJoin         Type = "join"
	TypeLeave        Type = "leave"
	TypePing         Type = "ping"
	TypePong         Type = "pong"
	TypeEdit         Type = "edit"
	TypeDelete       Type = "delete"
	TypeEdited       Type = "edited"
	TypeDeleted      Type = "deleted"
)

// An Event is what happens in a room and is not stored: typing, joined, left.
type Event struct {
	Type     Type
	Username string
	Time     int64 // as Message.Time
	Verified bool  // as Message.Verified
}

// Welcome is the first frame of a connection that may be in several rooms.
type Welcome struct {
	Username     string
	Verified     bool     // the name is that of a token
	MaxContent   int      // bytes
	MaxRooms     int      // rooms at once; 0 is no limit, and left out
	PingInterval int      // milliseconds
	Nodes        []string // addresses of other servers that have the same rooms; none is left out
}

// Subscribed is the first frame of a room: where the connection stands in it.
type Subscribed struct {
	Room          string
	Head          ID // the newest message at the time of joining; what has a greater offset is live
	Oldest        ID // the oldest message in the buffer; left out while the buffer is empty
	WasRecovering bool
	Recovered     bool
	Username      string
	Verified      bool     // as Message.Verified
	Access        string   // what one may do here: read, write or moderate
	Refused       string   // the code with which a message would be refused at this time; "" if it would not
	Members       int      // connections in the room, this one included unless it is quiet
	MaxContent    int      // bytes
	PingInterval  int      // milliseconds
	Nodes         []string // as those of Welcome
}

// An Ack says that the message with Key is on disk, or with Durable false that
// the store is degraded and the message is in memory alone.
type Ack struct {
	Room    string // "" leaves it out
	Key     string
	ID      ID
	Durable bool
}

// A Client is a frame from a client that was decoded and is valid.
type Client struct {
	Type      Type   // TypeMessage, TypeTyping, TypePing, TypeJoin, TypeLeave, TypeEdit or TypeDelete
	Room      string // that it names, "" if none; of a TypeJoin a valid one
	Content   string // of a message or an edit, valid UTF-8
	Key       string // idempotency key; "" asks for no ack
	AuthorKey string // of a message, an edit or a delete: proves who said it; "" if none
	Target    ID     // of an edit or a delete
	Join      Join   // of a TypeJoin
}

// A Join is what a client wants of a room that it joins.
type Join struct {
	Replay bool // what is in the buffer, the newest Limit after Since
	Since  ID   // zero: from the oldest on
	Limit  int  // 0: as many as the server gives
	Quiet  bool // nobody is to hear of it
}

// A Query selects messages of one room.
type Query struct {
	After  *ID  // messages after this cursor; nil: from the oldest in the buffer
	Before *ID  // messages before this one, the newest Limit of them; nil: up to the newest
	Limit  int  // at most this many, not counting what was lost; 0: no limit
	Newest bool // with After or neither: keep the newest Limit rather than the first Limit
}

// A Page is what a Query found.
type Page struct {
	Room      string
	Head      ID        // the newest message of the room at that time; Offset 0 if there never was one
	Oldest    ID        // the oldest in the buffer; zero while the buffer is empty
	Recovered bool      // nothing is missing between After and the first message
	Unread    bool      // some are not among Messages that are there: the disk does not give them now
	Messages  []Message // oldest first
}

// A Receipt is what the log says of an appended message once it is settled.
type Receipt struct {
	ID      ID
	Durable bool
	// Err says that the message was not taken after all; ID is zero then. Where there is one process alone, that
	// is said by the call that gave the message, and never here.
	Err error
}

// A Done says who is told what became of a message, and when. The zero value is nobody.
type Done struct {
	// Tell is called once, from any goroutine, and must not block.
	Tell func(Receipt)
	// Early has it called as soon as the message has its number, not once it is on disk. Durable then says nothing.
	Early bool
}
