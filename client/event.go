package client

import (
	"encoding/json"
	"iter"
	"time"
)

// The types of events.
const (
	Message = "message" // somebody said something; with an ID
	Edited  = "edited"  // the message Target says Content now; with an ID of its own
	Deleted = "deleted" // the message Target is gone; with an ID of its own
	Joined  = "joined"
	Left    = "left"
	Typing  = "typing"
	// Entered comes once for each connection, before what it replays. Room.Subscribed has the rest.
	Entered = "subscribed"
	// Gap says that messages are missing here, and will not come: they have left the server's buffer.
	Gap = "gap"
)

// An Event is something that happened in the room.
type Event struct {
	Type     string // one of the constants; a later server may have others
	Username string
	Content  string // of Message and Edited
	Time     time.Time
	ID       string // a cursor: Config.Since goes on behind it. "" for what is not stored
	Offset   uint64
	Target   string // of Edited and Deleted: the ID of the message
	Live     bool   // false for what a replay has
	Edited   bool   // the Content is not the first one
	Deleted  bool   // there is no Content any more
	Verified bool   // the name is that of a token

	// Raw is the frame as the server sent it, one line of JSON; for Gap what it says in a history over HTTP.
	Raw json.RawMessage
}

// Subscribed is what the server says of a room and of who enters it.
type Subscribed struct {
	Room            string
	Username        string // under which one speaks here
	Verified        bool   // which is that of a token
	Access          string // what one may do here: "read", "write" or "moderate"
	Refused         string // the code with which a message would have been refused then, such as "read_only"; "" if it would not
	Members         int    // connections, this one included
	MaxContentBytes int
	PingInterval    time.Duration
	ID              string // of the newest message
	Offset          uint64 // the same; a replay ends with it
	Oldest          string // ID of the oldest message in the buffer; "" while that is empty
}

// Events hands out what happens, until the Room is left, or refused for good, which is the error of the
// last pair. Breaking off loses nothing: another call goes on. Who calls it from several goroutines
// gets each event in one of them.
func (r *Room) Events() iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		for {
			select {
			case e := <-r.events:
				if !yield(e, nil) {
					return
				}
				continue
			case <-r.done:
			}
			select {
			case e := <-r.events: // of before the end
				if !yield(e, nil) {
					return
				}
			default:
				if r.err != nil {
					yield(Event{}, r.err)
				}
				return
			}
		}
	}
}

// frame is what a server sends.
type frame struct {
	Type      string
	Username  string
	Content   string
	Timestamp time.Time
	ID        string
	Offset    uint64
	Target    string
	Edited    bool
	Deleted   bool
	Verified  bool

	// Of subscribed.
	Room            string
	Oldest          string
	Access, Refused string
	WasRecovering   bool `json:"was_recovering"`
	Recovered       bool
	Members         int
	MaxContentBytes int   `json:"max_content_bytes"`
	PingIntervalMs  int64 `json:"ping_interval_ms"`
	Nodes           []string

	// Of ack and error.
	Key          string `json:"idempotency_key"`
	Durable      bool
	Code         string
	Message      string
	RetryAfterMs int64 `json:"retry_after_ms"`
}

// maxSeen is the most that a server replays (--replay-limit): of that some may have been handed out before
// a gap was told.
const maxSeen = 10_000

// seen are the newest IDs that were handed out.
type seen struct {
	ids  map[string]struct{}
	ring []string
	next int
}

// add notes an id, and reports whether it is new.
func (s *seen) add(id string) bool {
	if _, ok := s.ids[id]; ok {
		return false
	}
	if s.ids == nil {
		s.ids = make(map[string]struct{})
	}
	s.ids[id] = struct{}{}
	if len(s.ring) < maxSeen {
		s.ring = append(s.ring, id)
		return true
	}
	delete(s.ids, s.ring[s.next])
	s.ring[s.next] = id
	s.next = (s.next + 1) % maxSeen
	return true
}
