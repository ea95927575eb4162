// Package admin is how somebody on the machine looks after a running server: HTTP over a unix socket,
// what is said there, and the client that says it. It knows no chat: a [Backend] does what is asked.
//
//	GET  /status          how the server is, as Status
//	GET  /rooms           live rooms, as []Room; ?for=1s is how long they are watched for their rates
//	GET  /rooms/NAME      one of them, as RoomDetail
//	GET  /metrics         the counters, in the text format of Prometheus
//	GET  /backup          a consistent copy of the history, while the server is at work
//	PUT  /log-level       debug, info, warn or error, as text
//	POST /moderation      does what a moderation.Act says, in any room; GET lists the rules in force, ?room=NAME of one room
//	POST /reload          reads what SIGHUP has read again
//	GET  /debug/pprof/    a list of profiles; below it each, as net/http/pprof has them, with ?debug=, ?gc=, ?seconds=
//	POST /debug/trace     starts the flight recorder; GET writes its last seconds, DELETE stops it
//
// Who may connect is what the mode and the group of the socket say, and nobody else is asked: so
// the one rule for callers is to make the socket with its mode from the beginning. Each act that
// changes something is logged with the credentials of the process that asked for it.
package admin

import (
	"context"
	"io"
	"log/slog"
	"time"

	"edgechat/moderation"
)

// A Backend is the server that is looked after. Its methods may be called from any goroutine.
type Backend interface {
	Status() Status
	// Rooms returns the live rooms, busiest first, after it has watched them for so long.
	Rooms(ctx context.Context, watch time.Duration) ([]Room, error)
	// Room returns false if nobody is in the room and nothing is kept of it.
	Room(name string) (RoomDetail, bool)
	WriteMetrics(w io.Writer) error
	// Backup writes a copy that a restore takes.
	Backup(w io.Writer) error
	Reload() (Reloaded, error)
	// Moderate does what a says, in the name of by. Its error is a *refusal.Error.
	Moderate(ctx context.Context, by string, a moderation.Act) (moderation.Done, error)
	// Rules returns what moderators have decided, for one room, or with "" for all.
	Rules(room string) []moderation.Rule
}

// A Config is what a Handler works with.
type Config struct {
	Backend Backend        // required
	Level   *slog.LevelVar // of the log; required
	Logger  *slog.Logger   // required
}

// A Status is how a server is. Times are in seconds, sizes in bytes.
type Status struct {
	Version string    `json:"version"`
	PID     int       `json:"pid"`
	Started time.Time `json:"started"` // by the wall clock of then
	Uptime  float64   `json:"uptime"`
	State   string    `json:"state"` // "ok", "degraded" or "draining"

	Problems []Problem `json:"problems,omitempty"` // what keeps new clients, or messages from the disk
	Warnings []Problem `json:"warnings,omitempty"` // what does not, and is to be seen to

	Listeners   []string    `json:"listeners"`
	Access      string      `json:"access"` // who may read and write, in words
	Connections Connections `json:"connections"`
	Rooms       int         `json:"rooms"`
	Members     int         `json:"members"`
	Quiet       int         `json:"quiet"` // members that nobody hears of
	Messages    Messages    `json:"messages"`
	Refused     Refused     `json:"refused"`
	Delivery    Latency     `json:"delivery"` // from a message's number to its write to the members
	Commit      Latency     `json:"commit"`   // of a batch to the log, with its flush
	Store       Store       `json:"store"`
	Written     Written     `json:"written"`
	Process     Process     `json:"process"`
	Log         Log         `json:"log"`
	Cluster     *Cluster    `json:"cluster,omitempty"` // nil of a server that is alone
}

// A Cluster is how a node of a cluster and its engine stand.
type Cluster struct {
	Name     string  `json:"name"`
	Node     string  `json:"node"`
	Engine   string  `json:"engine"`  // without its password
	Ready    bool    `json:"ready"`   // messages are taken
	Durable  bool    `json:"durable"` // what the engine has survives a power cut, by its setting
	Setting  string  `json:"setting"` // which that is
	Epoch    string  `json:"epoch"`
	Number   uint64  `json:"number"`             // of the epoch
	Position uint64  `json:"position"`           // entries of the log that this node has, counted from its beginning
	Last     uint64  `json:"last"`               // and the engine, a second ago
	Queue    int     `json:"queue"`              // messages that wait for the engine
	Peers    []Node  `json:"peers"`              // the other nodes that were heard in the last seconds
	Deaf     float64 `json:"deaf,omitempty"`     // seconds since when no node is heard, this one neither; Peers are those of before then
	DeafWhy  string  `json:"deaf_why,omitempty"` // what the engine says of it
}

// A Node is another one of the cluster.
type Node struct {
	Name    string  `json:"name"`
	Address string  `json:"address,omitempty"` // where clients reach it, if it says so
	Heard   float64 `json:"heard"`             // seconds ago
	Members int     `json:"members"`
}

// A Problem says what is wrong and what to do about it.
type Problem struct {
	Code    string `json:"code"`    // for programs
	Message string `json:"message"` // for people
	Hint    string `json:"hint"`    // what mends it
}

// Connections are those that are open.
type Connections struct {
	WebSocket int    `json:"websocket"`
	Streams   int    `json:"streams"` // over plain HTTP, without an end
	HTTP      int    `json:"http"`
	Waiting   int    `json:"waiting"`   // have said nothing yet
	Addresses int    `json:"addresses"` // from which they come
	Peers     []Peer `json:"peers"`     // those with the most of them
}

// A Peer is an address and how many connections there are from it: WebSockets, and HTTP that is not idle.
type Peer struct {
	Address     string `json:"address"` // "" over a unix socket
	Connections int    `json:"connections"`
}

// Messages are counted since the start; the rates are of the last minute, or since the start.
type Messages struct {
	Published     uint64  `json:"published"`
	Delivered     uint64  `json:"delivered"`
	PublishedRate float64 `json:"published_per_second"`
	DeliveredRate float64 `json:"delivered_per_second"`
	Recovered     uint64  `json:"recovered"` // clients that came back and missed nothing
	Gaps          uint64  `json:"gaps"`      // and that did
	Slow          uint64  `json:"slow"`      // clients closed as too slow
}

// A Latency is of the last minute, or since the start if nothing was said in that.
type Latency struct {
	Count uint64  `json:"count"`
	P50   float64 `json:"p50"` // not longer than
	P99   float64 `json:"p99"`
}

// A Store is the history and where it is.
type Store struct {
	Path     string `json:"path"`
	Durable  bool   `json:"durable"`
	Medium   string `json:"medium"` // the file system
	Free     uint64 `json:"free"`
	Epoch    string `json:"epoch"`
	Rooms    int    `json:"rooms"`
	Bytes    int64  `json:"bytes"`   // by --history-bytes
	Pending  int    `json:"pending"` // messages that are not on the card yet
	Waiting  int    `json:"waiting"` // acks that wait for it
	Lost     uint64 `json:"lost"`
	Failures uint64 `json:"failures"`
	Start    string `json:"start"` // what the history was found as at the start: "empty", "in_order", "crash", "copy", "damage" or "no_file"

	Backups       uint64   `json:"backups"` // that the server made since the start
	BackupsFailed uint64   `json:"backups_failed"`
	Backup        *float64 `json:"backup,omitempty"` // seconds since the last; nil if there was none
}

// Refused is what clients were refused since the start, by code of docs/protocol.md, and by limit.
type Refused struct {
	Requests map[string]uint64 `json:"requests"` // and handshakes
	Frames   map[string]uint64 `json:"frames"`
	Limits   map[string]uint64 `json:"limits"` // messages, requests and connections
}

// Written is what went to the card.
type Written struct {
	Log     uint64  `json:"log"`     // since the start, as the store counts it
	History uint64  `json:"history"` // likewise
	Kernel  uint64  `json:"kernel"`  // since the start, of the whole process; 0 if the kernel does not say
	Flushes uint64  `json:"flushes"`
	Day     uint64  `json:"day"`  // in the last 24 hours, or since the start
	Over    float64 `json:"over"` // seconds that Day is of
	Year    uint64  `json:"year"` // as much in a year, if it goes on so; 0 in the first ten minutes
}

// Process is what the server takes of the machine.
type Process struct {
	Resident        uint64 `json:"resident"`
	Heap            uint64 `json:"heap"`
	MemoryLimit     int64  `json:"memory_limit"` // GOMEMLIMIT; 0 is none
	Goroutines      int    `json:"goroutines"`
	Descriptors     int    `json:"descriptors"`
	DescriptorLimit int    `json:"descriptor_limit"`
}

// Log is how the log is kept.
type Log struct {
	Level   string `json:"level"`
	Dropped uint64 `json:"dropped"` // lines that nobody read fast enough
}

// A Room is a live one.
type Room struct {
	Name     string  `json:"room"`
	Members  int     `json:"members"`
	Quiet    int     `json:"quiet"`
	ID       string  `json:"id"`       // of the newest message
	Messages uint64  `json:"messages"` // that the room ever had
	Rate     float64 `json:"per_second"`
	Behind   int     `json:"behind"` // members that have not been written all there is
	Slowed   bool    `json:"slowed"` // who publishes waits for those who read
}

// A RoomDetail is one room from near.
type RoomDetail struct {
	Room
	Live   bool     `json:"live"`
	Oldest string   `json:"oldest"` // message that is kept; "" if there is none
	Held   int      `json:"held"`   // bytes of frames for who is behind
	Who    []Member `json:"who"`
}

// A Member is a name and its connections in a room.
type Member struct {
	Username    string    `json:"username"`
	Verified    bool      `json:"verified,omitempty"` // the name is that of a token
	Connections int       `json:"connections"`
	Since       time.Time `json:"since"`
}

// Reloaded is what a reload has read.
type Reloaded struct {
	Path    string `json:"path,omitempty"` // of the token file; "" if there is none
	Tokens  int    `json:"tokens"`
	KeyPath string `json:"key_path,omitempty"` // of the key file that checks signed tokens; "" if there is none
	Keys    int    `json:"keys,omitempty"`
	Closed  int    `json:"closed"` // connections of tokens that were taken back, allow less than before, have expired, or whose key is gone
}

// Level is the answer to a change of the log's level.
type Level struct {
	Level  string `json:"level"`
	Before string `json:"before"`
}
