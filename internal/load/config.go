package load

import (
	"fmt"
	"time"
)

// Config is one load. URL must be set; the other zero values stand for the
// defaults, save for Rate.
type Config struct {
	// URL is where the server is: "ws://127.0.0.1:3000". A path is put in front of
	// those of the protocol.
	URL   string
	Nodes []string // further nodes of the same cluster: the clients of a room, and who publishes in rooms, are spread over all
	Token string   // bearer token; "" is none

	Clients    int           // default 100
	Rooms      int           // default 10; client i is in room i modulo Rooms
	Publishers int           // clients of each room that publish; default 1
	Rate       float64       // messages a second in each room; 0 holds the connections and says nothing
	Duration   time.Duration // of publishing; default 10 s
	Size       int           // bytes of content, MinSize at least; default 100
	MsgPack    bool          // rather than JSON
	Keys       bool          // publish under idempotency keys, which has each message acknowledged

	// Saturate publishes as fast as the rooms take it, rather than at Rate:
	// a publisher sends the next message once all members of its room have all but
	// its newest Window ones.
	Saturate bool
	Window   int // default 16

	// Pid is the server's process, to measure; 0 looks for who listens there.
	Pid int

	Connecting     int           // clients that connect at a time; default 64
	ConnectTimeout time.Duration // of one client, until it is in its room; default 10 s
	WriteTimeout   time.Duration // of one write; default 10 s
	Settle         time.Duration // longest wait, before publishing, for the news of who joined to end; default 10 s
	Patience       time.Duration // silence after which what has not come is lost, and a closed loop is stuck; default 3 s
	Drain          time.Duration // longest wait for what is still to come after publishing; default 30 s
	MaxFrame       int           // bytes of a frame from the server; default 1 MiB

	// Progress, if not nil, is called about once a second, from one goroutine.
	Progress func(Progress)
}

// Progress is a run as it stands.
type Progress struct {
	Phase     string // "connecting", "settling", "publishing", "draining"
	Elapsed   time.Duration
	Connected int
	Published int64
	Delivered int64
	Lost      int64 // gaps that have been seen so far and are still open
}

func (cfg Config) withDefaults() (Config, error) {
	negative := ""
	if !(cfg.Rate >= 0) {
		negative = "Rate"
	}
	positive := func(name string, v *int, def int) {
		if *v < 0 {
			negative = name
		}
		if *v == 0 {
			*v = def
		}
	}
	lasting := func(name string, v *time.Duration, def time.Duration) {
		if *v < 0 {
			negative = name
		}
		if *v == 0 {
			*v = def
		}
	}
	positive("Clients", &cfg.Clients, 100)
	positive("Rooms", &cfg.Rooms, 10)
	positive("Publishers", &cfg.Publishers, 1)
	positive("Size", &cfg.Size, 100)
	positive("Window", &cfg.Window, 16)
	positive("Connecting", &cfg.Connecting, 64)
	positive("MaxFrame", &cfg.MaxFrame, 1<<20)
	lasting("Duration", &cfg.Duration, 10*time.Second)
	lasting("ConnectTimeout", &cfg.ConnectTimeout, 10*time.Second)
	lasting("WriteTimeout", &cfg.WriteTimeout, 10*time.Second)
	lasting("Settle", &cfg.Settle, 10*time.Second)
	lasting("Patience", &cfg.Patience, 3*time.Second)
	lasting("Drain", &cfg.Drain, 30*time.Second)
	switch {
	case negative != "":
		return cfg, fmt.Errorf("load: %s is negative, or no number", negative)
	case cfg.Size < MinSize:
		return cfg, fmt.Errorf("load: content of %d bytes has no room for what is checked: %d at least", cfg.Size, MinSize)
	case cfg.Rooms > maxRooms || cfg.Publishers > maxPublishers:
		return cfg, fmt.Errorf("load: %d rooms with %d publishers: at most %d with %d", cfg.Rooms, cfg.Publishers, maxRooms, maxPublishers)
	case cfg.Clients < cfg.Rooms*cfg.Publishers:
		return cfg, fmt.Errorf("load: %d rooms with %d publishers each need %d clients, not %d", cfg.Rooms, cfg.Publishers, cfg.Rooms*cfg.Publishers, cfg.Clients)
	}
	return cfg, nil
}
